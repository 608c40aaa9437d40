"""Turns that several requests may follow and that outlive a lost connection for a while."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chatbot.channels.turns import ClientGone, TurnQueue
from chatbot.errors import BadRequestError, BusyError
from chatbot.turn import Listener, Message, Reply

__all__ = ["EventStream", "LiveTurn", "LiveTurns", "unless_gone"]

T = TypeVar("T")

Respond = Callable[[Message, Listener], Reply]


class LiveTurn:
    """One turn and what it has said so far; the bot's listener, called from the bot's thread.

    Everything but :meth:`on_text` and :meth:`cancelled` belongs to the event loop.

    Args:
        grace_s: how long it goes on when nobody follows it any more, in seconds.
    """

    def __init__(self, message: Message, grace_s: float, ended: Callable[[LiveTurn], None]) -> None:
        self.message = message
        self.text = ""
        """All pieces so far."""
        self._grace_s = grace_s
        self._tell_end = ended
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._ended = False
        self._left = threading.Event()
        self._future: Future[Reply] | None = None
        self._followers = 0
        self._timer: asyncio.TimerHandle | None = None

    def on_text(self, piece: str) -> None:
        """Takes a piece of the answer (bot's thread)."""
        if piece:
            self._in_loop(self._add, piece)

    def cancelled(self) -> bool:
        """True once it has been given up (bot's thread)."""
        return self._left.is_set()

    def start(self, queue: TurnQueue, respond: Respond) -> None:
        """Puts the turn in line.

        Raises:
            BusyError: there is no place.
        """
        self._future = queue.submit(self.message.conversation_id, lambda: respond(self.message, self))
        self._future.add_done_callback(lambda _: self._in_loop(self._end))

    @property
    def succeeded(self) -> bool:
        """The bot has returned a reply that was wanted to the end."""
        future = self._future
        return (
            self._ended and future is not None and not future.cancelled() and future.exception() is None
        ) and not self._left.is_set()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Somebody waits for the answer; when the last one has gone, the grace time begins."""
        self._followers += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and not self._ended:
                if self._grace_s:
                    self._timer = self._loop.call_later(self._grace_s, self.leave)
                else:
                    self.leave()

    def leave(self) -> None:
        """Nobody wants it any more: a waiting turn is given up, a running one stops generating."""
        self._left.set()
        if self._future is not None:
            self._future.cancel()
        self._tell_end(self)

    async def pieces(self, start: int = 0, heartbeat_s: float = 10.0) -> AsyncIterator[str]:
        """The text from a place on, as it grows, until the bot has returned or failed.

        Args:
            start: characters that the follower has already.
            heartbeat_s: longest silence, in seconds; then an empty text comes.
        """
        while True:
            if start < len(self.text):
                piece = self.text[start:]
                start = len(self.text)
                yield piece
            elif self._ended:
                return
            else:
                try:
                    async with asyncio.timeout(heartbeat_s):
                        await self._changed.wait()
                except TimeoutError:
                    yield ""

    async def reply(self) -> Reply:
        """The whole reply, or the bot's error."""
        while not self._ended:
            await self._changed.wait()
        assert self._future is not None
        try:
            return self._future.result(timeout=0)
        except CancelledError:
            raise BusyError("the message was given up; send it again in a moment") from None

    def _add(self, piece: str) -> None:
        self.text += piece
        self._tell()

    def _end(self) -> None:
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._tell()
        self._tell_end(self)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _in_loop(self, call: Callable[..., None], *arguments: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody listens
            self._loop.call_soon_threadsafe(call, *arguments)


class LiveTurns:
    """The turns being made, so that a repeated request follows the first one's.

    Args:
        grace_s: how long a turn with a client's message id goes on without a
            follower, and how long its reply is kept at hand afterwards, in seconds.
    """

    def __init__(self, queue: TurnQueue, grace_s: float = 30.0) -> None:
        self._queue = queue
        self._grace_s = grace_s
        self._turns: dict[tuple[str, str], LiveTurn] = {}

    def __len__(self) -> int:
        """Turns that a repeated request would find."""
        return len(self._turns)

    def start(self, message: Message, respond: Respond) -> LiveTurn:
        """Begins the turn, or finds it where this very message is being answered.

        Raises:
            BadRequestError: (409) the message's id is in use for another text.
            BusyError: there is no place.
        """
        if message.message_id is None:
            turn = LiveTurn(message, 0.0, lambda _: None)
            turn.start(self._queue, respond)
            return turn
        key = (message.conversation_id, message.message_id)
        found = self._turns.get(key)
        if found is not None:
            if found.message.text != message.text:
                raise BadRequestError(
                    "this message id was used for another text in this conversation; "
                    "give every message an id of its own",
                    status=409,
                )
            return found
        turn = LiveTurn(message, self._grace_s, self._ended)
        turn.start(self._queue, respond)
        self._turns[key] = turn
        return turn

    def _ended(self, turn: LiveTurn) -> None:
        """Keeps a reply at hand for a while; what failed or was left may be tried again at once."""
        if turn.succeeded:
            asyncio.get_running_loop().call_later(self._grace_s, self._forget, turn)
        else:
            self._forget(turn)

    def _forget(self, turn: LiveTurn) -> None:
        key = (turn.message.conversation_id, turn.message.message_id or "")
        if self._turns.get(key) is turn:
            del self._turns[key]


class EventStream(StreamingResponse):
    """Server-sent events about a turn, which is followed until the stream ends in any way.

    Args:
        held: ends the following when it is closed.
    """

    def __init__(self, events: AsyncIterator[bytes], held: ExitStack) -> None:
        super().__init__(
            events,
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


async def unless_gone(request: Request, awaited: Awaitable[T]) -> T:
    """What is awaited; the request's body must have been read.

    Raises:
        ClientGone: the client closed the connection before.
    """
    wanted = asyncio.ensure_future(awaited)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            raise ClientGone
        return wanted.result()
    finally:
        gone.cancel()
        wanted.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
