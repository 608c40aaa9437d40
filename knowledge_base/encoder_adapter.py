"""Low-rank adapters of an encoder (Hu et al. 2021): a small file that is added to its weights as it is loaded."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import KnowledgeError
from knowledge_base.whole_file import whole_file

__all__ = ["ADAPTER", "EncoderAdapter", "EncoderManifest", "add_to", "quick_digest", "weights_digest"]

Floats = NDArray[np.float32]

ADAPTER = "adapter.safetensors"
"""Name of the adapter in the folder of the run that trained it."""
_FIELD = "kefu"


@dataclass(frozen=True, slots=True)
class EncoderManifest:
    """What an adapter belongs to and how it was made."""

    base: str
    """Of the weights it was trained on; see :func:`weights_digest`."""
    data: str
    """Fingerprint of the examples."""
    run: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncoderAdapter:
    """What is added to an encoder's matrices."""

    manifest: EncoderManifest
    matrices: Mapping[str, tuple[Floats, Floats]]
    """By module name: down (rank, in) and up (out, rank), with the scale in the latter."""

    @property
    def digest(self) -> str:
        """Changes with any number in it; 16 hexadecimal digits."""
        found = hashlib.sha256()
        for name, (down, up) in sorted(self.matrices.items()):
            found.update(name.encode() + down.astype("<f2").tobytes() + up.astype("<f2").tobytes())
        return found.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Writes it in half precision, whole or not at all.

        Raises:
            OSError: there is no room or no right to write.
        """
        from safetensors.numpy import save

        tensors = {
            f"{name}.{side}": np.ascontiguousarray(matrix.astype(np.float16))
            for name, pair in self.matrices.items()
            for side, matrix in zip(("down", "up"), pair, strict=True)
        }
        with whole_file(path) as part:
            part.write_bytes(save(tensors, {_FIELD: json.dumps(asdict(self.manifest))}))

    @classmethod
    def load(cls, path: Path) -> EncoderAdapter:
        """Reads what :meth:`save` wrote.

        Raises:
            KnowledgeError: the file is missing, damaged or something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as content:
                told = json.loads((content.metadata() or {})[_FIELD])
                manifest = EncoderManifest(**told)
                names = {name.rpartition(".")[0] for name in content.keys()}  # noqa: SIM118
                matrices = {
                    name: (
                        content.get_tensor(f"{name}.down").astype(np.float32),
                        content.get_tensor(f"{name}.up").astype(np.float32),
                    )
                    for name in sorted(names)
                }
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise KnowledgeError(
                f"{path} is no adapter of an encoder ({type(error).__name__}: {error}); expected a file that "
                "`kefu train encoder` wrote"
            ) from error
        return cls(manifest, matrices)

    def merge(self, network: Any, base: str) -> None:
        """Adds it to the weights of ``network``.

        Args:
            base: digest of the weights that the network was loaded from.

        Raises:
            KnowledgeError: it was trained on other weights.
        """
        if base != self.manifest.base:
            raise KnowledgeError(
                f"the adapter of the run {self.manifest.run!r} belongs to another encoder ({self.manifest.base}, this "
                f"one is {base}); set KEFU_EMBEDDER__ADAPTER to one trained on this encoder, or to none"
            )
        add_to(network, self.matrices)


def add_to(network: Any, matrices: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Adds each product of up and down to the weights of the module it is named for.

    Raises:
        KnowledgeError: the network has no such matrix.
    """
    import torch

    with torch.no_grad():
        for name, (down, up) in matrices.items():
            try:
                network.get_submodule(name).weight += torch.from_numpy(up) @ torch.from_numpy(down)
            except (AttributeError, RuntimeError) as error:
                raise KnowledgeError(f"the encoder has no matrix {name} of that size ({error})") from error


def weights_digest(path_or_id: str) -> str:
    """Tells encoders apart by their weights files, or by the id where there is no folder; 16 hexadecimal digits."""
    digest = hashlib.sha256()
    folder = Path(path_or_id)
    if not folder.is_dir():
        digest.update(path_or_id.encode())
    for file in sorted(folder.glob("*.safetensors")) + sorted(folder.glob("*.bin")):
        digest.update(quick_digest(file))
    return digest.hexdigest()[:16]


def quick_digest(file: Path) -> bytes:
    """A digest of a weights file from its size and some spread-out blocks.

    Models differ in every block, so 64 blocks of 4 kB tell them apart without
    reading hundreds of megabytes at each start; damage is `kefu models verify`'s
    business.
    """
    digest = hashlib.sha256()
    size = file.stat().st_size
    digest.update(str(size).encode())
    with file.open("rb") as stream:
        for position in range(0, size, max(size // 64, 1)):
            stream.seek(position, os.SEEK_SET)
            digest.update(stream.read(4096))
    return digest.digest()
