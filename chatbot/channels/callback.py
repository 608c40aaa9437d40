"""Rasa's callback channel: ``success`` at once, the replies posted to the company's own address.

With ``?stream=true`` the text comes in pieces first: ``stream_start``,
``stream_delta`` and ``stream_end`` with one ``stream_id``, then the whole message
marked ``streamed``.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import httpx
import stamina
import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response

from chatbot.channels.bodies import read_object
from chatbot.channels.errors import ERROR_RESPONSES, Sentences, log_failure
from chatbot.channels.loader import BotProvider
from chatbot.channels.rasa_auth import RasaGuard
from chatbot.channels.rest import Incoming, RestStatus, incoming_schema, read_incoming, ready, reply_items
from chatbot.channels.retrying import retry_after_s
from chatbot.channels.turns import FollowedTurn, TurnQueue
from chatbot.errors import BusyError, CustomerError
from chatbot.rasa_settings import CallbackSettings
from chatbot.turn import Reply

__all__ = ["CallbackChannel"]

log = structlog.get_logger(__name__)

MAX_PENDING = 1000
"""Replies that may be on their way; then new messages are refused."""
_CLOSE_S = 5.0
_LONGEST_PAUSE_S = 60.0
_SORRY = "Something went wrong on our side; please try again."


class _NotTaken(Exception):
    """The other side did not take a post; carries nothing of the request."""

    def __init__(self, why: str, *, again: bool, after_s: float | None = None) -> None:
        super().__init__(why)
        self.again = again
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class _Asked:
    """One message whose answer will be posted."""

    incoming: Incoming
    turn: FollowedTurn
    stream: bool
    request: Request


class CallbackChannel:
    """The channel; :meth:`run` keeps what is on its way until the application ends.

    Args:
        transport: takes the network's place in tests.
    """

    def __init__(
        self,
        provider: BotProvider,
        turns: TurnQueue,
        sentences: Sentences,
        guard: RasaGuard,
        settings: CallbackSettings,
        *,
        max_chars: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._provider = provider
        self._turns = turns
        self._sentences = sentences
        self._guard = guard
        self._settings = settings
        self._max_chars = max_chars
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        token = settings.token.get_secret_value()
        self._address = httpx.URL(settings.url).copy_merge_params(
            {settings.token_name: token} if token else {}
        )
        self._last: dict[str, asyncio.Task[None]] = {}
        """Of each conversation the task that posts its newest answer."""
        self._pending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Waits for the end, then gives what is on its way a few seconds."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._pending:
                await asyncio.wait(self._pending, timeout=_CLOSE_S)
            for task in self._pending:
                task.cancel()
            await asyncio.gather(*self._pending, return_exceptions=True)
            if self._client is not None:
                await self._client.aclose()
                self._client = None

    def router(self) -> APIRouter:
        """The channel's addresses."""
        router = APIRouter(prefix="/webhooks/callback", tags=["Rasa callback channel"])

        @router.get("/", response_model=RestStatus, summary="Is the channel there?")
        async def health() -> RestStatus:
            self._check_on()
            return RestStatus(status="ok")

        @router.post(
            "/webhook",
            summary="Send a customer's message; the answer is posted to KEFU_CALLBACK__URL",
            response_class=Response,
            responses={
                **ERROR_RESPONSES,
                200: {"content": {"text/plain": {"example": "success"}}},
                404: {"description": "The channel is off."},
            },
            openapi_extra={"requestBody": incoming_schema(self._max_chars)},
        )
        async def webhook(
            request: Request,
            stream: str = Query("false", description="`true`: the text in pieces first.", examples=["true"]),
        ) -> PlainTextResponse:
            self._check_on()
            incoming = read_incoming(await read_object(request), self._max_chars, "callback")
            self._guard.chat(request, incoming.sender)
            self._begin(_Asked(incoming, FollowedTurn(), stream.lower() == "true", request))
            return PlainTextResponse("success")

        return router

    def _check_on(self) -> None:
        if not self._settings.url:
            raise CustomerError(
                "the callback channel is off; set KEFU_CALLBACK__URL to turn it on", status=404
            )

    def _begin(self, asked: _Asked) -> None:
        if len(self._pending) >= MAX_PENDING:
            raise BusyError("too many replies wait for the callback address; send the message again later")
        asked.turn.start(self._turns, asked.incoming.message, ready(self._provider).respond)
        conversation = asked.incoming.message.conversation_id
        task = asyncio.create_task(self._follow(asked, self._last.get(conversation)))
        self._last[conversation] = task
        self._pending.add(task)
        task.add_done_callback(lambda done: self._forget(conversation, done))

    def _forget(self, conversation: str, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        if self._last.get(conversation) is task:
            del self._last[conversation]
        if task.cancelled():
            log.error("a callback was given up", error="the service ended")
        elif (error := task.exception()) is not None:
            log_failure(error)

    async def _follow(self, asked: _Asked, before: asyncio.Task[None] | None) -> None:
        """Posts one answer, after those before it."""
        if before is not None:
            await asyncio.wait({before})
        try:
            await self._answer(asked)
        except _NotTaken as error:
            log.error("a callback was not delivered", reason=str(error))

    async def _answer(self, asked: _Asked) -> None:
        sender = asked.incoming.sender
        streamed = False
        if asked.stream:
            streamed = await self._stream(asked.turn, sender)
        else:
            async for _ in asked.turn.pieces():
                pass
        try:
            reply = asked.turn.result()
        except CancelledError:
            return
        except Exception as error:
            log_failure(error)
            say = self._sentences.say(error, asked.request) or _SORRY
            await self._post({"recipient_id": sender, "text": say})
            return
        items = reply_items(sender, reply, asked.incoming.details, streamed)
        for item in _marked(sender, reply, items) if streamed else items:
            await self._post(item)

    async def _stream(self, turn: FollowedTurn, sender: str) -> bool:
        """Posts the text while it is made; false when there was none to post or it was not taken."""
        about = {"stream_id": uuid.uuid4().hex, "recipient_id": sender}
        index = 0
        pieces = _gathered(turn.pieces())
        try:
            async for text in pieces:
                if index == 0:
                    await self._post({"event": "stream_start", **about})
                await self._post({"event": "stream_delta", **about, "text": text, "index": index})
                index += 1
            if index:
                await self._post({"event": "stream_end", **about})
            return index > 0
        except _NotTaken as error:
            log.warning("a callback does not take the pieces of an answer", reason=str(error))
            async for _ in pieces:
                pass
            return False

    async def _post(self, body: dict[str, Any]) -> None:
        """Posts until it is taken.

        Raises:
            _NotTaken: it was refused for good, or too often.
        """
        attempts = stamina.retry_context(
            on=_again,
            attempts=self._settings.attempts,
            timeout=None,
            wait_initial=0.2,
            wait_max=_LONGEST_PAUSE_S,
        )
        async for attempt in attempts:
            with attempt:
                await self._try(body)

    async def _try(self, body: dict[str, Any]) -> None:
        if self._client is None:
            self._client = self._new_client()
        try:
            answer = await self._client.post(self._address, json=body)
        except httpx.HTTPError as error:
            raise _NotTaken(type(error).__name__, again=True) from None
        if not answer.is_success:
            # A redirect would carry the customer's words to an address that nobody configured.
            again = answer.status_code in (408, 425, 429) or answer.status_code >= 500
            raise _NotTaken(
                f"status {answer.status_code}", again=again, after_s=retry_after_s(answer.headers)
            )

    def _new_client(self) -> httpx.AsyncClient:
        settings = self._settings
        password = settings.password.get_secret_value()
        return httpx.AsyncClient(
            headers={name: value.get_secret_value() for name, value in settings.headers.items()},
            auth=(settings.username, password) if settings.username else None,
            timeout=settings.timeout_s,
            follow_redirects=False,
            transport=self._transport,
        )


def _again(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds."""
    if not isinstance(error, _NotTaken) or not error.again:
        return False
    return True if error.after_s is None else min(error.after_s, _LONGEST_PAUSE_S)


def _marked(sender: str, reply: Reply, rest: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The whole text as one item that is marked as streamed, with its buttons, then what else there is."""
    whole: dict[str, Any] = {"recipient_id": sender, "text": reply.text, "streamed": True}
    if reply.buttons:
        whole["buttons"] = rest[0]["buttons"]
        rest = rest[1:]
    return [whole, *rest]


async def _gathered(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The pieces, joined where several came while the last one was being worked on."""
    waiting: list[str] = []
    news = asyncio.Event()
    ended = False

    async def gather() -> None:
        nonlocal ended
        try:
            async for piece in pieces:
                waiting.append(piece)
                news.set()
        finally:
            ended = True
            news.set()

    task = asyncio.create_task(gather())
    try:
        while not (ended and not waiting):
            await news.wait()
            news.clear()
            if waiting:
                text = "".join(waiting)
                waiting.clear()
                yield text
    finally:
        task.cancel()
