"""Training the intent classifier and measuring it."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import ModelError
from chatbot.intent import (
    OUT_OF_SCOPE,
    IntentClassifier,
    IntentModel,
    IntentPrediction,
    read_manifest,
)
from chatbot.intent_fit import OUT_OF_SCOPE_LABELS
from chatbot.training.nlu import Example, read_examples, with_names
from chatbot.turn import Route
from knowledge_base.embed import Embedder
from knowledge_base.normalise import key, normalise

__all__ = ["Fit", "IntentReport", "evaluate_intents", "frozen", "measure", "open_intents", "train_intents"]

TIMED_QUERIES = 200
CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class IntentReport:
    """Figures of one classifier on one test file."""

    accuracy: float
    """Share of rows whose predicted label is right; out of scope is a label like the others."""
    macro_f1: float
    in_scope_accuracy: float
    """The same over in-scope rows; a wrongly rejected one counts as wrong."""
    oos_recall: float | None
    """Share of out-of-scope rows that were rejected; ``None`` without such rows."""
    oos_precision: float | None
    """Share of rejected rows that were out of scope; ``None`` when nothing was rejected."""
    ece: float
    """Expected calibration error of the predicted label's probability, 15 equal bins (Naeini et al. 2015)."""
    ms_per_query: float
    """Median time of one classification beyond the embedding."""
    embed_ms_per_query: float
    """Mean time of embedding the test file, in batches."""
    train_seconds: float
    """Time of embedding the training file, tuning the encoder where that is asked for, and fitting."""
    train_rows: int
    test_rows: int

    def as_json(self) -> dict[str, Any]:
        """The fields as ``kefu eval intents --json`` prints them."""
        return asdict(self)


Fit = Callable[[Sequence[str], Sequence[str]], tuple[IntentModel, Embedder]]
"""Labels and normalised texts to a classifier and the embedder that its vectors come from."""


def frozen(embedder: Embedder) -> Fit:
    """Fits on the vectors of an encoder that stays as it is."""

    def fit(labels: Sequence[str], texts: Sequence[str]) -> tuple[IntentModel, Embedder]:
        labels, texts = with_names(labels, texts)
        vectors = embedder.encode_queries(texts)
        return IntentModel.fit(labels, vectors, fingerprint=embedder.fingerprint), embedder

    return fit


def evaluate_intents(train: Path, test: Path, fit: Fit, shots: int = 0) -> IntentReport:
    """Trains on one file and measures on another; nothing of the test file is used in training.

    Args:
        train: ``text,label`` CSV or ``nlu.yml``.
        test: the same; the label ``__out_of_scope__`` is what should be rejected.
        fit: trains on labels and texts; see :func:`frozen`.
        shots: examples of each label that are learnt, drawn at random; 0 for all.
    """
    learnt, asked = read_examples(train), read_examples(test)
    if shots:
        learnt = _drawn(learnt, shots)
    begin = time.perf_counter()
    model, embedder = fit(
        [example.label for example in learnt], [normalise(example.text) for example in learnt]
    )
    train_seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    queries = embedder.encode_queries([normalise(example.text) for example in asked])
    embed_ms = (time.perf_counter() - begin) * 1000 / len(asked)
    return measure(
        model,
        [example.label for example in asked],
        queries,
        train_seconds=train_seconds,
        train_rows=len(learnt),
        embed_ms=embed_ms,
    )


