"""What is served is kept in a file: promoted, gone back from, never half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import ModelError
from chatbot.models import promote, promoted, roll_back
from chatbot.models.promoted import SERVED


def test_the_last_promotion_is_served_and_each_step_can_be_gone_back(tmp_path: Path) -> None:
    assert promoted(tmp_path, "generator") == ""
    promote(tmp_path, "generator", "first")
    promote(tmp_path, "encoder", "words")
    promote(tmp_path, "generator", "second")
    assert promoted(tmp_path, "generator") == "second"
    assert roll_back(tmp_path, "generator") == "first"
    assert promoted(tmp_path, "generator") == "first"
    assert promoted(tmp_path, "encoder") == "words"
    assert roll_back(tmp_path, "generator") == ""
    with pytest.raises(ModelError, match="no generator was promoted"):
        roll_back(tmp_path, "generator")


@pytest.mark.parametrize("content", ["", "[1]", '{"generator": 3}', "\x00"])
def test_a_damaged_file_is_said_and_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / SERVED).write_text(content)
    for act in (lambda: promoted(tmp_path, "generator"), lambda: promote(tmp_path, "encoder", "x")):
        with pytest.raises(ModelError, match="delete it to serve the models as they come"):
            act()
    assert (tmp_path / SERVED).read_text() == content


def test_many_promotions_do_not_grow_without_end(tmp_path: Path) -> None:
    for number in range(50):
        promote(tmp_path, "encoder", f"run{number}")
    assert promoted(tmp_path, "encoder") == "run49"
    assert (tmp_path / SERVED).stat().st_size < 2000
