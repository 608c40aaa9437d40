"""Files to entries, by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.grouped import read_groups

__all__ = ["read_entries"]

_READERS: dict[str, Callable[[Path], list[Entry]]] = {".yml": read_groups, ".yaml": read_groups}


def read_entries(path: Path) -> list[Entry]:
    """All entries of a file.

    Raises:
        ReadError: the file cannot be read; names place, finding and remedy.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ReadError(f"{path}: files ending in {path.suffix!r} are not read; expected {', '.join(_READERS)}")
    return reader(path)
