"""Rasa's socket.io channel at ``/socket.io``, as its widgets expect it (read from Rasa 3.6).

In come ``session_request {session_id?}`` and ``user_uttered {message, session_id?,
metadata? | customData?}``; out go ``session_confirm`` (a bare text) and
``bot_uttered``, whose keys are exactly those that ``rasa-webchat`` draws.
Beyond Rasa: ``stream_start``, ``stream_chunk {text}`` and ``stream_end`` for
clients that ask for them, and ``feedback {value, reason?, message_id?}``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import uuid
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refused
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.channels.bodies import Fields
from chatbot.channels.errors import Sentences, log_failure
from chatbot.channels.incoming import MAX_ID, read_message
from chatbot.channels.keys import ADMISSION
from chatbot.channels.loader import BotProvider
from chatbot.channels.parts import Part, reply_parts
from chatbot.channels.rasa_auth import JwtKey
from chatbot.channels.turns import FollowedTurn, TurnQueue
from chatbot.errors import BusyError, CustomerError
from chatbot.rasa_settings import SocketIOSettings
from chatbot.storage import Conversations

__all__ = ["MAX_PACKET", "SocketChannel"]

MAX_PACKET = 256 * 1024
"""Longest packet of a client, in bytes; a longer one ends the connection."""

_SORRY = "Something went wrong on our side; please try again."
_UNGUESSABLE = re.compile(r":(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z", re.IGNORECASE)
"""A session id of 128 bits, as this channel and most programs make them: who has it was given it."""

_log = logging.getLogger("kefu.socketio")
_log.setLevel(logging.ERROR)  # below that the library logs what customers write


@dataclass(eq=False, slots=True)
class _Visitor:
    """One connection."""

    sid: str
    request: Request
    """The handshake, for its headers."""
    user: str = ""
    """``sub`` of the token, else its user's name."""
    session: str = ""
    answer_id: str = ""
    """Id of the last answer; feedback that names none is about it."""

    @property
    def identity(self) -> str:
        """Conversation and customer; a token's user has conversations of his own."""
        return f"socketio:{self.user}:{self.session}" if self.user else f"socketio:{self.session}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question on its way."""

    visitor: _Visitor
    identity: str
    """Of the visitor when he asked."""
    turn: FollowedTurn
    stream: bool


@dataclass(frozen=True, slots=True)
class _Uttered:
    """What ``user_uttered`` carries, as far as it can be used."""

    body: Fields
    metadata: Fields
    session: str
    stream: bool


