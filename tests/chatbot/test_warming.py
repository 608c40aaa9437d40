"""What is read beforehand steps back while customers are answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from chatbot.errors import BusyError, EngineError
from chatbot.warming import Warming


def test_all_steps_are_taken_in_their_order() -> None:
    taken: list[int] = []
    steps = [lambda n=n: taken.append(n) is None for n in range(3)]
    assert Warming(0.0).run(steps, threading.Event()) == 3
    assert taken == [0, 1, 2]


def test_no_step_begins_while_a_turn_is_under_way_or_has_just_ended() -> None:
    warming, ended = Warming(0.1), [0.0]
    begun = threading.Event()

    def step() -> bool:
        ended.append(time.monotonic())
        return True

    def turn() -> None:
        with warming.turn():
            begun.set()
            time.sleep(0.2)
            ended[0] = time.monotonic()

    talking = threading.Thread(target=turn)
    talking.start()
    begun.wait(5)
    assert warming.run([step], threading.Event()) == 1
    talking.join()
    assert ended[1] - ended[0] >= 0.09


def test_a_turn_that_fails_does_not_hold_it_up_for_good() -> None:
    warming = Warming(0.0)
    with pytest.raises(ValueError, match="broken"), warming.turn():
        raise ValueError("broken")
    assert warming.run([lambda: True], threading.Event()) == 1


def fail(error: Exception) -> Callable[[], bool]:
    def step() -> bool:
        raise error

    return step


def test_a_text_that_fails_is_passed_over_and_an_engine_that_always_fails_is_left_alone() -> None:
    gone = fail(EngineError("gone"))
    assert Warming(0.0).run([lambda: True, gone, gone, lambda: True], threading.Event()) == 2
    assert Warming(0.0).run([lambda: True, gone, gone, gone, lambda: True], threading.Event()) == 1


def test_an_engine_without_a_place_or_without_room_for_more_ends_it() -> None:
    assert Warming(0.0).run([lambda: True, fail(BusyError("full")), lambda: True], threading.Event()) == 1
    assert Warming(0.0).run([lambda: True, lambda: False, lambda: True], threading.Event()) == 1


def test_a_stop_ends_it_at_once_also_during_a_turn() -> None:
    warming, stopped = Warming(60.0), threading.Event()
    with warming.turn():
        threading.Timer(0.1, stopped.set).start()
        begin = time.monotonic()
        assert warming.run([lambda: True], stopped) == 0
    assert time.monotonic() - begin < 5
