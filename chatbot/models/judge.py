"""The answer judge on disk: written once from its base model and the shipped probe."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from importlib.resources import as_file, files
from pathlib import Path

from chatbot.errors import ModelError
from chatbot.models.catalogue import CATALOGUE
from chatbot.models.disk import sha256_of
from chatbot.models.gguf_reading import GgufFile
from chatbot.models.probe import Probe, write_judge
from chatbot.models.resolve import resolve_generator
from chatbot.prompt import FORMAT_VERSION
from knowledge_base.whole_file import whole_file

__all__ = ["JUDGE_BASE", "probe_fingerprint", "resolve_judge", "shipped_probe"]

JUDGE_BASE = "qwen2.5-coder-0.5b-instruct-q4"
"""Catalogue id of the model whose lower layers the judge is."""


def shipped_probe() -> Probe:
    """The read-out that comes with the default models.

    Raises:
        ModelError: it was trained for another prompt format.
    """
    with as_file(files("chatbot").joinpath("judge_probe.npz")) as path:
        probe = Probe.load(path)
    if probe.prompt_version != FORMAT_VERSION:
        raise ModelError(
            f"the answer judge was trained with prompt format {probe.prompt_version}, this version has "
            f"{FORMAT_VERSION}; run `kefu train judge`"
        )
    return probe


def resolve_judge(models_dir: Path) -> Path:
    """The judge's model file, written first if it is missing or damaged (some seconds).

    Safe when two processes start at once: the second waits.

    Raises:
        ModelError: the base model is missing or not the one the probe was trained
            on, or the file cannot be written.
    """
    probe = shipped_probe()
    base_file = CATALOGUE[JUDGE_BASE].files[0]
    if base_file.sha256 != probe.base_sha256:
        raise ModelError(
            f"the answer judge was trained on a model with sha256 {probe.base_sha256[:12]}…, the catalogue has "
            f"{base_file.sha256[:12]}…; run `kefu train judge`"
        )
    base = Path(resolve_generator(JUDGE_BASE, models_dir))
    folder = models_dir / "answer-judge"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{probe_fingerprint(probe)}.gguf"
    if _is_whole(path):
        return path
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_whole(path):
                _write(base, probe, path)
    except OSError as error:
        raise ModelError(
            f"the answer judge cannot be written to {folder} ({error.strerror or error}); expected room for "
            f"{base_file.bytes >> 20} MB: free some space, or set KEFU_MODELS_DIR to another folder"
        ) from error
    return path


def _write(base: Path, probe: Probe, path: Path) -> None:
    for old in (*path.parent.glob("*.gguf"), *path.parent.glob("*.json")):
        old.unlink(missing_ok=True)
    write_judge(base, probe, path, *_yes_no(base))
    _stamp(path, sha256_of(path))


def _stamp(path: Path, sha256: str) -> None:
    """Notes size and time of a file whose bytes are known to be right."""
    status = path.stat()
    noted = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": sha256}
    with whole_file(path.with_suffix(".json")) as part:
        part.write_text(json.dumps(noted), encoding="utf-8")


def _is_whole(path: Path) -> bool:
    """Whether the file is as it was written; hashed only where its time has changed since."""
    try:
        noted = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        status = path.stat()
        if status.st_size != noted["bytes"]:
            return False
        if status.st_mtime_ns == noted["mtime_ns"]:
            return True
        if sha256_of(path) != noted["sha256"]:
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    with contextlib.suppress(OSError):  # a folder that may only be read costs a look each time
        _stamp(path, noted["sha256"])
    return True


def probe_fingerprint(probe: Probe) -> str:
    """Changes with any number of the probe; 16 hexadecimal digits."""
    digest = hashlib.sha256(f"1|{probe.base_sha256}|{probe.layers}".encode())
    for part in (probe.scale, probe.weights, probe.level):
        digest.update(part.tobytes())
    for name, adapter in sorted(probe.adapters.items()):
        digest.update(name.encode() + adapter.down.tobytes() + adapter.up.tobytes())
    return digest.hexdigest()[:16]


def _yes_no(base: Path) -> tuple[int, int]:
    """The ids of the tokens «Yes» and «No»."""
    vocabulary: list[str] = GgufFile(base).fields["tokenizer.ggml.tokens"].contents()
    try:
        return vocabulary.index("Yes"), vocabulary.index("No")
    except ValueError:
        raise ModelError(f"{base} has no token «Yes» or «No», which the answer judge needs") from None
