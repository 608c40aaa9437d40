"""Pages of a model file that are not needed any more leave the process's memory."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from chatbot.generate.mapped import release_mapped

SIZE = 32 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="madvise of Linux")


def test_the_pages_are_let_go_and_come_back_with_their_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a model.gguf"
    file.write_bytes(b"kefu" * (SIZE // 4))
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped.find(b"nowhere") == -1
        assert _resident(file) >= SIZE // 2
        assert release_mapped(file) == SIZE
        assert _resident(file) < SIZE // 8
        assert mapped[SIZE - 4 :] == b"kefu"


def test_other_files_keep_theirs(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(b"kefu" * (SIZE // 4))
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped.find(b"nowhere") == -1
        assert release_mapped(tmp_path / "b.gguf") == 0
        assert _resident(file) >= SIZE // 2


def test_a_mapping_that_is_written_to_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(bytes(SIZE))
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[:4] = b"kefu"
        assert release_mapped(file) == 0
        assert mapped[:4] == b"kefu"


def _resident(file: Path) -> int:
    """Bytes of the file's mappings that are in this process's memory."""
    found = 0
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0] and not line.split()[0].endswith(":"):
            inside = line.endswith(str(file))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found