class SocketChannel:
    """The channel; :attr:`app` is its ASGI application, :meth:`run` has to run beside it.

    Args:
        turns: the line in which each conversation's messages wait.
        origins: sites whose pages may connect besides the own one; ``*``: all.
        max_chars: longest message, in characters.
    """

    def __init__(
        self,
        provider: BotProvider,
        turns: TurnQueue,
        conversations: Conversations,
        sentences: Sentences,
        settings: SocketIOSettings,
        *,
        origins: Sequence[str] = (),
        max_chars: int,
    ) -> None:
        self._provider = provider
        self._queue = turns
        self._conversations = conversations
        self._sentences = sentences
        self._settings = settings
        self._max_chars = max_chars
        self._key = JwtKey.of(settings.jwt_key, settings.jwt_method)
        self._visitors: dict[str, _Visitor] = {}
        self._sessions: dict[str, dict[str, None]] = {}
        """Of each conversation its connections, in the order they came."""
        self._owners: dict[FollowedTurn, _Visitor] = {}
        """Of each turn the connection with whose end it ends."""
        self._last: dict[str, asyncio.Task[None]] = {}
        """Of each conversation the task that follows its newest turn."""
        self._origins = tuple(origins)
        self._server = socketio.AsyncServer(
            async_mode="asgi",
            logger=_log,
            engineio_logger=_log,
            max_http_buffer_size=MAX_PACKET,
            cors_allowed_origins="*" if "*" in self._origins else self._allowed,
            cors_credentials="*" not in self._origins,
        )
        for name in ("connect", "disconnect", "session_request", "user_uttered", "feedback"):
            self._server.on(name, getattr(self, f"_{name}"))
        self.app: ASGIApp = LowerHeaders(socketio.ASGIApp(self._server, socketio_path=None))

    async def run(self) -> None:
        """Waits for the end, then gives up all turns and closes the connections."""
        try:
            await asyncio.Event().wait()
        finally:
            for turn in self._owners:
                turn.leave()
            tasks = list(self._last.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for connection in list(self._server.eio.sockets.values()):
                await connection.close(wait=False, abort=True)
            await self._server.shutdown()

    def _allowed(self, origin: str | None, environ: dict[str, Any]) -> bool:
        """Whether a page of this origin may connect: the own site and those of the settings."""
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", environ["wsgi.url_scheme"]).split(",")[0].strip()
        hosts = (environ.get("HTTP_X_FORWARDED_HOST", "").split(",")[0].strip(), environ.get("HTTP_HOST", ""))
        scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
        return origin in self._origins or origin in [f"{scheme}://{host}" for host in hosts if host]

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        user = ""
        if self._key is not None:
            token = auth.get("token") if isinstance(auth, dict) else None
            claims = self._key.read(token) if isinstance(token, str) else None
            if claims is None:
                raise Refused("not authenticated: expected a valid JSON Web Token as auth.token")
            user = _subject(claims)
        elif (admission := environ["asgi.scope"].get(ADMISSION)) is not None:
            try:
                admission.check("chat")
            except CustomerError as error:
                raise Refused(str(error)) from None
        request = Request({**environ["asgi.scope"], "type": "http"})
        self._join(_Visitor(sid, request, user), sid)

    async def _disconnect(self, sid: str, *_reason: Any) -> None:
        visitor = self._visitors.get(sid)
        if visitor is None:
            return
        self._part(visitor)
        others = self._listeners(visitor.identity)
        for turn in [turn for turn, owner in self._owners.items() if owner is visitor]:
            if others:
                self._owners[turn] = self._visitors[others[0]]
            else:
                turn.leave()

    async def _session_request(self, sid: str, *data: Any) -> None:
        visitor = self._visitors.get(sid)
        if visitor is None:
            return
        given = data[0].get("session_id") if data and isinstance(data[0], dict) else None
        session = _session_id(given) or uuid.uuid4().hex
        if self._settings.session_persistence:
            self._join(visitor, session)
        await self._server.emit("session_confirm", session, to=sid)

    async def _user_uttered(self, sid: str, *data: Any) -> None:
        # Nothing is awaited before the turn stands in line: that keeps the messages' order.
        visitor = self._visitors.get(sid)
        uttered = _uttered(data[0] if data else None)
        if visitor is None or uttered is None:
            return  # rasa-webchat without a first message opens with one of nothing
        if self._settings.session_persistence and uttered.session:
            self._join(visitor, uttered.session)
        asked = _Asked(visitor, visitor.identity, FollowedTurn(), uttered.stream or self._settings.stream)
        try:
            self._start(asked, uttered)
        except Exception as error:
            await self._fail(asked, error)
            return
        before = self._last.get(asked.identity)
        task = asyncio.create_task(self._follow(asked, before))
        self._last[asked.identity] = task
        task.add_done_callback(lambda done: self._forget(asked, done))

    async def _feedback(self, sid: str, *data: Any) -> dict[str, str]:
        visitor = self._visitors.get(sid)
        body = Fields(data[0] if data and isinstance(data[0], dict) else {})
        try:
            if visitor is None:
                raise BusyError("the connection is closing; connect again")
            message_id = body.text("message_id", limit=MAX_ID) or visitor.answer_id
            value: Any = body.text("value", limit=20) or ""
            reason = body.text("reason", limit=MAX_PACKET) or ""
            keep = partial(self._conversations.feedback, conversation_id=visitor.identity)
            await asyncio.to_thread(keep, message_id, value, reason)
        except Exception as error:
            log_failure(error)
            said = str(error) if isinstance(error, CustomerError) else "the feedback could not be stored"
            return {"status": "failure", "message": said}
        return {"status": "ok"}

    def _start(self, asked: _Asked, uttered: _Uttered) -> None:
        bot = self._provider()
        if bot is None:
            raise BusyError("models and index are loading; send the message again in a moment")
        message = read_message(uttered.body, uttered.metadata, asked.identity, "socketio", self._max_chars)
        asked.turn.start(self._queue, message, bot.respond)
        self._owners[asked.turn] = asked.visitor

    async def _follow(self, asked: _Asked, before: asyncio.Task[None] | None) -> None:
        """Sends one turn's answer, after those before it."""
        if before is not None:
            await asyncio.wait({before})
        streaming = False
        async for piece in asked.turn.pieces():
            if not asked.stream:
                continue
            if not streaming:
                streaming = True
                await self._send(asked, "stream_start", {})
            await self._send(asked, "stream_chunk", {"text": piece})
        if streaming:
            await self._send(asked, "stream_end", {})
        try:
            reply = asked.turn.result()
        except CancelledError:
            return
        except Exception as error:
            await self._fail(asked, error)
            return
        self._owners[asked.turn].answer_id = asked.visitor.answer_id = reply.message_id
        for part in reply_parts(reply):
            await self._send(asked, "bot_uttered", _widget_form(part))

    async def _fail(self, asked: _Asked, error: Exception) -> None:
        log_failure(error)
        say = self._sentences.say(error, asked.visitor.request)
        await self._send(asked, "bot_uttered", {"text": say or _SORRY})

    async def _send(self, asked: _Asked, event: str, data: Any) -> None:
        for sid in self._listeners(asked.identity) or [asked.visitor.sid]:
            await self._server.emit(event, data, to=sid)

    def _listeners(self, identity: str) -> list[str]:
        """Connections that show this session: several pages of one browser, or one that came back.

        Of an id that could be guessed nobody but the one who asked is told anything.
        """
        return list(self._sessions.get(identity, ())) if _UNGUESSABLE.search(identity) else []

    def _join(self, visitor: _Visitor, session: str) -> None:
        if visitor.session == session:
            return
        self._part(visitor)
        visitor.session = session
        self._visitors[visitor.sid] = visitor
        self._sessions.setdefault(visitor.identity, {})[visitor.sid] = None

    def _part(self, visitor: _Visitor) -> None:
        if self._visitors.pop(visitor.sid, None) is None:
            return
        mates = self._sessions[visitor.identity]
        del mates[visitor.sid]
        if not mates:
            del self._sessions[visitor.identity]

    def _forget(self, asked: _Asked, task: asyncio.Task[None]) -> None:
        self._owners.pop(asked.turn, None)
        if self._last.get(asked.identity) is task:
            del self._last[asked.identity]
        if not task.cancelled() and (error := task.exception()) is not None:
            log_failure(error)


class LowerHeaders:
    """ASGI middleware: header names in small letters as ASGI wants them, so that CORS stands there once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_lower(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name.lower(), value) for name, value in message["headers"]]
            await send(message)

        await self._app(scope, receive, send_lower)


def _subject(claims: dict[str, Any]) -> str:
    """Whom a token is about, in at most 40 characters."""
    user = claims.get("user")
    name = user.get("username") if isinstance(user, dict) else None
    found = str(claims.get("sub") or name or "")
    return found if len(found) <= 40 else hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()[:40]


def _session_id(given: Any) -> str:
    """A session id that can be used, else nothing."""
    return given if isinstance(given, str) and 0 < len(given) <= MAX_ID and given.strip() else ""


def _uttered(data: Any) -> _Uttered | None:
    """The message that came in, None when there is none."""
    if not isinstance(data, dict) or data.get("message") is None:
        return None
    metadata = data.get("metadata")
    if metadata is None:
        metadata = data.get("customData")
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except (ValueError, RecursionError):
            metadata = None
    metadata = metadata if isinstance(metadata, dict) else {}
    # A page's own customData may have the same names for other things.
    known = {key: metadata[key] for key in ("language", "message_id") if _session_id(metadata.get(key))}
    session = _session_id(data.get("session_id"))
    return _Uttered(Fields(data), Fields(known), session, metadata.get("stream") is True)


def _widget_form(part: Part) -> Any:
    """A part in the form that ``rasa-webchat`` draws; a custom payload goes out as it is."""
    if "buttons" in part:
        quick = [{"content_type": "text", **button} for button in part["buttons"]]
        return {"text": part["text"], "quick_replies": quick}
    if "image" in part:
        return {"attachment": {"type": "image", "payload": {"src": part["image"]}}}
    if "custom" in part:
        custom = part["custom"]
        # Rasa's own channel takes the payload from `data`
        return custom["data"] if set(custom) == {"data"} else custom
    return part
