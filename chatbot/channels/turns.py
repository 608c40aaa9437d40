"""Turns of many conversations at once, those of one conversation strictly one after another.

The bot is synchronous, so turns run in a pool of threads and the event loop
stays free.  A turn that waits for an earlier one of its conversation holds no
thread; a conversation without turns leaves nothing behind.  Several processes
keep one order by tickets in their database; nobody holds a lock while a turn
is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from typing import Protocol, TypeVar

import structlog
from starlette.requests import Request

from chatbot.errors import BusyError, StorageError
from chatbot.storage.tickets import Standing
from chatbot.turn import Message, Reply

__all__ = ["ClientGone", "FollowedTurn", "TurnQueue"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
Work = Callable[[], Reply]

_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.005, 0.1
"""Pauses between two looks at a line that another process holds up."""
_TROUBLE_PAUSE_S = 0.5
_SIGNS_A_LEASE = 5
_CLOSE_S = 10.0


class Lines(Protocol):
    """What a queue needs of :class:`~chatbot.storage.tickets.Tickets`."""

    lease_s: float

    def exchange(
        self,
        holder: str,
        *,
        take: Sequence[str] = (),
        give_back: Sequence[int] = (),
        ask: Sequence[str] = (),
    ) -> Standing:
        """Gives tickets back, takes new ones and tells who is next, all at once."""

    def heads(self, ask: Sequence[str]) -> Mapping[str, int]:
        """The lowest ticket of each conversation."""

    def leave(self, holder: str) -> None:
        """Gives back all tickets of a holder that ends."""


class ClientGone(Exception):
    """Nobody is left to answer."""


class _Turn:
    """One message in the line of its conversation."""

    __slots__ = ("conversation_id", "future", "gone", "number", "running", "work")

    def __init__(self, conversation_id: str, future: Future[Reply], work: Work) -> None:
        self.conversation_id = conversation_id
        self.future = future
        self.work = work
        self.number: int | None = None
        """Its ticket in the line of all processes; none before it was taken."""
        self.running = False
        self.gone = False
        """It was given up before its turn came."""


class TurnQueue:
    """Runs turns in their order.

    Args:
        workers: turns that run at the same time.
        waiting: turns that may wait; a quarter of them may be of one conversation.
        tickets: the lines of all processes of the database, so that two
            processes never answer one conversation at once; None keeps the
            order of this process alone.
        admit: asked with the conversation's id before a turn is taken; raises
            to refuse it.
    """

    def __init__(
        self,
        workers: int,
        waiting: int,
        tickets: Lines | None = None,
        admit: Callable[[str], None] | None = None,
    ) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="turn")
        self._places = workers + waiting
        self._places_each = max(8, waiting // 4)
        # Cancelling a future calls back at once, also from where the lock is held.
        self._lock = threading.RLock()
        self._count = 0
        self._lines: dict[str, deque[_Turn]] = {}
        self._closed = False
        self._admit = admit
        self._clerk = None if tickets is None else _Clerk(tickets, self)

    def __len__(self) -> int:
        """Turns that run or wait."""
        return self._count

    def submit(self, conversation_id: str, work: Work) -> Future[Reply]:
        """Runs ``work`` after all earlier turns of the conversation.

        A future that is cancelled before its turn has come frees its place at once.

        Raises:
            BusyError: all places are taken (503), all of one conversation (429),
                or the conversation sends too fast (429).
        """
        future: Future[Reply] = Future()
        context = contextvars.copy_context()
        turn = _Turn(conversation_id, future, lambda: context.run(work))
        if self._admit is not None:
            self._admit(conversation_id)
        with self._lock:
            line = self._lines.get(conversation_id)
            self._check_room(len(line) if line is not None else 0)
            self._count += 1
            self._lines.setdefault(conversation_id, deque()).append(turn)
            if self._clerk is not None:
                self._clerk.take(turn)
            elif line is None:
                self._begin(turn)
        future.add_done_callback(lambda _: self._leave(turn))
        return future

    def close(self) -> None:
        """Lets running turns end and gives up those that wait."""
        with self._lock:
            self._closed = True
            for turn in [turn for line in self._lines.values() for turn in line]:
                turn.future.cancel()
        self._pool.shutdown(wait=True)
        if self._clerk is not None:
            self._clerk.close()

    def _check_room(self, of_conversation: int) -> None:
        if self._closed:
            raise BusyError("the service is shutting down; send the message again in a moment", retry_after=5)
        if self._count >= self._places:
            raise BusyError(f"all {self._places} places are taken; send the message again in a moment")
        if of_conversation >= self._places_each:
            error = BusyError(
                f"{of_conversation} messages of this conversation are waiting; send the next one later"
            )
            error.status = 429
            error.phrase = "rate_limited"
            raise error

    def _begin(self, turn: _Turn) -> None:
        """Hands a turn to the threads (lock held)."""
        turn.running = True
        try:
            self._pool.submit(self._run, turn)
        except RuntimeError:  # the pool has been shut down
            turn.future.cancel()
            self._end(turn)

    def _run(self, turn: _Turn) -> None:
        if turn.future.set_running_or_notify_cancel():
            try:
                reply = turn.work()
            except BaseException as error:
                turn.future.set_exception(error)
            else:
                turn.future.set_result(reply)
        with self._lock:
            self._end(turn)

    def _leave(self, turn: _Turn) -> None:
        """A turn that was given up before it began makes room."""
        with self._lock:
            if not turn.running and not turn.gone:
                self._end(turn)

    def _end(self, turn: _Turn) -> None:
        """Takes a turn out of its line and lets the next one follow (lock held)."""
        turn.gone = True
        del turn.work  # the future may be kept for long, what it worked on need not be
        self._count -= 1
        line = self._lines[turn.conversation_id]
        line.remove(turn)
        if not line:
            del self._lines[turn.conversation_id]
        if self._clerk is not None:
            self._clerk.give_back(turn)
        elif line and not line[0].running:
            self._begin(line[0])


class _Clerk:
    """Keeps the lines of this process in step with those in the database, in a thread of its own.

    Arrivals and departures of the same moment share one transaction.  It reads
    the database only while a conversation is held by another process, ever more
    seldom, and writes a sign of life only while it holds tickets.
    """

    def __init__(self, tickets: Lines, queue: TurnQueue) -> None:
        self._tickets = tickets
        self._queue = queue
        self._wake = threading.Condition(queue._lock)
        self._holder = uuid.uuid4().hex
        self._new: list[_Turn] = []
        self._back: list[int] = []
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._pause_s = _FIRST_LOOK_S
        self._renewed = 0.0

    def take(self, turn: _Turn) -> None:
        """A turn has arrived (lock held)."""
        self._new.append(turn)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="turn-clerk", daemon=True)
            self._thread.start()
        self._wake.notify()

    def give_back(self, turn: _Turn) -> None:
        """A turn has ended or was given up (lock held)."""
        if turn.number is not None:
            self._back.append(turn.number)
            turn.number = None
        self._wake.notify()

    def close(self) -> None:
        """Gives all tickets back; no turn may be left."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)

    def _serve(self) -> None:
        while self._wait():
            try:
                self._round()
            except Exception as error:
                log.warning("the lines could not be read or written", error=type(error).__name__)
                time.sleep(_TROUBLE_PAUSE_S)
        with contextlib.suppress(StorageError):
            self._tickets.leave(self._holder)

    def _wait(self) -> bool:
        """Waits until there is something to do; false at the end."""
        with self._wake:
            if not (self._new or self._back or self._stopped):
                self._wake.wait(self._until_next_look())
            return not self._stopped

    def _until_next_look(self) -> float | None:
        if self._held_up():
            return self._pause_s
        self._pause_s = _FIRST_LOOK_S
        if not self._queue._lines:
            return None
        return max(0.0, self._renewed + self._tickets.lease_s / _SIGNS_A_LEASE - time.monotonic())

    def _held_up(self) -> list[str]:
        """Conversations of which nothing runs here although somebody waits."""
        return [name for name, line in self._queue._lines.items() if not line[0].running]

    def _round(self) -> None:
        with self._wake:
            new = [turn for turn in self._new if not turn.gone]
            self._new = []
            back, self._back = self._back, []
            ask = self._held_up()
        due = time.monotonic() - self._renewed > self._tickets.lease_s / _SIGNS_A_LEASE
        if not (new or back or due):
            self._begin_first(self._tickets.heads(ask))
            self._pause_s = min(2 * self._pause_s, _LONGEST_LOOK_S)
            return
        try:
            standing = self._tickets.exchange(
                self._holder, take=[turn.conversation_id for turn in new], give_back=back, ask=ask
            )
        except Exception as error:
            with self._wake:
                self._back = back + self._back
            for turn in new:
                with contextlib.suppress(InvalidStateError):
                    turn.future.set_exception(error)
            raise
        self._renewed = time.monotonic()
        self._enter(new, standing)

    def _enter(self, new: list[_Turn], standing: Standing) -> None:
        """Notes the new numbers and begins what is first in its line."""
        with self._wake:
            earlier = [
                turn
                for line in self._queue._lines.values()
                for turn in line
                if not turn.running and turn.number is not None
            ]
            for turn, number in zip(new, standing.taken, strict=True):
                turn.number = number
                if turn.gone:
                    self.give_back(turn)
            if standing.lost and earlier:
                self._line_up_again()
                return
        self._begin_first(standing.heads)

    def _line_up_again(self) -> None:
        """Takes new tickets in the old order, for the earlier ones are gone (lock held)."""
        waiting = [turn for line in self._queue._lines.values() for turn in line if not turn.running]
        for turn in waiting:
            if turn.number is not None:
                self.give_back(turn)
        self._new = [*waiting, *(turn for turn in self._new if turn not in waiting)]

    def _begin_first(self, heads: Mapping[str, int]) -> None:
        with self._wake:
            for name, number in heads.items():
                line = self._queue._lines.get(name)
                if line is not None and not line[0].running and line[0].number == number:
                    self._queue._begin(line[0])


