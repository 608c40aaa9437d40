"""Errors become HTTP answers here and nowhere else, in the form that Rasa's clients know.

A body is ``{version, status: "failure", message, reason, details, help, code}``.
``details.say`` is a sentence for the customer in their language, where the
phrase book has been loaded.  Nothing of the request is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot import __version__
from chatbot.channels.logs import describe, request_id
from chatbot.errors import BusyError, CustomerError, StorageError
from chatbot.phrases import Phrases
from knowledge_base.errors import KefuError

__all__ = [
    "ERROR_RESPONSES",
    "ErrorBody",
    "ErrorEdge",
    "Sentences",
    "error_fields",
    "install_error_handlers",
    "log_failure",
    "status_of",
]

log = structlog.get_logger(__name__)

_RETRY_AFTER_STORAGE_S = 10.0
_REASONS = {403: "NotAuthorized", 401: "NotAuthenticated"}
"""Rasa's own words where they are not the standard's."""


class ErrorBody(BaseModel):
    """The body of every error."""

    version: str = Field(examples=[__version__])
    status: str = Field(examples=["failure"])
    message: str = Field(description="What was found, what was expected, what to do.")
    reason: str = Field(examples=["BadRequest"])
    details: dict[str, str] = Field(
        description="`say`: a sentence for the customer; `request_id`: to be found in the log."
    )
    help: str | None = None
    code: int = Field(examples=[400])


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The body is not UTF-8, not JSON or not an object."},
    401: {"model": ErrorBody, "description": "An API key is missing or cannot be used."},
    403: {
        "model": ErrorBody,
        "description": "The key lacks the scope, or the conversation belongs to another customer.",
    },
    408: {"model": ErrorBody, "description": "The body did not come in time."},
    409: {"model": ErrorBody, "description": "The message's id was used for another text."},
    413: {"model": ErrorBody, "description": "The body or the message is too long."},
    422: {"model": ErrorBody, "description": "A field is missing, empty or of the wrong type."},
    429: {
        "model": ErrorBody,
        "description": "Too many requests, or too many messages of this conversation wait; see Retry-After.",
    },
    500: {"model": ErrorBody, "description": "Something went wrong on our side; the log has the request id."},
    503: {"model": ErrorBody, "description": "Loading, busy or unable to store; see Retry-After."},
}


@dataclass(frozen=True, slots=True)
class Sentences:
    """Finds the sentence that tells a customer of an error.

    Args:
        phrases: the phrase book, None while it is not loaded.
        default_language: when the request asks for none.
        limit: longest message, in characters.
    """

    phrases: Callable[[], Phrases | None]
    default_language: str
    limit: int

    def say(self, error: BaseException, request: Request) -> str:
        """The sentence in the language of the request, empty when no phrase book is loaded."""
        return self.phrase(error.phrase if isinstance(error, CustomerError) else "error", request)

    def phrase(self, key: str, request: Request) -> str:
        """A sentence of the phrase book in the language of the request, empty when there is none."""
        try:
            book = self.phrases()
        except KefuError:
            book = None
        if book is None:
            return ""
        try:
            return book.say(key, self.language(request), limit=self.limit)
        except KeyError:
            return ""

    def language(self, request: Request) -> str:
        """The language of the request: the first that it accepts, else the default."""
        return _first_language(request.headers.get("accept-language", "")) or self.default_language


ErrorForm = Callable[[int, str, Exception | None], dict[str, Any]]
"""Makes the body of an error from its status, its text and the error itself."""


def install_error_handlers(
    app: FastAPI, sentences: Sentences, forms: Mapping[str, ErrorForm] | None = None
) -> None:
    """Makes every error of a route an answer.

    Args:
        forms: other forms of a body, by the beginning of the addresses that have them.
    """
    app.state.error_forms = dict(forms or {})

    async def kefu_error(request: Request, error: Exception) -> JSONResponse:
        return _answer(request, *_mapped(error), say=sentences.say(error, request), error=error)

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        message = (
            f"{HTTPStatus(error.status_code).phrase}: no such address or method; the addresses are at /docs"
        )
        return _answer(request, error.status_code, message, dict(error.headers or {}))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        fields = ", ".join(sorted({".".join(map(str, found["loc"])) for found in error.errors()}))
        return _answer(request, 422, f"{fields} cannot be used; the expected form is at /docs", {})

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return _answer(request, *_mapped(error), say=sentences.say(error, request))

    app.add_exception_handler(KefuError, kefu_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_middleware(ErrorEdge, answer=unexpected)


def error_fields(error: Exception, request: Request, say: str = "") -> dict[str, Any]:
    """Logs an error and tells it as the data of an event, for where the status has gone out already."""
    status, message, headers = _mapped(error)
    retry = headers.get("retry-after")
    return {
        "say": say,
        "message": message,
        "reason": _reason(status),
        "code": status,
        "retry_after": None if retry is None else int(retry),
        "request_id": request_id(request.scope),
    }


class ErrorEdge:
    """ASGI middleware: the last stop of an unexpected error, so that no server prints its text."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request, Exception], Any]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            response = await self._answer(Request(scope), error)
            if not started:
                await response(scope, receive, send)


def status_of(error: Exception) -> tuple[int, str]:
    """Status and message of an error that is told where the status has gone out already."""
    status, message, _ = _mapped(error)
    return status, message


def log_failure(error: BaseException) -> None:
    """Logs an error as far as it may be: ours with their text, others by kind and place."""
    if isinstance(error, CustomerError):
        log.info("request refused", error=type(error).__name__, status=error.status)
    elif isinstance(error, KefuError):
        log.error("request failed", error=type(error).__name__, text=str(error))
    else:
        log.error("request failed", **describe(error))


def _mapped(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Status, message and headers of an error."""
    log_failure(error)
    if isinstance(error, BusyError):
        return error.status, str(error), {"retry-after": str(max(1, math.ceil(error.retry_after)))}
    if isinstance(error, CustomerError):
        return error.status, str(error), {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if isinstance(error, StorageError):
        headers = {"retry-after": str(math.ceil(_RETRY_AFTER_STORAGE_S))}
        return 503, "the message could not be stored and was not answered; send it again in a moment", headers
    return 500, "something went wrong on our side; send the message again in a moment", {}


def _answer(
    request: Request,
    status: int,
    message: str,
    headers: dict[str, str],
    say: str = "",
    error: Exception | None = None,
) -> JSONResponse:
    for prefix, form in request.app.state.error_forms.items():
        if request.url.path.startswith(prefix):
            return JSONResponse(form(status, message, error), status, headers)
    details = {"request_id": request_id(request.scope)}
    if say:
        details["say"] = say
    body = ErrorBody(
        version=__version__,
        status="failure",
        message=message,
        reason=_reason(status),
        details=details,
        code=status,
    )
    return JSONResponse(body.model_dump(), status, headers)


def _reason(status: int) -> str:
    return _REASONS.get(status) or HTTPStatus(status).phrase.title().replace(" ", "")


def _first_language(accept: str) -> str:
    """The first language of an Accept-Language header, as a primary subtag."""
    first = accept.split(",", 1)[0].split(";", 1)[0].strip().lower()
    subtag = first.split("-", 1)[0]
    return subtag if subtag.isascii() and subtag.isalpha() else ""
