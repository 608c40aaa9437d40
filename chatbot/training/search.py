"""Fits how the signals of a search add up to one score."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from chatbot.training.judge import Case, entry_number
from chatbot.training.natural import asked_of, languages_of
from knowledge_base.calibration import Calibration
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry
from knowledge_base.search import KnowledgeBase

__all__ = ["SearchReport", "cases_of", "fit_search", "save_calibration"]

Floats = NDArray[np.float64]

_FOLDS = 10
_CANDIDATES = 10
"""Entries of a question that are weighed against each other."""
_PENALTY = 1e-3
"""Of the squared weights; keeps them finite where a signal separates perfectly."""


@dataclass(frozen=True, slots=True)
class SearchReport:
    """How well the fitted score does on questions it was not fitted on."""

    questions: int
    found: float
    """Share of questions whose entry comes first."""
    found_dense: float
    """The same when only the best cosine counts."""


@dataclass(frozen=True, slots=True)
class _Question:
    case: str
    signals: Floats
    """Shape (entries, 4): question, answer, lexical, same language."""
    dense: Floats
    right: NDArray[np.bool_]


def cases_of(entries: Sequence[Entry]) -> list[Case]:
    """Small knowledge bases from a real one, a language each.

    Its questions are one wording of each entry, taken out of it, and the
    questions of the same meaning in other languages.
    """
    return [
        asked_of(f"entries-{language}", language, mine, entries, wordings=1)
        for language, mine in languages_of(entries).items()
    ]


def fit_search(cases: Sequence[Case], embedder: Embedder) -> tuple[Calibration, SearchReport]:
    """Fits the weights on all answerable questions of ``cases``.

    Args:
        cases: small knowledge bases with questions.
        embedder: gives the cosines.
    """
    questions = list(_questions(cases, embedder))
    groups = np.array([question.case for question in questions])
    found = np.zeros(len(questions), dtype=bool)
    for train, test in GroupKFold(_FOLDS).split(groups, groups=groups):
        weights = _fit([questions[number] for number in train])
        for number in test:
            asked = questions[number]
            found[number] = asked.right[int(np.argmax(asked.signals @ weights[1:]))]
    bias, question, answer, lexical, same = _fit(questions)
    report = SearchReport(
        questions=len(questions),
        found=float(found.mean()),
        found_dense=float(np.mean([q.right[int(np.argmax(q.dense))] for q in questions])),
    )
    values = [round(float(value), 3) for value in (bias, question, answer, lexical, same)]
    return Calibration(*values), report


def _questions(cases: Sequence[Case], embedder: Embedder) -> list[_Question]:
    found = []
    for case in cases:
        base = KnowledgeBase.in_memory(case.entries, embedder)
        for question in case.questions:
            if not question.answers:
                continue
            hits = [
                hit
                for hit in base.search(question.text, question.language, limit=_CANDIDATES)
                if not hit.exact
            ]
            if not hits:
                continue
            found.append(
                _Question(
                    case=case.id,
                    signals=np.array(
                        [
                            [
                                hit.question_similarity,
                                hit.answer_similarity,
                                hit.lexical,
                                hit.entry.language == question.language,
                            ]
                            for hit in hits
                        ]
                    ),
                    dense=np.array([hit.dense for hit in hits]),
                    right=np.array([entry_number(hit) in question.answers for hit in hits]),
                )
            )
    return found


def _fit(questions: Sequence[_Question]) -> Floats:
    """Bias and weights: first what puts the right entry before the others, then how sure that is."""
    ranking = _ranking(questions)
    total = np.concatenate([question.signals @ ranking for question in questions])
    right = np.concatenate([question.right for question in questions])
    mean, spread = float(total.mean()), float(total.std()) or 1.0
    model = LogisticRegression(C=100.0).fit(((total - mean) / spread)[:, None], right)
    slope = float(model.coef_[0, 0]) / spread
    return np.concatenate([model.intercept_ - slope * mean, slope * ranking])


def _ranking(questions: Sequence[_Question]) -> Floats:
    """Weights whose softmax over a question's entries gives the right one most; none is negative."""
    asked = [question for question in questions if question.right.any()]

    def loss(weights: Floats) -> tuple[float, Floats]:
        value, slope = _PENALTY * float(weights @ weights), 2 * _PENALTY * weights
        for question in asked:
            logits = question.signals @ weights
            chance = np.exp(logits - logits.max())
            chance /= chance.sum()
            of_right = float(chance[question.right].sum())
            value -= math.log(max(of_right, 1e-12))
            wanted = np.where(question.right, chance, 0.0) / max(of_right, 1e-12)
            slope = slope + (chance - wanted) @ question.signals
        return value, slope

    bounds = [(0.0, None)] * asked[0].signals.shape[1]
    start = np.full(len(bounds), 5.0)
    weights: Floats = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return weights


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Writes the weights beside the code that reads them."""
    path.write_text(json.dumps(asdict(calibration)) + "\n", encoding="utf-8")
