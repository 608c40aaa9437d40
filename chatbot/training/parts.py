"""Labelled examples in parts, each measured by what was trained on the others."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from chatbot.errors import BadRequestError

__all__ = ["stratified_parts"]


def stratified_parts(labels: Sequence[str], folds: int, seed: int) -> list[NDArray[np.int64]]:
    """Places of the examples in ``folds`` parts, each label spread over them.

    A label's only example is in no part: it cannot be measured, only learnt.

    Raises:
        BadRequestError: no label has two examples.
    """
    names = np.array(labels)
    counts = Counter(labels)
    measurable = np.array([i for i, label in enumerate(labels) if counts[label] > 1], dtype=np.int64)
    folds = min(folds, len(measurable))
    if folds < 2:
        raise BadRequestError("no label has more than one example; expected at least two of each to measure")
    with warnings.catch_warnings():
        # Labels with fewer examples than folds are in some folds only, which is right.
        warnings.simplefilter("ignore", UserWarning)
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return [measurable[part] for _, part in splitter.split(measurable, names[measurable])]
