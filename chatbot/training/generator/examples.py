"""What the generator learns: dialogues with the very prompts that serve, each knowing where it comes from."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chatbot.errors import BadRequestError
from chatbot.guard import check
from chatbot.localise import localise
from chatbot.prompt import ChatMessage, answer_prompt, translation_prompt
from chatbot.translating import split_sentences
from knowledge_base.entry import Entry

__all__ = [
    "Dropped",
    "Example",
    "Material",
    "Turn",
    "answer_examples",
    "entry_examples",
    "fingerprint_of",
    "read_lines",
    "split_rows",
    "translation_examples",
]

LANGUAGES = ("zh", "en", "es", "ja", "de", "fr")
_CHAIN = 3
"""Sentences of one answer that are translated one after the other, as the service does."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked and what is to be said."""

    said: str
    made: str
    """Empty: nobody has written it yet; a teacher can."""
    question: str = ""
    """The customer's, for the guard."""
    sources: tuple[str, ...] = ()
    """What the words must agree with, for the guard."""


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt and what is to be said; the loss counts the latter only."""

    id: str
    """Where it comes from: file and line."""
    kind: Literal["translation", "answer"]
    language: str
    prefix: tuple[ChatMessage, ...]
    """Instruction and worked examples, shared with many others."""
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """An example that the guard would refuse to send out, with its reasons."""

    id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """Examples, and what was left out."""

    examples: tuple[Example, ...]
    dropped: tuple[Dropped, ...]

    def __add__(self, other: Material) -> Material:
        return Material(self.examples + other.examples, self.dropped + other.dropped)


def read_lines(path: Path, needed: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The objects of a file of JSON lines, each with its place.

    Raises:
        BadRequestError: a line is no JSON object or lacks a field.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path.name}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadRequestError(f"{place} is no JSON ({error}); expected one object a line") from error
        missing = [name for name in needed if not isinstance(row, dict) or not row.get(name)]
        if missing:
            raise BadRequestError(f"{place} lacks {', '.join(missing)}; expected {', '.join(needed)}")
        found.append((place, row))
    return found


def split_rows(
    rows: Sequence[tuple[str, dict[str, Any]]], share: float = 0.06, seed: int = 7
) -> tuple[list[tuple[str, dict[str, Any]]], list[tuple[str, dict[str, Any]]]]:
    """Rows to learn from and rows to hold out; those of one trade are on one side.

    Texts about the same company resemble one another, in all languages.
    """
    trades = sorted({str(row.get("trade", place)) for place, row in rows})
    random.Random(seed).shuffle(trades)
    held_out: set[str] = set()
    for trade in trades:
        if sum(str(row.get("trade", place)) in held_out for place, row in rows) >= share * len(rows):
            break
        held_out.add(trade)
    sides: tuple[list[tuple[str, dict[str, Any]]], list[tuple[str, dict[str, Any]]]] = ([], [])
    for place, row in rows:
        sides[str(row.get("trade", place)) in held_out].append((place, row))
    return sides


def translation_examples(
    rows: Iterable[tuple[str, dict[str, Any]]], language_of: Callable[[str], str], per_line: int = 2
) -> Material:
    """Sentences that stand in several languages, as the service asks for their translation.

    Each line is used from the language it was written in, every fourth time from
    another one, into ``per_line`` languages in turn; sentences of the same
    direction follow one another in threes, as those of an answer do.

    Args:
        rows: with ``from`` and a text for each language.
        language_of: dominant language of a text, for the guard.
    """
    by_direction: dict[tuple[str, str], list[tuple[str, Turn]]] = {}
    dropped: list[Dropped] = []
    for number, (place, row) in enumerate(rows):
        written = [language for language in LANGUAGES if row.get(language)]
        for part in range(per_line):
            others = [language for language in written if language != row["from"]]
            shift = number * per_line + part
            source = others[shift // 4 % len(others)] if shift % 4 == 3 else row["from"]
            targets = [language for language in written if language != source]
            target = targets[shift % len(targets)]
            readable = localise(row[source], source, target)
            refused = _refused(row[target], "", target, (row[source],), "translation", language_of)
            if refused:
                dropped.append(Dropped(f"{place}:{source}-{target}", refused))
                continue
            turn = Turn(readable, row[target], sources=(row[source],))
            by_direction.setdefault((source, target), []).append((place, turn))
    found = []
    for (source, target), pairs in by_direction.items():
        for start in range(0, len(pairs), _CHAIN):
            chain = pairs[start : start + _CHAIN]
            name = "+".join(f"{place}:{source}-{target}" for place, _ in chain)
            found.append(_translated(name, source, target, [turn for _, turn in chain]))
    return Material(tuple(found), tuple(dropped))


def entry_examples(entries: Iterable[Entry], languages: Sequence[str] = LANGUAGES) -> Material:
    """An installation's own answers in the languages they are missing in, for a teacher to word.

    Each is taken from the English entry of its group, else the first one, sentence by sentence
    as the service does.
    """
    groups: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, {})[entry.language] = entry
    found = []
    for group, written in groups.items():
        source = written.get("en") or next(iter(written.values()))
        if source.verbatim:
            continue
        for language in languages:
            if language in written:
                continue
            turns = [
                Turn(localise(sentence, source.language, language), "", sources=(sentence,))
                for sentence, _ in split_sentences(source.answer)
            ]
            found.append(
                _translated(f"{group}:{source.language}-{language}", source.language, language, turns)
            )
    return Material(tuple(found), ())


def _translated(name: str, source: str, target: str, turns: Sequence[Turn]) -> Example:
    prompt = translation_prompt(turns[0].said, source, target)
    return Example(name, "translation", target, prompt.messages[:-1], tuple(turns))


def answer_examples(
    rows: Iterable[tuple[str, dict[str, Any]]], language_of: Callable[[str], str]
) -> Material:
    """Answers worded from one entry, as the service asks for them.

    Args:
        rows: with ``entry`` (question, answer), ``language``, ``question`` and ``answer``.
        language_of: dominant language of a text, for the guard.
    """
    found: list[Example] = []
    dropped: list[Dropped] = []
    for place, row in rows:
        entry, language = row["entry"], row["language"]
        sources = (entry["question"], entry["answer"])
        refused = _refused(row["answer"], row["question"], language, sources, "answer", language_of)
        if refused:
            dropped.append(Dropped(place, refused))
            continue
        prompt = answer_prompt(entry["question"], entry["answer"], row["question"], language)
        turn = Turn(prompt.messages[-1].content, row["answer"], row["question"], sources)
        found.append(Example(place, "answer", language, prompt.messages[:-1], (turn,)))
    return Material(tuple(found), tuple(dropped))


def fingerprint_of(examples: Iterable[Example]) -> str:
    """Changes with any word of any example; 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr((example.id, example.prefix, example.turns)).encode())
    return digest.hexdigest()[:16]


def _refused(
    text: str,
    question: str,
    language: str,
    sources: tuple[str, ...],
    kind: Literal["translation", "answer"],
    language_of: Callable[[str], str],
) -> tuple[str, ...]:
    """Why the guard would not let this wording out: the model must not learn it."""
    verdict = check(
        text, question=question, language=language, sources=sources, kind=kind, language_of=language_of
    )
    return () if verdict.passed else verdict.reasons
