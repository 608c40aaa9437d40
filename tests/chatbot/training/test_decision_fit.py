"""How the signals of a decision are weighed: never against more evidence, nor by a handful of examples."""

from __future__ import annotations

import numpy as np

from chatbot.decide import bent, bent_names
from chatbot.training.judge import _cross_fit, _Row


def rows_of(values: np.ndarray, labels: np.ndarray) -> list[_Row]:
    return [
        _Row(number, 0, str(number % 10), "en", True, bool(label), True, bent("judge", float(value)))
        for number, (value, label) in enumerate(zip(values, labels, strict=True))
    ]


def fitted(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    groups = np.array([str(number % 10) for number in range(len(values))])
    _, weights = _cross_fit(rows_of(values, labels), bent_names("judge"), labels, groups)
    return weights


def test_a_part_that_is_hardly_ever_in_play_gets_no_extreme_weight() -> None:
    draw = np.random.default_rng(3)
    values = np.concatenate([draw.normal(0.0, 0.7, 600), [2.05, 2.1, 2.2]])
    labels = draw.random(len(values)) < 1 / (1 + np.exp(-values))
    labels[-3:] = True
    weights = fitted(values, labels)
    assert 0.5 < weights["judge_1"] < 2.0
    assert weights["judge_3"] < 3.0


def test_a_slope_that_falls_off_is_found_and_one_that_turns_is_not_followed() -> None:
    draw = np.random.default_rng(4)
    values = draw.uniform(-6, 6, 3000)
    slopes = np.where(values < 2, values, 2 - 0.5 * (values - 2))
    weights = fitted(values, draw.random(len(values)) < 1 / (1 + np.exp(-slopes)))
    assert weights["judge_1"] > 0.7
    assert weights["judge_3"] == 0.0
