"""Turns of many conversations at once, those of one conversation strictly one after another.

The bot is synchronous, so turns run in a pool of threads and the event loop
stays free.  A turn that waits for an earlier one of its conversation holds no
thread; a conversation without turns leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from chatbot.errors import BusyError
from chatbot.turn import Message, Reply

__all__ = ["ClientGone", "FollowedTurn", "TurnQueue"]

T = TypeVar("T")
Work = Callable[[], Reply]


class ClientGone(Exception):
    """Nobody is left to answer."""


class TurnQueue:
    """Runs turns in their order.

    Args:
        workers: turns that run at the same time.
        waiting: turns that may wait; a quarter of them may be of one conversation.
    """

    def __init__(self, workers: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="turn")
        self._places = workers + waiting
        self._places_each = max(8, waiting // 4)
        self._lock = threading.Lock()
        self._count = 0
        self._lines: dict[str, deque[tuple[Future[Reply], Work]]] = {}
        self._closed = False

    def __len__(self) -> int:
        """Turns that run or wait."""
        return self._count

    def submit(self, conversation_id: str, work: Work) -> Future[Reply]:
        """Runs ``work`` after all earlier turns of the conversation.

        A future that is cancelled before its turn has come is passed over.

        Raises:
            BusyError: all places are taken (503), or all of one conversation (429).
        """
        future: Future[Reply] = Future()
        context = contextvars.copy_context()
        with self._lock:
            line = self._lines.get(conversation_id)
            self._check_room(len(line) if line is not None else 0)
            self._count += 1
            turn = (future, lambda: context.run(work))
            if line is not None:
                line.append(turn)
                return future
            self._lines[conversation_id] = deque([turn])
            self._pool.submit(self._run, conversation_id)
        return future

    def close(self) -> None:
        """Lets running turns end and gives up those that wait."""
        with self._lock:
            self._closed = True
            for line in self._lines.values():
                for future, _ in line:
                    future.cancel()
        self._pool.shutdown(wait=True)

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

    def _run(self, conversation_id: str) -> None:
        future, work = self._lines[conversation_id][0]
        if future.set_running_or_notify_cancel():
            try:
                reply = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(reply)
        del future, work
        with self._lock:
            self._count -= 1
            line = self._lines[conversation_id]
            line.popleft()
            if not line:
                del self._lines[conversation_id]
            elif self._closed:
                self._count -= len(line)
                del self._lines[conversation_id]
            else:
                self._pool.submit(self._run, conversation_id)


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
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody listens
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)


async def _disconnected(request: Request) -> None:
    """Returns when the client has closed the connection; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
