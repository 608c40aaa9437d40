"""A Rasa action server inside Kefu: ``POST /webhook``, ``GET /actions``, ``GET /health``.

The actions run in rasa-sdk's own ``ActionExecutor``; around it are the answers of
its HTTP server (read from rasa-sdk 3.21), but for one: an error never carries the
request, because a tracker is full of the customer's words.  rasa-sdk is loaded at
the first call; it takes half a second.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from chatbot.channels.errors import ERROR_RESPONSES, log_failure
from chatbot.errors import BusyError

__all__ = ["MAX_BODY_BYTES", "ActionFunction", "Executors", "build_router"]

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Of a call, also after it was inflated: a tracker carries its whole conversation."""
MAX_ASSISTANTS = 32
"""Domains that are remembered; beyond it the one used longest ago is asked for again (449)."""
_MISSING_DOMAIN = 449

ActionFunction = Callable[..., Any]
"""Takes dispatcher, tracker and domain and gives events; plain or a coroutine function."""


class Executors:
    """One ``ActionExecutor`` for each assistant, told apart by the digest of its domain.

    Args:
        load: gives the actions by their names; called once, in a thread.
    """

    def __init__(self, load: Callable[[], Mapping[str, ActionFunction]]) -> None:
        self._load = load
        self._actions: Mapping[str, ActionFunction] | None = None
        self._loading = asyncio.Lock()
        self._known: OrderedDict[str, Any] = OrderedDict()

    async def actions(self) -> Mapping[str, ActionFunction]:
        """All actions by name."""
        async with self._loading:
            if self._actions is None:
                self._actions = await asyncio.to_thread(self._prepared)
        return self._actions

    def _prepared(self) -> dict[str, ActionFunction]:
        import rasa_sdk.executor  # noqa: F401  loads it here, in a thread

        return {name: _beside_the_loop(function) for name, function in self._load().items()}

    async def run(self, call: Mapping[str, Any]) -> dict[str, Any] | None:
        """Runs the action of a call; None if it names none.

        Raises:
            rasa_sdk.interfaces.ActionNotFoundException: there is no such action.
            rasa_sdk.interfaces.ActionMissingDomainException: the domain is not known.
            rasa_sdk.interfaces.ActionExecutionRejection: the action is not for this message.
        """
        executor = self._executor(call, await self.actions())
        result = await executor.run(call)
        return None if result is None else dict(result.model_dump())

    def _executor(self, call: Mapping[str, Any], actions: Mapping[str, ActionFunction]) -> Any:
        digest = call.get("domain_digest")
        executor = self._known.get(digest) if isinstance(digest, str) else None
        if executor is None:
            executor = _executor_of(actions)
        if isinstance(digest, str) and (digest in self._known or call.get("domain")):
            self._known[digest] = executor
            self._known.move_to_end(digest)
            if len(self._known) > MAX_ASSISTANTS:
                self._known.popitem(last=False)
        return executor


def _executor_of(actions: Mapping[str, ActionFunction]) -> Any:
    from rasa_sdk.executor import ActionExecutor

    executor = ActionExecutor()
    executor.actions.update(actions)
    return executor


def _beside_the_loop(function: ActionFunction) -> ActionFunction:
    """A plain function runs in a thread, so that it does not hold up the other calls."""
    if inspect.iscoroutinefunction(function):
        return function

    async def run(dispatcher: Any, tracker: Any, domain: Any) -> Any:
        events = await asyncio.to_thread(function, dispatcher, tracker, domain)
        return await events if inspect.isawaitable(events) else events

    return run


def build_router(executors: Executors, *, health: bool = True) -> APIRouter:
    """The addresses of an action server.

    Args:
        executors: run the actions.
        health: also answer ``GET /health``.
    """
    router = APIRouter(tags=["Rasa action server"])

    @router.post(
        "/webhook",
        summary="Run an action for a Rasa assistant",
        openapi_extra=_BODY,
        responses={**ERROR_RESPONSES, **_ANSWERS},
    )
    async def webhook(request: Request) -> JSONResponse:
        try:
            call = await _read_call(request)
        except _Unusable as unusable:
            return JSONResponse(unusable.body, unusable.status)
        return await _run(executors, call)

    @router.get("/actions", summary="The actions that can be run", responses=_CLOSED)
    async def actions() -> list[dict[str, str]]:
        return [{"name": name} for name in await executors.actions()]

    if health:

        @router.get("/health", summary="Is the action server there?", responses=_CLOSED)
        async def is_there() -> dict[str, str]:
            return {"status": "ok"}

    return router


