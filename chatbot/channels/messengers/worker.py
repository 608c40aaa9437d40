"""Answers the messages of the inbox: one conversation's in their order, many conversations' side by side."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from chatbot.channels.errors import log_failure
from chatbot.channels.loader import BotProvider, Responder
from chatbot.channels.logs import describe
from chatbot.channels.messengers.protocol import Messenger, ProviderError
from chatbot.channels.retrying import backoff_s
from chatbot.channels.turns import TurnQueue
from chatbot.errors import BusyError, CustomerError, KefuError, StorageError
from chatbot.settings import Settings
from chatbot.storage.inbox import Inbox, Letter
from chatbot.turn import Action, Intent, Message, Reply, Trace

__all__ = ["InboxWorker"]

log = structlog.get_logger(__name__)

_POLL_S = 1.0
"""How often it looks for messages that nobody woke it for."""
_LEASE = timedelta(seconds=15)
_KEEP_EVERY_S = 4.0
_PURGE_EVERY_S = 3600.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 600.0
"""Between attempts to send an answer."""
_BOT_FAILURES = 3
"""After that many the customer is told."""
_LOADING_PAUSE_S, _STORAGE_PAUSE_S = 2.0, 5.0


class InboxWorker:
    """Takes stored messages, asks the bot and sends the answers."""

    def __init__(
        self,
        inbox: Inbox,
        messengers: Mapping[str, Messenger],
        turns: TurnQueue,
        provider: BotProvider,
        settings: Settings,
    ) -> None:
        self._inbox = inbox
        self._messengers = messengers
        self._turns = turns
        self._provider = provider
        self._settings = settings
        self._holder = uuid.uuid4().hex
        self._running: dict[asyncio.Task[None], Letter] = {}
        self._sending: set[asyncio.Task[bool]] = set()
        self._work = asyncio.Event()
        self._kept = self._purged = -_PURGE_EVERY_S

    def wake(self) -> None:
        """A message has been stored (event loop's thread)."""
        self._work.set()

    async def run(self) -> None:
        """Works until it is cancelled; what was not finished is taken up again, here or by another process."""
        try:
            while True:
                self._work.clear()
                try:
                    await self._take()
                    await self._look_after()
                except StorageError as error:
                    log.error("the inbox waits for the database", text=str(error))
                await self._pause()
        finally:
            await self._stop()
            for messenger in self._messengers.values():
                await messenger.close()

    async def _take(self) -> None:
        free = self._settings.workers - len(self._running)
        if free <= 0:
            return
        for letter in await asyncio.to_thread(self._inbox.claim, self._holder, free, _LEASE):
            task = asyncio.create_task(self._process(letter))
            self._running[task] = letter
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._work.set()  # the conversation's next message may be due

    async def _pause(self) -> None:
        # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_S):
                await self._work.wait()

    async def _look_after(self) -> None:
        """Keeps what is being worked on, forgets what is old."""
        now = time.monotonic()
        if self._running and now - self._kept > _KEEP_EVERY_S:
            self._kept = now
            await asyncio.to_thread(self._inbox.keep, list(self._running.values()), _LEASE)
        if now - self._purged > _PURGE_EVERY_S:
            self._purged = now
            await asyncio.to_thread(self._inbox.purge, timedelta(days=self._settings.messengers.keep_days))

    async def _stop(self) -> None:
        running = dict(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(*self._sending, return_exceptions=True)
        with contextlib.suppress(StorageError):
            for letter in running.values():
                await asyncio.to_thread(self._inbox.put_off, letter, timedelta(0), "", failed=False)

    async def _process(self, letter: Letter) -> None:
        try:
            await self._answer(letter)
        except StorageError as error:
            # also the note of it may fail: then the lease ends
            log.error("a message waits for the database", text=str(error))
            with contextlib.suppress(StorageError):
                await self._put_off(letter, _STORAGE_PAUSE_S, "database", failed=False)
        except Exception as error:
            log.error("a message could not be worked on", channel=letter.channel, **describe(error))
            with contextlib.suppress(StorageError):
                await self._put_off(letter, self._backoff(letter), type(error).__name__)

    async def _answer(self, letter: Letter) -> None:
        if (
            datetime.now(UTC) - letter.created_at
        ).total_seconds() > self._settings.messengers.give_up_after_s:
            log.error("a message was given up", channel=letter.channel, attempts=letter.attempts)
            await self._finish(letter, "failed", error="too old")
            return
        messenger = self._messengers.get(letter.channel)
        if messenger is None:
            await self._put_off(letter, 60.0, "switched off", failed=False)
            return
        to = letter.body["to"]
        if letter.attempts == 0 and letter.sent == 0:
            with contextlib.suppress(ProviderError):
                await messenger.begin(to)
        reply = await self._reply(letter)
        if reply is None:
            return
        parts = messenger.parts(reply, to)
        if messenger.passive:
            await self._finish(letter, "ready", body={"to": to, "parts": parts})
            return
        await self._send(messenger, letter, parts)

    async def _send(self, messenger: Messenger, letter: Letter, parts: list[Any]) -> None:
        try:
            for number, part in enumerate(parts[letter.sent :], letter.sent + 1):
                step = asyncio.create_task(self._send_part(messenger, letter, part, number))
                self._sending.add(step)
                step.add_done_callback(self._sending.discard)
                # what is sent is noted, also when the service is stopped right now
                if not await asyncio.shield(step):
                    return  # this process stood still; another goes on
        except ProviderError as error:
            log.warning(
                "an answer was not taken",
                channel=letter.channel,
                attempt=letter.attempts + 1,
                error=str(error),
                again=error.retry,
            )
            if error.retry:
                await self._put_off(letter, max(self._backoff(letter), error.after_s or 0.0), str(error))
            else:
                await self._finish(letter, "failed", error=str(error))
            return
        await self._finish(letter, "answered")

    async def _send_part(self, messenger: Messenger, letter: Letter, part: Any, number: int) -> bool:
        await messenger.send(letter.body["to"], part)
        return await asyncio.to_thread(self._inbox.note_sent, letter, number)

    async def _reply(self, letter: Letter) -> Reply | None:
        """The bot's answer; None when the message was put off."""
        try:
            bot = self._provider()
        except KefuError:
            bot = None
        if bot is None:
            await self._put_off(letter, _LOADING_PAUSE_S, "loading", failed=False)
            return None
        message = message_of(letter)
        try:
            future = self._turns.submit(message.conversation_id, _work(bot, message))
            return await asyncio.wrap_future(future)
        except BusyError as busy:
            await self._put_off(letter, busy.retry_after, "busy", failed=False)
            return None
        except CustomerError as error:
            log_failure(error)
            return self._phrase(bot, letter, error.phrase)
        except StorageError:
            raise
        except Exception as error:
            log_failure(error)
            if letter.attempts + 1 < _BOT_FAILURES:
                await self._put_off(letter, self._backoff(letter), type(error).__name__)
                return None
            return self._phrase(bot, letter, "error")

    def _phrase(self, bot: Responder, letter: Letter, key: str) -> Reply:
        """A fixed sentence in the customer's language, as an answer that is not stored."""
        language = letter.body.get("language") or self._settings.default_language
        limit = self._settings.max_message_chars
        trace = Trace(
            f"letter{letter.number}", language, Intent("error", 1.0), "", "error", key, 1.0, (), "not needed", "none"
        )  # fmt: skip
        text = bot.phrases.say(key, language, limit=limit)
        return Reply(text, language, Action.DECLINE, trace, message_id=f"letter{letter.number}")

    def _backoff(self, letter: Letter) -> float:
        return backoff_s(letter.attempts + 1, first=_FIRST_PAUSE_S, longest=_LONGEST_PAUSE_S)

    async def _put_off(self, letter: Letter, pause_s: float, error: str, *, failed: bool = True) -> None:
        await asyncio.to_thread(self._inbox.put_off, letter, timedelta(seconds=pause_s), error, failed=failed)

    async def _finish(self, letter: Letter, state: Any, *, error: str = "", body: Any = None) -> None:
        await asyncio.to_thread(self._inbox.finish, letter, state, error, body)


def message_of(letter: Letter) -> Message:
    """The customer's message in a letter."""
    return Message(
        text=letter.body["text"],
        conversation_id=letter.conversation_id,
        customer_id=letter.body["customer"],
        channel=letter.channel,
        message_id=letter.message_id,
        interface_language=letter.body.get("language"),
    )


def _work(bot: Responder, message: Message) -> Callable[[], Reply]:
    return lambda: bot.respond(message)