def measure(
    model: IntentModel,
    labels: Sequence[str],
    vectors: NDArray[np.float32],
    *,
    train_seconds: float = 0.0,
    train_rows: int = 0,
    embed_ms: float = 0.0,
) -> IntentReport:
    """Figures of a trained model.

    Args:
        model: the classifier.
        labels: right label of each row.
        vectors: query vectors, shape (n, d).
    """
    wanted = [OUT_OF_SCOPE if label in OUT_OF_SCOPE_LABELS else label for label in labels]
    found = [
        prediction
        for start in range(0, len(wanted), 256)
        for prediction in model.predict(vectors[start : start + 256])
    ]
    pairs = [(right, prediction.label) for right, prediction in zip(wanted, found, strict=True)]
    inside = [right == got for right, got in pairs if right != OUT_OF_SCOPE]
    rejected = [right for right, got in pairs if got == OUT_OF_SCOPE]
    outside = [got for right, got in pairs if right == OUT_OF_SCOPE]
    return IntentReport(
        accuracy=_share([right == got for right, got in pairs]),
        macro_f1=_macro_f1(pairs),
        in_scope_accuracy=_share(inside),
        oos_recall=_share([got == OUT_OF_SCOPE for got in outside]) if outside else None,
        oos_precision=_share([right == OUT_OF_SCOPE for right in rejected]) if rejected else None,
        ece=_calibration_error(pairs, found),
        ms_per_query=_time_one(model, vectors),
        embed_ms_per_query=embed_ms,
        train_seconds=train_seconds,
        train_rows=train_rows,
        test_rows=len(wanted),
    )


def train_intents(
    nlu: Path, route: Callable[[str], Route], embedder: Embedder, folder: Path
) -> IntentClassifier:
    """Trains on an ``nlu.yml`` (or CSV) and saves the model in ``folder``.

    Args:
        nlu: labelled examples.
        route: gives an intent's route.
        embedder: gives the vectors; its fingerprint is kept with the model.
        folder: where ``model.npz`` and ``manifest.json`` go.
    """
    examples = read_examples(nlu)
    model, _ = frozen(embedder)(
        [example.label for example in examples], [normalise(example.text) for example in examples]
    )
    model.save(folder, {"source_sha256": _digest(nlu), "examples": len(examples)})
    return IntentClassifier(model, route, _sure(examples))


def open_intents(
    nlu: Path, route: Callable[[str], Route], embedder: Embedder, folder: Path
) -> IntentClassifier:
    """The saved classifier, trained anew when it is missing, damaged or out of date.

    It is out of date when the examples or the embedder have changed since.
    """
    try:
        if read_manifest(folder).get("source_sha256") == _digest(nlu):
            model = IntentModel.load(folder, embedder.fingerprint)
            return IntentClassifier(model, route, _sure(read_examples(nlu)))
    except (ModelError, OSError):
        pass
    return train_intents(nlu, route, embedder, folder)


def _sure(examples: Sequence[Example]) -> dict[str, str]:
    """Example text → intent, for texts that stand under one intent alone."""
    labels: dict[str, set[str]] = {}
    for example in examples:
        labels.setdefault(key(example.text), set()).add(example.label)
    return {
        text: next(iter(names))
        for text, names in labels.items()
        if text and len(names) == 1 and not names & OUT_OF_SCOPE_LABELS
    }


def _drawn(examples: Sequence[Example], shots: int) -> list[Example]:
    """So many examples of each label, always the same ones."""
    by_label: dict[str, list[Example]] = {}
    for example in examples:
        by_label.setdefault(example.label, []).append(example)
    draw = np.random.default_rng(0)
    return [
        found[place] for found in by_label.values() for place in draw.permutation(len(found))[:shots].tolist()
    ]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


def _macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Mean F1 over the labels that occur in the test file."""
    wanted, got = Counter(right for right, _ in pairs), Counter(label for _, label in pairs)
    both = Counter(right for right, label in pairs if right == label)
    return float(np.mean([2 * both[label] / (wanted[label] + got[label]) for label in wanted]))


def _calibration_error(pairs: Sequence[tuple[str, str]], found: Sequence[IntentPrediction]) -> float:
    chance = np.array([prediction.probability for prediction in found])
    right = np.array([wanted == got for wanted, got in pairs], dtype=np.float64)
    bins = np.minimum((chance * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        abs(right[bins == b].mean() - chance[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    ]
    return float(sum(gaps))


def _time_one(model: IntentModel, vectors: NDArray[np.float32]) -> float:
    """Median milliseconds of classifying one vector."""
    times = []
    for row in vectors[:TIMED_QUERIES]:
        begin = time.perf_counter()
        model.predict(row[None])
        times.append(time.perf_counter() - begin)
    return float(np.median(times) * 1000)
