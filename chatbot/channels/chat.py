"""Kefu's own API: ``/api``, made for websites and apps.

A visitor's first message begins a conversation and gets a token; the token
alone goes on with it.  A reply comes whole or as numbered server-sent events,
which a client that lost the connection gets the rest of by repeating the
request with ``Last-Event-ID``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.sse import format_sse_event

from chatbot import __version__
from chatbot.channels import chat_forms as forms
from chatbot.channels.bodies import Fields, read_object
from chatbot.channels.errors import ERROR_RESPONSES, ErrorBody, Sentences, error_fields
from chatbot.channels.keys import caller_of
from chatbot.channels.live import EventStream, LiveTurn, LiveTurns, unless_gone
from chatbot.channels.loader import BotProvider, Responder, ready
from chatbot.channels.tokens import ConversationTokens, NotAllowedError, Token
from chatbot.channels.turns import ClientGone, TurnQueue
from chatbot.errors import BadRequestError, KefuError
from chatbot.settings import Settings
from chatbot.storage import Conversations
from chatbot.storage.texts import storable
from chatbot.turn import Message, Reply

__all__ = ["build_router"]

KEEP_ALIVE_S = 10.0
_CLIENT_CLOSED = 499
_MAX_REASON = 2000
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?", re.ASCII | re.DOTALL)
_EVENT_STREAM = "text/event-stream"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ConversationToken",
    description="A conversation's token, as `POST /api/chat` gives it.",
)
_own_header = APIKeyHeader(
    name="X-Conversation-Token",
    auto_error=False,
    scheme_name="ConversationTokenHeader",
    description="The same, where `Authorization` carries an API key.",
)
_ERRORS = {
    **ERROR_RESPONSES,
    401: {"model": ErrorBody, "description": "The conversation token is missing or cannot be used."},
    403: {"model": ErrorBody, "description": "The token is of another conversation."},
}
_DOOR: dict[int | str, dict[str, Any]] = {
    status: _ERRORS[status] for status in (401, 403, 408, 413, 429, 500, 503)
}
"""What any address may answer."""
_ANYONE: dict[str, Any] = {"security": [{}]}
"""Added to the token's schemes: the request is also served without one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request for a reply."""

    message: Message
    token: Token
    streamed: bool
    seen: int | None
    """Place in the answer after the last event that the client saw; None: it saw none."""


