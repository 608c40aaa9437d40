"""The generator that a machine can carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.models import CATALOGUE, choice
from chatbot.models.choice import LARGE, SMALL, Choice, choose_generator, chosen_generator, usable_memory

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("memory", "cores", "model", "reason"),
    [
        (23 * GB, 2, LARGE, "enough for the larger model"),
        (23 * GB, 1, SMALL, "single core"),
        (int(2.5 * GB), 4, SMALL, "the larger model needs 2.8 GB"),
        (1 * GB, 4, "", "word for word"),
    ],
)
def test_the_largest_model_that_suits_is_taken_and_the_reason_said(
    memory: int, cores: int, model: str, reason: str
) -> None:
    found = choose_generator(memory, cores)
    assert found.model == model
    assert reason in found.why


@given(st.integers(0, 64 * GB), st.integers(0, 64 * GB), st.integers(1, 64))
def test_more_memory_never_gives_a_smaller_model(one: int, other: int, cores: int) -> None:
    size = {"": 0, **{name: CATALOGUE[name].files[0].bytes for name in (SMALL, LARGE)}}
    less, more = sorted((one, other))
    assert size[choose_generator(less, cores).model] <= size[choose_generator(more, cores).model]


def test_a_model_that_is_set_is_taken_as_it_is() -> None:
    assert chosen_generator("my-model.gguf") == Choice("my-model.gguf", "it is set")


def test_the_systems_own_share_is_not_counted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "whole_memory", lambda: 3_000_000_000)
    assert usable_memory() == 2_300_000_000
    monkeypatch.setattr(choice, "whole_memory", lambda: 100_000_000)
    assert usable_memory() == 0
