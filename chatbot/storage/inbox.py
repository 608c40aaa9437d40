"""Messages that messengers have delivered: stored before they are acknowledged, kept until they are answered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chatbot.errors import BusyError
from chatbot.storage import tables
from chatbot.storage import webhook_tables as t
from chatbot.storage.database import Database
from chatbot.storage.texts import storable

__all__ = ["Arrival", "Inbox", "Letter", "State"]

State = Literal["waiting", "ready", "answered", "failed"]
"""``ready``: the answer is stored and will be given when the messenger asks again."""

MAX_WAITING_EACH = 50
"""Messages of one conversation that may wait for their answers."""

_earlier = t.inbox.alias("earlier")
_DUE = (
    select(t.inbox.c.number)
    .where(
        t.inbox.c.state == "waiting",
        t.inbox.c.next_at <= bindparam("now"),
        # one at a time of each conversation, in their order, over all processes
        ~exists().where(
            _earlier.c.state == "waiting",
            _earlier.c.conversation_id == t.inbox.c.conversation_id,
            _earlier.c.number < t.inbox.c.number,
        ),
    )
    .order_by(t.inbox.c.number)
)
_ONE_DUE = _DUE.limit(1)
_HELD = select(t.inbox).where(t.inbox.c.lease == bindparam("lease")).order_by(t.inbox.c.number)
_SEEN = select(t.inbox.c.number, t.inbox.c.seen, t.inbox.c.state, t.inbox.c.body).where(
    t.inbox.c.channel == bindparam("channel"), t.inbox.c.message_id == bindparam("message_id")
)
_WAITING = select(func.count()).where(
    t.inbox.c.state == "waiting", t.inbox.c.conversation_id == bindparam("conversation_id")
)
_BUTTONS = select(tables.messages.c.reply).where(
    tables.messages.c.id == bindparam("message_id"),
    tables.messages.c.conversation_id == bindparam("conversation_id"),
)
_LAST_REPLY = (
    select(tables.messages.c.reply)
    .where(tables.messages.c.conversation_id == bindparam("conversation_id"), tables.messages.c.role == "bot")
    .order_by(tables.messages.c.number.desc())
    .limit(1)
)


_NEW = {"state": "waiting", "attempts": 0, "sent": 0, "seen": 1, "lease": None, "error": ""}
_ADD = {
    name: dialect.insert(t.inbox).on_conflict_do_nothing(index_elements=["channel", "message_id"])
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as a messenger delivers it."""

    channel: str
    message_id: str
    """The provider's own id; the same id is answered once."""
    conversation_id: str
    body: Mapping[str, Any]
    """The message and where its answer goes, as JSON values."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A stored message that this process holds until its lease ends."""

    number: int
    channel: str
    message_id: str
    conversation_id: str
    body: Mapping[str, Any]
    attempts: int
    """Failures so far."""
    sent: int
    """Parts of the answer that have been sent."""
    created_at: datetime
    lease: str


