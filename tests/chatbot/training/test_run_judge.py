"""Calibration and figures come from knowledge bases that training has not seen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import chatbot.training
from chatbot.training.judge import read_knowledge
from chatbot.training.run_judge import held_out_cases

DATA = Path(chatbot.training.__file__).parent / "data"


def test_a_fifth_of_each_language_is_held_out() -> None:
    cases = read_knowledge(sorted(DATA.glob("*.jsonl")))
    held_out = held_out_cases(cases)
    in_all = Counter(case.language for case in cases)
    out = Counter(case.language for case in cases if case.id in held_out)
    for language, count in in_all.items():
        assert abs(out[language] - count / 5) <= 1
    assert {"zh", "en", "es", "ja", "de", "fr"} <= set(out)


def test_the_shipped_questions_name_entries_that_exist() -> None:
    for case in read_knowledge(sorted(DATA.glob("*.jsonl"))):
        for question in case.questions:
            assert question.text.strip(), case.id
            assert all(0 <= number < len(case.entries) for number in question.answers), case.id
            assert not (question.answers and question.near is not None), case.id
