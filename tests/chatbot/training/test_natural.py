"""Questions made from a knowledge base: held-out topics are asked with and without their entries."""

from __future__ import annotations

import pytest

from chatbot.training.natural import Natural, natural_cases
from knowledge_base.entry import Entry
from tests.embedders import HashEmbedder

TOPICS = 70


@pytest.fixture(scope="module")
def natural() -> Natural:
    entries = []
    for n in range(TOPICS):
        words = (f"topic {n:02} first", f"topic {n:02} second", f"topic {n:02} third")
        entries.append(
            Entry(f"en.{n}", f"g{n:02}", "en", f"What about topic {n:02}?", f"Answer {n}.", variants=words)
        )
        if n < 10:
            entries.append(
                Entry(f"es.{n}", f"g{n:02}", "es", f"¿Qué hay del tema {n:02}?", f"Respuesta {n}.")
            )
    return natural_cases(entries, HashEmbedder())


def test_only_languages_with_enough_entries_make_a_knowledge_base(natural: Natural) -> None:
    assert [case.id for case in natural.train] == ["shop-en"]
    assert [case.id for case in natural.held_out] == ["shop-en-held", "shop-en-missing"]


def test_no_held_out_topic_is_in_the_training_cases(natural: Natural) -> None:
    (train,) = natural.train
    whole, _ = natural.held_out
    trained = {entry.question for entry in train.entries}
    asked = {whole.entries[question.answers[0]].question for question in whole.questions}
    assert asked.isdisjoint(trained)
    assert len(asked) == TOPICS // 5
    assert len(train.entries) == TOPICS - TOPICS // 5


def test_asked_wordings_are_taken_out_of_the_entries(natural: Natural) -> None:
    for case in (*natural.train, *natural.held_out):
        known = {text for entry in case.entries for text in (entry.question, *entry.variants)}
        assert known.isdisjoint(question.text for question in case.questions)


def test_the_translation_of_a_question_is_asked_of_the_entry_in_the_other_language(natural: Natural) -> None:
    (train,) = natural.train
    spanish = [question for question in train.questions if question.language == "es"]
    assert spanish
    for question in spanish:
        number = question.text.split()[-1].strip("?")
        assert train.entries[question.answers[0]].question == f"What about topic {number}?"


def test_where_the_topic_is_missing_nothing_answers_and_the_nearest_entry_is_named(natural: Natural) -> None:
    whole, missing = natural.held_out
    assert [q.text for q in missing.questions] == [q.text for q in whole.questions]
    for question in missing.questions:
        assert question.answers == ()
        assert question.near is not None
        assert 0 <= question.near < len(missing.entries)
