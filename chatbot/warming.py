"""Reading beforehand what answers will read again, while nobody waits for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from chatbot.errors import BusyError, EngineError

__all__ = ["Warming"]


_FAILURES = 3
"""Failures in a row after which an engine is left alone."""


class Warming:
    """Takes one step after the other; none begins while a turn is known to be under way.

    Safe to call from many threads.

    Args:
        calm_s: seconds without a turn before the next step is taken.
    """

    def __init__(self, calm_s: float = 2.0) -> None:
        self._calm_s = calm_s
        self._turns = 0
        self._last = -calm_s
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn of a customer: no step begins before it is over."""
        with self._lock:
            self._turns += 1
        try:
            yield
        finally:
            with self._lock:
                self._turns -= 1
                self._last = time.monotonic()

    def run(self, steps: Iterable[Callable[[], bool]], stopped: threading.Event) -> int:
        """Takes the steps, until ``stopped``, or until an engine is full or fails again and again.

        Args:
            steps: each gives False when there is no room for what it read, nor for more.

        Returns:
            How many were taken.
        """
        done = failed = 0
        for step in steps:
            while not stopped.is_set() and (wait := self._wait()) > 0:
                stopped.wait(wait)
            if stopped.is_set():
                break
            try:
                room = step()
            except BusyError:
                break
            except EngineError:  # of this one text, perhaps
                failed += 1
                if failed == _FAILURES:
                    break
                continue
            failed, done = 0, done + room
            if not room:
                break
        return done

    def _wait(self) -> float:
        """Seconds after which to look again; 0: all is calm."""
        with self._lock:
            if self._turns:
                return self._calm_s
            return max(0.0, self._last + self._calm_s - time.monotonic())
