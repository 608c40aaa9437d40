"""Trains the answer judge's read-out and calibrates when to answer.

Data: JSON lines of small knowledge bases with questions, each with the entries
that answer it, or none (``near`` names the closest then).  Every figure comes
from questions about knowledge bases that the fitted part has not seen
(cross-validation by knowledge base).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from chatbot.decide import READ, Answerability, features
from chatbot.errors import BadRequestError
from chatbot.prompt import JUDGE_SYSTEM
from knowledge_base.calibration import Calibration
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry, Hit
from knowledge_base.search import KnowledgeBase

__all__ = [
    "CalibrationReport",
    "Case",
    "Pair",
    "calibrate",
    "entry_number",
    "outcomes",
    "pairs_of",
    "read_knowledge",
]

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

_FOLDS = 10
LEVEL = 30.0
"""Height of the two answers' logits above all others."""
_NEAR, _FAR = 2.0, 0.3
"""Weight of a near miss and of another wrong entry: the search tells the latter by itself."""
_MANY = 60
"""Entries from which the nearest wrong one is near enough to count as a near miss."""
_RIDGE = 0.005
"""Inverse strength of the L2 penalty on standardised states; the best of
0.001, 0.003, 0.005 and 0.01 in cross-validation."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a small knowledge base."""

    text: str
    language: str
    answers: tuple[int, ...]
    near: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """A small knowledge base with its questions."""

    id: str
    language: str
    entries: tuple[Entry, ...]
    questions: tuple[Question, ...]


def read_knowledge(paths: Sequence[Path]) -> list[Case]:
    """Reads calibration files.

    Raises:
        BadRequestError: a line is not of the form described above.
    """
    cases = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line.strip():
                continue
            try:
                cases.append(_case(json.loads(line), f"{path.stem}-{number}"))
            except (ValueError, KeyError, TypeError) as error:
                raise BadRequestError(
                    f"{path}, line {number}: {type(error).__name__}: {error}; expected "
                    '{"language", "knowledge": [{"question", "answer"}], "questions": [{"text", "answers"}]}'
                ) from error
    return cases


def _case(row: dict[str, Any], name: str) -> Case:
    entries = tuple(
        Entry(f"{name}.{i}", f"{name}.{i}", row["language"], item["question"], item["answer"])
        for i, item in enumerate(row["knowledge"])
    )
    questions = tuple(
        Question(q["text"], q.get("language", row["language"]), tuple(q["answers"]), q.get("near"))
        for q in row["questions"]
    )
    return Case(name, row["language"], entries, questions)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question beside an entry of its case."""

    case: str
    entry: int
    question: int
    label: bool
    near: bool = False
    """The entry is the near miss of a question that has no answer, or the nearest wrong one of many."""


def pairs_of(cases: Sequence[Case], embedder: Embedder, whole: frozenset[str] = frozenset()) -> list[Pair]:
    """Question and entry: the right ones, the near misses, and what the search finds.

    Args:
        whole: ids of the cases of which all entries are taken that a turn would
            read; of the others, the first wrong one is.
    """
    pairs = []
    for case in cases:
        base = KnowledgeBase.in_memory(case.entries, embedder)
        for q, question in enumerate(case.questions):
            hits = base.search(question.text, question.language, limit=READ)
            found = [entry_number(hit) for hit in hits]
            near = () if question.near is None else (question.near,)
            if case.id not in whole:
                found = [e for e in found if e not in question.answers][:1]
            for e in sorted({*found, *question.answers, *near}):
                near_miss = e not in question.answers and (e == question.near or len(case.entries) >= _MANY)
                pairs.append(Pair(case.id, e, q, e in question.answers, near_miss))
    return pairs


def entry_number(hit: Hit) -> int:
    """Number of the entry within its case."""
    return int(hit.entry.id.rsplit(".", 1)[1])


def load_base(base: Path, layers: int) -> tuple[Any, Any]:
    """Tokenizer and the first layers of a GGUF file's model, in single precision, without the last norm."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(base.parent), "gguf_file": base.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).model.eval()
    model.layers = model.layers[:layers]
    model.norm = torch.nn.Identity()
    return tokenizer, model