def build_router(
    provider: BotProvider,
    turns: TurnQueue,
    conversations: Conversations,
    tokens: ConversationTokens,
    sentences: Sentences,
    settings: Settings,
) -> APIRouter:
    """The API's addresses."""
    router = APIRouter(prefix="/api", tags=["Own API"], responses=_DOOR)
    live = LiveTurns(turns)

    def held(request: Request) -> str | None:
        """The conversation that the request's token opens, None without a token."""
        text = _token_text(request)
        return None if text is None else tokens.read(text)

    def opened(request: Request) -> str:
        """The same, where one is needed."""
        conversation = held(request)
        if conversation is None:
            raise NotAllowedError(
                "the conversation token is missing; expected it as `Authorization: Bearer …`, "
                "as POST /api/chat gives it"
            )
        return conversation

    schemes = [Depends(_bearer), Depends(_own_header)]

    @router.post(
        "/chat",
        summary="Send a message, get the reply",
        dependencies=schemes,
        responses={**{status: _ERRORS[status] for status in (400, 409, 422)}, 200: forms.CHAT_ANSWERS},
        openapi_extra={**forms.CHAT_BODY(settings.max_message_chars), **_ANYONE},
    )
    async def chat(
        request: Request,
        idempotency_key: Annotated[
            str | None, Header(description="The same as `message_id`, which goes first.")
        ] = None,
        last_event_id: Annotated[
            str | None, Header(description="Id of the last event seen, to get the rest of a reply.")
        ] = None,
    ) -> Response:
        body = await read_object(request)
        asked = _read_chat(body, request, held(request), idempotency_key, last_event_id)
        turn = live.start(asked.message, ready(provider).respond)
        if asked.streamed:
            return await _streamed(turn, asked, request)
        try:
            with turn.following():
                reply = await unless_gone(request, turn.reply())
        except ClientGone:
            return Response(status_code=_CLIENT_CLOSED)
        return JSONResponse(forms.reply_fields(reply, asked.token))

    def _read_chat(
        body: Fields, request: Request, conversation: str | None, key: str | None, seen: str | None
    ) -> _Asked:
        text = body.text("message", limit=settings.max_message_chars, status=413)
        if text is None:
            raise BadRequestError("message is missing; expected the customer's text", phrase="empty")
        message_id = body.text("message_id", limit=forms.MAX_ID) or _key(key)
        if message_id is not None:
            message_id = storable(message_id)
        language = _LANGUAGE.fullmatch(body.text("language", limit=35) or "")
        _check_same(conversation, body.text("conversation_id", limit=255))
        token = tokens.issue(conversation or tokens.begin(message_id))
        message = Message(
            text=text,
            conversation_id=token.conversation_id,
            customer_id=token.conversation_id,
            channel="api",
            message_id=message_id,
            interface_language=language[1].lower() if language else None,
        )
        return _Asked(message, token, _wants_stream(body, request), _place(seen) if message_id else None)

    async def _streamed(turn: LiveTurn, asked: _Asked, request: Request) -> Response:
        """The turn as events.  What storage knows of the message's id is found out before the status goes out."""
        with ExitStack() as held:
            held.enter_context(turn.following())
            stored = None
            if asked.message.message_id is not None:
                stored = await asyncio.to_thread(conversations.find_reply, asked.message)
            return EventStream(_events(turn, stored, asked, request), held.pop_all())

    async def _events(
        turn: LiveTurn, stored: Reply | None, asked: _Asked, request: Request
    ) -> AsyncIterator[bytes]:
        yield format_sse_event(retry=1000)
        if asked.seen is None:
            start = {**forms.begun_fields(asked.token), "message_id": asked.message.message_id}
            yield _event("start", start, 0)
        place = asked.seen or 0
        try:
            if stored is None or turn.text:
                async for piece in turn.pieces(place, KEEP_ALIVE_S):
                    place += len(piece)
                    yield _event("delta", {"text": piece}, place) if piece else _KEEP_ALIVE
            reply = stored or await turn.reply()
            if not turn.text and place < len(reply.text):  # a reply of earlier
                yield _event("delta", {"text": reply.text[place:]}, len(reply.text))
        except Exception as error:
            yield _event("error", error_fields(error, request, sentences.say(error, request)))
            return
        last = max(len(turn.text), len(reply.text)) + 1
        yield _event("done", {"reply": forms.reply_fields(reply, asked.token)}, last)

    @router.post(
        "/conversations",
        status_code=201,
        response_model=forms.Begun,
        summary="Begin a conversation without a message",
    )
    async def begin() -> Response:
        return JSONResponse(forms.begun_fields(tokens.issue(tokens.begin())), 201)

    @router.get(
        "/conversations/{conversation_id}/messages",
        response_model=forms.History,
        summary="Read a conversation",
        dependencies=schemes,
    )
    async def messages(
        request: Request,
        conversation_id: Annotated[str, Path(max_length=255)],
        limit: Annotated[int, Query(ge=1, le=500, description="The last so many messages.")] = 100,
    ) -> Response:
        conversation = opened(request)
        _check_same(conversation, conversation_id)
        found = await asyncio.to_thread(conversations.history, conversation, limit)
        fields = [forms.stored_fields(message) for message in found]
        return JSONResponse({"conversation_id": conversation, "messages": fields}, headers=_PRIVATE)

    @router.post(
        "/feedback",
        response_model=forms.Feedback,
        summary="Say whether a reply helped",
        dependencies=schemes,
        responses={
            **{status: _ERRORS[status] for status in (400, 422)},
            404: {"model": ErrorBody, "description": "No answer of this conversation has this id."},
        },
        openapi_extra=forms.FEEDBACK_BODY,
    )
    async def feedback(request: Request) -> Response:
        conversation = opened(request)
        body = await read_object(request)
        message_id, value = body.text("message_id", limit=forms.MAX_ID), body.text("value", limit=16)
        if message_id is None or value is None:
            raise BadRequestError(
                "message_id or value is missing; expected the id of a reply and «like» or «dislike»"
            )
        reason = body.text("reason", limit=_MAX_REASON, status=413) or ""
        await asyncio.to_thread(
            conversations.feedback,
            message_id,
            value,  # type: ignore[arg-type]  # checked there
            reason,
            conversation_id=conversation,
        )
        return JSONResponse({"message_id": message_id, "value": value})

    @router.post(
        "/hand-over",
        response_model=forms.HandedOver,
        summary="Ask for a person",
        dependencies=schemes,
        responses={status: _ERRORS[status] for status in (400, 422)},
        openapi_extra={**forms.PERSON_BODY, **_ANYONE},
    )
    async def hand_over(request: Request) -> Response:
        token = tokens.issue(held(request) or tokens.begin())
        body = await read_object(request) if _has_body(request) else Fields({})
        reason = body.text("reason", limit=_MAX_REASON, status=413) or ""
        await asyncio.to_thread(conversations.request_person, token.conversation_id, reason, channel="api")
        say = sentences.phrase("handed_over", request)
        return JSONResponse({**forms.begun_fields(token), "hand_over": True, "say": say})

    @router.get("/config", response_model=forms.Config, summary="What a page needs to know first")
    async def config(
        request: Request,
        language: Annotated[
            str | None,
            Query(max_length=35, description="Language of the page; else that of Accept-Language."),
        ] = None,
    ) -> Response:
        asked = _LANGUAGE.fullmatch(language or "")
        chosen = asked[1].lower() if asked else sentences.language(request)
        bot = _bot_or_none(provider)
        return JSONResponse(
            {
                "company": settings.company_in(chosen),
                "language": chosen,
                "default_language": settings.default_language,
                "languages": list(settings.languages),
                "suggestions": [] if bot is None else bot.suggestions(chosen),
                "max_message_chars": settings.max_message_chars,
                "max_reason_chars": _MAX_REASON,
                "ready": bot is not None,
                "version": __version__,
            }
        )

    return router


