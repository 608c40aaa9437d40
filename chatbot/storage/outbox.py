"""Endpoints of outgoing webhooks and what is to be delivered to them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, bindparam, delete, func, insert, or_, select, update

from chatbot.errors import BadRequestError
from chatbot.storage import webhook_tables as t
from chatbot.storage.database import Database
from chatbot.storage.events import EVENT_TYPES, TEST, add_event

__all__ = ["Delivery", "Due", "Endpoint", "Outbox", "State"]

State = Literal["pending", "delivered", "failed"]

_DUE = (
    select(t.deliveries.c.number)
    .join(t.endpoints, t.endpoints.c.id == t.deliveries.c.endpoint_id)
    .where(
        t.deliveries.c.state == "pending",
        t.deliveries.c.next_at <= bindparam("now"),
        t.endpoints.c.enabled,
    )
    .order_by(t.deliveries.c.next_at, t.deliveries.c.number)
)
_ONE_DUE = _DUE.limit(1)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent."""

    id: str
    url: str
    events: tuple[str, ...]
    """Types of events it wants; empty: all."""
    enabled: bool
    note: str
    """Why it was disabled."""
    created_at: datetime
    secrets: tuple[str, ...]
    """Those that are valid now, newest first."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint."""

    number: int
    event_id: str
    type: str
    endpoint_id: str
    state: State
    attempts: int
    status: int | None
    """HTTP status of the last attempt."""
    error: str
    created_at: datetime
    next_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that this process holds until its lease ends."""

    number: int
    event_id: str
    body: str
    endpoint_id: str
    url: str
    secrets: tuple[str, ...]
    attempt: int
    """1 at the first."""
    lease: str


class Outbox:
    """Safe to use from many threads and processes.  Methods raise StorageError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_endpoint(self, url: str, secret: str, events: Sequence[str] = ()) -> Endpoint:
        """Adds an endpoint.

        Raises:
            BadRequestError: a type of event is unknown.
        """
        unknown = sorted(set(events) - set(EVENT_TYPES))
        if unknown:
            raise BadRequestError(
                f"unknown type of event {unknown[0]!r}; expected some of {', '.join(EVENT_TYPES)}"
            )
        row = {
            "id": f"ep_{uuid.uuid4().hex}",
            "url": url,
            "events": sorted(set(events)),
            "secrets": [{"secret": secret, "expires_at": None}],
            "enabled": True,
            "note": "",
            "created_at": datetime.now(UTC),
        }
        with self._database.write() as connection:
            connection.execute(insert(t.endpoints), row)
        return self.endpoint(str(row["id"]))

    def endpoints(self) -> list[Endpoint]:
        """All endpoints, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(t.endpoints).order_by(t.endpoints.c.created_at)).all()
        return [_endpoint(row) for row in rows]

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """One endpoint.

        Raises:
            BadRequestError: (404) there is none of this id.
        """
        with self._database.read() as connection:
            row = connection.execute(select(t.endpoints).where(t.endpoints.c.id == endpoint_id)).first()
        if row is None:
            raise _unknown_endpoint(endpoint_id)
        return _endpoint(row)

    def remove_endpoint(self, endpoint_id: str) -> None:
        """Removes an endpoint, what waits for it, and events that nobody else gets.

        Raises:
            BadRequestError: (404) there is none of this id.
        """
        with self._database.write() as connection:
            connection.execute(delete(t.deliveries).where(t.deliveries.c.endpoint_id == endpoint_id))
            found = connection.execute(delete(t.endpoints).where(t.endpoints.c.id == endpoint_id))
            connection.execute(_ORPHANS)
        if found.rowcount == 0:
            raise _unknown_endpoint(endpoint_id)

    def set_enabled(self, endpoint_id: str, enabled: bool, note: str = "") -> None:
        """Switches an endpoint; what waited for one that is disabled has failed and can be replayed.

        Raises:
            BadRequestError: (404) there is none of this id.
        """
        with self._database.write() as connection:
            found = connection.execute(
                update(t.endpoints).where(t.endpoints.c.id == endpoint_id).values(enabled=enabled, note=note)
            )
            if not enabled:
                connection.execute(
                    update(t.deliveries)
                    .where(t.deliveries.c.endpoint_id == endpoint_id, t.deliveries.c.state == "pending")
                    .values(
                        state="failed", error="endpoint disabled", lease=None, finished_at=datetime.now(UTC)
                    )
                )
        if found.rowcount == 0:
            raise _unknown_endpoint(endpoint_id)

    def rotate(self, endpoint_id: str, secret: str, overlap: timedelta) -> Endpoint:
        """Adds a secret; the older ones sign too until ``overlap`` has passed.

        Raises:
            BadRequestError: (404) there is none of this id.
        """
        now = datetime.now(UTC)
        until = now + overlap
        with self._database.write() as connection:
            kept = connection.scalar(
                select(t.endpoints.c.secrets).where(t.endpoints.c.id == endpoint_id).with_for_update()
            )
            if kept is None:
                raise _unknown_endpoint(endpoint_id)
            older = [
                {
                    "secret": old["secret"],
                    "expires_at": min(old["expires_at"] or until.isoformat(), until.isoformat()),
                }
                for old in kept
                if _valid(old, now)
            ]
            secrets = [{"secret": secret, "expires_at": None}, *older]
            connection.execute(
                update(t.endpoints).where(t.endpoints.c.id == endpoint_id).values(secrets=secrets)
            )
        return self.endpoint(endpoint_id)

    def claim(
        self, limit: int, lease: timedelta, busy: Sequence[str] = (), *, event_id: str | None = None
    ) -> list[Due]:
        """Takes deliveries that are due; nobody else gets them until the lease ends.

        Args:
            busy: endpoints that get no more for the moment.
            event_id: only those of this event.
        """
        now = datetime.now(UTC)
        with self._database.read() as connection:
            if connection.execute(_ONE_DUE, {"now": now}).first() is None:
                return []
        holder = uuid.uuid4().hex
        wanted = _DUE.limit(limit).with_for_update(skip_locked=True, of=t.deliveries)
        if busy:
            wanted = wanted.where(t.deliveries.c.endpoint_id.not_in(busy))
        if event_id is not None:
            wanted = wanted.where(t.deliveries.c.event_id == event_id)
        with self._database.write() as connection:
            numbers = list(connection.scalars(wanted, {"now": now}))
            if not numbers:
                return []
            connection.execute(
                update(t.deliveries)
                .where(t.deliveries.c.number.in_(numbers))
                .values(lease=holder, next_at=now + lease, attempts=t.deliveries.c.attempts + 1)
            )
            rows = connection.execute(_HELD, {"lease": holder}).all()
        return [
            Due(
                row.number, row.event_id, row.body, row.endpoint_id, row.url,
                _secrets(row.secrets, now), row.attempts, holder,
            )
            for row in rows
        ]  # fmt: skip

    def finish(self, due: Due, status: int | None) -> None:
        """The receiver has it."""
        self._close(due, state="delivered", status=status, error="", finished_at=datetime.now(UTC))

    def fail(self, due: Due, error: str, status: int | None, retry_in: timedelta | None) -> None:
        """An attempt failed; without ``retry_in`` it was the last."""
        now = datetime.now(UTC)
        if retry_in is None:
            self._close(due, state="failed", status=status, error=error, finished_at=now)
        else:
            self._close(due, status=status, error=error, next_at=now + retry_in)

    def release(self, due: Due) -> None:
        """Gives a delivery back that was not attempted."""
        self._close(due, next_at=datetime.now(UTC), attempts=due.attempt - 1)

    def deliveries(
        self,
        *,
        event_id: str | None = None,
        endpoint_id: str | None = None,
        state: State | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """The newest deliveries, newest first."""
        wanted = _LISTED.limit(limit)
        if event_id is not None:
            wanted = wanted.where(t.deliveries.c.event_id == event_id)
        if endpoint_id is not None:
            wanted = wanted.where(t.deliveries.c.endpoint_id == endpoint_id)
        if state is not None:
            wanted = wanted.where(t.deliveries.c.state == state)
        with self._database.read() as connection:
            return [Delivery(*row) for row in connection.execute(wanted).all()]

    def replay(
        self,
        *,
        event_id: str | None = None,
        endpoint_id: str | None = None,
        state: State | None = None,
        since: datetime | None = None,
    ) -> int:
        """Makes deliveries due again, with the id and the body they had.

        One that is being attempted right now is left alone.

        Returns:
            How many.
        """
        now = datetime.now(UTC)
        enabled = select(t.endpoints.c.id).where(t.endpoints.c.enabled)
        change = update(t.deliveries).where(
            t.deliveries.c.endpoint_id.in_(enabled),
            or_(t.deliveries.c.lease.is_(None), t.deliveries.c.next_at <= now),
        )
        if event_id is not None:
            change = change.where(t.deliveries.c.event_id == event_id)
        if endpoint_id is not None:
            change = change.where(t.deliveries.c.endpoint_id == endpoint_id)
        if state is not None:
            change = change.where(t.deliveries.c.state == state)
        if since is not None:
            newer = select(t.events.c.id).where(t.events.c.created_at >= since)
            change = change.where(t.deliveries.c.event_id.in_(newer))
        values = {"state": "pending", "next_at": now, "attempts": 0, "lease": None, "finished_at": None}
        with self._database.write() as connection:
            return int(connection.execute(change.values(**values)).rowcount)

    def add_test(self, endpoint_id: str) -> str:
        """Writes a test event for one endpoint.

        Returns:
            Its id.

        Raises:
            BadRequestError: the endpoint is unknown (404) or disabled (409).
        """
        if not self.endpoint(endpoint_id).enabled:
            raise BadRequestError(
                f"the endpoint {endpoint_id} is disabled; run: kefu webhooks enable {endpoint_id}", status=409
            )
        with self._database.write() as connection:
            return add_event(connection, TEST, {"test": True}, datetime.now(UTC), (endpoint_id,))

    def purge(self, older: timedelta) -> int:
        """Deletes events older than this that wait for nothing any more.

        Returns:
            How many.
        """
        waiting = select(t.deliveries.c.event_id).where(t.deliveries.c.state == "pending")
        old = select(t.events.c.id).where(
            t.events.c.created_at < datetime.now(UTC) - older, t.events.c.id.not_in(waiting)
        )
        with self._database.write() as connection:
            connection.execute(delete(t.deliveries).where(t.deliveries.c.event_id.in_(old)))
            return int(connection.execute(_ORPHANS).rowcount)

    def counts(self) -> dict[str, int]:
        """Deliveries of each state."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(t.deliveries.c.state, func.count()).group_by(t.deliveries.c.state)
            ).all()
        return {state: int(count) for state, count in rows}

    def _close(self, due: Due, **values: Any) -> None:
        """Changes a delivery that is still held; one whose lease has gone to another is theirs."""
        with self._database.write() as connection:
            connection.execute(
                update(t.deliveries)
                .where(t.deliveries.c.number == due.number, t.deliveries.c.lease == due.lease)
                .values(lease=None, **values)
            )


