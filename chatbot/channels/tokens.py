"""Conversation tokens: what a visitor holds is the only way into his conversation.

A token is a JSON Web Token (HS256) that names one conversation and its own
expiry.  The secret is generated once and kept in the data folder, so that
several processes of one installation read each other's tokens.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jwt

from chatbot.errors import CustomerError, SettingsError, StorageError

__all__ = ["ConversationTokens", "NotAllowedError", "Token", "open_secret"]

SECRET_FILE = "token.secret"
MIN_SECRET = 32
"""Shortest secret, in bytes: that of HS256's hash (RFC 7518, section 3.2)."""
MIN_NAMING_KEY = 16
"""Shortest id of a first message that may name its conversation, in characters: shorter ones can be guessed."""
_AUDIENCE = "kefu:conversation"
_ALGORITHM = "HS256"
_REQUIRED = ["aud", "exp", "iat", "sub"]
_LONGEST = 2048
"""Longer ones are not ours, in characters."""


class NotAllowedError(CustomerError):
    """The token is missing, cannot be used (401) or is of another conversation (403)."""

    status = 401


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is handed to the client."""

    conversation_id: str
    text: str
    expires_at: datetime


class ConversationTokens:
    """Begins conversations, writes and reads their tokens.

    Args:
        secret: gives the key, at least 32 bytes; called at first use.
        lifetime_s: how long a token can be used, in seconds.
    """

    def __init__(self, secret: Callable[[], bytes], lifetime_s: float) -> None:
        self._secret = secret
        self._lifetime_s = lifetime_s

    def begin(self, key: str | None = None) -> str:
        """The id of a new conversation.

        Args:
            key: the client's id of the first message.  One of 16 characters or
                more always gives the same conversation, so that a first message
                can be repeated before its token has arrived; who knows it knows
                the conversation.
        """
        if key is None or len(key) < MIN_NAMING_KEY:
            return "api-" + secrets.token_urlsafe(24)
        named = hmac.digest(self._secret(), b"conversation:" + key.encode("utf-8", "replace"), hashlib.sha256)
        return "api-" + urlsafe_b64encode(named[:24]).decode()

    def issue(self, conversation_id: str) -> Token:
        """A fresh token for a conversation."""
        now = int(time.time())
        expires = now + int(self._lifetime_s)
        claims = {"sub": conversation_id, "aud": _AUDIENCE, "iat": now, "exp": expires}
        text = jwt.encode(claims, self._secret(), algorithm=_ALGORITHM)
        return Token(conversation_id, text, datetime.fromtimestamp(expires, UTC))

    def read(self, text: str) -> str:
        """The conversation that a token opens.

        Raises:
            NotAllowedError: (401) it has expired, was altered or is none of ours.
        """
        try:
            if len(text) > _LONGEST:
                raise jwt.InvalidTokenError
            claims = jwt.decode(
                text,
                self._secret(),
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise NotAllowedError(
                "the conversation token has expired; leave it out to begin a new conversation"
            ) from None
        except (jwt.PyJWTError, ValueError):
            raise NotAllowedError(
                "the conversation token is not one of this installation; expected one as POST /api/chat gives it"
            ) from None
        return str(claims["sub"])


def open_secret(given: str, folder: Path) -> Callable[[], bytes]:
    """The signing key: the one given, else the one in the folder, made where there is none.

    Raises:
        SettingsError: the one given is too short.
    """
    if given:
        key = given.encode("utf-8")
        if len(key) < MIN_SECRET:
            raise SettingsError(
                f"KEFU_TOKEN_SECRET has {len(key)} bytes; expected at least {MIN_SECRET}: "
                "use the output of `openssl rand -hex 32`"
            )
        return lambda: key
    return cache(lambda: _kept(folder / SECRET_FILE))


def _kept(path: Path) -> bytes:
    try:
        return _checked(path, path.read_bytes())
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        return _checked(path, _made(path))
    except OSError as error:
        raise _unusable(path, error) from error


def _made(path: Path) -> bytes:
    """Makes the file whole or not at all; of several processes that begin at once one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        return path.read_bytes()
    finally:
        draft.unlink(missing_ok=True)


def _checked(path: Path, content: bytes) -> bytes:
    key = content.strip()
    if len(key) < MIN_SECRET:
        raise SettingsError(
            f"{path} holds {len(key)} bytes; expected a secret of at least {MIN_SECRET}: "
            "remove the file, a new one is made (tokens given out so far end with it)"
        )
    return key


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be used ({type(error).__name__}); expected to read it, or to make it once: "
        "check the data folder's rights and free space, or set KEFU_TOKEN_SECRET"
    )
