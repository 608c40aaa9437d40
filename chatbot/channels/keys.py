"""Who sends a request, by API key or JSON Web Token, and what it may do.

A router asks for a scope by one line::

    app.include_router(router, dependencies=[needs("openai")])

Which scopes need a key at all is a setting; a key that is shown is always
checked, also where none is needed.
"""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
import structlog
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from jwt.algorithms import RSAAlgorithm
from starlette.datastructures import Headers

from chatbot.door_settings import AuthSettings
from chatbot.errors import CustomerError, SettingsError, StorageError
from chatbot.storage.keys import KEY_PREFIX, SCOPES, ApiKey, Keys

__all__ = ["KEY_SCHEMES", "Admission", "AuthError", "Caller", "Callers", "caller_of", "needs"]

log = structlog.get_logger(__name__)

ADMISSION = "kefu_admission"
"""Name of the :class:`Admission` in the ASGI scope."""

KEY_SCHEMES = ("ApiKey", "ApiKeyHeader")
"""Names of the two ways to show a key, in the description of the addresses."""

_MIN_SECRET = 32
_LONGEST = 8192
"""Longer credentials are not looked at, in characters."""


class AuthError(CustomerError):
    """No key, one that cannot be used (401), or one without the scope (403)."""

    status = 401


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request."""

    identity: str = ""
    """``key:…`` or ``token:…``; empty for anybody."""
    scopes: frozenset[str] = frozenset()
    username: str = ""
    """Of a JWT's user; with role ``user`` it names the only conversation he may see."""
    role: str = ""
    """``admin`` or ``user``, from a JWT."""

    def has(self, scope: str) -> bool:
        """May do what needs this scope."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class Admission:
    """What the door found out about one request."""

    caller: Caller = field(default_factory=Caller)
    problem: str = ""
    """Why what was shown is not taken."""
    fatal: bool = False
    """It is surely ours and useless: also refused where nothing is needed."""
    required: frozenset[str] = frozenset()

    def check(self, scope: str) -> None:
        """Lets the caller in or not.

        Raises:
            AuthError: a key is missing or cannot be used (401), or lacks the scope (403).
        """
        if self.fatal or (self.problem and scope in self.required):
            raise AuthError(self.problem)
        if not self.caller.identity and scope in self.required:
            raise AuthError(
                "this address needs an API key; send it as `Authorization: Bearer …` or `X-API-Key: …`"
            )
        if self.caller.identity and not self.caller.has(scope):
            raise AuthError(
                f"the key has the scopes {', '.join(sorted(self.caller.scopes)) or 'none'}; expected {scope}",
                status=403,
            )


class Callers:
    """Finds out who sends a request.

    Raises:
        SettingsError: a secret is too short or a public key is none.
    """

    def __init__(self, settings: AuthSettings, keys: Keys) -> None:
        self._keys = keys
        self._required = frozenset(settings.required)
        self._options: dict[str, Any] = {
            "audience": settings.jwt_audience or None,
            "issuer": settings.jwt_issuer or None,
        }
        self._verifiers = _verifiers(settings)
        self._noting: set[asyncio.Task[None]] = set()

    async def admit(self, headers: Headers) -> Admission:
        """Looks at a request's credentials.

        Raises:
            StorageError: keys cannot be looked up.
        """
        text, sure = _shown(headers)
        if not text:
            return Admission(required=self._required)
        if text.startswith(KEY_PREFIX) or sure:
            key = await asyncio.to_thread(self._keys.verify, text) if len(text) <= _LONGEST else None
            if key is None:
                problem = (
                    "the API key is unknown, revoked or past its time; the keys are shown by: kefu keys list"
                )
                return Admission(problem=problem, fatal=True, required=self._required)
            if not key.use_is_noted(datetime.now(UTC)):
                self._note(key)
            return Admission(Caller(f"key:{key.id}", frozenset(key.scopes)), required=self._required)
        if self._verifiers and text.count(".") == 2 and len(text) <= _LONGEST:
            return self._from_jwt(text)
        problem = "what was sent as Authorization is no API key of this service; expected kefu_…"
        return Admission(problem=problem, required=self._required)

    def _from_jwt(self, text: str) -> Admission:
        try:
            algorithm = str(jwt.get_unverified_header(text).get("alg"))
            if algorithm not in self._verifiers:
                raise jwt.InvalidAlgorithmError
            claims = jwt.decode(text, self._verifiers[algorithm], algorithms=[algorithm], **self._options)
        except (jwt.PyJWTError, ValueError) as error:
            problem = (
                f"the token cannot be used ({type(error).__name__}); expected one that this service trusts"
            )
            return Admission(problem=problem, required=self._required)
        return Admission(_caller(claims), required=self._required)

    def _note(self, key: ApiKey) -> None:
        task = asyncio.create_task(self._note_use(key))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _note_use(self, key: ApiKey) -> None:
        try:
            await asyncio.to_thread(self._keys.note_use, key)
        except StorageError:
            log.warning("the use of a key could not be noted")


def needs(scope: str) -> Any:
    """A router's or route's dependency: who comes in must have this scope, where the settings ask for it."""
    if scope not in SCOPES:
        raise ValueError(f"unknown scope {scope!r}; expected one of {', '.join(SCOPES)}")

    # Names with the scope let describe_keys tell where a key is needed.
    in_authorization, in_own_header = (f"{name}.{scope}" for name in KEY_SCHEMES)
    bearer = HTTPBearer(
        auto_error=False, scheme_name=in_authorization, description="An API key (`kefu_…`) or a JWT."
    )
    header = APIKeyHeader(
        name="X-API-Key", auto_error=False, scheme_name=in_own_header, description="An API key."
    )

    async def check(
        request: Request,
        _bearer: Any = Security(bearer),  # noqa: B008 - FastAPI's way
        _header: Any = Security(header),  # noqa: B008
    ) -> None:
        _admission(request).check(scope)

    return Depends(check)


def caller_of(request: Request) -> Caller:
    """Who sends this request, for routes that give each his own."""
    return _admission(request).caller


def _admission(request: Request) -> Admission:
    found: Admission = request.scope.get(ADMISSION) or Admission()
    return found


def _shown(headers: Headers) -> tuple[str, bool]:
    """The credential and whether it can only be meant for us."""
    own = headers.get("x-api-key", "").strip()
    if own:
        return own, True
    scheme, _, text = headers.get("authorization", "").partition(" ")
    return (text.strip(), False) if scheme.lower() == "bearer" else ("", False)


def _verifiers(settings: AuthSettings) -> dict[str, Any]:
    """The key of each algorithm: a token never chooses its key."""
    found: dict[str, Any] = {}
    secret = settings.jwt_secret.get_secret_value()
    if secret:
        if len(secret.encode()) < _MIN_SECRET:
            raise SettingsError(
                f"KEFU_AUTH__JWT_SECRET has {len(secret.encode())} bytes; expected {_MIN_SECRET} or more "
                "(RFC 7518, section 3.2)"
            )
        found["HS256"] = secret
    if settings.jwt_public_key:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found["RS256"] = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(settings.jwt_public_key)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise SettingsError(
                f"KEFU_AUTH__JWT_PUBLIC_KEY cannot be read ({type(error).__name__}); expected an RSA public key in PEM"
            ) from error
    return found


def _caller(claims: dict[str, Any]) -> Caller:
    """From OAuth's ``scope`` or ``scopes``, and Rasa's ``{"user": {"username", "role"}}``."""
    scope = claims.get("scope")
    listed = claims.get("scopes")
    names = scope.split() if isinstance(scope, str) else []
    names += [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    user = claims.get("user")
    user = user if isinstance(user, dict) else {}
    role = {"admin": "admin", "user": "user"}.get(str(user.get("role")), "")
    names += {"admin": ["admin"], "user": ["chat"]}.get(role, [])
    username = str(user.get("username") or claims.get("sub") or "")
    return Caller(f"token:{username}", frozenset(names) & frozenset(SCOPES), username, role)
