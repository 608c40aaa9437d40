"""The study of intents: honest figures, what is mixed up, and bad examples said."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import BadRequestError
from chatbot.training.intent_study import clean_examples, report_of, study_intents
from chatbot.training.nlu import Example
from chatbot.training.report import write_report
from tests.embedders import HashEmbedder

REFUND = [
    "refund my money",
    "I want a refund",
    "give me the money back",
    "refund please",
    "money back now",
    "a refund",
]
PARCEL = [
    "where is my parcel",
    "track my parcel",
    "parcel is late",
    "my parcel",
    "is the parcel lost",
    "parcel where",
]
OUT = ["the weather today", "sing a song", "who won the match", "tell a joke", "what is love", "stock market"]


def examples() -> list[Example]:
    return [
        *(Example(text, "refund") for text in REFUND),
        *(Example(text, "parcel") for text in PARCEL),
        *(Example(text, "__out_of_scope__") for text in OUT),
    ]


def test_clear_intents_are_told_apart_in_cross_validation() -> None:
    study = study_intents(examples(), HashEmbedder(), lambda _text: "en")
    assert study.tested_on == "5-fold cross-validation"
    assert study.figures.test_rows == 18
    assert sum(map(sum, study.matrix)) == 18
    assert {each.label: each.examples for each in study.labels}["refund"] == 6
    assert study.by_language == {"en": (18, study.figures.accuracy)}
    assert study.learning[0][0] == 1
    assert all(0 <= accuracy <= 1 for _, accuracy in study.learning)


def test_labels_drawn_by_lot_are_not_learnt() -> None:
    mixed = [Example(e.text, ("refund", "parcel")[i % 2]) for i, e in enumerate(examples()[:12])]
    study = study_intents(mixed, HashEmbedder(), lambda _text: "")
    assert study.figures.accuracy < 0.9
    assert study.confused[0].texts
    assert set(study.by_language) == {"not told"}


def test_another_file_is_measured_on_without_being_learnt() -> None:
    test = [Example("refund, please, now", "refund"), Example("my parcel is late", "refund")]
    study = study_intents(examples(), HashEmbedder(), lambda _text: "en", test=test)
    assert study.figures.test_rows == 2
    assert study.figures.train_rows == 18
    wrong = {(each.wanted, each.got): each.texts for each in study.confused}
    assert any(texts == ("my parcel is late",) for texts in wrong.values())


def test_empty_repeated_and_contradictory_texts_are_left_out_and_said() -> None:
    cleaned = clean_examples(
        [
            *examples(),
            Example("  ", "refund"),
            Example("Refund my money!", "refund"),
            Example("hello", "refund"),
            Example("Hello!", "parcel"),
            Example("something rare", "rare"),
        ]
    )
    assert (cleaned.empty, cleaned.duplicates, cleaned.single) == (1, 1, ("rare",))
    assert [names for _, names in cleaned.contradictions] == [("parcel", "refund")]
    assert "hello" not in {e.text.lower() for e in cleaned.examples}
    study = study_intents(
        [*examples(), Example("something rare", "rare")], HashEmbedder(), lambda _text: "en"
    )
    assert study.figures.test_rows == 18, "a label with one example cannot be measured"


@pytest.mark.parametrize("few", [[], [Example("a", "x")], [Example("a", "x"), Example("b", "x")]])
def test_too_few_labels_are_refused(few: list[Example]) -> None:
    with pytest.raises(BadRequestError, match="at least two"):
        clean_examples(few)


def test_one_example_each_cannot_be_measured() -> None:
    with pytest.raises(BadRequestError, match="at least two of each"):
        study_intents([Example("a b", "x"), Example("c d", "y")], HashEmbedder(), lambda _text: "en")


def test_the_report_shows_everything_and_runs_nothing_of_the_texts(tmp_path: Path) -> None:
    evil = Example("<img src=x onerror=alert(1)> parcel", "refund")
    study = study_intents(
        [*examples(), evil, Example("hi", "refund"), Example("hi", "parcel")], HashEmbedder(), lambda _t: "en"
    )
    write_report(report_of(study, "mine"), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<img src=x" not in page
    for title in ("Mixed up", "Calibration", "Languages", "Left out or doubtful"):
        assert title in page
