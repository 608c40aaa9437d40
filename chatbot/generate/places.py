"""A bounded queue in front of an engine: few run, some wait, the rest is told when to come back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chatbot.errors import BusyError, EngineError

__all__ = ["Abandoned", "Places"]

POLL_S = 0.2
"""How often a waiting request looks whether it is still wanted, in seconds."""
FIRST_GUESS_S = 5.0
"""Assumed duration of a generation until one has been measured."""


class Abandoned(Exception):
    """The caller left while waiting; never leaves this package."""


class Places:
    """``running`` requests at a time, ``waiting`` more in order of arrival.

    First come, first served: a request never overtakes one that came before it.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._free = running
        self._running = running
        self._limit = waiting
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._recent: deque[float] = deque(maxlen=20)

    @contextmanager
    def place(self, deadline: float, abandoned: Callable[[], bool]) -> Iterator[None]:
        """Holds one place for the ``with`` block.

        Args:
            deadline: ``time.monotonic()`` at which waiting ends.
            abandoned: asked every 0.2 s while waiting.

        Raises:
            BusyError: the queue is full.
            EngineError: the deadline passed, or the queue was closed.
            Abandoned: the caller left.
        """
        self._enter(deadline, abandoned)
        started = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._recent.append(time.monotonic() - started)
                self._changed.notify_all()

    def _enter(self, deadline: float, abandoned: Callable[[], bool]) -> None:
        ticket = object()
        with self._changed:
            self._check_open()
            if (self._queue or not self._free) and len(self._queue) >= self._limit:
                raise BusyError(
                    f"{self._running} generations run and {len(self._queue)} wait, which is the limit; "
                    "try again later",
                    retry_after=self._estimate(),
                )
            self._queue.append(ticket)
        try:
            while not self._try_take(ticket, deadline):
                if abandoned():
                    raise Abandoned
        except BaseException:
            with self._changed:
                if ticket in self._queue:
                    self._queue.remove(ticket)
                    self._changed.notify_all()
            raise

    def _try_take(self, ticket: object, deadline: float) -> bool:
        """Takes a place if it is this ticket's turn, else waits a moment for one."""
        with self._changed:
            if not (self._free and self._queue[0] is ticket):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise EngineError(
                        "the time limit of the generation passed while it waited for a place; "
                        "raise KEFU_GENERATOR__TIMEOUT_S or add capacity"
                    )
                self._changed.wait(min(POLL_S, left))
            self._check_open()
            if self._free and self._queue[0] is ticket:
                self._queue.popleft()
                self._free -= 1
                self._changed.notify_all()
                return True
            return False

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("the generator is closed; build a new one")

    def _estimate(self) -> float:
        """Seconds until those who wait now have been served."""
        mean = sum(self._recent) / len(self._recent) if self._recent else FIRST_GUESS_S
        return max(1.0, round(mean * (len(self._queue) + 1) / self._running, 1))

    @property
    def busy(self) -> int:
        """How many run now."""
        with self._changed:
            return self._running - self._free

    @property
    def waiting(self) -> int:
        """How many wait now."""
        with self._changed:
            return len(self._queue)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Refuses newcomers and waits for those who run; False if some still do."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._free == self._running, timeout_s)
