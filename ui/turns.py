"""One answer in the making: waits for its turn with all channels' and hands its pieces to the page."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Protocol

from chatbot.errors import BusyError
from chatbot.turn import Listener, Message, Reply

__all__ = ["Answering", "Responder", "Running", "Submit"]

Submit = Callable[[str, Callable[[], Reply]], "Future[Reply]"]
"""Puts work in the line of a conversation, as :meth:`chatbot.channels.turns.TurnQueue.submit` does."""


class Responder(Protocol):
    """What the page needs of a bot."""

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        """Answers one message."""


class Answering:
    """Follows one call of the bot; iterate :meth:`texts`, then read :attr:`reply` or :attr:`error`.

    It is the bot's :class:`~chatbot.turn.Listener`: :meth:`on_text` is called in
    the bot's thread, :meth:`texts` is read in the page's.
    """

    def __init__(self, bot: Responder, message: Message) -> None:
        self.message = message
        self.reply: Reply | None = None
        self.error: Exception | None = None
        self._pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self.done = threading.Event()
        """Set when the bot has returned and the conversation is free again."""
        self._bot = bot

    def run(self) -> Reply:
        """Asks the bot (in a thread of the line's)."""
        return self._bot.respond(self.message, self)

    def end(self, future: Future[Reply]) -> None:
        """Keeps what has come of it."""
        try:
            self.reply = future.result(timeout=0)
        except CancelledError:
            self.error = BusyError("the service is shutting down; send the message again in a moment")
        except Exception as error:
            self.error = error
        finally:
            self._pieces.put(None)

    def on_text(self, piece: str) -> None:
        self._pieces.put(piece)

    def cancel(self) -> None:
        """Nobody waits any more: the engine stops at its next token."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def texts(self, interval: float = 0.06, heartbeat: float = 0.5) -> Iterator[str]:
        """The text so far, whenever it has grown.

        Args:
            interval: least time between two values, in seconds: what arrives in
                between is joined, so that a fast engine does not flood the browser.
            heartbeat: longest silence, in seconds; then the same text comes again,
                which lets the caller notice that the browser has gone.
        """
        text, sent = "", time.monotonic()
        while True:
            try:
                piece = self._pieces.get(timeout=heartbeat)
            except queue.Empty:
                yield text
                continue
            if piece is None:
                return
            text += piece
            wait = sent + interval - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            ended = False
            while not self._pieces.empty():
                following = self._pieces.get()
                if following is None:
                    ended = True
                    break
                text += following
            yield text
            sent = time.monotonic()
            if ended:
                return


class Running:
    """The answers in the making, at most one a conversation.

    Args:
        submit: the line that the messages of every channel wait in.
    """

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._lock = threading.Lock()
        self._by_conversation: dict[str, Answering] = {}

    def start(self, answering: Answering) -> bool:
        """Starts an answer; False when its conversation is already being answered.

        The conversation is free again when the bot has returned, also where the
        page has gone in the meantime.

        Raises:
            BusyError: there is no place in the line.
        """
        conversation = answering.message.conversation_id
        with self._lock:
            if conversation in self._by_conversation:
                return False
            self._by_conversation[conversation] = answering
        try:
            future = self._submit(conversation, answering.run)
        except BaseException:
            self._forget(answering)
            raise
        future.add_done_callback(lambda done: self._end(answering, done))
        return True

    def _end(self, answering: Answering, future: Future[Reply]) -> None:
        answering.end(future)
        self._forget(answering)
        answering.done.set()

    def _forget(self, answering: Answering) -> None:
        with self._lock:
            del self._by_conversation[answering.message.conversation_id]

    def get(self, conversation_id: str) -> Answering | None:
        """The answer being made for a conversation, if any."""
        with self._lock:
            return self._by_conversation.get(conversation_id)
