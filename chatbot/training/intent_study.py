"""How good are the intents, which are mixed up, and would more examples help?

Every figure comes from examples that the classifier has not seen: those of a
test file, or each fifth in turn (cross-validation by label).
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import BadRequestError
from chatbot.intent import OUT_OF_SCOPE, IntentModel
from chatbot.intent_fit import OUT_OF_SCOPE_LABELS
from chatbot.training.intents import Fit, IntentReport, measure
from chatbot.training.nlu import Example
from chatbot.training.parts import stratified_parts
from chatbot.training.report import Curves, Matrix, Report, Section, Table
from knowledge_base.embed import Embedder
from knowledge_base.normalise import key, normalise

__all__ = [
    "Cleaned",
    "Confused",
    "IntentStudy",
    "LabelFigures",
    "clean_examples",
    "report_of",
    "study_intents",
    "try_tuning",
]

Floats = NDArray[np.float32]
_FOLDS = 5
_BINS = 10
_SHOTS = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100)
_ROUNDS = 3
"""Random draws of examples for each point of the learning curve."""
_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Examples that can be learnt from, and what is wrong with the rest."""

    examples: tuple[Example, ...]
    empty: int
    duplicates: int
    contradictions: tuple[tuple[str, tuple[str, ...]], ...]
    """Texts that stand under several labels; they are left out."""
    single: tuple[str, ...]
    """Labels with one example; they are learnt but cannot be measured."""


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """One intent."""

    label: str
    examples: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Confused:
    """Two intents, with texts of the first that were taken for the second."""

    wanted: str
    got: str
    count: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IntentStudy:
    """Everything about one file of examples."""

    figures: IntentReport
    labels: tuple[LabelFigures, ...]
    confused: tuple[Confused, ...]
    matrix: tuple[tuple[int, ...], ...]
    """Rows: what was wanted, columns: what was said; in the order of ``labels``."""
    calibration: tuple[tuple[float, float, int], ...]
    """Mean probability, share that was right, and count of each bin."""
    learning: tuple[tuple[int, float], ...]
    """Accuracy in scope by examples a label."""
    by_language: dict[str, tuple[int, float]]
    """Count and accuracy."""
    tested_on: str
    cleaned: Cleaned
    tuned: tuple[IntentReport, IntentReport] | None = None
    """The frozen and the tuned encoder on the same examples, where the tuning was tried."""

    def as_json(self) -> dict[str, Any]:
        """All of it but the examples."""
        content = asdict(self)
        content["cleaned"] = {
            **{
                name: content["cleaned"][name] for name in ("empty", "duplicates", "contradictions", "single")
            },
            "examples": len(self.cleaned.examples),
        }
        return content


def clean_examples(examples: Sequence[Example]) -> Cleaned:
    """Leaves out empty texts, repeats and texts that stand under several labels.

    Raises:
        BadRequestError: fewer than two labels are left.
    """
    filled = [e for e in examples if key(e.text)]
    labels: dict[str, set[str]] = defaultdict(set)
    for example in filled:
        labels[key(example.text)].add(example.label)
    kept: dict[str, Example] = {}
    for example in filled:
        if len(labels[key(example.text)]) == 1:
            kept.setdefault(key(example.text), example)
    counts = Counter(example.label for example in kept.values())
    if len([label for label in counts if label not in OUT_OF_SCOPE_LABELS]) < 2:
        raise BadRequestError(
            f"the examples hold {len(counts)} labels that can be told apart; expected at least two"
        )
    torn = tuple((text, tuple(sorted(names))) for text, names in labels.items() if len(names) > 1)
    once = sum(1 for example in filled if len(labels[key(example.text)]) == 1)
    return Cleaned(
        tuple(kept.values()),
        len(examples) - len(filled),
        once - len(kept),
        torn,
        tuple(sorted(label for label, count in counts.items() if count == 1)),
    )


