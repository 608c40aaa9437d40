"""Texts are cut where a reader would, and never over the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.channels.messengers.text import shorten, split_text, utf8, utf16

SIZES = [len, utf8, utf16]


@given(st.text(max_size=400), st.integers(min_value=8, max_value=60), st.sampled_from(SIZES))
def test_no_part_is_too_long_and_nothing_but_space_is_lost(text: str, limit: int, size: object) -> None:
    assert callable(size)
    parts = split_text(text, limit, size)
    assert all(0 < size(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("One. Two three. Four", 16, ["One. Two three.", "Four"]),
        ("退货三十天内。退款五天内。运费自理。", 15, ["退货三十天内。退款五天内。", "运费自理。"]),
        ("A first one.\n\nA second one. A third.", 30, ["A first one.\n\nA second one.", "A third."]),
        ("costs 3.50 euro in all", 12, ["costs 3.50", "euro in all"]),
        ("see https://shop.example/a/b now", 30, ["see https://shop.example/a/b", "now"]),
        ("他说：“好的。”然后走了。", 9, ["他说：“好的。”", "然后走了。"]),
        ("", 9, []),
        ("   \n ", 9, []),
    ],
)
def test_the_best_place_is_chosen(text: str, limit: int, parts: list[str]) -> None:
    assert split_text(text, limit) == parts


def test_a_family_of_joined_characters_is_not_torn() -> None:
    family = "👨\u200d👩\u200d👧\u200d👦"
    assert split_text(family * 3, utf16(family) + 3, utf16) == [family] * 3


def test_a_million_characters_are_cut_in_no_time() -> None:
    assert sum(map(len, split_text("a" * 1_000_000, 4096))) == 1_000_000


def test_a_title_is_shortened_on_one_line() -> None:
    assert shorten("How long\ndo I have?", 12) == "How long do…"
    assert shorten("短", 2) == "短"
    assert utf8(shorten("退货退货退货", 10, utf8)) <= 10
