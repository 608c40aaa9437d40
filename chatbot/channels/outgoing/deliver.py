"""One attempt to deliver one event."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from chatbot import __version__
from chatbot.channels.outgoing.addresses import AddressRefused
from chatbot.channels.retrying import retry_after_s
from chatbot.errors import BadRequestError
from chatbot.storage.outbox import Due

__all__ = ["Outcome", "check_secret", "deliver", "new_secret", "signed_headers"]

_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret, by the specification."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    delivered: bool
    status: int | None = None
    error: str = ""
    """Why not, in a few words, without anything that the receiver wrote."""
    gone: bool = False
    """The receiver wants no more (410)."""
    retry_after_s: float | None = None


def new_secret() -> str:
    """A fresh signing secret."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> str:
    """The secret, if it has the form ``whsec_…`` with 24 to 64 bytes in Base64.

    Raises:
        BadRequestError: it has not.
    """
    try:
        size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if not secret.startswith("whsec_") or not _SHORTEST <= size <= _LONGEST:
        raise BadRequestError(
            f"the webhook's secret is none; expected whsec_ and {_SHORTEST} to {_LONGEST} bytes in Base64"
        )
    return secret


def signed_headers(event_id: str, body: str, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """The three headers; one signature for each valid secret."""
    signatures = [Webhook(key).sign(event_id, now, body) for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def deliver(client: httpx.AsyncClient, due: Due, timeout_s: float) -> Outcome:
    """Sends an event once; the time limit holds for the whole of it, however slowly it is answered."""
    headers = {
        **signed_headers(due.event_id, due.body, due.secrets, datetime.now(UTC)),
        "content-type": "application/json",
        "user-agent": f"Kefu-Webhooks/{__version__}",
    }
    try:
        async with (
            asyncio.timeout(timeout_s),
            client.stream("POST", due.url, content=due.body.encode(), headers=headers) as response,
        ):
            return _judge(response)  # what the receiver writes is of no use and is not read
    except TimeoutError:
        return Outcome(False, error=f"no answer within {timeout_s:g} s")
    except AddressRefused as refused:
        return Outcome(False, error=f"address refused: {refused}")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Outcome(False, error=type(error).__name__)


def _judge(response: httpx.Response) -> Outcome:
    status = response.status_code
    if 200 <= status < 300:
        return Outcome(True, status)
    if status == 410:
        return Outcome(False, status, "410 Gone: the endpoint was disabled", gone=True)
    kind = "a redirect, which is not followed" if 300 <= status < 400 else "an error"
    return Outcome(False, status, f"answered {status}, {kind}", retry_after_s=retry_after_s(response.headers))
