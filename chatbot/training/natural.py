"""Questions as customers ask them of a whole shop, made from a knowledge base itself.

Small knowledge bases full of written near misses teach what an answer is; in a
real one a question lies near many entries, comes in other words or in another
language, and most of what is near is simply about something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chatbot.training.judge import Case, Question, entry_number
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry
from knowledge_base.search import KnowledgeBase

__all__ = ["Natural", "asked_of", "languages_of", "natural_cases"]

_ENOUGH = 60
"""Entries of one language from which they make cases of their own."""
_HELD_OUT = 5
"""Every fifth topic is not trained on."""
_WORDINGS = 2
"""Wordings of an entry that are asked, and taken out of the entry."""


@dataclass(frozen=True, slots=True)
class Natural:
    """Cases to train on, and cases about topics that are in none of these."""

    train: tuple[Case, ...]
    held_out: tuple[Case, ...]


def natural_cases(entries: Sequence[Entry], embedder: Embedder) -> Natural:
    """Cases of each language with enough entries.

    Asked are wordings of an entry and, of its group, the questions in other
    languages.  The held-out topics are asked twice: of the whole knowledge base,
    and of one where they are missing, so that nothing answers.
    """
    groups = sorted({entry.group for entry in entries})
    held = frozenset(groups[2::_HELD_OUT])
    train: list[Case] = []
    held_out: list[Case] = []
    for language, mine in languages_of(entries).items():
        known = [entry for entry in mine if entry.group not in held]
        train.append(asked_of(f"shop-{language}", language, known, entries))
        whole = asked_of(f"shop-{language}-held", language, mine, entries, topics=held)
        missing = asked_of(f"shop-{language}-missing", language, known, [])
        held_out += [whole, replace(missing, questions=_unanswered(missing, whole.questions, embedder))]
    return Natural(tuple(train), tuple(held_out))


def languages_of(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The entries of each language that has enough of them."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.language, []).append(entry)
    return {language: mine for language, mine in sorted(found.items()) if len(mine) >= _ENOUGH}


def asked_of(
    name: str,
    language: str,
    known: Sequence[Entry],
    askers: Sequence[Entry],
    *,
    wordings: int = _WORDINGS,
    topics: frozenset[str] | None = None,
) -> Case:
    """A case of the known entries, asked in the words of ``askers`` about these topics, or all.

    Args:
        wordings: that are asked of each entry; its own are taken out of it, and in
            another language the question itself is the first.
    """
    place = {entry.group: number for number, entry in enumerate(known)}
    kept = tuple(
        replace(entry, id=f"{name}.{n}", group=f"{name}.{n}", variants=entry.variants[wordings:])
        for n, entry in enumerate(known)
    )
    questions = []
    for entry in askers:
        if entry.group not in place or (topics is not None and entry.group not in topics):
            continue
        texts = entry.variants[:wordings]
        if entry.language != language:
            texts = (entry.question, *entry.variants[: wordings - 1])
        questions += [Question(text, entry.language, (place[entry.group],), None) for text in texts]
    return Case(name, language, kept, tuple(questions))


def _unanswered(case: Case, questions: Sequence[Question], embedder: Embedder) -> tuple[Question, ...]:
    """The questions with nothing that answers them and the nearest entry as the near miss."""
    base = KnowledgeBase.in_memory(case.entries, embedder)
    found = []
    for question in questions:
        hits = base.search(question.text, question.language, limit=1)
        near = entry_number(hits[0]) if hits else None
        found.append(replace(question, answers=(), near=near))
    return tuple(found)
