"""Which word of a question names a thing of the same kind as another.

"And the watch?" after "Can I return opened earphones?" speaks of earphones, not of
opening or returning.  Cosines of single words say little: some words lie near all
others.  So each is compared by how much nearer it lies to the thing than to words
in general (a difference of means, as in CSLS: Conneau et al. 2018).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from chatbot.followup import Exchange, content_words
from chatbot.followup_rules import RULES
from knowledge_base.embed import Embedder

__all__ = ["Kinds"]

_COMMON = 80
"""Words that stand for words in general."""
_READ = 2000
"""Questions that are looked through for them."""


class Kinds:
    """Tells what a thing stands for.  Safe to call from many threads.

    Args:
        questions: gives questions of the knowledge base in a language; their commonest
            words are words in general.  Asked once a language, when it is needed.
    """

    def __init__(self, embedder: Embedder, questions: Callable[[str], Iterable[str]]) -> None:
        self._embedder = embedder
        self._questions = questions
        self._middles: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def likeliest(self, thing: str, exchanges: Sequence[Exchange], language: str) -> Exchange:
        """The exchange of a word for ``thing`` that keeps most of its kind.

        Args:
            exchanges: at least one.
        """
        article = RULES[language].article if language in RULES else ""
        vectors = self._embedder.encode_queries(
            [article + thing, *(article + exchange.word for exchange in exchanges)]
        )
        nearer = vectors[1:] @ (vectors[0] - self._middle(language, article))
        return exchanges[int(np.argmax(nearer))]

    def _middle(self, language: str, article: str) -> NDArray[np.float32]:
        """Mean vector of words in general, shape (dimension,); zeros where none are known."""
        with self._lock:
            if language not in self._middles:
                counts: Counter[str] = Counter()
                for question in islice(self._questions(language), _READ):
                    counts.update(set(content_words(question, language)))
                common = [article + word for word, _ in counts.most_common(_COMMON)]
                zeros = np.zeros(self._embedder.dimension, dtype=np.float32)
                middle = self._embedder.encode_queries(common).mean(axis=0) if common else zeros
                self._middles[language] = middle
            return self._middles[language]
