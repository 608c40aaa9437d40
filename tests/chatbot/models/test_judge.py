"""The judge's file is derived: written once, checked at each start, written anew when it is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chatbot.errors import ModelError
from chatbot.models import judge
from chatbot.models.probe import Probe

WHOLE = b"GGUF" + bytes(range(256)) * 4


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which files were written; the writer is small and quick."""
    found: list[Path] = []

    def write(_base: Path, _probe: Probe, target: Path, _yes: int, _no: int) -> None:
        found.append(target)
        target.write_bytes(WHOLE)

    monkeypatch.setattr(judge, "write_judge", write)
    monkeypatch.setattr(judge, "resolve_generator", lambda _id, _folder: tmp_path / "base.gguf")
    monkeypatch.setattr(judge, "_yes_no", lambda _base: (1, 2))
    numbers = np.ones((3, 4), dtype=np.float32)
    base = judge.CATALOGUE[judge.JUDGE_BASE].files[0].sha256
    monkeypatch.setattr(judge, "shipped_probe", lambda: Probe(base, 1, 2, *numbers))
    return found


def test_it_is_written_once(written: list[Path], tmp_path: Path) -> None:
    path = judge.resolve_judge(tmp_path)
    assert judge.resolve_judge(tmp_path) == path
    assert len(written) == 1


@pytest.mark.parametrize(
    "damage", ["truncated", "flipped", "empty", "missing", "its stamp is missing", "stamp"]
)
def test_a_damaged_one_is_written_anew(written: list[Path], tmp_path: Path, damage: str) -> None:
    path = judge.resolve_judge(tmp_path)
    stamp = path.with_suffix(".json")
    match damage:
        case "truncated":
            path.write_bytes(WHOLE[:500])
        case "flipped":
            path.write_bytes(WHOLE[:500] + b"!" + WHOLE[501:])
        case "empty":
            path.write_bytes(b"")
        case "missing":
            path.unlink()
        case "its stamp is missing":
            stamp.unlink()
        case _:
            stamp.write_text("[")
    assert judge.resolve_judge(tmp_path) == path
    assert path.read_bytes() == WHOLE
    assert len(written) == 2


def test_a_copied_one_is_checked_and_kept(written: list[Path], tmp_path: Path) -> None:
    path = judge.resolve_judge(tmp_path)
    path.write_bytes(WHOLE)  # the same bytes at another time
    judge.resolve_judge(tmp_path)
    assert len(written) == 1


def test_a_full_disk_is_said(written: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(judge, "write_judge", full)
    with pytest.raises(ModelError, match="No space left on device"):
        judge.resolve_judge(tmp_path)
    assert written == []
