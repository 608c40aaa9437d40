"""Slot states of warmed prompts on disk, so that the next start need not read them again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["StateFiles"]

_MAX_FILES = 64


class StateFiles:
    """A folder of states, each named by what it belongs to and by its own checksum.

    Args:
        folder: made when needed; only prompts given to ``warm`` come here, never
            a customer's words.
        identity: engine and model; a state of another one is never loaded.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity

    def load(self, prompt: bytes) -> int | None:
        """Open file descriptor of the state for ``prompt``; None when there is no sound one."""
        for path in self._folder.glob(f"{self._name(prompt)}-*.state"):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if _digest(file) == path.stem.rpartition("-")[2]:
                os.utime(path)
                return file
            os.close(file)
            path.unlink(missing_ok=True)
        return None

    def store(self, prompt: bytes, write: Callable[[int], bool]) -> None:
        """Keeps what ``write`` writes to a file descriptor; a full disk only means it is not kept."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        except OSError:
            return
        temporary = Path(name)
        try:
            if write(file):
                os.fsync(file)
                temporary.rename(self._folder / f"{self._name(prompt)}-{_digest(file)}.state")
        except OSError:
            pass
        finally:
            os.close(file)
            temporary.unlink(missing_ok=True)
        self._prune()

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.state"), key=lambda path: path.stat().st_mtime)
        for path in files[:-_MAX_FILES]:
            path.unlink(missing_ok=True)

    def _name(self, prompt: bytes) -> str:
        return hashlib.sha256(self._identity.encode() + prompt).hexdigest()[:32]


def _digest(file: int) -> str:
    with os.fdopen(os.dup(file), "rb") as stream:
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]
