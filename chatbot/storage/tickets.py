"""The line before each conversation, across all processes of one database.

A message takes a ticket when it arrives; its turn has come when no lower ticket
of its conversation is left.  Tickets belong to a holder, which is one process;
a holder that is not heard of for the length of its lease loses them all, so a
crashed process holds nobody up for long.  Every call is one short transaction;
none is open while a turn is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal_column, select, text, update

from chatbot.storage.database import Database
from chatbot.storage.door_tables import holders, tickets
from chatbot.storage.texts import storable

__all__ = ["Standing", "Tickets"]

_LOCK = 0x6B656674
"""Key of PostgreSQL's advisory lock: tickets become visible in the order of their numbers («keft»)."""

_CLOCKS: dict[str, ColumnElement[float]] = {
    "sqlite": literal_column("(julianday('now') - 2440587.5) * 86400.0"),
    "postgresql": literal_column("CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the lines stood at the end of one transaction."""

    taken: tuple[int, ...]
    """Numbers of the new tickets, in the order they were asked for."""
    heads: Mapping[str, int]
    """Lowest ticket of each conversation asked about; none where nobody waits."""
    lost: bool = False
    """The holder was taken for dead before: all its earlier tickets are gone."""


class Tickets:
    """Takes and gives back tickets.  Safe to use from many processes; from one thread of each.

    Every method raises :class:`~chatbot.errors.StorageError` when the database
    cannot be used; then nothing was taken or given back.

    Args:
        lease_s: seconds after which a silent holder is taken for dead.
    """

    def __init__(self, database: Database, lease_s: float = 15.0) -> None:
        self._database = database
        self._clock = _CLOCKS[database.engine.dialect.name]
        self.lease_s = lease_s

    def exchange(
        self,
        holder: str,
        *,
        take: Sequence[str] = (),
        give_back: Sequence[int] = (),
        ask: Sequence[str] = (),
    ) -> Standing:
        """Gives tickets back, takes new ones and tells who is next, in one transaction.

        It also is the holder's sign of life and takes the tickets of dead ones away.

        Args:
            holder: id of this process, at most 32 characters.
            take: conversations to take a ticket of, in their order.
            give_back: numbers of tickets whose turns have ended.
            ask: conversations to tell the lowest ticket of.
        """
        with self._database.write(synced=False) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            lost = self._renew(connection, holder)
            if give_back:
                connection.execute(
                    delete(tickets).where(tickets.c.number.in_(give_back), tickets.c.holder == holder)
                )
            taken = tuple(self._take(connection, holder, conversation) for conversation in take)
            return Standing(taken, _heads(connection, ask), lost)

    def heads(self, ask: Sequence[str]) -> Mapping[str, int]:
        """The lowest ticket of each conversation, without writing anything."""
        with self._database.read() as connection:
            return _heads(connection, ask)

    def leave(self, holder: str) -> None:
        """Gives back all tickets of a holder that ends."""
        with self._database.write(synced=False) as connection:
            connection.execute(delete(holders).where(holders.c.id == holder))

    def _renew(self, connection: Connection, holder: str) -> bool:
        """Lengthens the lease; true if the holder is new or was taken for dead."""
        connection.execute(delete(holders).where(holders.c.expires_at < self._clock, holders.c.id != holder))
        expires = self._clock + self.lease_s
        known = connection.execute(update(holders).where(holders.c.id == holder).values(expires_at=expires))
        if known.rowcount:
            return False
        connection.execute(insert(holders).values(id=holder, expires_at=expires))
        return True

    @staticmethod
    def _take(connection: Connection, holder: str, conversation: str) -> int:
        statement = insert(tickets).values(conversation_id=storable(conversation), holder=holder)
        number: int = connection.execute(statement.returning(tickets.c.number)).scalar_one()
        return number


def _heads(connection: Connection, ask: Sequence[str]) -> dict[str, int]:
    if not ask:
        return {}
    by_stored = {storable(conversation): conversation for conversation in ask}
    lowest = (
        select(tickets.c.conversation_id, func.min(tickets.c.number))
        .where(tickets.c.conversation_id.in_(by_stored))
        .group_by(tickets.c.conversation_id)
    )
    return {by_stored[stored]: number for stored, number in connection.execute(lowest)}
