"""What the guarded stream lets out while an answer is being made."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.guard import GuardedStream, check
from tests.chatbot.guard_helpers import language_of

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "guard_cases.jsonl").read_text("utf-8").splitlines()
]
GOOD = [case for case in CASES if case["label"] == "good"]


def stream(case: dict[str, Any]) -> GuardedStream:
    return GuardedStream(
        question=case["question"],
        language=case["language"],
        sources=case["sources"],
        kind=case["kind"],
        language_of=language_of,
    )


def passes(case: dict[str, Any]) -> bool:
    return check(
        case["answer"],
        question=case["question"],
        language=case["language"],
        sources=case["sources"],
        kind=case["kind"],
        language_of=language_of,
    ).passed


def released(guarded: GuardedStream, text: str, cuts: list[int]) -> tuple[str, str]:
    """What was let out before the end and what at the end, when ``text`` came in pieces cut at ``cuts``."""
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    return "".join(guarded.feed(piece) for piece in pieces), guarded.finish()


def in_pieces_of(text: str, size: int) -> list[int]:
    return list(range(0, len(text), size))


@given(st.sampled_from(CASES), st.lists(st.integers(0, 10_000), max_size=60))
@settings(deadline=None, max_examples=250)
def test_releases_are_a_prefix_and_whole_when_the_answer_passes(
    case: dict[str, Any], cuts: list[int]
) -> None:
    guarded = stream(case)
    before, rest = released(guarded, case["answer"], cuts)
    assert case["answer"].startswith(before + rest)
    if passes(case):
        assert before + rest == case["answer"]
        assert guarded.refused is None
    else:
        assert guarded.refused is not None
        assert rest == ""


@pytest.mark.parametrize("size", [1, 3, 7])
def test_every_good_wording_streams_whole(size: int) -> None:
    for case in GOOD:
        if passes(case):
            before, rest = released(stream(case), case["answer"], in_pieces_of(case["answer"], size))
            assert before + rest == case["answer"]


TEMPLATES = {
    "en": (
        "Delivery takes {} days and is free.",
        "You have {} from delivery to return it.",
        "We open at {} on weekdays.",
    ),
    "zh": ("配送需要{}天，免运费。", "签收后{}内可以退货。", "我们{}开门。"),
    "de": ("Die Lieferung dauert {} Tage.", "Sie haben {} Zeit.", "Wir öffnen um {}."),
}
SOURCES = {
    "en": (
        "How long?",
        "Delivery takes 5 days and is free. You have 30 days from delivery to return it. We open at 9:00.",
    ),
    "zh": ("多久？", "配送需要5天，免运费。签收后30天内可以退货。我们9点开门。"),
    "de": ("Wie lange?", "Die Lieferung dauert 5 Tage. Sie haben 30 Tage Zeit. Wir öffnen um 9 Uhr."),
}
FOREIGN = {
    "en": ("7", "14 days", "forty-five days", "$12", "1,250", "10:30 am", "70 %", "2 hours"),
    "zh": ("7", "十四天", "四十五天", "12元", "1,250", "上午10点半", "70%", "两小时"),
    "de": ("7", "14 Tage", "fünfundvierzig Tage", "12 €", "1.250", "10:30 Uhr", "70 %", "zwei Stunden"),
}


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_no_foreign_number_is_ever_released(data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(sorted(TEMPLATES)))
    number = data.draw(st.sampled_from(FOREIGN[language]))
    text = data.draw(st.sampled_from(TEMPLATES[language])).format(number)
    text += data.draw(st.sampled_from(("", " " + TEMPLATES[language][0].format(5), "。\n", " ...")))
    guarded = GuardedStream(
        question="?",
        language=language,
        sources=SOURCES[language],
        kind="answer",
        language_of=lambda _: language,
    )
    before, rest = released(guarded, text, data.draw(st.lists(st.integers(0, 200), max_size=40)))
    assert before + rest == text[: len(before)]
    assert number not in before
    assert guarded.refused is not None


def test_text_flows_before_the_end_and_a_number_waits_for_its_unit() -> None:
    case = {
        "question": "how long",
        "language": "en",
        "sources": SOURCES["en"],
        "kind": "answer",
    }
    guarded = stream(case)
    assert guarded.feed("You have ") == "You have "
    assert guarded.feed("30") == ""
    assert guarded.feed(" days") == ""
    out = guarded.feed(" from delivery to return it for any ")
    assert out.startswith("30 days from")


def test_nothing_more_is_released_after_a_violation() -> None:
    guarded = stream({"question": "q", "language": "en", "sources": SOURCES["en"], "kind": "answer"})
    first = guarded.feed("You have 45 days from delivery to return it if that suits you. ")
    assert "45" not in first
    assert guarded.refused is not None
    assert guarded.refused.reasons == ("number:45 days",)
    assert guarded.feed("Delivery takes 5 days. ") == ""
    assert guarded.finish() == ""


def test_a_link_is_held_until_it_is_whole() -> None:
    source = ("Where?", "Start at https://shop.lumora.example/returns.")
    guarded = stream({"question": "where", "language": "en", "sources": source, "kind": "answer"})
    out = [
        guarded.feed(piece) for piece in ("Start ", "at ", "https://shop", ".lumora", ".example/ret", "urns.")
    ]
    assert out[:2] == ["Start ", "at "]
    assert out[2:] == ["", "", "", ""]
    assert guarded.finish() == "https://shop.lumora.example/returns."


def test_finish_runs_the_checks_that_need_the_whole_answer() -> None:
    source = ("Can gift cards be returned?", "Gift cards cannot be returned.")
    guarded = stream({"question": "return gift card?", "language": "en", "sources": source, "kind": "answer"})
    guarded.feed("Yes, gift cards can be returned.")
    assert guarded.finish() == ""
    assert guarded.refused is not None
    assert "negation:flipped" in guarded.refused.reasons
