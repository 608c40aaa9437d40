"""Intents over an encoder that was tuned on their examples.

The probabilities and the out-of-scope threshold come from examples that neither
encoder nor classifier had seen: the examples are parted, and each part is measured
by an encoder tuned on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.intent import IntentModel
from chatbot.intent_fit import OUT_OF_SCOPE_LABELS, Scored
from chatbot.training.encoder import EncoderSettings, check_encoder_memory, tune_on_labels
from chatbot.training.nlu import with_names
from chatbot.training.parts import stratified_parts
from knowledge_base.embed import Embedder, SentenceEmbedder

__all__ = ["fit_tuned"]

Floats = NDArray[np.float32]
_FOLDS, _FOLDS_OF_MANY, _MANY = 4, 2, 3000
_SEED = 7


def fit_tuned(
    labels: Sequence[str],
    texts: Sequence[str],
    fresh: Callable[[], SentenceEmbedder],
    joined: Callable[[SentenceEmbedder], Embedder],
    settings: EncoderSettings | None = None,
    report: Callable[[str], None] = lambda _line: None,
) -> tuple[IntentModel, Embedder]:
    """Tunes and fits.

    Args:
        labels: of each text.
        texts: normalised.
        fresh: loads the encoder as it is.
        joined: what serves, with an encoder in it.

    Returns:
        The classifier and the embedder that its vectors come from.

    Raises:
        BadRequestError: no label has two examples.
        ModelError: there is too little memory.
    """
    check_encoder_memory()
    chosen = settings or EncoderSettings()
    # What measures are messages; the labels' names are learnt only.
    parts = stratified_parts(labels, _FOLDS_OF_MANY if len(labels) > _MANY else _FOLDS, _SEED)
    labels, texts = with_names(labels, texts)
    names = sorted({label for label in labels if label not in OUT_OF_SCOPE_LABELS})
    place = {name: number for number, name in enumerate(names)}
    scores = np.full((len(labels), len(names) + 1), -1.0, dtype=np.float32)
    near, near_out = np.full(len(labels), np.nan, np.float32), np.full(len(labels), -1.0, np.float32)
    for number, part in enumerate(parts, 1):
        rest = np.setdiff1d(np.arange(len(labels)), part)
        embedder = joined(
            _tuned(fresh(), labels, texts, rest, chosen, f"part {number} of {len(parts)}", report)
        )
        model = IntentModel.fit([labels[i] for i in rest], embedder.encode_queries([texts[i] for i in rest]))
        found = model.scores(embedder.encode_queries([texts[i] for i in part]))
        columns = np.array([*(place[name] for name in model.labels), len(names)])
        scores[np.ix_(part, columns)] = found.scores
        near[part], near_out[part] = found.near, found.near_out
    everything = np.arange(len(labels))
    embedder = joined(_tuned(fresh(), labels, texts, everything, chosen, "all", report))
    vectors = embedder.encode_queries(list(texts))
    unseen = Scored(scores, near, near_out, 1.0)
    return IntentModel.fit(labels, vectors, fingerprint=embedder.fingerprint, unseen=unseen), embedder


def _tuned(
    encoder: SentenceEmbedder,
    labels: Sequence[str],
    texts: Sequence[str],
    chosen: NDArray[np.int64],
    settings: EncoderSettings,
    what: str,
    report: Callable[[str], None],
) -> SentenceEmbedder:
    """The encoder, tuned on the chosen examples that an intent covers.

    What none covers is about anything and lies nowhere together.
    """
    inside = [i for i in chosen.tolist() if labels[i] not in OUT_OF_SCOPE_LABELS]

    def told(progress: Any) -> None:
        report(
            f"{what}: step {progress.step} of {progress.steps}, loss {progress.loss:.3f}, "
            f"{progress.seconds_left / 60:.1f} min left"
        )

    tune_on_labels(
        encoder.network,
        [encoder.query_prefix + texts[i] for i in inside],
        [labels[i] for i in inside],
        settings,
        told,
    )
    return encoder
