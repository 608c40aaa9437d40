"""A file appears whole or not at all, whoever reads it meanwhile and wherever the writer ends."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to; it takes that file's place when the block ends.

    When the block fails nothing is left of it and ``path`` is as it was.  Two
    writers do not meet: the last one stays.

    Raises:
        OSError: the file cannot be put in its place.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
