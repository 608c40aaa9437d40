"""The lexical side: BM25 over the words of the entries (bm25s)."""

from __future__ import annotations

from collections.abc import Sequence

import bm25s
import numpy as np

from knowledge_base.normalise import words

__all__ = ["Lexicon"]


class Lexicon:
    """Scores texts by the share of a question's informative words they hold."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._vocabulary: dict[str, int] = {}
        corpus: list[list[int]] = []
        for text in texts:
            ids = [self._vocabulary.setdefault(word, len(self._vocabulary)) for word in words(text)]
            corpus.append(ids)
        self._size = len(texts)
        self._model: bm25s.BM25 | None = None
        self._idf: np.ndarray = np.zeros(0)
        if self._vocabulary:
            self._fit(corpus)

    def _fit(self, corpus: list[list[int]]) -> None:
        frequency = np.zeros(len(self._vocabulary))
        for ids in corpus:
            frequency[list(set(ids))] += 1
        self._idf = np.log(1 + (self._size - frequency + 0.5) / (frequency + 0.5))
        model = bm25s.BM25(method="lucene", k1=1.2, b=0.4)
        model.index((corpus, dict(self._vocabulary)), show_progress=False)
        self._model = model

    def scores(self, text: str, limit: int, *, numbers_only: bool = False) -> dict[int, float]:
        """The best ``limit`` texts by number, each with a score of 0…1.

        1 is what a text would score that holds every word of the question, the
        unknown words counted as the rarest; so a question full of words the
        knowledge base never uses scores low everywhere.

        Args:
            text: the question.
            limit: most texts to give.
            numbers_only: only words with a digit are looked for (codes, years);
                the others still count for what the question is full of.
        """
        asked = set(words(text))
        if self._model is None or not asked:
            return {}
        wanted = filter(_has_digit, asked) if numbers_only else asked
        known = [self._vocabulary[word] for word in wanted if word in self._vocabulary]
        if not known:
            return {}
        values = self._model.get_scores_from_ids(known)
        rarest = float(np.log(1 + (self._size + 0.5) / 0.5))
        full = float(self._idf[known].sum()) * 1.1 + rarest * 0.5 * (len(asked) - len(known))
        take = min(limit, self._size)
        best = np.argpartition(-values, take - 1)[:take]
        return {int(i): float(min(values[i] / full, 1.0)) for i in best if values[i] > 0}


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)