def study_intents(
    examples: Sequence[Example],
    embedder: Embedder,
    language_of: Callable[[str], str],
    *,
    test: Sequence[Example] | None = None,
    seed: int = 7,
) -> IntentStudy:
    """Trains and measures.

    Args:
        test: examples to measure on; by default each fifth of the others in turn.
        language_of: dominant language of a text, empty if it cannot tell.

    Raises:
        BadRequestError: there are too few examples or labels.
    """
    cleaned = clean_examples(examples)
    learnt = list(cleaned.examples)
    vectors = embedder.encode_queries([normalise(e.text) for e in learnt])
    if test is None:
        asked, queries, models = learnt, vectors, _folds(learnt, vectors, seed)
        tested_on = f"{_FOLDS}-fold cross-validation"
    else:
        asked = list(test)
        queries = embedder.encode_queries([normalise(e.text) for e in asked])
        whole = IntentModel.fit([e.label for e in learnt], vectors)
        models = [(whole, np.arange(len(asked)))]
        tested_on = f"{len(asked)} examples of another file"
    wanted = [OUT_OF_SCOPE if e.label in OUT_OF_SCOPE_LABELS else e.label for e in asked]
    got: list[str] = [""] * len(asked)
    chance = np.zeros(len(asked))
    parts = []
    for model, places in models:
        for place, found in zip(places.tolist(), model.predict(queries[places]), strict=True):
            got[place], chance[place] = found.label, found.probability
        parts.append((len(places), measure(model, [wanted[p] for p in places], queries[places])))
    right = np.array([a == b for a, b in zip(wanted, got, strict=True)])
    names = sorted({*wanted, *got})
    place_of = {name: number for number, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), dtype=int)
    for a, b in zip(wanted, got, strict=True):
        matrix[place_of[a], place_of[b]] += 1
    return IntentStudy(
        figures=_joined(parts, len(learnt)),
        labels=tuple(_figures(name, matrix, number) for number, name in enumerate(names)),
        confused=_confused(asked, wanted, got),
        matrix=tuple(tuple(int(v) for v in row) for row in matrix),
        calibration=_bins(chance, right),
        learning=_learning(
            learnt, vectors, asked if test else None, queries if test is not None else None, seed
        ),
        by_language=_by_language([language_of(e.text) for e in asked], right),
        tested_on=tested_on,
        cleaned=cleaned,
    )


def try_tuning(
    examples: Sequence[Example],
    frozen: Fit,
    tuned: Fit,
    *,
    test: Sequence[Example] | None = None,
    seed: int = 7,
) -> tuple[IntentReport, IntentReport]:
    """Does it pay to tune the encoder on the labels?  Both ways on the same unseen examples.

    Args:
        test: examples to measure on; by default a fifth of the others.

    Raises:
        BadRequestError: there are too few examples or labels.
    """
    learnt = list(clean_examples(examples).examples)
    if test is None:
        held_out = set(stratified_parts([e.label for e in learnt], _FOLDS, seed)[0].tolist())
        test = [learnt[i] for i in sorted(held_out)]
        learnt = [e for i, e in enumerate(learnt) if i not in held_out]
    reports = []
    for fit in (frozen, tuned):
        begin = time.perf_counter()
        model, embedder = fit([e.label for e in learnt], [normalise(e.text) for e in learnt])
        seconds = time.perf_counter() - begin
        vectors = embedder.encode_queries([normalise(e.text) for e in test])
        reports.append(
            measure(model, [e.label for e in test], vectors, train_seconds=seconds, train_rows=len(learnt))
        )
    return reports[0], reports[1]


def _folds(
    learnt: Sequence[Example], vectors: Floats, seed: int
) -> list[tuple[IntentModel, NDArray[np.int64]]]:
    """A model for each fold, trained on the others, and the places it is asked about."""
    labels = np.array([e.label for e in learnt])
    parts = stratified_parts(labels.tolist(), _FOLDS, seed)
    found = []
    for part in parts:
        rest = np.setdiff1d(np.arange(len(learnt)), part)
        found.append((IntentModel.fit(labels[rest].tolist(), vectors[rest]), part))
    return found


