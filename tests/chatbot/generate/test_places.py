from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatbot.errors import BusyError, EngineError
from chatbot.generate.places import Abandoned, Places

NEVER = math.inf


def test_serves_in_order_of_arrival() -> None:
    places = Places(1, 20)
    order: list[int] = []

    def enter(number: int) -> None:
        with places.place(NEVER, lambda: False):
            order.append(number)

    with ThreadPoolExecutor(20) as pool, places.place(NEVER, lambda: False):
        for number in range(20):
            pool.submit(enter, number)
            while places.waiting != number + 1:
                time.sleep(0.001)
    assert order == list(range(20))


def test_never_more_run_than_places() -> None:
    places = Places(3, 100)
    lock, running, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        with places.place(NEVER, lambda: False):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.002)
            with lock:
                running -= 1

    with ThreadPoolExecutor(16) as pool:
        for _ in range(60):
            pool.submit(work)
    assert most == 3
    assert (places.busy, places.waiting) == (0, 0)


def test_full_queue_refuses_at_once() -> None:
    places = Places(1, 0)
    started = time.monotonic()
    with places.place(NEVER, lambda: False), pytest.raises(BusyError), places.place(NEVER, lambda: False):
        pass
    assert time.monotonic() - started < 0.1


def test_time_to_come_back_follows_recent_durations() -> None:
    places = Places(1, 0)
    with places.place(NEVER, lambda: False):
        with pytest.raises(BusyError) as first, places.place(NEVER, lambda: False):
            pass
        time.sleep(2.5)
    held = places.place(NEVER, lambda: False)
    with held, pytest.raises(BusyError) as second, places.place(NEVER, lambda: False):
        pass
    assert first.value.retry_after == 5
    assert 2 <= second.value.retry_after <= 4


def test_those_who_leave_or_wait_too_long_free_their_turn() -> None:
    places = Places(1, 2)
    with places.place(NEVER, lambda: False):
        with pytest.raises(Abandoned), places.place(NEVER, lambda: True):
            pass
        soon = time.monotonic() + 0.3
        with pytest.raises(EngineError, match="time limit"), places.place(soon, lambda: False):
            pass
        assert places.waiting == 0
    with places.place(NEVER, lambda: False):
        assert places.busy == 1


def test_an_error_inside_frees_the_place() -> None:
    places = Places(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError), places.place(NEVER, lambda: False):
            raise KeyError
    assert places.busy == 0


def test_closing_turns_everyone_away() -> None:
    places = Places(1, 1)
    assert places.close()
    with pytest.raises(EngineError, match="closed"), places.place(NEVER, lambda: False):
        pass
