"""Calls a company's action server (rasa-sdk): domain and digest, 449, time limit, and only safe retries.

A call is repeated only where the server cannot have begun: the connection was
refused, or it answered 503.  After a time-out, a broken connection or a 500 the
action may have run (an order may be cancelled already), so it is not.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import structlog

from chatbot.actions.wire import digest
from chatbot.errors import OperatorError, SettingsError

__all__ = ["ActionError", "ActionRejected", "ActionResult", "ActionServer"]

log = structlog.get_logger(__name__)

MAX_ANSWER_BYTES = 1024 * 1024
SMALL_DOMAIN_BYTES = 32 * 1024
"""A domain up to this size goes with every call, so that servers that know no digest have it too."""
_PAUSES_S = (0.2, 0.6)
"""Before the second and the third attempt."""
_LONGEST_RETRY_AFTER_S = 2.0
_DOMAIN_MISSING = 449


class ActionError(OperatorError):
    """The action server cannot be reached, or answered what cannot be used."""


class ActionRejected(Exception):
    """The action says that it is not for this message (400)."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an action did and said, as the server sent it; entries that are no objects are left out."""

    events: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)


class ActionServer:
    """One action server.  Safe to use from many threads.

    Args:
        url: its webhook, e.g. ``http://127.0.0.1:5055/webhook``; ``/webhook`` may be left out.
        token: sent as the query's ``token``, as Rasa does; empty for none.
        domain: sent along; see :attr:`chatbot.actions.plan.ActionPlans.domain`.
        timeout_s: of one call in all, in seconds.
        transport: for tests.

    Raises:
        SettingsError: the URL is not one of http or https.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        domain: Mapping[str, Any],
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = _webhook(url)
        self._query = {"token": token} if token else None
        self._domain = dict(domain)
        self._digest = digest(domain)
        size = len(json.dumps(self._domain, ensure_ascii=False, default=str).encode("utf-8", "replace"))
        self._always = size <= SMALL_DOMAIN_BYTES
        self._told = False
        self._lock = threading.Lock()
        self._timeout_s = timeout_s
        self._sleep = sleep
        # A kept connection may have been closed by the other side, and a request that was sent into it
        # cannot be told from one that was worked on: every call opens its own.
        self._http = httpx.Client(
            timeout=timeout_s,
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def run(self, call: Mapping[str, Any]) -> ActionResult:
        """Runs an action.

        Args:
            call: of :func:`chatbot.actions.wire.action_call`.

        Raises:
            ActionRejected: the action is not for this message.
            ActionError: the server is down, too slow, or answered what cannot be used.
        """
        deadline = time.monotonic() + self._timeout_s
        with self._lock:
            with_domain = self._always or not self._told
            self._told = True
        status, body = self._send(call, with_domain, deadline)
        if status == _DOMAIN_MISSING:
            status, body = self._send(call, True, deadline)
        return self._read(status, body, str(call["next_action"]))

    def _send(self, call: Mapping[str, Any], with_domain: bool, deadline: float) -> tuple[int, bytes]:
        payload = {**call, "domain_digest": self._digest}
        if with_domain:
            payload["domain"] = self._domain
        content = json.dumps(payload, ensure_ascii=False, default=str).encode("utf-8", "replace")
        for pause in (*_PAUSES_S, None):
            try:
                status, body, wait = self._once(content, deadline)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if pause is None or time.monotonic() + pause >= deadline:
                    raise ActionError(
                        f"the action server does not answer ({type(error).__name__}); start it or mend KEFU_ACTIONS__URL"
                    ) from error
                self._sleep(pause)
                continue
            except httpx.HTTPError as error:
                raise ActionError(
                    f"the call of the action server broke off ({type(error).__name__}, time limit "
                    f"{self._timeout_s:g} s); the action may have run and is not repeated"
                ) from error
            if status != httpx.codes.SERVICE_UNAVAILABLE or pause is None:
                return status, body
            longer = max(pause, wait)
            if longer > _LONGEST_RETRY_AFTER_S or time.monotonic() + longer >= deadline:
                return status, body
            self._sleep(longer)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, content: bytes, deadline: float) -> tuple[int, bytes, float]:
        """One attempt: status, body and the seconds that Retry-After asks for."""
        left = max(0.05, deadline - time.monotonic())
        headers = {"content-type": "application/json", "accept": "application/json"}
        with self._http.stream(
            "POST", self._url, content=content, headers=headers, params=self._query, timeout=left
        ) as answer:
            parts: list[bytes] = []
            size = 0
            for part in answer.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise ActionError(
                        f"the action server's answer has more than {MAX_ANSWER_BYTES} bytes; expected events and responses"
                    )
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer comes too slowly")
            wait = answer.headers.get("retry-after", "")
            return answer.status_code, b"".join(parts), float(wait) if wait.isdecimal() else 0.0

    def _read(self, status: int, body: bytes, action: str) -> ActionResult:
        if status == httpx.codes.BAD_REQUEST and "action_name" in _json(body, {}):
            raise ActionRejected(action)
        if status == httpx.codes.NOT_FOUND:
            raise ActionError(
                f"the action server knows no {action} (404); register it there or mend routes.yml"
            )
        if status != httpx.codes.OK:
            raise ActionError(
                f"the action server answered {status} to {action}; expected 200, see the server's log"
            )
        content = _json(body, None)
        if body.strip() == b"null":
            return ActionResult()
        if not content:
            raise ActionError(
                f"the action server's answer to {action} is no JSON object; expected events and responses"
            )
        return ActionResult(_objects(content.get("events")), _objects(content.get("responses")))


def _json(body: bytes, otherwise: Any) -> Any:
    """The JSON object in a body, ``otherwise`` if it is anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return otherwise
    return value if isinstance(value, dict) else otherwise


def _objects(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    found = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(found) < len(value):
        log.warning("the action server sent entries that are no objects; they are left out")
    return found


def _webhook(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            "KEFU_ACTIONS__URL is not an address of http or https; expected e.g. http://127.0.0.1:5055/webhook"
        )
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else "/webhook"))
