"""Who comes in, as Rasa's clients show it: ``?token=…``, or a JSON Web Token with a user and a role.

Role ``admin`` sees everything, ``user`` only the conversation of its own name.
API keys of the door are taken too.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

import jwt
from pydantic import SecretStr
from starlette.requests import Request

from chatbot.channels.keys import ADMISSION, Admission, AuthError
from chatbot.settings import Settings

__all__ = ["JwtKey", "RasaGuard"]

_LONGEST = 8192
"""Longer tokens are not looked at, in characters."""
_BLOCK_BYTES = 128
"""HMAC fills a shorter key with zeros up to its hash's block (RFC 2104), of 64 or 128 bytes."""


@dataclass(frozen=True, slots=True)
class JwtKey:
    """Reads tokens that are signed with one key by one method."""

    secret: bytes
    method: str

    @classmethod
    def of(cls, secret: SecretStr, method: str) -> JwtKey | None:
        """The key of the settings, None when there is none."""
        text = secret.get_secret_value().encode()
        # Filled here the signature is the same, and short keys of existing installations stay usable.
        block = 64 if method == "HS256" else _BLOCK_BYTES
        return cls(text.ljust(block, b"\0"), method) if text else None

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token, None if it has expired, was altered or is another's."""
        token = token.removeprefix("Bearer ").strip()
        if len(token) > _LONGEST:
            return None
        options: Any = {"verify_aud": False, "verify_sub": False}
        try:
            return jwt.decode(token, self.secret, algorithms=[self.method], options=options)
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None


class RasaGuard:
    """Lets requests of Rasa's HTTP API and webhooks in, or not.

    Every method raises :class:`~chatbot.channels.keys.AuthError`: 401 without
    credentials that can be used, 403 when they are not enough.
    """

    def __init__(self, settings: Settings) -> None:
        self._token = settings.rasa.token.get_secret_value().encode()
        self._guards_webhooks = bool(self._token) and settings.rasa.guard_webhooks
        auth = settings.auth
        self._open = not (self._token or auth.jwt_secret.get_secret_value() or auth.jwt_public_key)

    def conversation(self, request: Request, conversation_id: str) -> bool:
        """Lets in who may read this conversation; by default never anybody without credentials.

        Returns:
            True for those who may read every conversation.
        """
        admission = _admission(request)
        caller = admission.caller
        if self._has_token(request) or caller.has("read"):
            return True
        if not caller.identity and not admission.problem and "read" not in admission.required:
            return True
        self._known(admission)
        self._own(admission, conversation_id)
        return False

    def server(self, request: Request) -> None:
        """Lets in who may ask the model; anybody where neither token nor JWT secret is set."""
        admission = _admission(request)
        if self._has_token(request) or (self._open and not admission.problem):
            return
        self._known(admission)
        if not admission.caller.has("read"):
            raise AuthError(
                "User has insufficient permissions; expected role admin or scope read", status=403
            )

    def chat(self, request: Request, sender: str) -> None:
        """Lets in who may write as this sender."""
        if self._has_token(request):
            return
        admission = _admission(request)
        admission.check("chat")
        if self._guards_webhooks:
            self._known(admission)
        if admission.caller.role == "user":
            self._own(admission, sender)

    def _has_token(self, request: Request) -> bool:
        given = request.query_params.get("token", "")
        return bool(self._token) and hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    @staticmethod
    def _own(admission: Admission, conversation_id: str) -> None:
        caller = admission.caller
        if caller.role != "user" or caller.username != conversation_id:
            raise AuthError(
                "User has insufficient permissions; a user sees only the conversation of its own name",
                status=403,
            )

    @staticmethod
    def _known(admission: Admission) -> None:
        if not admission.caller.identity:
            raise AuthError(
                "User is not authenticated; send `?token=` with the value of KEFU_RASA__TOKEN, an API key, "
                "or a JWT {user: {username, role}} signed with KEFU_AUTH__JWT_SECRET"
            )


def _admission(request: Request) -> Admission:
    found: Admission = request.scope.get(ADMISSION) or Admission(required=frozenset({"read"}))
    if found.fatal:
        raise AuthError(found.problem)
    return found
