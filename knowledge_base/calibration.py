"""From the signals of a search to one score between 0 and 1.

A logistic model; its weights are fitted on calibration questions by
``kefu train search`` and kept in ``calibration.json``, never typed here.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib.resources import files

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
