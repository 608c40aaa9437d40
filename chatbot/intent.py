"""What does the customer want?  One classifier over the query's embedding, any language.

Kernel ridge regression on one-versus-rest targets with a Gaussian kernel over
mean-centred unit vectors (Saunders et al. 1998; Rifkin & Klautau 2004 on why
one-versus-rest suffices).  It has a closed form, so training is one Cholesky
factorisation, the same bits every time, and it gives the leave-one-out score of
every training example for free (Rifkin & Lippert 2007, eq. 7).  These honest
scores set the temperature of the probabilities and the out-of-scope threshold,
so that nothing but the training file is ever looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import ModelError
from chatbot.intent_fit import (
    OUT_OF_SCOPE_LABELS,
    Gate,
    Scored,
    fit_gate,
    fit_ridge,
    fit_temperature,
    held_out_rows,
    nearest_others,
)
from chatbot.payload import OPENINGS
from chatbot.turn import Intent, Route
from knowledge_base.normalise import key
from knowledge_base.whole_file import whole_file

__all__ = ["OUT_OF_SCOPE", "IntentClassifier", "IntentModel", "IntentPrediction"]

OUT_OF_SCOPE = "__out_of_scope__"
"""Name of the answer «none of the intents»."""

FORMAT = 3
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class IntentPrediction:
    """The model's view of one message."""

    label: str
    """An intent, or :data:`OUT_OF_SCOPE`."""
    probability: float
    """Calibrated probability of ``label``."""
    out_of_scope: float
    """Calibrated probability that no intent fits."""
    intents: NDArray[np.float64] = field(compare=False, repr=False)
    """Probability of each intent, shape (len(labels),); with ``out_of_scope`` they sum to one."""


