"""The fitted score puts the right entry first, and no signal counts against an entry."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from chatbot.training.judge import Case, Question
from chatbot.training.search import cases_of, fit_search, save_calibration
from knowledge_base.calibration import Calibration
from knowledge_base.entry import Entry
from tests.embedders import HashEmbedder

TOPICS = ("parcel", "refund", "invoice", "voucher", "battery", "charger")
DETAILS = ("price", "delay", "colour", "size")


def case(number: int) -> Case:
    entries = tuple(
        Entry(
            f"c{number}.{i}",
            f"c{number}.{i}",
            "en",
            f"{topic} {number}",
            f"All about the {topic} of shop {number}.",
        )
        for i, topic in enumerate(TOPICS)
    )
    questions = tuple(
        Question(f"what is the {detail} of my {topic}", "en", (i,), None)
        for i, topic in enumerate(TOPICS)
        for detail in DETAILS
    )
    return Case(f"c{number}", "en", entries, questions)


def test_the_fitted_score_finds_entries_of_unseen_knowledge_bases() -> None:
    _, report = fit_search([case(number) for number in range(10)], HashEmbedder())
    assert report.questions == 10 * len(TOPICS) * len(DETAILS)
    assert report.found > 0.9


def test_no_signal_counts_against_an_entry() -> None:
    calibration, _ = fit_search([case(number) for number in range(10)], HashEmbedder())
    assert min(calibration.question, calibration.answer, calibration.lexical, calibration.same_language) >= 0


def test_a_saved_calibration_reads_back(tmp_path: Path) -> None:
    calibration = Calibration(-1.0, 2.0, 3.0, 0.5, 0.0)
    path = tmp_path / "calibration.json"
    save_calibration(calibration, path)
    assert Calibration(**json.loads(path.read_text())) == calibration


def test_the_shipped_weights_are_not_negative() -> None:
    shipped = Calibration.shipped()
    assert min(shipped.question, shipped.answer, shipped.lexical, shipped.same_language) >= 0


def test_a_knowledge_base_makes_cases_from_held_out_wordings_and_translations() -> None:
    english = [
        Entry(f"{n}.en", str(n), "en", f"question {n}", "answer", (f"wording {n}", f"another {n}"))
        for n in range(80)
    ]
    chinese = [
        replace(entry, id=f"{entry.group}.zh", language="zh", question=f"问题{entry.group}")
        for entry in english[:5]
    ]
    (found,) = cases_of([*english, *chinese])
    assert found.language == "en"
    texts = {question.text for question in found.questions}
    assert "wording 3" in texts
    assert "问题3" in texts
    assert all("wording 3" not in entry.variants for entry in found.entries)
