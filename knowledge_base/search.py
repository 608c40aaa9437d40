"""Search: dense and lexical sides, fused into one calibrated score.

Readers work on an immutable snapshot; :meth:`KnowledgeBase.replace` builds the
next one beside it and swaps a reference, so a search never sees half a change.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
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
from knowledge_base.index import KEY_BYTES, VectorIndex
from knowledge_base.lexical import Lexicon
from knowledge_base.normalise import PinyinDecoder, key, normalise

__all__ = ["KnowledgeBase"]

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]

_CANDIDATES = 64
"""Rows taken from the dense side; several rows may belong to one entry."""
_BATCH = 256
_LIVE_BATCH, _LIVE_PAUSE_S = 16, 0.02
"""While customers are served: texts embedded at once, and the pause in which their questions come in between."""


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
        self.row_of = {text: row for row, text in enumerate(self.questions)}
        """Rows of the questions and variants by their normalised text."""
        self.keys = (
            *(_key("q", text) for text in self.questions),
            *(_key("a", text) for text in self.answers),
        )

    def of(self, number: int) -> list[int]:
        """All rows of an entry."""
        return self._own[number]

    def is_answer(self, row: int) -> bool:
        """Answers stand behind all questions."""
        return row >= len(self.questions)

    def __len__(self) -> int:
        return len(self.owner)

    def embed(
        self, embedder: Embedder, known: Sequence[_Known], progress: Progress | None, *, live: bool
    ) -> Vectors:
        """Vectors of all rows, shape (rows, dimension); those that are known already are taken over."""
        vectors = np.zeros((len(self), embedder.dimension), dtype=np.float32)
        missing = np.ones(len(self), dtype=np.bool_)
        for source in known:
            wanted = [row for row in np.flatnonzero(missing).tolist() if self.keys[row] in source.rows]
            ids = np.asarray([source.rows[self.keys[row]] for row in wanted], dtype=np.int64)
            vectors[wanted] = source.index.vectors(ids)
            missing[wanted] = False
        batch = _LIVE_BATCH if live else _BATCH
        done = len(self) - int(missing.sum())
        for part in self._parts(np.flatnonzero(missing).tolist(), batch):
            vectors[part] = self._encode(embedder, part)
            done += len(part)
            if progress is not None:
                progress(done, len(self))
            if live:
                time.sleep(_LIVE_PAUSE_S)
        return vectors

    def _parts(self, rows: list[int], size: int) -> list[list[int]]:
        """Rows in batches, questions and answers apart."""
        sides = ([r for r in rows if not self.is_answer(r)], [r for r in rows if self.is_answer(r)])
        return [side[at : at + size] for side in sides for at in range(0, len(side), size)]

    def _encode(self, embedder: Embedder, rows: list[int]) -> Vectors:
        if self.is_answer(rows[0]):
            return embedder.encode_passages([self.answers[row - len(self.questions)] for row in rows])
        return embedder.encode_queries([self.questions[row] for row in rows])


def _key(side: str, text: str) -> bytes:
    """What a vector stands for; the same text has another vector as question and as answer."""
    return hashlib.blake2b(f"{side}{text}".encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


class _Known:
    """Vectors that were made before, to be taken over where the text is still the same."""

    def __init__(self, keys: Sequence[bytes], index: VectorIndex) -> None:
        self.rows = {key: row for row, key in enumerate(keys)}
        self.index = index


class KnowledgeBase:
    """Finds the entries that may answer a question."""

    def __init__(self, embedder: Embedder, calibration: Calibration | None = None) -> None:
        self._embedder = embedder
        self._calibration = calibration or Calibration.shipped()
        self._change = threading.Lock()
        self._snapshot = _Snapshot([], _Rows([]), VectorIndex(embedder.dimension), self._calibration)
        self._revision = 0

    @classmethod
    def in_memory(
        cls,
        entries: Sequence[Entry],
        embedder: Embedder,
        calibration: Calibration | None = None,
    ) -> KnowledgeBase:
        """A knowledge base that is not saved."""
        base = cls(embedder, calibration)
        base.replace(entries, live=False)
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

        Vectors of the saved one whose texts are unchanged are taken over.

        Args:
            folder: where the index is kept.
            revision: the store's revision that ``entries`` are.
            progress: called with (vectors done, vectors in all) while building.
        """
        base = cls(embedder, calibration)
        base.replace(entries, folder=folder, revision=revision, progress=progress, live=False)
        return base

    @property
    def embedder(self) -> Embedder:
        """What turns texts into vectors here."""
        return self._embedder

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All entries by id."""
        return self._snapshot.entries

    @property
    def revision(self) -> int:
        """The store's revision that the entries are."""
        return self._revision

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
        live: bool = True,
    ) -> None:
        """Takes ``entries`` for all that is known from now on; searches under way go on.

        Only texts that are new are embedded.

        Args:
            folder: where the index is kept; one that cannot be written is logged and done without.
            live: customers are served meanwhile, so embedding leaves them their turn.
        """
        with self._change:
            rows = _Rows(entries)
            index = self._index(rows, folder, revision, progress, live)
            self._snapshot = _Snapshot(entries, rows, index, self._calibration)
            self._revision = revision

    def _index(
        self, rows: _Rows, folder: Path | None, revision: int, progress: Progress | None, live: bool
    ) -> VectorIndex:
        embedder = self._embedder
        known = [_Known(self._snapshot.rows.keys, self._snapshot.index)]
        if folder is not None:
            try:
                saved = VectorIndex.load(folder, embedder=embedder.fingerprint)
            except IndexMismatchError as error:
                log.info("%s", error)
            else:
                if saved.keys == rows.keys and saved.revision == revision:
                    return saved.index
                known.append(_Known(saved.keys, saved.index))
        vectors = rows.embed(embedder, known, progress, live=live)
        index = VectorIndex.build(vectors, np.arange(len(rows), dtype=np.int64))
        if folder is not None:
            try:
                index.save(folder, embedder=embedder.fingerprint, revision=revision, keys=rows.keys)
            except OSError as error:
                log.warning(
                    "the index could not be saved in %s (%s); expected a folder with room: free some space. "
                    "It is used from memory and built again at the next start",
                    folder,
                    error.strerror or error,
                )
        return index

    def decoded(self, text: str) -> str:
        """The text itself, or what pinyin typed without characters stands for."""
        return self._snapshot.pinyin.decode(text) or text

    def readable(self, text: str) -> str:
        """The text as it is searched: normalised, typed pinyin turned into characters."""
        return normalise(self.decoded(text))

    def embed(self, text: str) -> Vectors:
        """The vector of one question, shape (dimension,).

        That of a question the base itself has, as customers send it who click on a
        suggestion, lies in the index and is not computed again.
        """
        readable = self.readable(text)
        snapshot = self._snapshot
        row = snapshot.rows.row_of.get(readable)
        if row is not None:
            known: Vectors = snapshot.index.vectors(np.asarray([row], dtype=np.int64))[0]
            return known
        vector: Vectors = self._embedder.encode_queries([readable])[0]
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
        codes = snapshot.lexicon.scores(readable, _CANDIDATES, numbers_only=True)
        exact = set(snapshot.exact.get(key(readable), ()))
        candidates = self._nearest(snapshot, vector) | set(lexical) | exact
        question, answer = self._similarities(snapshot, vector, candidates)
        hits = []
        for number in candidates:
            same_language = snapshot.list[number].language == language
            # Words of another language that look alike say nothing; codes and years do.
            shared = lexical if same_language else codes
            signals = Signals(
                question=question[number],
                answer=answer.get(number, question[number]),
                lexical=shared.get(number, 0.0),
                same_language=same_language,
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