def tree(tokenizer: Any, entry: Entry, questions: Sequence[str]) -> tuple[Any, Any, Any, Any]:
    """One entry with all its questions behind it: token ids (1, t), positions (1, t), additive mask (1, 1, t, t) and each branch's last place."""
    import torch

    head = (
        f"<|im_start|>system\n{JUDGE_SYSTEM}<|im_end|>\n<|im_start|>user\n"
        f"Text: {entry.question} {entry.answer}\n\nCustomer:"
    )
    ids = list(tokenizer(head, add_special_tokens=False).input_ids)
    start = len(ids)
    positions, branch, ends = list(range(start)), [0] * start, []
    for number, question in enumerate(questions, 1):
        tail = f" {question.strip()}<|im_end|>\n<|im_start|>assistant\n"
        tokens = tokenizer(tail, add_special_tokens=False).input_ids
        ids += tokens
        positions += range(start, start + len(tokens))
        branch += [number] * len(tokens)
        ends.append(len(ids) - 1)
    of = torch.tensor(branch)
    allowed = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    allowed &= (of[:, None] == of[None, :]) | (of[None, :] == 0)
    mask = torch.where(allowed, 0.0, torch.finfo(torch.float32).min)[None, None]
    return torch.tensor(ids)[None], torch.tensor(positions)[None], mask, torch.tensor(ends)


