"""The door: everything that stands between the network and the routes, put up in one place.

From outside to inside: the proxy's word about the client, headers that protect
browsers, CORS, the edge where errors become answers, bounds of bodies, then
who comes in and how often.  All of it is plain ASGI, so nothing is buffered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chatbot.channels.flow import FlowLimits
from chatbot.channels.keys import ADMISSION, Admission, Callers
from chatbot.channels.limits import RateLimitedError, RateLimits, network_of
from chatbot.settings import Settings
from chatbot.storage import Keys

__all__ = ["Door", "SafeHeaders", "guard", "surround"]

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines; never counted and never asked for a key here."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def guard(
    app: FastAPI, settings: Settings, limits: RateLimits, keys: Keys, larger: Mapping[str, int]
) -> None:
    """Puts up what stands inside the errors' edge; call it before the error handlers are installed.

    Args:
        larger: addresses that take larger bodies than others, and how large in bytes.
    """
    app.add_middleware(Door, callers=Callers(settings.auth, keys), limits=limits)
    bounds = settings.limits
    app.add_middleware(
        FlowLimits,
        body_bytes=bounds.body_bytes,
        body_timeout_s=bounds.body_timeout_s,
        send_timeout_s=bounds.send_timeout_s,
        larger=larger,
    )


def surround(app: FastAPI, settings: Settings) -> None:
    """Puts up what stands outside the errors' edge; call it after the error handlers are installed."""
    if settings.cors_origins:
        anyone = "*" in settings.cors_origins
        app.add_middleware(
            CORSMiddleware,
            allow_origins=["*"] if anyone else list(settings.cors_origins),
            allow_credentials=not anyone,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=["Retry-After", "X-Request-Id"],
        )
    app.add_middleware(SafeHeaders)
    if settings.trusted_proxies:
        trusted: Any = list(settings.trusted_proxies)
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=trusted)


class Door:
    """ASGI middleware: finds out who comes in, and counts.

    Pages and their files are read without being counted: one visit takes dozens
    of them.  Routes that give something of value ask by
    :func:`~chatbot.channels.keys.needs`.
    """

    def __init__(self, app: ASGIApp, callers: Callers, limits: RateLimits) -> None:
        self._app = app
        self._callers = callers
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope.get("path") in _PROBES:
            await self._app(scope, receive, send)
            return
        admission = await self._callers.admit(Headers(scope=scope))
        scope[ADMISSION] = admission
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, admission)
            return
        if scope["method"] not in _READING or admission.caller.identity or admission.problem:
            await self._count(scope, admission)
        await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, admission: Admission) -> None:
        try:
            await self._count(scope, admission)
        except RateLimitedError:
            await receive()
            await send({"type": "websocket.close", "code": 1013})
            return
        await self._app(scope, receive, send)

    async def _count(self, scope: Scope, admission: Admission) -> None:
        if admission.caller.identity:
            await self._hit("key", admission.caller.identity)
            return
        client = scope.get("client")
        network = network_of(client[0]) if client else None
        if network is not None:
            await self._hit("address", network)

    async def _hit(self, kind: Any, identity: str) -> None:
        if self._limits.remote:
            await asyncio.to_thread(self._limits.hit, kind, identity)
        else:
            self._limits.hit(kind, identity)


_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "SAMEORIGIN",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_DATA = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class SafeHeaders:
    """ASGI middleware: headers that keep browsers from doing harm; those a route sets itself stay."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = headers.get("content-security-policy", "")
                for name, value in _ALWAYS.items():
                    if name != "x-frame-options" or "frame-ancestors" not in own:
                        headers.setdefault(name, value)
                if headers.get("content-type", "").startswith(("application/json", "text/event-stream")):
                    for name, value in _DATA.items():
                        headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safely)
