"""What an adapter file says about itself, and whether it fits the model it is loaded beside."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chatbot.errors import ModelError
from chatbot.models.catalogue import CATALOGUE
from chatbot.models.disk import sha256_of
from chatbot.models.gguf_reading import GgufFile
from chatbot.prompt import FORMAT_VERSION

__all__ = [
    "ADAPTER",
    "AdapterManifest",
    "check_adapter",
    "manifest_fields",
    "read_manifest",
    "shipped_adapter",
]


ADAPTER = "adapter.gguf"
"""Name of the adapter in the folder of the run that trained it."""


@dataclass(frozen=True, slots=True)
class AdapterManifest:
    """What an adapter belongs to and how it was made."""

    base: str
    """Catalogue id or file name of the model it was trained on."""
    base_sha256: str
    prompt_version: int
    """The prompt format it learnt; see :data:`chatbot.prompt.FORMAT_VERSION`."""
    data: str
    """Fingerprint of the examples."""
    run: str = ""
    """Name of the training run."""
    figures: dict[str, float] = field(default_factory=dict)
    """Of the training, e.g. ``held_out_loss``."""


_PREFIX = "kefu.adapter."


def manifest_fields(manifest: AdapterManifest) -> dict[str, str]:
    """The manifest as the file carries it: texts by their key."""
    fields = {**asdict(manifest), "figures": json.dumps(manifest.figures)}
    return {_PREFIX + name: str(value) for name, value in fields.items()}


def read_manifest(path: Path) -> AdapterManifest:
    """The manifest in an adapter file.

    Raises:
        ModelError: the file is none of ours or cannot be read.
    """
    try:
        fields = GgufFile(path).fields
        told: dict[str, Any] = {
            name: fields[_PREFIX + name].contents()
            if _PREFIX + name in fields
            else ""  # empty texts are not written
            for name in ("base", "base_sha256", "prompt_version", "data", "run", "figures")
        }
        return AdapterManifest(
            **{**told, "prompt_version": int(told["prompt_version"]), "figures": json.loads(told["figures"])}
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is no adapter of Kefu ({type(error).__name__}); expected a file that "
            "`kefu train generator` wrote"
        ) from error


def check_adapter(path: Path, model: Path) -> AdapterManifest:
    """Makes sure that an adapter fits a model file and this version's prompts.

    Raises:
        ModelError: it was trained on another model or with another prompt format.
    """
    manifest = read_manifest(path)
    if manifest.prompt_version != FORMAT_VERSION:
        raise ModelError(
            f"the adapter {path.name} was trained with prompt format {manifest.prompt_version}, this version "
            f"has {FORMAT_VERSION}; train it again: `kefu train generator`"
        )
    found = _sha256(model)
    if found != manifest.base_sha256:
        raise ModelError(
            f"the adapter {path.name} belongs to {manifest.base} (sha256 {manifest.base_sha256[:12]}…), not to "
            f"{model.name} ({found[:12]}…); set KEFU_GENERATOR__ADAPTER to one trained on this model, or to none"
        )
    return manifest


def shipped_adapter(model: str) -> Path | None:
    """The adapter that comes with a model of the catalogue; None where there is none."""
    path = Path(__file__).resolve().parent.parent / "adapters" / f"{model}.gguf"
    return path if path.is_file() else None


def _sha256(model: Path) -> str:
    """Of a catalogue's model the checksum it was fetched by, else that of the bytes."""
    for entry in CATALOGUE.values():
        for file in entry.files:
            if file.name == model.name and entry.id == model.parent.name:
                return file.sha256
    return sha256_of(model)
