"""The HTML around the page: painted at once, before the framework's own code has arrived."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui import render
from ui.texts import preferred_language, say

__all__ = ["PageShell"]

_FOREIGN_META = re.compile(r'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>', re.IGNORECASE)
_CLOSED = re.compile(r"/gradio_api/(?:upload|file|proxy|component_server|deep_link|stream|dev|vibe)")
"""Addresses of the framework that this page does not use: uploads, files, proxies."""


class PageShell:
    """ASGI wrapper of the page.

    Puts title, style, script and a first picture into the page's HTML, removes
    the framework's own social-media tags, and closes the addresses that take files.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        style: str,
        script: str,
        company: Callable[[str], str],
        default_language: str,
    ) -> None:
        self._app = app
        self._style = style
        self._script = script
        self._company = company
        self._default_language = default_language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _CLOSED.search(scope["path"]):
            await PlainTextResponse("not found", status_code=404)(scope, receive, send)
            return
        language = preferred_language(Headers(scope=scope).get("accept-language", ""), self._default_language)
        rewriter = _Rewriter(send, lambda html: self._dress(html, language))
        await self._app(scope, receive, rewriter)

    def _dress(self, html: str, language: str) -> str:
        company = self._company(language)
        title = say("title", language, company=company)
        head = (
            f"<title>{escape(title)}</title>"
            f'<meta name="description" content="{escape(title)}">'
            '<meta name="color-scheme" content="light dark">'
            f'<style id="kf-style">{self._style}</style><script>{self._script}</script>'
        )
        html = _FOREIGN_META.sub("", html)
        html = re.sub(r'<html\s+lang="\w*"', f'<html lang="{language}"', html, count=1)
        html = html.replace("</head>", head + "</head>", 1)
        return re.sub(r"(<body[^>]*>)", lambda body: body[1] + render.boot(company, language), html, count=1)


class _Rewriter:
    """Collects an HTML response and sends it on rewritten; everything else passes through."""

    def __init__(self, send: Send, rewrite: Callable[[str], str]) -> None:
        self._send = send
        self._rewrite = rewrite
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body", False):
                return
            body = self._rewrite(self._body.decode("utf-8")).encode("utf-8") if self._body else b""
            headers = MutableHeaders(raw=self._start["headers"])
            headers["content-length"] = str(len(body))
            headers["cache-control"] = "no-store"
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
            return
        await self._send(message)