class Inbox:
    """Safe to use from many threads and processes.  Methods raise StorageError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, arrivals: Sequence[Arrival]) -> list[int]:
        """Stores messages that are new; when it returns they are on the disk.

        Returns:
            For each, how often it has been delivered now: 1 when it is new.

        Raises:
            BusyError: (429) too many messages of one conversation wait; none was stored.
        """
        now = datetime.now(UTC)
        times: list[int] = []
        with self._database.write() as connection:
            for arrival in arrivals:
                key = {"channel": arrival.channel, "message_id": storable(arrival.message_id)}
                seen = connection.execute(_SEEN, key).first()
                if seen is None:
                    conversation = storable(arrival.conversation_id)
                    _check_room(connection, conversation)
                    row = {**key, **_NEW, "conversation_id": conversation, "body": dict(arrival.body)}
                    row |= {"next_at": now, "created_at": now}
                    if connection.execute(_ADD[connection.dialect.name], row).rowcount:
                        times.append(1)
                        continue
                    seen = connection.execute(_SEEN, key).one()  # another process was quicker
                again = update(t.inbox).where(t.inbox.c.number == seen.number)
                connection.execute(again.values(seen=t.inbox.c.seen + 1))
                times.append(seen.seen + 1)
        return times

    def claim(self, holder: str, limit: int, lease: timedelta) -> list[Letter]:
        """Takes messages that are due; nobody else gets them until the lease ends."""
        now = datetime.now(UTC)
        with self._database.read() as connection:
            if connection.execute(_ONE_DUE, {"now": now}).first() is None:
                return []
        token = f"{holder[:16]}{uuid.uuid4().hex[:16]}"
        with self._database.write() as connection:
            wanted = _DUE.limit(limit).with_for_update(skip_locked=True, of=t.inbox)
            numbers = list(connection.scalars(wanted, {"now": now}))
            if not numbers:
                return []
            taken = update(t.inbox).where(t.inbox.c.number.in_(numbers))
            connection.execute(taken.values(lease=token, next_at=now + lease))
            rows = connection.execute(_HELD, {"lease": token}).all()
        return [
            Letter(
                row.number, row.channel, row.message_id, row.conversation_id, row.body or {},
                row.attempts, row.sent, row.created_at, token,
            )
            for row in rows
        ]  # fmt: skip

    def keep(self, letters: Sequence[Letter], lease: timedelta) -> None:
        """Makes the leases of messages that are still held longer."""
        with self._database.write() as connection:
            for letter in letters:
                connection.execute(
                    update(t.inbox)
                    .where(t.inbox.c.number == letter.number, t.inbox.c.lease == letter.lease)
                    .values(next_at=datetime.now(UTC) + lease)
                )

    def note_sent(self, letter: Letter, sent: int) -> bool:
        """Notes how many parts of the answer are out; False when another process holds the message by now."""
        return self._change(letter, sent=sent)

    def finish(
        self,
        letter: Letter,
        state: State = "answered",
        error: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> None:
        """Ends the work on a message; what the customer wrote is deleted here.

        Args:
            body: takes its place, where the answer waits to be asked for.
        """
        self._change(letter, state=state, error=error, body=body, lease=None)

    def look(self, channel: str, message_id: str) -> tuple[str, list[Any]]:
        """State of a message, and the parts of its answer where they are kept."""
        key = {"channel": channel, "message_id": storable(message_id)}
        with self._database.read() as connection:
            row = connection.execute(_SEEN, key).first()
        return ("", []) if row is None else (row.state, (row.body or {}).get("parts", []))

    def put_off(self, letter: Letter, pause: timedelta, error: str, *, failed: bool = True) -> None:
        """Tries again later.

        Args:
            failed: counts as a failure; false when nobody was ready for the message.
        """
        self._change(
            letter,
            lease=None,
            next_at=datetime.now(UTC) + pause,
            error=error,
            attempts=letter.attempts + int(failed),
        )

    def take_ready(self, conversation_id: str) -> list[Letter]:
        """Takes the messages of a conversation whose answers wait to be asked for, oldest first."""
        with self._database.write() as connection:
            mine = (t.inbox.c.conversation_id == storable(conversation_id), t.inbox.c.state == "ready")
            rows = connection.execute(
                select(t.inbox).where(*mine).order_by(t.inbox.c.number).with_for_update()
            ).all()
            connection.execute(update(t.inbox).where(*mine).values(state="answered"))
        return [
            Letter(
                row.number, row.channel, row.message_id, row.conversation_id, row.body or {},
                row.attempts, row.sent, row.created_at, "",
            )
            for row in rows
        ]  # fmt: skip

    def button(self, conversation_id: str, answer_id: str, index: int) -> str | None:
        """What a button of an answer sends, None if the conversation has no such button."""
        values = {"conversation_id": storable(conversation_id), "message_id": storable(answer_id)}
        with self._database.read() as connection:
            reply = connection.scalar(_BUTTONS, values)
        return _payload(reply, index)

    def numbered_button(self, conversation_id: str, index: int) -> str | None:
        """What a button of the conversation's last answer sends, None if it has no such button."""
        with self._database.read() as connection:
            reply = connection.scalar(_LAST_REPLY, {"conversation_id": storable(conversation_id)})
        return _payload(reply, index)

    def purge(self, older: timedelta) -> int:
        """Forgets messages that were answered longer ago than this.

        Returns:
            How many.
        """
        old = delete(t.inbox).where(
            t.inbox.c.created_at < datetime.now(UTC) - older, t.inbox.c.state != "waiting"
        )
        with self._database.write() as connection:
            return int(connection.execute(old).rowcount)

    def counts(self) -> dict[str, int]:
        """Messages of each state."""
        with self._database.read() as connection:
            rows = connection.execute(select(t.inbox.c.state, func.count()).group_by(t.inbox.c.state)).all()
        return {state: int(count) for state, count in rows}

    def _change(self, letter: Letter, **values: Any) -> bool:
        held = update(t.inbox).where(t.inbox.c.number == letter.number, t.inbox.c.lease == letter.lease)
        with self._database.write() as connection:
            return bool(connection.execute(held.values(**values)).rowcount)


def _check_room(connection: Connection, conversation: str) -> None:
    waiting = connection.scalar(_WAITING, {"conversation_id": conversation}) or 0
    if waiting >= MAX_WAITING_EACH:
        error = BusyError("too many messages of this conversation wait; send them again later")
        error.status = 429
        raise error


def _payload(reply: Any, index: int) -> str | None:
    buttons = (reply or {}).get("buttons", [])
    return str(buttons[index]["payload"]) if 0 <= index < len(buttons) else None
