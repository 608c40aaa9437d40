"""The smaller model learns what the larger one says, as far as the guard lets it out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.prompt import translation_prompt
from chatbot.training.generator.examples import Example, Turn, entry_examples
from chatbot.training.generator.teacher import teach
from knowledge_base.entry import Entry
from tests.chatbot.training.test_overheard import Says

FIRST = "Returns take 5 days."
SECOND = "Shipping is free from 49 euros."


def translated(*turns: Turn) -> Example:
    return Example("e", "translation", "de", translation_prompt(FIRST, "en", "de").messages[:-1], turns)


def german(_text: str) -> str:
    return "de"


def test_words_that_pass_are_learnt_instead_of_what_was_written(tmp_path: Path) -> None:
    example = translated(Turn(FIRST, "Rückgaben brauchen 5 Tage.", sources=(FIRST,)))
    lesson = teach([example], Says("Die Rückgabe dauert 5 Tage."), german, tmp_path / "notes")
    assert lesson.material.examples[0].turns[0].made == "Die Rückgabe dauert 5 Tage."
    assert (lesson.asked, lesson.passed, lesson.refused) == (1, 1, {})


def test_words_the_guard_refuses_are_not_learnt(tmp_path: Path) -> None:
    written = "Rückgaben brauchen 5 Tage."
    lesson = teach(
        [translated(Turn(FIRST, written, sources=(FIRST,)))],
        Says("Die Rückgabe dauert 6 Tage."),
        german,
        tmp_path / "notes",
    )
    assert lesson.material.examples[0].turns[0].made == written
    assert (lesson.asked, lesson.passed) == (1, 0)
    assert sum(lesson.refused.values()) >= 1


def test_where_nothing_was_written_a_refusal_ends_the_example(tmp_path: Path) -> None:
    unwritten = [Turn(FIRST, "", sources=(FIRST,)), Turn(SECOND, "", sources=(SECOND,))]
    good, bad = "Die Rückgabe dauert 5 Tage.", "Der Versand kostet 7 Euro."
    lesson = teach([translated(*unwritten)], Says(good, bad), german, tmp_path / "a")
    assert [turn.made for turn in lesson.material.examples[0].turns] == [good]
    lesson = teach([translated(*unwritten)], Says(bad), german, tmp_path / "b")
    assert lesson.material.examples == ()
    assert lesson.asked == 1, "nothing is asked for behind a gap"


def test_a_stopped_lesson_goes_on_where_it_was(tmp_path: Path) -> None:
    turns = [Turn(FIRST, "", sources=(FIRST,)), Turn(SECOND, "", sources=(SECOND,))]
    words = ["Die Rückgabe dauert 5 Tage.", "Der Versand ist ab 49 Euro kostenlos."]
    notes = tmp_path / "notes"
    with pytest.raises(IndexError):
        teach([translated(*turns)], Says(words[0]), german, notes)
    with notes.open("a") as file:
        file.write('{"key": "half a li')  # killed while it wrote
    lesson = teach([translated(*turns)], Says(words[1]), german, notes)
    assert [turn.made for turn in lesson.material.examples[0].turns] == words
    assert [json.loads(line)["text"] for line in notes.read_text().splitlines()] == words


def test_another_teacher_is_asked_anew(tmp_path: Path) -> None:
    example = translated(Turn(FIRST, "", sources=(FIRST,)))
    teach([example], Says("Die Rückgabe dauert 5 Tage."), german, tmp_path / "notes")
    other = Says("Eine Rückgabe braucht 5 Tage.")
    other.model_id = "other"
    lesson = teach([example], other, german, tmp_path / "notes")
    assert lesson.material.examples[0].turns[0].made == "Eine Rückgabe braucht 5 Tage."


def test_own_entries_are_taught_in_the_languages_they_are_missing_in_but_never_sacred_ones() -> None:
    entries = [
        Entry("r.zh", "r", "zh", "退货?", "5天内可以退货。"),
        Entry("r.en", "r", "en", "Returns?", f"{FIRST} {SECOND}"),
        Entry("s.en", "s", "en", "Law?", "The law of 1990 applies.", verbatim=True),
    ]
    found = entry_examples(entries, ("zh", "en", "de")).examples
    assert [(e.id, e.language, [t.sources for t in e.turns]) for e in found] == [
        ("r:en-de", "de", [(FIRST,), (SECOND,)])
    ]
    assert not any(turn.made for turn in found[0].turns)
