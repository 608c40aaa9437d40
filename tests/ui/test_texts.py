from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ui
from ui.texts import LANGUAGES, TEXTS, preferred_language, say


def test_every_text_exists_in_every_interface_language_with_the_same_fields() -> None:
    for key, by_language in TEXTS.items():
        assert set(by_language) == set(LANGUAGES), key
        fields = {tuple(sorted(re.findall(r"{(\w+)}", text))) for text in by_language.values()}
        assert len(fields) == 1, key


def test_every_text_is_used() -> None:
    folder = Path(ui.__path__[0])
    code = "".join(p.read_text(encoding="utf-8") for p in folder.glob("*.py") if p.name != "texts.py")
    computed = ("status_", "placeholder_", "notice_")
    unused = [key for key in TEXTS if f'"{key}"' not in code and f"'{key}'" not in code]
    assert [key for key in unused if not key.startswith(computed)] == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("de-DE,de;q=0.9,zh;q=0.5,en;q=0.4", "zh"),
        ("fr", "en"),
        ("", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("ZH-Hant-TW", "zh"),
    ],
)
def test_the_browsers_language_is_taken(header: str, language: str) -> None:
    assert preferred_language(header) == language


def test_the_installations_default_is_taken_when_the_browser_asks_for_neither() -> None:
    assert preferred_language("fr", "zh") == "zh"
    assert preferred_language("fr", "ja") == "en"


@given(st.text(max_size=300))
def test_any_header_gives_a_language(header: str) -> None:
    assert preferred_language(header) in LANGUAGES


def test_fields_are_filled_in() -> None:
    assert "7" in say("error_busy", "zh", seconds=7)
