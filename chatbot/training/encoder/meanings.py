"""Tunes an encoder so that texts which mean the same lie together, in whatever words or language.

Of each meaning one text, the anchor, keeps the vector it had, and the others are
drawn to it (Reimers & Gurevych 2020, "Making monolingual sentence embeddings
multilingual using knowledge distillation"); so cosines keep their scale, and what
is calibrated on them stays right.  At the same time each text must be nearer to its
own anchor than to those of the same topic (van den Oord et al. 2018, InfoNCE).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chatbot.training.encoder.lowrank import (
    EncoderProgress,
    EncoderSettings,
    Floats,
    adapted,
    descend,
    embed,
)
from knowledge_base.entry import Entry
from knowledge_base.normalise import key, normalise

__all__ = [
    "Meaning",
    "Other",
    "anchors_found",
    "fingerprint_of",
    "meanings_of_entries",
    "meanings_of_lines",
    "split_by_topic",
    "tune_on_meanings",
]

_TEMPERATURE = 0.02
_TURNS = 3
"""Texts of a meaning that an epoch comes to."""
_STAY = 10.0
"""What one minus the cosine to the anchor's old vector counts beside the contrast."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another text of a meaning."""

    text: str
    language: str
    source: str
    """Where it comes from: file and line, entry, conversation."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One question in several wordings and languages."""

    id: str
    topic: str
    """Meanings of one topic are the ones to be told apart."""
    anchor: str
    others: tuple[Other, ...]


def meanings_of_lines(
    rows: Iterable[tuple[str, Mapping[str, Any]]], languages: Sequence[str]
) -> list[Meaning]:
    """Lines with the same question in several languages; that in ``from`` is the anchor."""
    found = []
    for place, row in rows:
        others = tuple(
            Other(normalise(str(row[language])), language, place)
            for language in languages
            if language != row["from"] and row.get(language)
        )
        if others:
            found.append(
                Meaning(place, str(row.get("topic", place)), normalise(str(row[row["from"]])), others)
            )
    return found


def meanings_of_entries(
    entries: Iterable[Entry], asked: Mapping[str, Sequence[Other]] | None = None
) -> list[Meaning]:
    """A meaning for each group of entries: variants, translations, and what customers asked.

    The anchor is the question in the language that most entries have.

    Args:
        asked: by entry id, questions that an answer from this entry settled.
    """
    groups: dict[str, list[Entry]] = {}
    counts: dict[str, int] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
        counts[entry.language] = counts.get(entry.language, 0) + 1
    found = []
    for group, members in groups.items():
        members.sort(key=lambda entry: -counts[entry.language])
        anchor = normalise(members[0].question)
        others: dict[str, Other] = {}
        for entry in members:
            texts = [Other(text, entry.language, entry.id) for text in (entry.question, *entry.variants)]
            for other in (*texts, *(asked or {}).get(entry.id, ())):
                text = normalise(other.text)
                if key(text) and key(text) != key(anchor):
                    others.setdefault(key(text), Other(text, other.language, other.source))
        if others:
            found.append(Meaning(group, members[0].category or group, anchor, tuple(others.values())))
    return found


def split_by_topic(
    meanings: Sequence[Meaning], share: float = 0.1, seed: int = 7
) -> tuple[list[Meaning], list[Meaning]]:
    """Meanings to learn from and to hold out.

    Whole topics are held out where there are many of them, single meanings where there are few.
    """
    topics = {meaning.topic for meaning in meanings}
    few = len(topics) < 1.0 / share
    names = sorted({meaning.id if few else meaning.topic for meaning in meanings})
    random.Random(seed).shuffle(names)
    held = set(names[: max(1, round(share * len(names)))]) if len(names) > 1 else set()
    sides: tuple[list[Meaning], list[Meaning]] = ([], [])
    for meaning in meanings:
        sides[(meaning.id if few else meaning.topic) in held].append(meaning)
    return sides


