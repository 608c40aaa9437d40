"""What lies in the models folder, and whether it is what it should be.

A model's folder carries a stamp with the size, modification time and sha256 of
each file at the last check.  While sizes and times agree, a start believes the
stamp; otherwise the files are hashed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chatbot.errors import ModelError
from chatbot.models.catalogue import CATALOGUE, Model, ModelFile
from knowledge_base.whole_file import whole_file

__all__ = [
    "STAMP",
    "FileCheck",
    "InstalledModel",
    "ModelCheck",
    "find_model",
    "installed",
    "is_whole",
    "model_folder",
    "sha256_of",
    "verify",
    "write_stamp",
]

STAMP = "kefu-model.json"
CHUNK = 1 << 22

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The outcome for one file; ``found`` is its sha256, or what is wrong with it."""

    file: ModelFile
    found: str

    @property
    def ok(self) -> bool:
        """Whether the file has the expected bytes."""
        return self.found == self.file.sha256


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The outcome for one model."""

    model: Model
    folder: Path
    files: tuple[FileCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether every file has the expected bytes."""
        return all(check.ok for check in self.files)


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One line of ``kefu models list``."""

    model: Model
    folder: Path
    state: Literal["ready", "unchecked", "missing"]


def find_model(model_id: str) -> Model:
    """The catalogue's entry of that id.

    Raises:
        ModelError: there is none.
    """
    try:
        return CATALOGUE[model_id]
    except KeyError:
        known = ", ".join(CATALOGUE)
        raise ModelError(f"no model {model_id!r} in the catalogue; known are {known}") from None


def model_folder(model: Model, models_dir: Path) -> Path:
    """Where the model lies once it is pulled."""
    return models_dir / model.id


def installed(models_dir: Path) -> list[InstalledModel]:
    """The state of every model of the catalogue, without reading their bytes.

    ``unchecked`` means that files are there, but not as the last check left them.
    """
    states: list[InstalledModel] = []
    for model in CATALOGUE.values():
        folder = model_folder(model, models_dir)
        present = all((folder / file.name).is_file() for file in model.files)
        state: Literal["ready", "unchecked", "missing"] = "missing"
        if present:
            state = "ready" if _stamp_agrees(model, folder) else "unchecked"
        states.append(InstalledModel(model, folder, state))
    return states


def is_whole(model: Model, models_dir: Path, report: Report | None = None) -> bool:
    """Whether the model lies there with the expected bytes.

    Quick while the stamp agrees; hashes the files and renews the stamp otherwise,
    calling ``report`` with the bytes hashed so far.
    """
    folder = model_folder(model, models_dir)
    if _stamp_agrees(model, folder):
        return True
    if not all(_size(folder / file.name) == file.bytes for file in model.files):
        return False
    return verify(model, models_dir, report).ok


def verify(model: Model, models_dir: Path, report: Report | None = None) -> ModelCheck:
    """Hashes the model's files; renews the stamp when all are right, removes it when one is not.

    Args:
        model: which one.
        models_dir: the models folder.
        report: called with the bytes hashed so far.
    """
    folder = model_folder(model, models_dir)
    checks: list[FileCheck] = []
    hashed = 0
    for file in model.files:
        found = _check_file(folder / file.name, file, _shifted(report, hashed))
        checks.append(FileCheck(file, found))
        hashed += file.bytes
        _tell(report, hashed)
    check = ModelCheck(model, folder, tuple(checks))
    try:
        if check.ok:
            write_stamp(model, folder)
        else:
            (folder / STAMP).unlink(missing_ok=True)
    except OSError:
        pass  # A models folder may be read-only; then each start hashes anew.
    return check


def write_stamp(model: Model, folder: Path) -> None:
    """Notes that the files in ``folder`` were found right as they are now.

    Raises:
        OSError: the folder cannot be written.
    """
    files = {}
    for file in model.files:
        status = (folder / file.name).stat()
        files[file.name] = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": file.sha256}
    text = json.dumps({"model": model.id, "files": files}, indent=2) + "\n"
    with whole_file(folder / STAMP) as part:
        part.write_text(text, encoding="utf-8")


def sha256_of(path: Path, report: Report | None = None) -> str:
    """The sha256 of a file; ``report`` is called with the bytes read so far."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
            done += len(block)
            _tell(report, done)
    return digest.hexdigest()


def _shifted(report: Report | None, start: int) -> Report:
    return lambda done: _tell(report, start + done)


def _tell(report: Report | None, done: int) -> None:
    if report is not None:
        report(done)


def _check_file(path: Path, file: ModelFile, report: Report) -> str:
    size = _size(path)
    if size is None:
        return "missing"
    if size != file.bytes:
        return f"{size} bytes instead of {file.bytes}"
    try:
        return sha256_of(path, report)
    except OSError as error:
        return f"unreadable ({error.strerror})"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _stamp_agrees(model: Model, folder: Path) -> bool:
    """Whether the stamp names the catalogue's checksums and the files' present sizes and times."""
    try:
        noted = json.loads((folder / STAMP).read_text(encoding="utf-8"))["files"]
        for file in model.files:
            status = (folder / file.name).stat()
            now = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": file.sha256}
            if status.st_size != file.bytes or noted[file.name] != now:
                return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True