class FollowedTurn:
    """One turn as the event loop follows it; the bot's listener, called from the bot's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._left = threading.Event()
        self._future: Future[Reply] | None = None

    def on_text(self, piece: str) -> None:
        """Takes a piece of the answer (bot's thread)."""
        if piece:
            self._put(piece)

    def cancelled(self) -> bool:
        """True once the client has gone (bot's thread)."""
        return self._left.is_set()

    def start(
        self, queue: TurnQueue, message: Message, respond: Callable[[Message, FollowedTurn], Reply]
    ) -> None:
        """Puts the turn in line.

        Raises:
            BusyError: there is no place.
        """
        self._future = queue.submit(message.conversation_id, lambda: respond(message, self))
        self._future.add_done_callback(lambda _: self._put(None))

    def leave(self) -> None:
        """Nobody waits any more: a waiting turn is given up, a running one stops generating."""
        self._left.set()
        if self._future is not None:
            self._future.cancel()

    def on_end(self, call: Callable[[], object]) -> None:
        """Calls this in the event loop once the bot has returned or failed, or the turn was given up."""
        assert self._future is not None
        self._future.add_done_callback(lambda _: self._soon(call))

    async def pieces(self) -> AsyncIterator[str]:
        """The answer's pieces as they come, until the bot has returned or failed."""
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def first_piece(self, request: Request) -> str | None:
        """The first piece of the answer, None when the bot returns or fails without one.

        Raises:
            ClientGone: the client left before.
        """
        return await self._unless_gone(request, self._pieces.get())

    async def reply(self, request: Request) -> Reply:
        """The whole reply, or the bot's error.

        Raises:
            ClientGone: the client left before.
        """
        assert self._future is not None
        return await self._unless_gone(request, asyncio.wrap_future(self._future))

    def result(self) -> Reply:
        """The reply, or the bot's error, once the pieces have ended."""
        assert self._future is not None
        return self._future.result(timeout=0)

    async def _unless_gone(self, request: Request, awaited: Awaitable[T]) -> T:
        wanted = asyncio.ensure_future(awaited)
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not wanted.done():
                raise ClientGone
            return wanted.result()
        finally:
            gone.cancel()
            if not wanted.done():
                wanted.cancel()
                self.leave()

    def _put(self, piece: str | None) -> None:
        self._soon(lambda: self._pieces.put_nowait(piece))

    def _soon(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody listens
            self._loop.call_soon_threadsafe(call)


async def _disconnected(request: Request) -> None:
    """Returns when the client has closed the connection; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
