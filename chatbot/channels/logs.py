"""Logging: one line a request, with an id, and never a customer's words.

Neither bodies nor queries nor addresses of unknown pages are logged, and of an
unexpected error only its kind and the places it went through: its text may
quote what a customer wrote.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
import uuid
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["RequestLog", "configure_logging", "describe", "request_id"]

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_QUIET = frozenset({"/healthz", "/readyz"})
"""Addresses that are asked every few seconds."""


def configure_logging(level: str = "INFO") -> None:
    """Sends structlog's and the standard library's records to stderr: lines on a terminal, else JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                _without_exception_text,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries print requests and bodies on DEBUG, so that level is for our own packages.
    wanted = logging.getLevelNamesMapping()[level]
    root.setLevel(max(wanted, logging.INFO))
    for own in ("chatbot", "knowledge_base", "ui"):
        logging.getLogger(own).setLevel(wanted)
    for noisy in ("httpx", "httpx2", "httpcore", "alembic", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(max(wanted, logging.WARNING))


def describe(error: BaseException) -> dict[str, Any]:
    """Kind and places of an error, without its text and without any values."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return {
        "error": type(error).__name__,
        "places": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _without_exception_text(
    _logger: Any, _name: str, record: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Puts :func:`describe` in the place of a traceback that some library logs."""
    info = record.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        record.update(describe(error))
    return record


def request_id(scope: Scope) -> str:
    """The id of this request, also in its answer's header ``x-request-id``."""
    found: str = scope.get("kefu_request_id", "")
    return found


class RequestLog:
    """ASGI middleware: gives each request an id and logs it when it has been answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        id_ = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope["kefu_request_id"] = id_
        status, start = 0, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = id_
                headers.setdefault("x-content-type-options", "nosniff")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=id_):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                self._write(scope, status, (time.perf_counter() - start) * 1000)

    @staticmethod
    def _write(scope: Scope, status: int, milliseconds: float) -> None:
        path = getattr(scope.get("route"), "path", "(page)")
        write = log.debug if path in _QUIET else log.info
        write("request", method=scope["method"], path=path, status=status, ms=round(milliseconds, 1))
