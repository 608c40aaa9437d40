"""Reads JSON bodies from bytes, whatever content type they claim; Rasa's own widget claims none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from chatbot.errors import BadRequestError
from chatbot.storage.texts import storable

__all__ = ["MAX_BODY_BYTES", "Fields", "read_bytes", "read_object"]

MAX_BODY_BYTES = 64 * 1024

_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


async def read_object(request: Request, limit: int = MAX_BODY_BYTES) -> Fields:
    """The JSON object in the body.

    Halves of surrogate pairs (``"\\ud800"``) and NUL in its texts become U+FFFD:
    no answer could repeat them, no database keep them.

    Raises:
        BadRequestError: the body is too large (413), or not an object in JSON in UTF-8 (400).
    """
    raw = await read_bytes(request, limit)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequestError(
            f"the body is not UTF-8 (byte {error.start}); expected a JSON object in UTF-8", status=400
        ) from None
    try:
        value = json.loads(text)
        if "\\u" in text:  # only escapes bring halves of surrogate pairs
            value = _storable(value)
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"the body is not JSON (line {error.lineno}, column {error.colno}); expected a JSON object",
            status=400,
        ) from None
    except (ValueError, RecursionError):
        raise BadRequestError(
            "the body has a number too long or is nested too deeply; expected a plain JSON object", status=400
        ) from None
    if not isinstance(value, dict):
        raise BadRequestError(f"the body is {_NAMES[type(value)]}; expected a JSON object", status=400)
    return Fields(value)


def _storable(value: Any) -> Any:
    """The value with texts that every database and answer can hold."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): _storable(item) for name, item in value.items()}
    return value


async def read_bytes(request: Request, limit: int) -> bytes:
    """The body.

    Raises:
        BadRequestError: (413) it is larger than ``limit`` bytes.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BadRequestError(
                f"the body has more than {limit} bytes; expected at most {limit}: shorten the message",
                phrase="too_long",
                status=413,
            )
        parts.append(part)
    return b"".join(parts)


class Fields:
    """The fields of an object, read by name and type.  null counts as left out."""

    def __init__(self, values: dict[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix

    @property
    def values(self) -> Mapping[str, Any]:
        """All fields as they came."""
        return self._values

    def text(self, name: str, *, limit: int, status: int = 422) -> str | None:
        """A text of 1 to ``limit`` characters, None if it is left out.

        Args:
            status: HTTP status that a longer one is refused with.

        Raises:
            BadRequestError: it is of another type, empty or too long.
        """
        value: str | None = self._get(name, str)
        if value is None:
            return None
        if not value.strip():
            raise BadRequestError(f"{self._prefix}{name} is empty; expected some text", phrase="empty")
        if len(value) > limit:
            raise BadRequestError(
                f"{self._prefix}{name} has {len(value)} characters; expected at most {limit}: shorten it",
                phrase="too_long",
                status=status,
            )
        return storable(value)

    def flag(self, name: str) -> bool:
        """True or false; false if it is left out.

        Raises:
            BadRequestError: it is of another type (422).
        """
        return bool(self._get(name, bool))

    def choice(self, name: str) -> bool | None:
        """True or false; None if it is left out.

        Raises:
            BadRequestError: it is of another type (422).
        """
        value: bool | None = self._get(name, bool)
        return value

    def fields(self, name: str) -> Fields:
        """The fields of an object inside this one; none if it is left out.

        Raises:
            BadRequestError: it is of another type (422).
        """
        return Fields(self._get(name, dict) or {}, f"{self._prefix}{name}.")

    def _get(self, name: str, expected: type) -> Any:
        value = self._values.get(name)
        if value is not None and type(value) is not expected:
            raise BadRequestError(
                f"{self._prefix}{name} is {_NAMES[type(value)]}; expected {_NAMES[expected]}"
            )
        return value
