"""The addresses ``/v1/chat/completions``, ``/v1/models`` and ``/v1/embeddings``."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import format_sse_event

from chatbot.channels.bodies import read_object
from chatbot.channels.errors import status_of
from chatbot.channels.live import EventStream, LiveTurn, LiveTurns, unless_gone
from chatbot.channels.loader import BotProvider, ready
from chatbot.channels.openai_api import forms
from chatbot.channels.openai_api.embeddings import EmbeddingLine
from chatbot.channels.openai_api.errors import (
    ERROR_RESPONSES,
    InvalidRequestError,
    OpenAIErrorBody,
    error_body,
)
from chatbot.channels.openai_api.requests import ChatRequest, read_chat, read_embedding
from chatbot.channels.openai_api.usage import Tokens
from chatbot.channels.turns import ClientGone, TurnQueue

__all__ = ["build_router"]

_MAX_BODY_BYTES = 1024 * 1024
"""Clients send the whole conversation each time."""
_KEEP_ALIVE_S = 10.0
_CLIENT_CLOSED = 499
_DONE = b"data: [DONE]\n\n"
_KEEP_ALIVE = format_sse_event(comment="keep-alive")


def build_router(provider: BotProvider, turns: TurnQueue, max_message_chars: int) -> APIRouter:
    """The addresses that speak OpenAI's protocol."""
    router = APIRouter(prefix="/v1", tags=["OpenAI-compatible API"], responses=ERROR_RESPONSES)
    live = LiveTurns(turns)
    line = EmbeddingLine()
    started = int(time.time())

    @router.post(
        "/chat/completions",
        summary="Answer a conversation",
        responses={200: forms.CHAT_OK},
        openapi_extra=forms.CHAT_BODY,
    )
    async def complete(request: Request) -> Response:
        body = await read_object(request, _MAX_BODY_BYTES)
        asked = read_chat(body.values, max_message_chars)
        bot = ready(provider)
        tokens = Tokens(bot.embedder, asked)
        turn = live.start(asked.message, bot.respond)
        with ExitStack() as held:
            held.enter_context(turn.following())
            try:
                if asked.stream:
                    return await _streamed(turn, asked, tokens, request, held)
                reply = await unless_gone(request, turn.reply())
            except ClientGone:
                return Response(status_code=_CLIENT_CLOSED)
        content, finish = await tokens.cut(reply.text)
        usage = await tokens.usage(content)
        return JSONResponse(forms.completion(reply, content, finish, usage, asked.message.conversation_id))

    @router.get("/models", response_model=forms.Models, summary="Which models there are")
    async def models() -> Response:
        names = (forms.CHAT_MODEL, forms.EMBEDDING_MODEL)
        return JSONResponse({"object": "list", "data": [forms.model_fields(name, started) for name in names]})

    @router.get(
        "/models/{model}",
        response_model=forms.Model,
        summary="One model",
        responses={404: {"model": OpenAIErrorBody, "description": "There is none of this name."}},
    )
    async def model(model: str) -> Response:
        if model not in (forms.CHAT_MODEL, forms.EMBEDDING_MODEL):
            raise InvalidRequestError(
                f"there is no model of this name; expected {forms.CHAT_MODEL} or {forms.EMBEDDING_MODEL}",
                "model",
                "model_not_found",
                status=404,
            )
        return JSONResponse(forms.model_fields(model, started))

    @router.post(
        "/embeddings",
        response_model=forms.Embeddings,
        summary="Turn texts into vectors",
        openapi_extra=forms.EMBEDDING_BODY,
    )
    async def embed(request: Request) -> Response:
        body = await read_object(request, _MAX_BODY_BYTES)
        asked = read_embedding(body.values)
        try:
            made = await unless_gone(request, line.embed(ready(provider).embedder, asked))
        except ClientGone:
            return Response(status_code=_CLIENT_CLOSED)
        return Response(made, media_type="application/json")

    return router


async def _streamed(
    turn: LiveTurn, asked: ChatRequest, tokens: Tokens, request: Request, held: ExitStack
) -> Response:
    """The turn as chunks; an error before its first piece still has a status of its own."""
    pieces = turn.pieces(0, _KEEP_ALIVE_S)
    first = await unless_gone(request, anext(pieces, None))
    if first is None:
        await turn.reply()
    chunks = forms.Chunks(f"chatcmpl-{uuid.uuid4().hex}", asked.include_usage)
    return EventStream(_events(turn, first, pieces, asked, tokens, chunks), held.pop_all())


async def _events(
    turn: LiveTurn,
    first: str | None,
    pieces: AsyncIterator[str],
    asked: ChatRequest,
    tokens: Tokens,
    chunks: forms.Chunks,
) -> AsyncIterator[bytes]:
    conversation = asked.message.conversation_id
    yield _data(chunks.delta("", role=True))
    sent = ""
    finish: forms.Finish = "stop"
    try:
        async for piece in _all_pieces(turn, first, pieces):
            if not piece:
                yield _KEEP_ALIVE
                continue
            allowed, finish = await tokens.cut(sent + piece)
            if len(allowed) > len(sent):
                yield _data(chunks.delta(allowed[len(sent) :]))
                sent = allowed
            if finish == "length":
                break
        reply = await turn.reply()
    except Exception as error:
        yield _data(error_body(*status_of(error), error))
        return
    yield _data(chunks.end(finish, reply, conversation))
    if asked.include_usage:
        yield _data(chunks.usage(await tokens.usage(sent)))
    yield _DONE


async def _all_pieces(turn: LiveTurn, first: str | None, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The pieces of the answer; the whole of it where the bot gave none."""
    if first is None:
        yield (await turn.reply()).text
        return
    yield first
    async for piece in pieces:
        yield piece


def _data(value: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=json.dumps(value, ensure_ascii=False))