def _joined(parts: Sequence[tuple[int, IntentReport]], rows: int) -> IntentReport:
    """The mean of the folds' figures, each by its size."""
    total = sum(count for count, _ in parts)

    def mean(name: str) -> Any:
        values = [(count, getattr(report, name)) for count, report in parts]
        known = [(count, value) for count, value in values if value is not None]
        weight = sum(count for count, _ in known)
        return round(sum(count * value for count, value in known) / weight, 4) if weight else None

    means = {name: mean(name) for name in IntentReport.__dataclass_fields__}
    return IntentReport(**{**means, "train_rows": rows, "test_rows": total})


def _figures(name: str, matrix: NDArray[np.int_], place: int) -> LabelFigures:
    hit, said, there = matrix[place, place], matrix[:, place].sum(), matrix[place].sum()
    return LabelFigures(
        name,
        int(there),
        round(float(hit / said), 4) if said else 0.0,
        round(float(hit / there), 4) if there else 0.0,
        round(float(2 * hit / (said + there)), 4) if said + there else 0.0,
    )


def _confused(asked: Sequence[Example], wanted: Sequence[str], got: Sequence[str]) -> tuple[Confused, ...]:
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for example, a, b in zip(asked, wanted, got, strict=True):
        if a != b:
            texts[a, b].append(example.text)
    ordered = sorted(texts.items(), key=lambda pair: -len(pair[1]))[:_SHOWN]
    return tuple(Confused(a, b, len(found), tuple(found[:4])) for (a, b), found in ordered)


