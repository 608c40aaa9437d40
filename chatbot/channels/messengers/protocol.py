"""What every messenger does, and the values that pass between it and the rest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from chatbot.errors import BadRequestError
from chatbot.turn import Reply

__all__ = [
    "Call",
    "Incoming",
    "Json",
    "Messenger",
    "ProviderError",
    "Quiet",
    "Response",
    "button_id",
    "button_of",
    "pick",
    "read_json",
    "refuse",
    "short_id",
]

Json = dict[str, Any]
T = TypeVar("T")

_LONGEST_ID = 200
_BUTTON = re.compile(r"kefu:([0-9a-zA-Z_-]{1,64}):(\d{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a provider."""

    method: str
    headers: Mapping[str, str]
    """Names in lower case."""
    query: Mapping[str, str]
    body: bytes
    now: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a provider is answered at once."""

    body: str = ""
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message of a customer."""

    id: str
    """The provider's own id of it."""
    conversation: str
    """Unique among the messenger's conversations; one customer each, also in groups."""
    customer: str
    text: str
    """Empty for what is no text: a picture, a voice message."""
    to: Json
    """Where the answer goes, as the messenger needs it."""
    language: str | None = None
    """Of the customer's app, if the provider tells."""
    button: tuple[str, int] | None = None
    """The answer and the number of its button that was clicked; then ``text`` is the button's title."""


class ProviderError(Exception):
    """A provider did not take an answer.  Its text carries nothing that a customer or the provider wrote.

    Args:
        retry: it may take it later.
        after_s: not before that many seconds.
    """

    def __init__(self, text: str, *, retry: bool, after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry = retry
        self.after_s = after_s


class Messenger(Protocol):
    """One provider."""

    name: str
    """Also its address: ``/webhooks/<name>/webhook``."""
    passive: bool
    """Answers go out in the response to the provider's request, not by :meth:`send`."""
    numbered: bool
    """Buttons are shown as numbers, which the customer types."""

    def handshake(self, call: Call) -> Response | None:
        """The answer to a request by which the provider tries the address; None for any other.

        Raises:
            BadRequestError: (401, 403) it does not prove that it comes from the provider.
        """

    def receive(self, call: Call) -> Sequence[Incoming]:
        """Verifies a request and reads the messages in it; events of other kinds are passed over.

        Raises:
            BadRequestError: (401) it is unsigned, (403) the signature is wrong or too old,
                (400, 422) it is signed but cannot be read.
        """

    def acknowledgement(self, call: Call, to: Json, parts: Sequence[Json] = ()) -> Response:
        """What the provider is told once the messages are stored.

        Args:
            to: of the customer who is answered right here, empty otherwise.
            parts: the answer, where the messenger is passive.
        """

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """The messages that make up a reply, each within the provider's limits; always the same for one reply."""

    async def begin(self, to: Json) -> None:
        """Shows that the message has arrived, where the provider asks for it."""

    async def send(self, to: Json, part: Json) -> None:
        """Sends one message.

        Raises:
            ProviderError: it was not taken.
        """

    async def close(self) -> None:
        """Closes connections."""


class Quiet:
    """What most messengers do not need."""

    def __init__(self) -> None:
        self.passive = False
        self.numbered = False

    def handshake(self, call: Call) -> Response | None:
        """None: the address is not tried."""
        del call
        return None

    def acknowledgement(self, call: Call, to: Json, parts: Sequence[Json] = ()) -> Response:
        """An empty answer."""
        del call, to, parts
        return Response()

    async def begin(self, to: Json) -> None:
        """Nothing."""
        del to


def button_id(answer_id: str, index: int) -> str:
    """What stands for a button's payload, which may be longer than providers take (at most 64 bytes)."""
    return f"kefu:{answer_id}:{index}"


def button_of(text: str | None) -> tuple[str, int] | None:
    """The answer and the number of :func:`button_id`."""
    found = _BUTTON.fullmatch(text or "")
    return (found[1], int(found[2])) if found else None


def short_id(*parts: str) -> str:
    """One id out of several; too long ones become their hash."""
    joined = ":".join(parts)
    if len(joined) <= _LONGEST_ID:
        return joined
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


def refuse(why: str, *, missing: bool = False) -> BadRequestError:
    """The error of a request that does not prove where it comes from."""
    return BadRequestError(
        f"{why}; expected a request signed by the messenger", status=401 if missing else 403
    )


def read_json(body: bytes | str) -> Json:
    """The JSON object in a verified body.

    Raises:
        BadRequestError: (400) it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequestError("the body is not a JSON object", status=400)
    return value


def pick(value: Any, kind: type[T], *path: str | int) -> T | None:
    """What stands at a path inside JSON, None if it is missing or of another type."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
    return value if isinstance(value, kind) and not (kind is int and isinstance(value, bool)) else None