def anchors_found(
    encode: Callable[[Sequence[str]], Floats], held_out: Sequence[Meaning], learnt: Sequence[Meaning]
) -> dict[str, tuple[float, int]]:
    """Share of held-out texts whose own anchor is the nearest of all anchors, and their number, by language."""
    anchors = [meaning.anchor for meaning in (*held_out, *learnt)]
    asked = [(other, number) for number, meaning in enumerate(held_out) for other in meaning.others]
    if not asked:
        return {}
    best = (encode([other.text for other, _ in asked]) @ encode(anchors).T).argmax(1)
    hits: dict[str, list[bool]] = {}
    for (other, number), place in zip(asked, best.tolist(), strict=True):
        hits.setdefault(other.language, []).append(anchors[place] == anchors[number])
    return {language: (float(np.mean(found)), len(found)) for language, found in sorted(hits.items())}


def fingerprint_of(meanings: Iterable[Meaning]) -> str:
    """Changes with any text; 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for meaning in meanings:
        digest.update(repr((meaning.topic, meaning.anchor, meaning.others)).encode())
    return digest.hexdigest()[:16]


def tune_on_meanings(
    network: Any,
    meanings: Sequence[Meaning],
    prefix: str,
    settings: EncoderSettings | None = None,
    report: Callable[[EncoderProgress], None] = lambda _progress: None,
) -> dict[str, tuple[Floats, Floats]]:
    """Tunes ``network`` in place.

    Args:
        network: of sentence-transformers.
        prefix: put before each text, as for questions.

    Returns:
        What was added to its matrices, by module name: down (rank, in) and up (out, rank).
    """
    import torch

    chosen = settings or EncoderSettings()
    anchors = [prefix + meaning.anchor for meaning in meanings]
    with torch.no_grad():
        old = torch.cat([embed(network, anchors[at : at + 64]) for at in range(0, len(anchors), 64)])

    def loss_of(batch: Sequence[tuple[int, str]]) -> Any:
        numbers = [number for number, _ in batch]
        found = embed(network, [prefix + text for _, text in batch])
        own = embed(network, [anchors[number] for number in numbers])
        stay = old[numbers]
        drawn = (1 - (found * stay).sum(1)).mean() + (1 - (own * stay).sum(1)).mean()
        same = torch.tensor([[a == b for b in numbers] for a in numbers])
        right = torch.arange(len(numbers))
        cosines = (found @ own.T / _TEMPERATURE).masked_fill(
            same & ~torch.eye(len(numbers), dtype=torch.bool), float("-inf")
        )
        contrast = torch.nn.functional.cross_entropy(cosines, right) + torch.nn.functional.cross_entropy(
            cosines.T, right
        )
        return contrast / 2 + _STAY * drawn

    with adapted(network, chosen) as (parameters, matrices):
        descend(
            [{"params": parameters}],
            _batches(meanings, chosen),
            loss_of,
            chosen.rate,
            lambda batch: 2 * len(batch),
            report,
        )
    return matrices


def _batches(meanings: Sequence[Meaning], settings: EncoderSettings) -> list[list[tuple[int, str]]]:
    """Number of a meaning and one of its texts; those of a topic stand together.

    In each epoch a meaning comes up to three times, each time with another text.
    """
    draw = random.Random(settings.seed)
    found: list[list[tuple[int, str]]] = []
    by_topic: dict[str, list[int]] = {}
    for number, meaning in enumerate(meanings):
        by_topic.setdefault(meaning.topic, []).append(number)
    for epoch in range(settings.epochs):
        topics = sorted(by_topic)
        draw.shuffle(topics)
        for turn in range(_TURNS):
            row: list[tuple[int, str]] = []
            for topic in topics:
                members = list(by_topic[topic])
                draw.shuffle(members)
                for number in members:
                    others = meanings[number].others
                    if turn < len(others):
                        row.append((number, others[(epoch * _TURNS + turn) % len(others)].text))
            found += [row[at : at + settings.batch] for at in range(0, len(row), settings.batch)]
    draw.shuffle(found)
    return [batch for batch in found if len(batch) > 1]
