"""Rasa's REST channel: ``/webhooks/rest``, as its clients expect it (read from Rasa 3.6).

Beyond Rasa: ``message_id`` (or ``metadata.message_id``) makes a repeated
delivery safe, ``metadata.language`` names the language of the client's
interface, and ``metadata.details`` asks for one more item with sources, action
and trace, so that plain clients see plain text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass
from typing import Any
from weakref import WeakSet

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from chatbot.channels.bodies import Fields, read_object
from chatbot.channels.errors import ERROR_RESPONSES, Sentences, log_failure
from chatbot.channels.incoming import MAX_ID, read_message
from chatbot.channels.loader import BotProvider, Responder
from chatbot.channels.parts import reply_parts
from chatbot.channels.rasa_auth import RasaGuard
from chatbot.channels.turns import ClientGone, FollowedTurn, TurnQueue
from chatbot.errors import BusyError
from chatbot.turn import Message, Reply

__all__ = [
    "Incoming",
    "RestStatus",
    "build_router",
    "incoming_schema",
    "read_incoming",
    "ready",
    "reply_items",
]

_CLIENT_CLOSED = 499


class RestButton(BaseModel):
    """One quick reply."""

    title: str
    payload: str = Field(description="What to send as the next message when it is clicked.")


class RestItem(BaseModel):
    """One part of the answer; absent fields are left out."""

    recipient_id: str
    text: str | None = None
    buttons: list[RestButton] | None = None
    image: str | None = None
    attachment: dict[str, Any] | None = None
    custom: dict[str, Any] | None = None


class RestStatus(BaseModel):
    """The channel is there."""

    status: str = Field(examples=["ok"])


class Cancelled(BaseModel):
    """Whether there was something to stop."""

    cancelled: bool


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request of this channel."""

    sender: str
    message: Message
    details: bool


def read_incoming(body: Fields, max_chars: int, channel: str = "rest") -> Incoming:
    """The message in a body.

    Args:
        channel: begins the conversation's id, and is noted with it unless the body names another.

    Raises:
        BadRequestError: a field is missing, empty, too long or of the wrong type.
    """
    sender = body.text("sender", limit=MAX_ID) or "default"
    metadata = body.fields("metadata")
    noted = body.text("input_channel", limit=64) or channel
    message = read_message(body, metadata, f"{channel}:{sender}", noted, max_chars)
    return Incoming(sender, message, metadata.flag("details"))


def reply_items(
    sender: str, reply: Reply, details: bool = False, streamed: bool = False
) -> list[dict[str, Any]]:
    """A reply as the channel's items.

    Args:
        details: add one ``custom`` item with all that the reply has beside its text.
        streamed: the text has gone out already.
    """
    items = [{"recipient_id": sender, **part} for part in reply_parts(reply, streamed)]
    if details:
        items.append({"recipient_id": sender, "custom": _details(reply)})
    return items


def _details(reply: Reply) -> dict[str, Any]:
    return {
        "type": "details",
        "message_id": reply.message_id,
        "trace_id": reply.trace.id,
        "language": reply.language,
        "action": reply.action.value,
        "hand_over": reply.hand_over,
        "notice": reply.notice,
        "sources": [asdict(source) for source in reply.sources],
        "recommendations": list(reply.recommendations),
    }


class _Running:
    """The turns that are being answered, by sender."""

    def __init__(self) -> None:
        self._turns: dict[str, set[FollowedTurn]] = {}
        self._cancelled: WeakSet[FollowedTurn] = WeakSet()

    def add(self, sender: str, turn: FollowedTurn) -> None:
        """Takes a turn that has begun, until it ends."""
        self._turns.setdefault(sender, set()).add(turn)
        turn.on_end(lambda: self._drop(sender, turn))

    def cancel(self, sender: str) -> bool:
        """Gives up what waits and stops what is generating; false when there is nothing."""
        found = list(self._turns.get(sender, ()))
        for turn in found:
            self._cancelled.add(turn)
            turn.leave()
        return bool(found)

    def was_cancelled(self, turn: FollowedTurn) -> bool:
        """Whether :meth:`cancel` has ended it."""
        return turn in self._cancelled

    def _drop(self, sender: str, turn: FollowedTurn) -> None:
        turns = self._turns.get(sender)
        if turns is not None:
            turns.discard(turn)
            if not turns:
                del self._turns[sender]


