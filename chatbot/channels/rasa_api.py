"""Rasa's HTTP API as far as its clients read it: trackers, parsing, version and status (read from Rasa 3.6)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from chatbot import __version__
from chatbot.channels.bodies import read_object
from chatbot.channels.errors import ERROR_RESPONSES, ErrorBody
from chatbot.channels.incoming import MAX_ID
from chatbot.channels.loader import BotProvider, Responder
from chatbot.channels.rasa_auth import RasaGuard
from chatbot.channels.tracker import intent_json, tracker_json
from chatbot.errors import BadRequestError, CustomerError, KefuError
from chatbot.settings import Settings
from chatbot.storage.trackers import StoredTracker, Trackers

__all__ = ["build_router"]

RASA_VERSION = "3.6.21"
"""The release whose shapes are spoken; clients compare it with what they can talk to."""
RASA_MINIMUM = "3.5.0"
"""Oldest release whose clients understand them."""
MAX_MESSAGES = 2000
"""Most messages of one tracker, the newest."""
RASA_CHANNELS = ("rest", "socketio", "callback")

Verbosity = Literal["ALL", "APPLIED", "AFTER_RESTART", "NONE"]

_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorBody, "description": "NotAuthenticated: no token, key or JWT that can be used."},
    403: {"model": ErrorBody, "description": "NotAuthorized: a user asks for what is not his own."},
    404: {"model": ErrorBody, "description": "There is no such conversation."},
    409: {"model": ErrorBody, "description": "No model is loaded."},
    503: {"model": ErrorBody, "description": "The database cannot be read; see Retry-After."},
}


class RasaIntent(BaseModel):
    """An intent and how sure the model is."""

    name: str | None = Field(examples=["return_policy"])
    confidence: float = Field(examples=[0.97])


class Parsed(BaseModel):
    """What a text was taken for."""

    text: str
    message_id: str | None = None
    intent: RasaIntent
    entities: list[dict[str, Any]] = Field(examples=[[]])
    intent_ranking: list[RasaIntent]


class RasaVersion(BaseModel):
    """Which Rasa this speaks like."""

    version: str = Field(examples=[RASA_VERSION])
    minimum_compatible_version: str = Field(examples=[RASA_MINIMUM])
    kefu: str = Field(description="Version of Kefu itself.", examples=[__version__])


class RasaStatus(BaseModel):
    """The model that answers."""

    model_file: str
    model_id: str
    num_active_training_jobs: int = Field(examples=[0])


def build_router(
    provider: BotProvider, trackers: Trackers, guard: RasaGuard, settings: Settings
) -> APIRouter:
    """The addresses of Rasa's HTTP API."""
    router = APIRouter(tags=["Rasa HTTP API"])
    token = Query(None, description="KEFU_RASA__TOKEN, where it is set.")

    @router.get("/version", response_model=RasaVersion, summary="Which Rasa does it speak like?")
    async def version() -> RasaVersion:
        return RasaVersion(version=RASA_VERSION, minimum_compatible_version=RASA_MINIMUM, kefu=__version__)

    @router.get("/status", response_model=RasaStatus, responses=_ERRORS, summary="Which model answers?")
    async def status(request: Request, token: str | None = token) -> RasaStatus:
        del token  # the guard reads it
        guard.server(request)
        bot = _loaded(provider)
        return RasaStatus(
            model_file=settings.embedder.model, model_id=bot.model_id, num_active_training_jobs=0
        )

    @router.post(
        "/model/parse",
        response_model=Parsed,
        response_model_exclude_none=True,
        responses={**ERROR_RESPONSES, **_ERRORS},
        summary="What does a text mean?",
        openapi_extra={"requestBody": _parse_body(settings.max_message_chars)},
    )
    async def parse(request: Request, token: str | None = token) -> Parsed:
        del token
        guard.server(request)
        bot = _loaded(provider)
        body = await read_object(request)
        text = body.text("text", limit=settings.max_message_chars, status=413)
        if text is None:
            raise BadRequestError("text is missing; expected the text to parse", phrase="empty")
        message_id = body.text("message_id", limit=MAX_ID)
        ranking = [intent_json(i) for i in await asyncio.to_thread(bot.understand, text)]
        return Parsed.model_validate(
            {
                "text": text,
                "message_id": message_id,
                "intent": ranking[0],
                "entities": [],
                "intent_ranking": ranking,
            }
        )

    @router.get(
        "/conversations/{conversation_id:path}/tracker",
        responses=_ERRORS,
        summary="Read a conversation as a tracker",
    )
    async def tracker(
        request: Request,
        conversation_id: str,
        include_events: Annotated[
            Verbosity, Query(description="`NONE` leaves the events out.")
        ] = "AFTER_RESTART",
        until: float | None = Query(None, description="Leaves out what came later; seconds since 1970."),
        token: str | None = token,
    ) -> dict[str, Any]:
        del token
        whole = guard.conversation(request, conversation_id)
        _loaded(provider)
        found = await asyncio.to_thread(_find, trackers, conversation_id, whole)
        return tracker_json(found, conversation_id, until=until, events=include_events != "NONE")

    return router


def _find(trackers: Trackers, conversation_id: str, whole: bool) -> StoredTracker:
    """The conversation of a sender.

    Args:
        whole: the id may also be a stored one with its channel before it.

    Raises:
        CustomerError: (404) there is none.
    """
    ids = [f"{channel}:{conversation_id}" for channel in RASA_CHANNELS]
    found = trackers.find([*ids, conversation_id] if whole else ids, MAX_MESSAGES)
    if found is None:
        raise CustomerError(
            "no conversation has this id; expected a sender of the REST, callback or socket.io channel",
            status=404,
        )
    return found


def _loaded(provider: BotProvider) -> Responder:
    try:
        bot = provider()
    except KefuError:
        bot = None
    if bot is None:
        raise CustomerError("No model is loaded; wait until /readyz answers 200", status=409)
    return bot


def _parse_body(max_chars: int) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": {
                "type": "string",
                "pattern": r"\S",
                "description": f"At most {max_chars} characters (else 413).",
            },
            "message_id": {"type": ["string", "null"], "maxLength": MAX_ID, "pattern": r"\S"},
        },
    }
    examples = {"English": {"value": {"text": "How long do I have to return something?"}}}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}