_ORPHANS = delete(t.events).where(t.events.c.id.not_in(select(t.deliveries.c.event_id)))

_HELD = (
    select(
        t.deliveries.c.number,
        t.deliveries.c.event_id,
        t.deliveries.c.attempts,
        t.deliveries.c.endpoint_id,
        t.events.c.body,
        t.endpoints.c.url,
        t.endpoints.c.secrets,
    )
    .join(t.events, t.events.c.id == t.deliveries.c.event_id)
    .join(t.endpoints, t.endpoints.c.id == t.deliveries.c.endpoint_id)
    .where(t.deliveries.c.lease == bindparam("lease"))
    .order_by(t.deliveries.c.number)
)

_LISTED: Select[Any] = (
    select(
        t.deliveries.c.number,
        t.deliveries.c.event_id,
        t.events.c.type,
        t.deliveries.c.endpoint_id,
        t.deliveries.c.state,
        t.deliveries.c.attempts,
        t.deliveries.c.status,
        t.deliveries.c.error,
        t.events.c.created_at,
        t.deliveries.c.next_at,
        t.deliveries.c.finished_at,
    )
    .join(t.events, t.events.c.id == t.deliveries.c.event_id)
    .order_by(t.deliveries.c.number.desc())
)


def _endpoint(row: Row[Any]) -> Endpoint:
    secrets = _secrets(row.secrets, datetime.now(UTC))
    return Endpoint(row.id, row.url, tuple(row.events), row.enabled, row.note, row.created_at, secrets)


def _secrets(kept: Sequence[dict[str, Any]], now: datetime) -> tuple[str, ...]:
    return tuple(secret["secret"] for secret in kept if _valid(secret, now))


def _valid(secret: dict[str, Any], now: datetime) -> bool:
    return secret["expires_at"] is None or datetime.fromisoformat(secret["expires_at"]) > now


def _unknown_endpoint(endpoint_id: str) -> BadRequestError:
    return BadRequestError(
        f"no endpoint has the id {endpoint_id!r}; `kefu webhooks list` shows them", status=404
    )
