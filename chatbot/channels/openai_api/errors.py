"""Errors in OpenAI's form: ``{"error": {message, type, param, code}}``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from chatbot.errors import BadRequestError

__all__ = ["ERROR_RESPONSES", "PREFIX", "InvalidRequestError", "error_body"]

PREFIX = "/v1/"
"""Addresses whose errors have this form."""

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    401: "invalid_api_key",
    404: "not_found",
    408: "request_timeout",
    413: "request_too_large",
    429: "rate_limit_exceeded",
    503: "service_unavailable",
}


class InvalidRequestError(BadRequestError):
    """The request cannot be served as it is.

    Args:
        param: place of the field, as ``messages[0].content``.
        code: OpenAI's short name of the problem.
    """

    status = 400

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        *,
        phrase: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, phrase=phrase, status=status)
        self.param = param
        self.code = code


class OpenAIErrorFields(BaseModel):
    """What went wrong."""

    message: str = Field(description="What was found, what was expected, what to do.")
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(examples=["messages[0].content"])
    code: str | None = Field(examples=["invalid_type"])


class OpenAIErrorBody(BaseModel):
    """The body of every error of these addresses."""

    error: OpenAIErrorFields


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": OpenAIErrorBody, "description": description}
    for status, description in {
        400: "The request is malformed or asks for what is not offered.",
        401: "An API key is missing or cannot be used.",
        403: "The key may not do this.",
        408: "The body did not come in time.",
        413: "The body is too large.",
        429: "Too many requests; see Retry-After.",
        500: "Something went wrong on our side.",
        503: "Loading, busy or unable to store; see Retry-After.",
    }.items()
}


def error_body(status: int, message: str, error: BaseException | None = None) -> dict[str, Any]:
    """The body of an error.

    Args:
        error: what an :class:`InvalidRequestError` tells beyond its text is taken from it.
    """
    known = error if isinstance(error, InvalidRequestError) else None
    return {
        "error": {
            "message": message,
            "type": _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error"),
            "param": known.param if known else None,
            "code": known.code if known else _CODES.get(status),
        }
    }