def _token_text(request: Request) -> str | None:
    """The conversation token of a request, None where there is none."""
    own = request.headers.get("x-conversation-token", "").strip()
    if own:
        return own
    if caller_of(request).identity and "x-api-key" not in request.headers:
        return None  # Authorization carried an API key
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def _check_same(conversation: str | None, asked: str | None) -> None:
    if asked is None or asked == conversation:
        return
    if conversation is None:
        raise NotAllowedError(
            "conversation_id is given without a token; send the conversation's token, "
            "or leave conversation_id out to begin a new conversation"
        )
    raise NotAllowedError(
        "the token is of another conversation; send the token that came with this conversation", status=403
    )


def _key(header: str | None) -> str | None:
    """The id in an Idempotency-Key header, with or without the quotation marks of its draft standard."""
    key = (header or "").strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    return Fields({"Idempotency-Key": key or None}).text("Idempotency-Key", limit=forms.MAX_ID)


def _place(last_event_id: str | None) -> int | None:
    """The place that an event's id names; None, and so everything again, for anything else."""
    text = (last_event_id or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _wants_stream(body: Fields, request: Request) -> bool:
    asked = body.choice("stream")
    return _EVENT_STREAM in request.headers.get("accept", "").lower() if asked is None else asked


def _has_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _bot_or_none(provider: BotProvider) -> Responder | None:
    try:
        return provider()
    except KefuError:
        return None


def _event(name: str, data: dict[str, Any], place: int | None = None) -> bytes:
    id_ = None if place is None else str(place)
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False), id=id_)


_KEEP_ALIVE = format_sse_event(comment="keep-alive")
_PRIVATE = {"cache-control": "no-store"}