async def _run(executors: Executors, call: Mapping[str, Any]) -> JSONResponse:
    name = call.get("next_action")
    if not name:
        return JSONResponse(None)
    known = await executors.actions()
    from rasa_sdk.interfaces import (
        ActionExecutionRejection,
        ActionMissingDomainException,
        ActionNotFoundException,
    )

    if isinstance(name, str) and name in known and not _has_tracker(call):
        error = "the call has no tracker with a sender_id; expected both beside next_action"
        return JSONResponse({"error": error}, 400)
    try:
        return JSONResponse(await executors.run({**call, "next_action": str(name)}))
    except ActionExecutionRejection as rejection:
        return _refusal(400, rejection)
    except ActionNotFoundException as unknown:
        return _refusal(404, unknown)
    except ActionMissingDomainException as missing:
        return _refusal(_MISSING_DOMAIN, missing)
    except BusyError as busy:
        log_failure(busy)
        headers = {"retry-after": str(max(1, round(busy.retry_after)))}
        return JSONResponse({"error": str(busy)}, busy.status, headers)
    except Exception as error:
        log_failure(error)
        return JSONResponse({"error": f"the action failed with {type(error).__name__}; see the log"}, 500)


def _refusal(status: int, error: Any) -> JSONResponse:
    return JSONResponse({"error": error.message, "action_name": error.action_name}, status)


def _has_tracker(call: Mapping[str, Any]) -> bool:
    tracker = call.get("tracker")
    return isinstance(tracker, dict) and isinstance(tracker.get("sender_id"), str)


class _Unusable(Exception):
    """A body that holds no call."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__()
        self.status = status
        self.body = body


_NO_JSON = {"description": "Bad Request", "status": 400, "message": "Failed when parsing body as json"}
_NO_CALL = {"error": "Invalid body request"}


async def _read_call(request: Request) -> dict[str, Any]:
    raw = await _read(request)
    raw = await asyncio.to_thread(_inflated, raw, request.headers.get("content-encoding", ""))
    if not raw.strip():
        raise _Unusable(400, _NO_CALL)
    try:
        call = await asyncio.to_thread(json.loads, raw)
    except (ValueError, RecursionError):
        raise _Unusable(400, _NO_JSON) from None
    if not isinstance(call, dict):
        raise _Unusable(400, _NO_CALL)
    return call


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            error = f"the body has more than {MAX_BODY_BYTES} bytes; expected at most as many"
            raise _Unusable(413, {"error": error})
        parts.append(part)
    return b"".join(parts)


def _inflated(raw: bytes, encoding: str) -> bytes:
    """The body as it was before ``Content-Encoding: deflate`` (with or without zlib's header) or ``gzip``."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return raw
    if encoding not in ("deflate", "gzip", "x-gzip"):
        error = "the content encoding is not known; expected deflate, gzip or none"
        raise _Unusable(415, {"error": error})
    for window in (15, -15) if encoding == "deflate" else (31,):
        inflater = zlib.decompressobj(window)
        try:
            body = inflater.decompress(raw, MAX_BODY_BYTES)
        except zlib.error:
            continue
        if inflater.unconsumed_tail:
            error = f"the body has more than {MAX_BODY_BYTES} bytes when inflated; expected at most as many"
            raise _Unusable(413, {"error": error})
        if inflater.eof:
            return body
    raise _Unusable(400, _NO_JSON)


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "next_action": {"type": "string"},
                        "sender_id": {"type": "string"},
                        "tracker": {"type": "object"},
                        "domain": {"type": "object"},
                        "domain_digest": {"type": "string"},
                        "version": {"type": "string"},
                    },
                },
                "example": {
                    "next_action": "action_kefu_answer",
                    "sender_id": "anna",
                    "tracker": {
                        "sender_id": "anna",
                        "slots": {},
                        "latest_message": {"text": "How long does delivery take?"},
                        "events": [],
                    },
                    "domain": {},
                    "version": "3.6.21",
                },
            }
        },
    }
}

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events and responses; null if no action was named."},
    400: {"description": "The action rejected the message, or the body holds no call."},
    404: {"description": "There is no such action."},
    413: {"description": "The body is too large."},
    415: {"description": "The content encoding is not known."},
    449: {"description": "The domain is not known: send the call again with it."},
    500: {"description": "The action failed; the log says how."},
    503: {"description": "Kefu is still loading or busy; see Retry-After."},
}
_CLOSED: dict[int | str, dict[str, Any]] = {status: ERROR_RESPONSES[status] for status in (401, 403, 429)}
"""What the door answers in the routes' stead."""
