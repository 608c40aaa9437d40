"""From the signals of a search to one score between 0 and 1.

A logistic model; its weights are fitted on calibration questions by
``kefu train search`` and kept in ``calibration.json``, never typed here.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from knowledge_base.errors import KnowledgeError

__all__ = ["Calibration", "Signals"]


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of one candidate."""

    question: float
    """Best cosine to the entry's question and variants."""
    answer: float
    """Cosine to the entry's answer; to its questions where it has none."""
    lexical: float
    same_language: bool
    exact: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of the logistic model."""

    bias: float
    question: float
    answer: float
    lexical: float
    same_language: float

    @classmethod
    def shipped(cls) -> Calibration:
        """The calibration that comes with the default embedder."""
        text = files("knowledge_base").joinpath("calibration.json").read_text(encoding="utf-8")
        return cls(**json.loads(text))

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """One that was fitted for another embedder.

        Raises:
            KnowledgeError: the file is missing or holds something else.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise KnowledgeError(
                f"{path} is no calibration of the search ({type(error).__name__}); delete its folder, or run "
                "`kefu train calibrate`"
            ) from error

    def score(self, signals: Signals) -> float:
        """Probability that this candidate is the entry that is asked for."""
        if signals.exact:
            return 1.0
        value = (
            self.bias
            + self.question * signals.question
            + self.answer * signals.answer
            + self.lexical * signals.lexical
            + self.same_language * signals.same_language
        )
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))
