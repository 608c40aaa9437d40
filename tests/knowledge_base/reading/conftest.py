from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge_base.entry import Entry
from knowledge_base.reading import read_entries


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str, str | bytes], list[Entry]]:
    """Writes a file and reads it."""

    def reader(name: str, content: str | bytes) -> list[Entry]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_entries(path)

    return reader