def build_router(
    provider: BotProvider, turns: TurnQueue, sentences: Sentences, guard: RasaGuard, max_message_chars: int
) -> APIRouter:
    """The channel's addresses."""
    router = APIRouter(prefix="/webhooks/rest", tags=["Rasa REST channel"])
    running = _Running()

    @router.get("/", response_model=RestStatus, summary="Is the channel there?")
    async def health() -> RestStatus:
        return RestStatus(status="ok")

    @router.post(
        "/webhook",
        summary="Send a customer's message, get the answer",
        response_model=list[RestItem],
        response_model_exclude_none=True,
        responses={**ERROR_RESPONSES, 200: _OK},
        openapi_extra={"requestBody": incoming_schema(max_message_chars)},
    )
    async def webhook(
        request: Request,
        stream: str = Query(
            "false",
            description="`true`: one JSON object a line, as the answer is made.",
            examples=["false", "true"],
        ),
    ) -> Response:
        incoming = read_incoming(await read_object(request), max_message_chars)
        guard.chat(request, incoming.sender)
        turn = FollowedTurn()
        turn.start(turns, incoming.message, ready(provider).respond)
        running.add(incoming.sender, turn)
        try:
            if stream.lower() == "true":
                first = await turn.first_piece(request)
                if first is None:
                    turn.result()  # an error before the first piece still has a status of its own
                return _TurnStream(turn, _lines(turn, incoming, first, sentences, request))
            reply = await turn.reply(request)
        except ClientGone:
            return Response(status_code=_CLIENT_CLOSED)
        except (asyncio.CancelledError, CancelledError):
            if not running.was_cancelled(turn):
                raise
            return JSONResponse([])
        return JSONResponse(reply_items(incoming.sender, reply, incoming.details))

    @router.post(
        "/cancel_background_tasks/{sender}",
        response_model=Cancelled,
        summary="Stop what is being answered",
        responses={401: ERROR_RESPONSES[403], 403: ERROR_RESPONSES[403]},
    )
    async def cancel(request: Request, sender: str) -> Cancelled:
        guard.chat(request, sender)
        return Cancelled(cancelled=running.cancel(sender))

    return router


def ready(provider: BotProvider) -> Responder:
    """The bot.

    Raises:
        BusyError: (503) it is still loading.
    """
    bot = provider()
    if bot is None:
        raise BusyError("models and index are loading; send the message again in a moment", retry_after=5)
    return bot


async def _lines(
    turn: FollowedTurn, incoming: Incoming, first: str | None, sentences: Sentences, request: Request
) -> AsyncIterator[str]:
    """The answer as lines of JSON; after the pieces come buttons and details."""
    sender = incoming.sender
    if first is not None:
        yield _line({"recipient_id": sender, "text": first})
        async for piece in turn.pieces():
            yield _line({"recipient_id": sender, "text": piece})
    try:
        reply = turn.result()
    except Exception as error:
        # The status has gone out already: the customer is told in the stream.
        log_failure(error)
        say = sentences.say(error, request) or "Something went wrong on our side; please try again."
        yield _line({"recipient_id": sender, "text": say})
        return
    for item in reply_items(sender, reply, incoming.details, streamed=first is not None):
        yield _line(item)


def _line(item: dict[str, Any]) -> str:
    return json.dumps(item, ensure_ascii=False) + "\n"


class _TurnStream(StreamingResponse):
    """Lets the turn go when the stream ends in any way."""

    def __init__(self, turn: FollowedTurn, lines: AsyncIterator[str]) -> None:
        super().__init__(
            lines,
            media_type="text/event-stream",
            headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
        )
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._turn.leave()


_OK: dict[str, Any] = {
    "description": "The parts of the answer, in their order.",
    "content": {
        "application/json": {
            "examples": {
                "answer": {"value": [{"recipient_id": "anna", "text": "You can return it within 30 days."}]},
                "question back": {
                    "value": [
                        {
                            "recipient_id": "anna",
                            "text": "Which of these do you mean?",
                            "buttons": [
                                {"title": "How do I return it?", "payload": "How do I return it?"},
                                {"title": "When is it refunded?", "payload": "When is it refunded?"},
                            ],
                        }
                    ]
                },
            }
        },
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": '{"recipient_id": "anna", "text": "You can"}\n'
            '{"recipient_id": "anna", "text": " return"}\n',
        },
    },
}


def incoming_schema(max_chars: int) -> dict[str, Any]:
    """The body that :func:`read_incoming` reads, for the documentation."""

    def text(limit: int, description: str) -> dict[str, Any]:
        return {
            "type": ["string", "null"],
            "maxLength": limit,
            "pattern": r"\S",
            "description": description,
        }

    message_id = text(MAX_ID, "Your own id of this message; a repeated delivery gets the same reply.")
    schema = {
        "type": "object",
        "required": ["message"],
        "properties": {
            "sender": text(MAX_ID, "Who writes; one conversation each. Default: `default`."),
            "message": {
                "type": "string",
                "pattern": r"\S",
                "description": f"What the customer wrote, at most {max_chars} characters (else 413).",
            },
            "input_channel": text(64, "Name of the channel to note with the conversation."),
            "message_id": message_id,
            "metadata": {
                "type": ["object", "null"],
                "properties": {
                    "language": text(35, "Language of the client's interface."),
                    "details": {
                        "type": ["boolean", "null"],
                        "description": "Add an item with sources, action and trace.",
                    },
                    "message_id": message_id,
                },
            },
        },
    }
    examples = {
        "English": {"value": {"sender": "anna", "message": "How long do I have to return something?"}},
        "Chinese, with details": {
            "value": {
                "sender": "li-wei",
                "message": "退货要多久？",
                "message_id": "m-1",
                "metadata": {"language": "zh", "details": True},
            }
        },
    }
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}
