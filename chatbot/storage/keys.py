"""API keys in the database.  Of a key's secret only the hash is kept, so it is shown once and never again."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Row, insert, select, update

from chatbot.errors import OperatorError
from chatbot.storage.database import Database
from chatbot.storage.door_tables import api_keys
from chatbot.storage.texts import storable

__all__ = ["KEY_PREFIX", "SCOPES", "ApiKey", "Keys"]

SCOPES = {
    "chat": "send customers' messages",
    "read": "read conversations",
    "openai": "use the OpenAI-compatible addresses",
    "admin": "everything",
}
"""What a key may be good for."""

KEY_PREFIX = "kefu_"
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH = 10
_FORM = re.compile(rf"{KEY_PREFIX}([{_ALPHABET}]{{{_ID_LENGTH}}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
_USE_NOTED_EVERY = timedelta(minutes=1)
"""So that a busy key does not cost a write with every request."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as operators see it."""

    id: str
    """The key's public part, for looking it up and for lists."""
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """To the minute."""

    def usable(self, now: datetime) -> bool:
        """Neither revoked nor past its time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def use_is_noted(self, now: datetime) -> bool:
        """Its last use was kept a moment ago."""
        return self.last_used_at is not None and now - self.last_used_at < _USE_NOTED_EVERY


class Keys:
    """Makes, finds and revokes keys.  Safe to use from many threads and processes.

    Every method raises :class:`~chatbot.errors.StorageError` when the database
    cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, scopes: Sequence[str], *, lifetime: timedelta | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its whole text, which cannot be had again.

        Args:
            name: who or what uses it, for lists; 1 to 100 characters.
            scopes: of :data:`SCOPES`.
            lifetime: after which it is refused; None for ever.

        Raises:
            OperatorError: a scope is unknown, there is none, or the name does not fit.
        """
        _check(name, scopes)
        now = datetime.now(UTC)
        id_ = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
        secret = secrets.token_urlsafe(32)
        chosen = tuple(scope for scope in SCOPES if scope in scopes)
        key = ApiKey(id_, storable(name.strip()), chosen, now, None if lifetime is None else now + lifetime)
        with self._database.write() as connection:
            connection.execute(
                insert(api_keys).values(
                    id=key.id,
                    name=key.name,
                    scopes=list(key.scopes),
                    secret_hash=_hash(secret),
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                )
            )
        return key, f"{KEY_PREFIX}{id_}_{secret}"

    def verify(self, text: str) -> ApiKey | None:
        """The key that this text is; None if it is malformed, unknown, revoked or past its time."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == form[1])).first()
        expected = "" if row is None else row.secret_hash
        if not hmac.compare_digest(_hash(form[2]), expected) or row is None:
            return None
        key = _key(row)
        return key if key.usable(datetime.now(UTC)) else None

    def note_use(self, key: ApiKey) -> None:
        """Keeps that the key has just been used."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(last_used_at=now))

    def list(self) -> list[ApiKey]:
        """All keys, newest first, revoked ones included."""
        with self._database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at.desc())).all()
        return [_key(row) for row in rows]

    def revoke(self, id_: str) -> ApiKey:
        """Makes a key useless from the next request on; revoking it again changes nothing.

        Args:
            id_: the key's public part, or the whole key.

        Raises:
            OperatorError: no key has this id.
        """
        form = _FORM.fullmatch(id_)
        wanted = form[1] if form else id_.removeprefix(KEY_PREFIX)
        with self._database.write() as connection:
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == wanted, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
            row = connection.execute(select(api_keys).where(api_keys.c.id == wanted)).first()
        if row is None:
            raise OperatorError("no key has this id; the ids are shown by: kefu keys list")
        return _key(row)


def _hash(secret: str) -> str:
    """SHA-256 is enough for 256 random bits: there is no dictionary to try."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(name: str, scopes: Sequence[str]) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        found = ", ".join(repr(scope) for scope in unknown) or "none"
        raise OperatorError(f"the scopes are {found}; expected one or more of {', '.join(SCOPES)}")
    if not 1 <= len(name.strip()) <= 100:
        raise OperatorError(f"the name has {len(name.strip())} characters; expected 1 to 100")


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        row.id,
        row.name,
        tuple(row.scopes),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.last_used_at,
    )
