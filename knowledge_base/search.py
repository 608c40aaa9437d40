"""Search: dense and lexical sides, fused into one calibrated score.

Readers work on an immutable snapshot; :meth:`KnowledgeBase.replace` builds the
next one beside it and swaps a reference, so a search never sees half a change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from knowledge_base.calibration import Calibration, Signals
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry, Hit
from knowledge_base.errors import IndexMismatchError
from knowledge_base.index import VectorIndex
from knowledge_base.lexical import Lexicon
from knowledge_base.normalise import PinyinDecoder, key, normalise

__all__ = ["KnowledgeBase"]

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]

_CANDIDATES = 64
"""Rows taken from the dense side; several rows may belong to one entry."""
_BATCH = 256


class _Snapshot:
    """One state of the knowledge base with everything a search needs."""

    def __init__(
        self, entries: Sequence[Entry], rows: _Rows, index: VectorIndex, calibration: Calibration
    ) -> None:
        self.entries: Mapping[str, Entry] = MappingProxyType({entry.id: entry for entry in entries})
        self.list = tuple(entries)
        self.position = {entry.id: number for number, entry in enumerate(entries)}
        self.rows = rows
        self.index = index
        self.lexicon = Lexicon([" ".join((e.question, *e.variants, e.answer, *e.products)) for e in entries])
        self.exact: dict[str, list[int]] = {}
        self.groups: dict[str, list[int]] = {}
        for number, entry in enumerate(entries):
            self.groups.setdefault(entry.group, []).append(number)
            for text in (entry.question, *entry.variants):
                self.exact.setdefault(key(text), []).append(number)
        self.pinyin = PinyinDecoder(
            text for e in entries if e.language == "zh" for text in (e.question, *e.variants, e.answer)
        )
        self.calibration = calibration


class _Rows:
    """Which text each vector stands for: a question, a variant or the answer of which entry."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        owners: list[int] = []
        self.questions: list[str] = []
        self.answers: list[str] = []
        self._own: list[list[int]] = [[] for _ in entries]
        for number, entry in enumerate(entries):
            for text in (entry.question, *entry.variants):
                self._own[number].append(len(owners))
                owners.append(number)
                self.questions.append(normalise(text))
        for number, entry in enumerate(entries):
            if entry.answer:
                self._own[number].append(len(owners))
                owners.append(number)
                self.answers.append(normalise(f"{entry.question} {entry.answer}"))
        self.owner: NDArray[np.int64] = np.asarray(owners, dtype=np.int64)

    def of(self, number: int) -> list[int]:
        """All rows of an entry."""
        return self._own[number]

    def is_answer(self, row: int) -> bool:
        """Answers stand behind all questions."""
        return row >= len(self.questions)

    def __len__(self) -> int:
        return len(self.owner)

    def embed(self, embedder: Embedder, progress: Progress | None) -> Vectors:
        """Vectors of all rows, shape (rows, dimension)."""
        parts: list[Vectors] = []
        done = 0
        for texts, encode in (
            (self.questions, embedder.encode_queries),
            (self.answers, embedder.encode_passages),
        ):
            for start in range(0, len(texts), _BATCH):
                parts.append(encode(texts[start : start + _BATCH]))
                done += len(parts[-1])
                if progress is not None:
                    progress(done, len(self))
        return np.concatenate(parts) if parts else np.zeros((0, embedder.dimension), dtype=np.float32)


