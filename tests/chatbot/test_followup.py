"""Follow-up questions: made whole when they lean on earlier ones, left alone when not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.followup import Completion, FollowUp
from chatbot.turn import Past, Turn

PAIRS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent / "followup_pairs.jsonl").read_text(encoding="utf-8").splitlines()
]


def past(*questions: str, language: str = "en", action: str = "verbatim") -> Past:
    return Past(tuple(Turn(question, "…", language, action) for question in questions), language)


@pytest.mark.parametrize(
    "pair", PAIRS, ids=[f"{pair['language']}-{number}" for number, pair in enumerate(PAIRS)]
)
def test_dialogues_in_six_languages(pair: dict[str, Any]) -> None:
    stage = FollowUp(pair.get("names", ()))
    found = stage.complete(
        pair["text"], past(*pair["before"], language=pair["language"]), pair["language"]
    ).question
    if pair.get("same"):
        assert found == pair["text"]
    for part in pair.get("has", ()):
        assert part in found
    for part in pair.get("not", ()):
        assert part not in found


def test_the_dialogues_cover_each_language_both_ways() -> None:
    for language in ("zh", "en", "es", "ja", "de", "fr"):
        rows = [pair for pair in PAIRS if pair["language"] == language]
        assert sum("has" in pair for pair in rows) >= 6
        assert sum("same" in pair for pair in rows) >= 4


def test_small_talk_in_between_is_passed_over() -> None:
    turns = (
        Turn("How long does shipping to Japan take?", "…", "en", "verbatim"),
        Turn("thanks", "…", "en", "small_talk"),
    )
    assert "shipping to Japan" in FollowUp().complete("and how much?", Past(turns), "en").question


def test_a_hand_over_or_an_empty_past_gives_nothing_to_lean_on() -> None:
    assert FollowUp().complete("and how much?", Past(), "en").question == "and how much?"
    gone = past("I want a human", action="hand_over")
    assert FollowUp().complete("and how much?", gone, "en").question == "and how much?"


def test_a_question_in_another_language_leans_on_the_same_topic() -> None:
    found = FollowUp().complete("and how much?", past("国内快递几天到？", language="zh"), "en").question
    assert "国内快递" in found
    assert "how much" in found


def test_a_text_that_may_mean_something_by_itself_is_told_apart_from_one_that_does_not() -> None:
    before = past("Do you ship to Canada?")
    assert FollowUp().complete("and how long does it take?", before, "en").certain
    assert FollowUp().complete("How much is it?", before, "en").certain
    found = FollowUp().complete("is it safe to pay by card", before, "en")
    assert "Canada" in found.question
    assert not found.certain


def test_a_language_without_rules_is_left_alone() -> None:
    found = FollowUp().complete("а сколько?", past("Доставка в Москву?", language="ru"), "ru")
    assert found == Completion("а сколько?")


@settings(deadline=None)
@given(st.text(max_size=80), st.sampled_from(["zh", "en", "es", "ja", "de", "fr", "ru", ""]))
def test_any_text_is_taken_without_an_error(text: str, language: str) -> None:
    stage = FollowUp(["Breeze Pro", "清风 Pro"])
    assert isinstance(stage.complete(text, past("How much is the Breeze Pro?"), language), Completion)
    assert stage.complete(text, Past(), language) == Completion(text)


def test_a_bare_thing_may_stand_for_each_word_of_the_question_before() -> None:
    found = FollowUp().complete("And what about the watch?", past("Can I return opened earphones?"), "en")
    assert found.thing == "watch"
    assert ("earphones", "Can I return opened watch?") in [(x.word, x.question) for x in found.exchanges]
    assert ("opened earphones", "Can I return watch?") in [(x.word, x.question) for x in found.exchanges]
    chinese = FollowUp().complete("那手表呢？", past("拆封的耳机能退吗？", language="zh"), "zh")
    assert "拆封的手表能退吗？" in [x.question for x in chinese.exchanges]


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("How much is it?", "Do you ship to Canada?"),
        ("and to Japan?", "How long does shipping to Canada take?"),
        ("and how long does it take?", "Do you ship to Canada?"),
        ("Where is your shop?", "Do you ship to Canada?"),
    ],
)
def test_what_asks_something_of_its_own_or_names_a_place_is_exchanged_for_nothing(
    text: str, before: str
) -> None:
    found = FollowUp().complete(text, past(before), "en")
    assert (found.thing, found.exchanges) == ("", ())


@given(st.text(max_size=60), st.text(max_size=60))
def test_exchanges_are_few_and_hold_the_thing_whatever_was_said(before: str, text: str) -> None:
    for language in ("zh", "en", "ja", "de"):
        found = FollowUp().complete(text, past(before, language=language), language)
        assert len(found.exchanges) <= 24
        assert all(found.thing in exchange.question for exchange in found.exchanges)


def test_a_follow_up_to_a_follow_up_leans_on_what_that_was_made_to() -> None:
    first = Turn("Can I return opened earphones?", "…", "en", "verbatim")
    second = Turn("and the watch?", "…", "en", "verbatim", searched="Can I return opened watch?")
    found = FollowUp().complete("and the keyboard?", Past((first, second), "en"), "en")
    assert "Can I return opened keyboard?" in [x.question for x in found.exchanges]


def test_a_thing_takes_the_place_of_whole_words_only() -> None:
    found = FollowUp().complete("and the dog?", past("Which category has food for my cat?"), "en")
    assert found.thing == "dog"
    assert "Which category has food for my dog?" in [x.question for x in found.exchanges]
    assert not [x.question for x in found.exchanges if "dogegory" in x.question]


def test_the_turn_that_a_text_leans_on_is_told() -> None:
    asked = Turn("Can I return opened earphones?", "…", "en", "verbatim", ("ear.en",))
    thanks = Turn("thanks", "You are welcome.", "en", "small_talk")
    assert FollowUp().complete("and the watch?", Past((asked, thanks), "en"), "en").turn is asked
    assert FollowUp().complete("Where is your shop in Berlin?", Past((asked,), "en"), "en").turn is None


def test_a_word_with_a_hyphen_is_one_word() -> None:
    parts = FollowUp().complete("and the dog?", past("Is cat-food good for my cat?"), "en")
    assert "Is cat-food good for my dog?" in [x.question for x in parts.exchanges]
