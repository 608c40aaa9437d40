from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.errors import EngineError
from chatbot.generate.run import Run, option_logprobs


def test_first_token_is_the_longest_the_option_begins_with() -> None:
    top = [(b"Yes", -0.1), (b"Y", -3.0), (b"N", -2.0), (b"No", -2.5), (b"Not", -0.01), ("是".encode(), -4.0)]
    assert option_logprobs(top, ["Yes", "No", "是的"]) == [-0.1, -2.5, -4.0]


def test_token_that_two_options_share_decides_nothing() -> None:
    assert option_logprobs([(b"N", -0.1), (b"Nor", -2.0), (b"Not", -3.0), (b"x", -9.0)], ["Nor", "Not"]) == [
        -2,
        -3,
    ]


def test_option_that_is_not_reported_gets_the_least_reported() -> None:
    assert option_logprobs([(b"a", -1.0), (b"b", -7.0)], ["zebra"]) == [-7.0]


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=4), st.floats(-30, 0)), min_size=1, max_size=30),
    st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4, unique=True),
)
def test_values_are_always_among_those_reported(top: list[tuple[bytes, float]], options: list[str]) -> None:
    reported = {value for _, value in top}
    assert set(option_logprobs(top, options)) <= reported


def test_text_after_a_stop_is_not_taken() -> None:
    run = Run(lambda piece: piece == "b")
    assert [run.piece(piece) for piece in "abc"] == [False, True, True]
    assert run.result("stop").text == "ab"
    assert run.result("stop").finish == "cancelled"


def test_time_limit_without_text_is_an_error() -> None:
    run = Run(None, timeout_s=0.0)
    assert run.poll()
    with pytest.raises(EngineError, match="time limit"):
        run.result("stop")


def test_no_limit_is_no_limit() -> None:
    run = Run(None)
    assert run.left_s == math.inf
    assert not run.poll()