def importance_of(pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """How much each pair counts in a fit, shape (pairs,)."""
    return np.array([1.0 if pair.label else _NEAR if pair.near else _FAR for pair in pairs])


def level_direction(scaled: Floats) -> Floats:
    """The direction on which every scaled state (n, hidden) has about the value :data:`LEVEL`."""
    ridge = np.eye(scaled.shape[1])
    found: Floats = np.linalg.solve(scaled.T @ scaled + ridge, scaled.T @ np.full(len(scaled), LEVEL))
    return found


def logistic(
    hidden: Floats, labels: NDArray[np.bool_], importance: NDArray[np.float64]
) -> tuple[Floats, float, Floats]:
    """Weights and bias for ``hidden * scale``; scale is one over the standard deviation."""
    mean = hidden.mean(0)
    scale = 1.0 / (hidden.std(0) + 1e-3)
    model = LogisticRegression(C=_RIDGE, max_iter=500)
    model.fit((hidden - mean) * scale, labels, sample_weight=importance)
    weights = model.coef_[0]
    bias = float(model.intercept_[0] - (mean * scale) @ weights)
    return weights.astype(np.float32), bias, scale.astype(np.float32)


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """How well the calibrated decision does on questions it was not fitted on."""

    questions: int
    found: float
    """Share of answerable questions whose entry is found first."""
    auc_quick: float
    auc_judged: float
    abstain_recall: float
    near_miss_recall: float
    false_abstain: float
    asked: float
    """Share of questions for which the judge was asked."""
    by_language: dict[str, dict[str, float]]
    natural: dict[str, float] = field(default_factory=dict)
    """The same of questions to a whole shop about topics that were not trained on; see :func:`outcomes`."""


def outcomes(
    model: Answerability,
    cases: Sequence[Case],
    embedder: Embedder,
    judge: Callable[[Case, int, int], float],
) -> dict[str, float]:
    """What a calibrated decision that reads every question does with ``cases``.

    Returns:
        Shares: of answerable questions ``answered_right`` and ``false_abstain``,
        of the others ``abstain_recall``.
    """
    of_question: dict[int, list[_Row]] = {}
    for row in _decisions(cases, embedder, judge):
        of_question.setdefault(row.question, []).append(row)
    right, declined, rightly = [], [], []
    for rows in of_question.values():
        chances = [model.judged_chance(row.values) for row in rows]
        best = int(np.argmax(chances))
        given = chances[best] >= model.bound(rows[0].language)
        if rows[0].answerable:
            right.append(given and rows[best].right)
            declined.append(not given)
        else:
            rightly.append(not given)
    shares = {"answered_right": right, "false_abstain": declined, "abstain_recall": rightly}
    return {name: _mean(np.array(values, dtype=bool)) for name, values in shares.items()}


def calibrate(
    cases: Sequence[Case],
    embedder: Embedder,
    judge: Callable[[Case, int, int], float],
    calibration: Calibration | None = None,
) -> tuple[Answerability, CalibrationReport]:
    """Fits when to answer.

    Args:
        judge: log-odds for (case, entry number, question number) from a read-out
            that has not seen the case.
        calibration: of the search; by default the shipped one.
    """
    rows = list(_decisions(cases, embedder, judge, calibration))
    return _fit_answerability(rows)


@dataclass(frozen=True, slots=True)
class _Row:
    """One hit of one question."""

    question: int
    rank: int
    case: str
    language: str
    answerable: bool
    right: bool
    topical: bool
    """Some entry is about what is asked, though it may not answer it."""
    values: dict[str, float]


def _decisions(
    cases: Sequence[Case],
    embedder: Embedder,
    judge: Callable[[Case, int, int], float],
    calibration: Calibration | None = None,
) -> list[_Row]:
    """The hits that a turn would read, each with its signals and whether it is right."""
    rows = []
    count = 0
    for case in cases:
        base = KnowledgeBase.in_memory(case.entries, embedder, calibration)
        for number, question in enumerate(case.questions):
            hits: list[Hit] = base.search(question.text, question.language)
            for rank, hit in enumerate(hits[:READ]):
                order = [hit, *(other for other in hits if other is not hit)]
                entry = entry_number(hit)
                values = {**features(order, question.language), "judge": judge(case, entry, number)}
                right = entry in question.answers
                answerable = bool(question.answers)
                topical = answerable or question.near is not None
                rows.append(_Row(count, rank, case.id, question.language, answerable, right, topical, values))
            count += 1
    return rows


_QUICK = ("question", "dense", "lexical", "margin", "cross", "score", "lead")
_JUDGED = (*_QUICK, "judge")


def _fit_answerability(rows: Sequence[_Row]) -> tuple[Answerability, CalibrationReport]:
    from sklearn.metrics import roc_auc_score

    right = np.array([row.right for row in rows])
    groups = np.array([row.case for row in rows])
    first = np.array([row.rank == 0 for row in rows])
    quick, quick_weights = _cross_fit(rows, _QUICK, right, groups)
    judged, judged_weights = _cross_fit(rows, _JUDGED, right, groups)
    question = np.array([row.question for row in rows])
    answerable = np.array([row.answerable for row in rows])[first]
    of = np.array([row.language for row in rows])[first]
    quick_first = quick[first]
    best = np.array([judged[question == number].max() for number in question[first]])
    sure_yes = _bound(quick_first, right[first], wrong_at_most=0.02)
    sure_no = float(np.quantile(quick[right], 0.003))
    asked = (quick_first < sure_yes) & (quick_first >= sure_no)
    final = np.where(asked, best, np.where(quick_first >= sure_yes, 1.0, 0.0))
    near_miss = ~answerable & np.array([row.topical for row in rows])[first]
    threshold = _balanced(final, answerable, near_miss)
    model = Answerability(
        quick=quick_weights,
        judged=judged_weights,
        sure_yes=sure_yes,
        sure_no=sure_no,
        threshold=threshold,
        threshold_quick=_balanced(quick_first, answerable, near_miss),
        by_language=_by_language(final, answerable, near_miss, of, threshold),
        topic=_topic(rows),
    )
    bounds = np.array([model.bound(language) for language in of])
    given = final >= bounds
    report = CalibrationReport(
        questions=int(first.sum()),
        found=float(right[first][answerable].mean()),
        auc_quick=float(roc_auc_score(right, quick)),
        auc_judged=float(roc_auc_score(right, judged)),
        abstain_recall=float((~given)[~answerable].mean()),
        near_miss_recall=_mean((~given)[near_miss]),
        false_abstain=float((~given)[answerable].mean()),
        asked=float(asked.mean()),
        by_language={
            str(language): {
                "questions": float((of == language).sum()),
                "abstain_recall": float((~given)[(of == language) & ~answerable].mean()),
                "false_abstain": float((~given)[(of == language) & answerable].mean()),
            }
            for language in sorted(set(of))
            if (of == language).sum() >= _ENOUGH
        },
    )
    return model, report


_ENOUGH = 60
"""Questions of one language from which it gets a threshold of its own."""


def _topic(rows: Sequence[_Row]) -> float:
    """The similarity that at most one in fifty questions about something else reaches."""
    others = [row.values["question"] for row in rows if row.rank == 0 and not row.topical]
    return round(float(np.quantile(others, 0.98)), 4) if others else 1.0


def _by_language(
    scores: NDArray[np.float64],
    answerable: NDArray[np.bool_],
    near_miss: NDArray[np.bool_],
    of: NDArray[np.str_],
    overall: float,
) -> dict[str, float]:
    """Thresholds of the languages with enough questions, half-way to the overall one."""
    found = {}
    for language in sorted(set(of)):
        mine = of == language
        if mine.sum() >= _ENOUGH:
            found[str(language)] = round(
                (_balanced(scores[mine], answerable[mine], near_miss[mine]) + overall) / 2, 4
            )
    return found


_FREE = frozenset({"cross"})
"""Signals that may count for or against an answer; all others only count for it."""
_PENALTY = 1e-3


def _cross_fit(
    rows: Sequence[_Row], names: Sequence[str], labels: NDArray[np.bool_], groups: NDArray[np.str_]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Out-of-fold probabilities, and the weights fitted on all rows.

    Near misses are written to look alike, so a free fit would hold likeness
    against an answer; customers' questions are not like that, hence the bounds.
    """
    values = np.array([[row.values[name] for name in names] for row in rows])
    free = np.array([name in _FREE for name in names])
    unseen = np.zeros(len(rows))
    for train, test in GroupKFold(_FOLDS).split(values, labels, groups):
        weights, bias = _rising_logistic(values[train], labels[train], free)
        unseen[test] = 1.0 / (1.0 + np.exp(-(values[test] @ weights + bias)))
    weights, bias = _rising_logistic(values, labels, free)
    found = {"bias": bias, **dict(zip(names, map(float, weights), strict=True))}
    return unseen, {name: round(value, 5) for name, value in found.items()}


def _rising_logistic(
    values: NDArray[np.float64], labels: NDArray[np.bool_], free: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Logistic regression whose weights are not negative but for the free ones: weights and bias."""
    mean, spread = values.mean(0), values.std(0) + 1e-9
    scaled = np.hstack([(values - mean) / spread, np.ones((len(values), 1))])
    sign = np.where(labels, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (scaled @ weights)
        value = float(np.logaddexp(0.0, -margin).mean()) + _PENALTY * float(weights[:-1] @ weights[:-1])
        slope = -(sign / (1.0 + np.exp(np.clip(margin, -30.0, 30.0)))) @ scaled / len(scaled)
        slope[:-1] += 2 * _PENALTY * weights[:-1]
        return value, slope

    bounds = [(None if each else 0.0, None) for each in free] + [(None, None)]
    found = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = found[:-1] / spread
    return weights, float(found[-1] - mean @ weights)


def _bound(scores: NDArray[np.float64], right: NDArray[np.bool_], wrong_at_most: float) -> float:
    """Lowest score from which at most this share is wrong; above 1 where there is none."""
    order = np.argsort(-scores)
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(wrong <= wrong_at_most)
    return float(scores[order[good[-1]]]) if len(good) and good[-1] >= 20 else 1.01


_NEAR_MISSES = 0.6
"""Share of near misses among the unanswerable questions for which the threshold is set."""


def _balanced(
    scores: NDArray[np.float64], answerable: NDArray[np.bool_], near_miss: NDArray[np.bool_]
) -> float:
    """The threshold that is equally far from both aims: 8 % wrongly and 90 % rightly declined."""
    best, threshold = -1.0, 0.5
    others = ~answerable & ~near_miss
    for candidate in np.unique(np.round(scores, 3)):
        declined = scores < candidate
        rightly = _NEAR_MISSES * _mean(declined[near_miss]) + (1 - _NEAR_MISSES) * _mean(declined[others])
        slack = min(rightly - 0.90, 0.08 - _mean(declined[answerable]))
        if slack > best:
            best, threshold = float(slack), float(candidate)
    return threshold


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 1.0


def save_answerability(model: Answerability, path: Path) -> None:
    """Writes the calibration beside the code that reads it."""
    path.write_text(json.dumps(asdict(model), indent=1) + "\n", encoding="utf-8")