class KnowledgeBase:
    """Finds the entries that may answer a question."""

    def __init__(self, embedder: Embedder, calibration: Calibration | None = None) -> None:
        self._embedder = embedder
        self._calibration = calibration or Calibration.shipped()
        self._change = threading.Lock()
        self._snapshot = self._assemble([], None, None, 0, None)

    @classmethod
    def in_memory(
        cls,
        entries: Sequence[Entry],
        embedder: Embedder,
        calibration: Calibration | None = None,
    ) -> KnowledgeBase:
        """A knowledge base that is not saved."""
        base = cls(embedder, calibration)
        base.replace(entries)
        return base

    @classmethod
    def open(
        cls,
        folder: Path,
        entries: Sequence[Entry],
        revision: int,
        embedder: Embedder,
        *,
        calibration: Calibration | None = None,
        progress: Progress | None = None,
    ) -> KnowledgeBase:
        """The saved index if it agrees with entries and embedder, else a new one, saved.

        Args:
            folder: where the index is kept.
            revision: the store's revision that ``entries`` are.
            progress: called with (vectors done, vectors in all) while building.
        """
        base = cls(embedder, calibration)
        base.replace(entries, folder=folder, revision=revision, progress=progress)
        return base

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All entries by id."""
        return self._snapshot.entries

    def __len__(self) -> int:
        return len(self._snapshot.list)

    def group(self, entry: Entry) -> list[Entry]:
        """The entries that say the same as ``entry``, itself included."""
        snapshot = self._snapshot
        return [snapshot.list[number] for number in snapshot.groups.get(entry.group, ())]

    def replace(
        self,
        entries: Sequence[Entry],
        *,
        folder: Path | None = None,
        revision: int = 0,
        progress: Progress | None = None,
    ) -> None:
        """Takes ``entries`` for all that is known from now on; searches under way go on."""
        with self._change:
            self._snapshot = self._assemble(entries, folder, None, revision, progress)

    def _assemble(
        self,
        entries: Sequence[Entry],
        folder: Path | None,
        index: VectorIndex | None,
        revision: int,
        progress: Progress | None,
    ) -> _Snapshot:
        rows = _Rows(entries)
        if folder is not None:
            try:
                index = VectorIndex.load(
                    folder, embedder=self._embedder.fingerprint, revision=revision, count=len(rows)
                )
            except IndexMismatchError:
                index = None
        if index is None:
            vectors = rows.embed(self._embedder, progress)
            index = VectorIndex.build(vectors, np.arange(len(rows), dtype=np.int64))
            if folder is not None:
                index.save(folder, embedder=self._embedder.fingerprint, revision=revision)
        return _Snapshot(entries, rows, index, self._calibration)

    def decoded(self, text: str) -> str:
        """The text itself, or what pinyin typed without characters stands for."""
        return self._snapshot.pinyin.decode(text) or text

    def readable(self, text: str) -> str:
        """The text as it is searched: normalised, typed pinyin turned into characters."""
        return normalise(self.decoded(text))

    def embed(self, text: str) -> Vectors:
        """The vector of one question, shape (dimension,)."""
        vector: Vectors = self._embedder.encode_queries([self.readable(text)])[0]
        return vector

    def search(self, text: str, language: str, *, vector: Vectors | None = None, limit: int = 5) -> list[Hit]:
        """Entries that may answer ``text``, best first, one a group.

        Args:
            language: the customer's; of a group the entry in it is preferred.
            vector: :meth:`embed` of the text, when the caller has it.
            limit: most hits to give.
        """
        snapshot = self._snapshot
        if not snapshot.list:
            return []
        readable = self.readable(text)
        if vector is None:
            vector = self.embed(text)
        lexical = snapshot.lexicon.scores(readable, _CANDIDATES)
        exact = set(snapshot.exact.get(key(readable), ()))
        candidates = self._nearest(snapshot, vector) | set(lexical) | exact
        question, answer = self._similarities(snapshot, vector, candidates)
        hits = []
        for number in candidates:
            signals = Signals(
                question=question[number],
                answer=answer.get(number, question[number]),
                lexical=lexical.get(number, 0.0),
                same_language=snapshot.list[number].language == language,
                exact=number in exact,
            )
            hits.append(
                Hit(
                    entry=snapshot.list[number],
                    score=snapshot.calibration.score(signals),
                    dense=max(signals.question, signals.answer),
                    question_similarity=signals.question,
                    lexical=signals.lexical,
                    answer_similarity=signals.answer,
                    exact=signals.exact,
                )
            )
        return _one_a_group(snapshot, hits, language)[:limit]

    @staticmethod
    def _nearest(snapshot: _Snapshot, vector: Vectors) -> set[int]:
        """The entries whose questions or answers lie nearest."""
        _, ids = snapshot.index.search(vector[None, :], _CANDIDATES)
        return {int(snapshot.rows.owner[row]) for row in ids[0].tolist() if row >= 0}

    @staticmethod
    def _similarities(
        snapshot: _Snapshot, vector: Vectors, entries: set[int]
    ) -> tuple[dict[int, float], dict[int, float]]:
        """Best similarity of each entry's questions, and that of its answer where it has one.

        The nearest vectors alone do not tell: where many questions lie near, they
        crowd out the answers.
        """
        rows = [row for number in entries for row in snapshot.rows.of(number)]
        scores = snapshot.index.similarities(vector, np.asarray(rows, dtype=np.int64))
        question: dict[int, float] = {}
        answer: dict[int, float] = {}
        for score, row in zip(scores.tolist(), rows, strict=True):
            side = answer if snapshot.rows.is_answer(row) else question
            owner = int(snapshot.rows.owner[row])
            side[owner] = max(score, side.get(owner, -1.0))
        return question, answer


def _one_a_group(snapshot: _Snapshot, hits: list[Hit], language: str) -> list[Hit]:
    """Best hit of each group, shown as the group's entry in the customer's language, else in English."""
    hits.sort(key=lambda hit: (hit.score, hit.entry.language == language, hit.dense), reverse=True)
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.entry.group, hit)
    merged = []
    for hit in best.values():
        twins = {
            snapshot.list[number].language: snapshot.list[number]
            for number in snapshot.groups[hit.entry.group]
        }
        twin = twins.get(language) or twins.get("en") or hit.entry
        merged.append(hit if twin is hit.entry else replace(hit, entry=twin))
    return merged
