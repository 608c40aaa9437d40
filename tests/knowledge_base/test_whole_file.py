from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.whole_file import whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("half")
        assert path.read_text() == "old"
        part.write_text("whole")
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["manifest.json"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as part:
            part.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["manifest.json"]


def test_two_writers_do_not_spoil_each_others_file(tmp_path: Path) -> None:
    path = tmp_path / "served.json"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # put in its place last
    assert names(tmp_path) == ["served.json"]


def test_a_block_that_wrote_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    with pytest.raises(FileNotFoundError), whole_file(path):
        pass
    assert names(tmp_path) == []