@dataclass(frozen=True, slots=True)
class IntentModel:
    """A trained classifier; plain arrays, safe to share between threads."""

    labels: tuple[str, ...]
    """Intents in the order of the columns, without the out-of-scope class."""
    mean: Floats
    """Mean of the training vectors, shape (d,)."""
    support: Floats
    """Centred unit training vectors, shape (n, d), the out-of-scope ones last."""
    coefficients: Floats
    """Dual weights, shape (n, len(labels) + 1); the last column is out of scope."""
    inside: int
    """How many of the training vectors are in scope."""
    temperature: float
    gate: Gate | None
    """Out-of-scope detection; ``None`` when the training data had no example of it."""
    fingerprint: str
    """Of the embedder whose vectors these are."""
    gamma: float

    @classmethod
    def fit(
        cls,
        labels: Sequence[str],
        vectors: Floats,
        *,
        fingerprint: str = "",
        gamma: float = 2.0,
        ridge: float = 0.1,
        unseen: Scored | None = None,
    ) -> IntentModel:
        """Trains on labelled vectors.

        Args:
            labels: n intent names; ``__out_of_scope__`` or ``out_of_scope`` mark
                examples of what no intent covers.
            vectors: shape (n, d), unit length, from ``encode_queries``.
            fingerprint: the embedder's, kept with the model.
            gamma: width of the kernel exp(gamma · (cosine − 1)).
            ridge: weight of the squared norm.
            unseen: what models that had not seen them measured of these very n
                examples, for vectors that were tuned on the examples: of such,
                leaving one out in the fit alone is not honest.  Not a number in
                ``near`` marks those that were not measured.

        Raises:
            ModelError: fewer than two intents, or not one label per vector.
        """
        names = tuple(sorted({label for label in labels if label not in OUT_OF_SCOPE_LABELS}))
        if len(names) < 2 or len(labels) != len(vectors):
            raise ModelError(
                f"the intent examples hold {len(names)} intents, {len(labels)} labels and {len(vectors)} "
                "vectors; expected at least two intents and one label for each vector"
            )
        column = {name: index for index, name in enumerate(names)}
        own = np.array([column.get(label, len(names)) for label in labels], dtype=np.int64)
        order = np.argsort(own == len(names), kind="stable")
        own = own[order]
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        support = _centred(vectors[order], mean)
        probe = held_out_rows(own, len(names))
        coefficients, held_out = fit_ridge(support, own, len(names) + 1, gamma, ridge, probe)
        if unseen is None:
            near, near_out = nearest_others(support, own, len(names), probe)
        else:
            probe = probe[~np.isnan(unseen.near[order[probe]])]
            rows = order[probe]
            held_out, near, near_out = unseen.scores[rows], unseen.near[rows], unseen.near_out[rows]
        seen = own[probe]
        inside = seen < len(names)
        temperature = fit_temperature(held_out[inside, :-1], seen[inside])
        scored = Scored(held_out, near, near_out, temperature)
        gate = None if inside.all() else fit_gate(scored, seen)
        count = int((own < len(names)).sum())
        return cls(names, mean, support, coefficients, count, temperature, gate, fingerprint, gamma)

    def scores(self, vectors: Floats) -> Scored:
        """Raw scores of m query vectors, shape (m, d)."""
        cosine = _centred(np.atleast_2d(vectors), self.mean) @ self.support.T
        near = cosine[:, : self.inside].max(axis=1, initial=-1.0)
        near_out = cosine[:, self.inside :].max(axis=1, initial=-1.0)
        np.exp(self.gamma * (cosine - 1.0), out=cosine)
        scores = (cosine @ self.coefficients).astype(np.float32, copy=False)
        return Scored(scores, near, near_out, self.temperature)

    def predict_proba(self, vectors: Floats) -> Floats:
        """Calibrated probabilities, shape (m, len(labels)), given that some intent fits."""
        return self.scores(vectors).probabilities().astype(np.float32)

    def predict(self, vectors: Floats) -> list[IntentPrediction]:
        """The decision for each of m query vectors, shape (m, d)."""
        scored = self.scores(vectors)
        inner = scored.probabilities()
        best = inner.argmax(axis=1)
        outside = np.zeros(len(best)) if self.gate is None else self.gate.probability(scored)
        threshold = 2.0 if self.gate is None else self.gate.threshold
        spread = inner * (1.0 - outside[:, None])
        return [
            IntentPrediction(OUT_OF_SCOPE, float(out), float(out), row)
            if out >= threshold
            else IntentPrediction(self.labels[index], float(row[index]), float(out), row)
            for row, index, out in zip(spread, best, outside, strict=True)
        ]

    def save(self, folder: Path, notes: dict[str, Any] | None = None) -> None:
        """Writes ``model.npz`` and ``manifest.json`` into ``folder``, the manifest last."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = folder / "model.npz"
        np.savez(
            arrays,
            mean=self.mean,
            support=self.support,
            coefficients=self.coefficients,
        )
        manifest = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "labels": self.labels,
            "temperature": self.temperature,
            "gamma": self.gamma,
            "inside": self.inside,
            "gate": None if self.gate is None else self.gate.as_json(),
            "sha256": _digest(arrays),
            **(notes or {}),
        }
        with whole_file(folder / "manifest.json") as part:
            part.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, fingerprint: str) -> IntentModel:
        """Reads a saved model.

        Raises:
            ModelError: it is missing, damaged, or was trained with another embedder.
        """
        manifest = read_manifest(folder)
        if manifest.get("fingerprint") != fingerprint:
            raise ModelError(
                f"the intent model in {folder} belongs to the embedder {manifest.get('fingerprint')!r}, "
                f"this installation uses {fingerprint!r}; train the intents again"
            )
        arrays = folder / "model.npz"
        try:
            if _digest(arrays) != manifest["sha256"]:
                raise ValueError("checksum")
            with np.load(arrays, allow_pickle=False) as parts:
                stored = {name: parts[name] for name in ("mean", "support", "coefficients")}
            gate = None if manifest["gate"] is None else Gate.from_json(manifest["gate"])
            return cls(
                labels=tuple(manifest["labels"]),
                temperature=float(manifest["temperature"]),
                gamma=float(manifest["gamma"]),
                inside=int(manifest["inside"]),
                gate=gate,
                fingerprint=fingerprint,
                **stored,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the intent model in {folder} is damaged ({type(error).__name__}: {error}); "
                "delete the folder, it is trained again at the next start"
            ) from error


class IntentClassifier:
    """The intent stage of a turn.

    Args:
        model: trained on this installation's intents.
        route: gives an intent's route.
        examples: texts whose intent is known for sure: the training examples
            themselves, by their :func:`knowledge_base.normalise.key`.
    """

    def __init__(
        self, model: IntentModel, route: Callable[[str], Route], examples: dict[str, str] | None = None
    ) -> None:
        self._model = model
        self._route = route
        self._examples = examples or {}

    def classify(self, text: str, vector: Floats) -> Intent:
        """The intent of one message.

        Args:
            text: the message.
            vector: its embedding by ``encode_queries``, shape (d,).
        """
        known = self._examples.get(key(text))
        if known is not None:
            return Intent(known, 1.0, self._route(known), 1.0)
        found = self._model.predict(vector)[0]
        name = "out_of_scope" if found.label == OUT_OF_SCOPE else found.label
        route = self._route(name)
        same = [self._route(label) is route for label in self._model.labels]
        along = float(found.intents[same].sum())
        if self._route("out_of_scope") is route:
            along += found.out_of_scope
        return Intent(name, found.probability, route, along)

    def named(self, name: str) -> Intent | None:
        """The intent of this name, as a button sends it; None if there is none.

        What clients send when a conversation is opened is a greeting, whatever they call it.
        """
        known = {label.lower(): label for label in self._model.labels}
        label = known.get(name) or (known.get("greeting") if name in OPENINGS else None)
        return None if label is None else Intent(label, 1.0, self._route(label), 1.0)

    @property
    def model_id(self) -> str:
        """Changes with the trained intents and with the encoder below them; 32 hexadecimal digits."""
        digest = hashlib.sha256(f"{self._model.fingerprint}\n{self._model.labels}".encode())
        digest.update(np.ascontiguousarray(self._model.coefficients).tobytes())
        return digest.hexdigest()[:32]

    def ranking(self, text: str, vector: Floats, most: int = 10) -> tuple[Intent, ...]:
        """The intent of :meth:`classify` and those that come next, likeliest first.

        Args:
            vector: its embedding by ``encode_queries``, shape (d,).
        """
        first = self.classify(text, vector)
        found = self._model.predict(vector)[0]
        rest = [
            *zip(self._model.labels, found.intents.tolist(), strict=True),
            ("out_of_scope", found.out_of_scope),
        ]
        rest.sort(key=lambda pair: -pair[1])
        others = [Intent(name, share, self._route(name)) for name, share in rest if name != first.name]
        return (first, *others[: most - 1])


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a saved model.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read ({type(error).__name__}); expected a trained intent model, "
            "train the intents"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{path} is not an intent model of format {FORMAT}; train the intents again")
    return manifest


def _centred(vectors: Floats, mean: Floats) -> Floats:
    centred = vectors.astype(np.float32) - mean
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    scaled: Floats = centred / np.maximum(norms, 1e-9)
    return scaled


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