def _bins(chance: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[tuple[float, float, int], ...]:
    bins = np.minimum((chance * _BINS).astype(int), _BINS - 1)
    return tuple(
        (
            round(float(chance[bins == b].mean()), 4),
            round(float(right[bins == b].mean()), 4),
            int((bins == b).sum()),
        )
        for b in np.unique(bins)
    )


def _learning(
    learnt: Sequence[Example],
    vectors: Floats,
    test: Sequence[Example] | None,
    queries: Floats | None,
    seed: int,
) -> tuple[tuple[int, float], ...]:
    """Accuracy in scope by examples a label, each point the mean of some draws."""
    generator = np.random.default_rng(seed)
    by_label: dict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(learnt):
        if example.label not in OUT_OF_SCOPE_LABELS:
            by_label[example.label].append(place)
    by_label = {label: places for label, places in by_label.items() if len(places) > 1}
    if len(by_label) < 2:
        return ()
    most = max(len(places) for places in by_label.values())
    points = []
    for shots in [s for s in _SHOTS if s < most]:
        scores = []
        for _ in range(_ROUNDS):
            chosen: list[int] = []
            rest: list[int] = []
            for places in by_label.values():
                drawn = generator.permutation(places)
                cut = min(shots, len(places) - 1)
                chosen += drawn[:cut].tolist()
                rest += drawn[cut:].tolist()
            model = IntentModel.fit([learnt[p].label for p in chosen], vectors[chosen])
            if test is not None and queries is not None:
                inside = [i for i, e in enumerate(test) if e.label in by_label]
                asked, labels = queries[inside], [test[i].label for i in inside]
            else:
                asked, labels = vectors[rest], [learnt[p].label for p in rest]
            best = model.predict_proba(asked).argmax(1)
            scores.append(float(np.mean([model.labels[b] == a for b, a in zip(best, labels, strict=True)])))
        points.append((shots, round(float(np.mean(scores)), 4)))
    return tuple(points)


_PAYS = 0.005
"""Gain in accuracy from which tuning the encoder is worth its minutes."""


def _tuning(frozen: IntentReport, tuned: IntentReport) -> Section:
    pays = tuned.in_scope_accuracy - frozen.in_scope_accuracy > _PAYS
    rows = [
        (
            name,
            *(
                "–" if value is None else round(value, 4)
                for value in (
                    each.accuracy,
                    each.in_scope_accuracy,
                    each.oos_recall,
                    each.ece,
                    each.train_seconds,
                )
            ),
        )
        for name, each in (("as it is", frozen), ("tuned", tuned))
    ]
    return Section(
        "Does it pay to tune the encoder?",
        ("Yes." if pays else "No: the encoder as it is does as well.")
        + f" Both on the same {frozen.test_rows} unseen examples.",
        [
            Table(
                ["encoder", "accuracy", "in scope", "out of scope recall", "calibration error", "seconds"],
                rows,
            )
        ],
    )


def _by_language(languages: Sequence[str], right: NDArray[np.bool_]) -> dict[str, tuple[int, float]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, language in enumerate(languages):
        places[language or "not told"].append(place)
    ordered = sorted(places.items(), key=lambda pair: -len(pair[1]))
    return {language: (len(found), round(float(right[found].mean()), 4)) for language, found in ordered}


def report_of(study: IntentStudy, name: str) -> Report:
    """The study as a page."""
    figures, cleaned = study.figures, study.cleaned
    labels = [each.label for each in study.labels]
    summary: dict[str, object] = {
        "measured on": study.tested_on,
        "examples": len(cleaned.examples),
        "intents": len(labels),
        "accuracy": figures.accuracy,
        "macro F1": figures.macro_f1,
        "in scope": figures.in_scope_accuracy,
        "out of scope recall": "–" if figures.oos_recall is None else figures.oos_recall,
        "calibration error": figures.ece,
    }
    problems = [
        *([("empty texts", cleaned.empty)] if cleaned.empty else []),
        *([("repeated texts", cleaned.duplicates)] if cleaned.duplicates else []),
        *(
            (f"«{text}» stands under {', '.join(names)}", len(names))
            for text, names in cleaned.contradictions[:_SHOWN]
        ),
        *((f"{label} has one example and cannot be measured", 1) for label in cleaned.single[:_SHOWN]),
    ]
    sections = [
        Section(
            "Intents",
            "The weakest first.",
            [
                Table(
                    ["intent", "examples", "precision", "recall", "F1"],
                    [
                        (each.label, each.examples, each.precision, each.recall, each.f1)
                        for each in sorted(study.labels, key=lambda each: each.f1)
                    ],
                )
            ],
        ),
        Section(
            "Mixed up",
            "What was wanted and what was said. Give the first more examples like these, or make the two one.",
            [
                Matrix(labels, study.matrix, "Wanted (rows) and said (columns)"),
                Table(
                    ["wanted", "said", "times", "texts"],
                    [(each.wanted, each.got, each.count, " · ".join(each.texts)) for each in study.confused],
                ),
            ],
        ),
        Section(
            "Calibration",
            "Of the answers given with a probability of 80 %, about 80 % should be right.",
            [
                Curves(
                    {
                        "measured": [(probability, share) for probability, share, _ in study.calibration],
                        "perfect": [(0.0, 0.0), (1.0, 1.0)],
                    },
                    "Share that is right",
                    "probability",
                )
            ],
        ),
        Section(
            "Would more examples help?",
            "Accuracy in scope by examples an intent.",
            [Curves({"accuracy": study.learning}, "Accuracy", "examples an intent")]
            if study.learning
            else [],
        ),
        Section(
            "Languages",
            "",
            [
                Table(
                    ["language", "examples", "accuracy"],
                    [(language, *found) for language, found in study.by_language.items()],
                )
            ],
        ),
    ]
    if study.tuned is not None:
        sections.append(_tuning(*study.tuned))
    if problems:
        sections.append(Section("Left out or doubtful", "", [Table(["what", "how many"], problems)]))
    return Report(f"Intents «{name}»", summary, sections)
