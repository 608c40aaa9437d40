"""Tunes an encoder so that texts of one label lie together and away from all others.

Each label has a place on the sphere, at first the mean of its texts; a text is to
be nearer to its own than to any other's (normalised softmax: Wang et al. 2017,
"NormFace").  Beside contrastive pairs (Tunstall et al. 2022, "SetFit") each step
compares a text with all labels, not with a few others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from chatbot.training.encoder.lowrank import (
    EncoderProgress,
    EncoderSettings,
    Floats,
    adapted,
    descend,
    embed,
)

__all__ = ["tune_on_labels"]

_SHARPNESS = 20.0
"""What a difference of cosines counts in the softmax."""
_PLACES_RATE = 5e-3
_BUCKET = 16
"""Batches that are sorted by length together, so that little is padded."""


def tune_on_labels(
    network: Any,
    texts: Sequence[str],
    labels: Sequence[str],
    settings: EncoderSettings | None = None,
    report: Callable[[EncoderProgress], None] = lambda _progress: None,
) -> dict[str, tuple[Floats, Floats]]:
    """Tunes ``network`` in place.

    Args:
        network: of sentence-transformers.
        texts: with the prefix that the encoder wants.
        labels: of each text; the same number.

    Returns:
        What was added to its matrices, by module name: down (rank, in) and up (out, rank).
    """
    import torch

    chosen = settings or EncoderSettings()
    names = sorted(set(labels))
    place = {name: number for number, name in enumerate(names)}
    own = torch.tensor([place[label] for label in labels])
    with torch.no_grad():
        vectors = torch.cat([embed(network, texts[at : at + 64]) for at in range(0, len(texts), 64)])
    centre = vectors.mean(0)
    unit = torch.nn.functional.normalize
    around = unit(vectors - centre, dim=-1)
    places = torch.nn.Parameter(
        unit(torch.stack([around[own == n].mean(0) for n in range(len(names))]), dim=-1)
    )

    def loss_of(batch: Sequence[int]) -> Any:
        found = unit(embed(network, [texts[i] for i in batch]) - centre, dim=-1)
        cosines = found @ unit(places, dim=-1).T
        return torch.nn.functional.cross_entropy(cosines * _SHARPNESS, own[list(batch)])

    with adapted(network, chosen) as (parameters, matrices):
        descend(
            [{"params": parameters}, {"params": [places], "lr": _PLACES_RATE, "weight_decay": 0.0}],
            _batches([len(text) for text in texts], chosen),
            loss_of,
            chosen.rate,
            len,
            report,
        )
    return matrices


def _batches(lengths: Sequence[int], settings: EncoderSettings) -> list[list[int]]:
    """Places of the texts, each in every epoch once, texts of like length together."""
    draw = random.Random(settings.seed)
    found: list[list[int]] = []
    for _ in range(settings.epochs):
        order = list(range(len(lengths)))
        draw.shuffle(order)
        epoch = []
        for start in range(0, len(order), settings.batch * _BUCKET):
            bucket = sorted(order[start : start + settings.batch * _BUCKET], key=lengths.__getitem__)
            epoch += [bucket[at : at + settings.batch] for at in range(0, len(bucket), settings.batch)]
        draw.shuffle(epoch)
        found += epoch
    return found
