"""How much a request may bring and how slowly it may come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.errors import BadRequestError

__all__ = ["FlowLimits", "SlowReaderError"]

log = structlog.get_logger(__name__)

_DRAINED_BYTES = 32 * 1024 * 1024
_DRAINED_S = 5.0


class SlowReaderError(OSError):
    """The client does not read its answer: for the application as good as gone."""


class FlowLimits:
    """ASGI middleware: bounds bodies in size and time, declared length or not, and waiting for slow readers.

    Nothing is buffered.  A refused body is read on for a moment and thrown
    away, for many clients read no answer before they have sent everything.

    Args:
        body_bytes: largest body.
        larger: largest bodies of single addresses, where that is more.
        body_timeout_s: time until a whole body must have come.
        send_timeout_s: time a client may take to read one piece.
    """

    def __init__(
        self,
        app: ASGIApp,
        body_bytes: int,
        body_timeout_s: float,
        send_timeout_s: float,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._larger = larger or {}
        self._body_timeout_s = body_timeout_s
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body_bytes = max(self._body_bytes, self._larger.get(scope["path"], 0))
        flow = _Flow(receive, send, body_bytes, self._body_timeout_s, self._send_timeout_s)
        headers = Headers(scope=scope)
        flow.expects_leave = headers.get("expect", "").lower() == "100-continue"
        try:
            declared = headers.get("content-length", "")
            if declared.isdecimal() and int(declared[:20]) > body_bytes:
                flow.refusal = flow.too_large()
                raise flow.refusal
            await self._app(scope, flow.receive, flow.send)
        except Exception as error:
            if flow.stalled:
                log.info("a client did not read its answer", error=type(error).__name__)
                return
            if flow.refusal is None or flow.started:
                raise
        if flow.refusal is not None and not flow.started:
            await flow.drain()
            raise flow.refusal


class _Flow:
    """One request's body and answer on their way."""

    def __init__(
        self, receive: Receive, send: Send, body_bytes: int, body_timeout_s: float, send_timeout_s: float
    ) -> None:
        self.refusal: BadRequestError | None = None
        self.started = False
        self.stalled = False
        """The client has not read for too long."""
        self.expects_leave = False
        """The client sends its body only when it is asked to."""
        self._receive = receive
        self._send = send
        self._body_bytes = body_bytes
        self._send_timeout_s = send_timeout_s
        self._deadline = asyncio.get_running_loop().time() + body_timeout_s
        self._size = 0
        self._complete = False

    def too_large(self) -> BadRequestError:
        return BadRequestError(
            f"the body has more than {self._body_bytes} bytes; expected at most that: shorten it",
            phrase="too_long",
            status=413,
        )

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        if self.refusal is not None:
            raise self.refusal
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.expects_leave = True  # so nothing more is waited for
            self.refusal = BadRequestError(
                "the body did not come in time; expected it at once: send the message again", status=408
            )
            raise self.refusal from None
        self._count(message)
        if self._size > self._body_bytes:
            self.refusal = self.too_large()
            raise self.refusal
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.started:
            return  # the refusal is answered outside, whatever the application makes of it
        if message["type"] == "http.response.start":
            self.started = True
            if message["status"] >= 400 and not self._complete:
                await self.drain()
                MutableHeaders(scope=message)["connection"] = "close"
        try:
            async with asyncio.timeout(0 if self.stalled else self._send_timeout_s):
                await self._send(message)
        except TimeoutError:
            self.stalled = True
            raise SlowReaderError("the client does not read; expected it to take the answer") from None

    async def drain(self) -> None:
        """Reads the rest of the body and throws it away, within bounds."""
        if self.expects_leave:
            return
        try:
            async with asyncio.timeout(_DRAINED_S):
                while not self._complete and self._size < _DRAINED_BYTES:
                    self._count(await self._receive())
        except TimeoutError:
            return

    def _count(self, message: Message) -> None:
        self._size += len(message.get("body", b""))
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
