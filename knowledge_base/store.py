"""Entries in the database, with a revision that grows with every change.

The database is the truth; the search index is derived from one revision of it.
The store works on any SQLAlchemy engine.  It changes rows in one transaction
that starts by taking the revision's row, so two writers follow one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from knowledge_base.entry import Entry
from knowledge_base.errors import KnowledgeError

__all__ = ["READING", "EntrySnapshot", "EntryStore", "ImportReport", "metadata"]

READING = "kefu_reading"
"""Execution option of transactions that only read; engines may begin them without the write lock."""

metadata = MetaData()

entries_table = Table(
    "entries",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("group", String(255), nullable=False, index=True),
    Column("language", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("variants", JSON, nullable=False),
    Column("category", String(255), nullable=False),
    Column("tags", JSON, nullable=False),
    Column("products", JSON, nullable=False),
    Column("verbatim", Boolean, nullable=False),
)

state_table = Table(
    "kb_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
)

_STATE_ID = 1
_CHUNK = 500
"""Ids in one statement; SQLite builds may allow as few as 999 parameters."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did to the store, in entries."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class EntrySnapshot:
    """All entries at one revision, ordered by id."""

    entries: tuple[Entry, ...]
    revision: int


class EntryStore:
    """The curated entries.  Safe to use from many threads and processes.

    Args:
        engine: of a database that has the tables of :data:`metadata`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def upsert(self, entries: Iterable[Entry]) -> ImportReport:
        """Adds entries and replaces those whose id is known, all or none.

        The revision grows by one if anything was added or changed.

        Raises:
            KnowledgeError: an id comes twice, is empty or longer than 255 characters.
        """
        given = _by_id(entries)
        with self._engine.begin() as connection:
            revision = _lock_revision(connection)
            stored = _load(connection, list(given))
            added = [entry for id_, entry in given.items() if id_ not in stored]
            changed = [entry for id_, entry in given.items() if id_ in stored and stored[id_] != entry]
            if added:
                connection.execute(insert(entries_table), [_row(entry) for entry in added])
            if changed:
                connection.execute(_UPDATE, [_row(entry, key="key") for entry in changed])
            if added or changed:
                _set_revision(connection, revision + 1)
        return ImportReport(len(added), len(changed), len(given) - len(added) - len(changed))

    def delete(self, ids: Iterable[str]) -> int:
        """Removes entries and says how many there were; unknown ids are passed over.

        The revision grows by one if anything was removed.
        """
        removed = 0
        with self._engine.begin() as connection:
            revision = _lock_revision(connection)
            for chunk in _chunks(list(dict.fromkeys(ids))):
                statement = delete(entries_table).where(entries_table.c.id.in_(chunk))
                removed += connection.execute(statement).rowcount
            if removed:
                _set_revision(connection, revision + 1)
        return removed

    def snapshot(self) -> EntrySnapshot:
        """All entries and the revision they belong to, read together."""
        with self._reading() as connection:
            revision = connection.scalar(
                select(state_table.c.revision).where(state_table.c.id == _STATE_ID).with_for_update(read=True)
            )
            rows = connection.execute(select(entries_table)).mappings()
            entries = sorted(map(_entry, rows), key=lambda entry: entry.id)
            return EntrySnapshot(tuple(entries), revision or 0)

    def all(self) -> list[Entry]:
        """All entries, ordered by id."""
        return list(self.snapshot().entries)

    def get(self, id: str) -> Entry | None:
        """One entry, or None."""
        with self._reading() as connection:
            return _load(connection, [id]).get(id)

    def groups(self) -> dict[str, list[Entry]]:
        """Entries by group, groups and entries ordered by their names."""
        found: dict[str, list[Entry]] = {}
        for entry in self.all():
            found.setdefault(entry.group, []).append(entry)
        return dict(sorted(found.items()))

    def count(self) -> int:
        """How many entries there are."""
        with self._reading() as connection:
            return connection.scalar(select(func.count()).select_from(entries_table)) or 0

    def revision(self) -> int:
        """Number of the present state; 0 before the first change."""
        with self._reading() as connection:
            found = connection.scalar(select(state_table.c.revision).where(state_table.c.id == _STATE_ID))
            return found or 0

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection = connection.execution_options(**{READING: True})
            with connection.begin():
                yield connection


_UPDATE = (
    update(entries_table)
    .where(entries_table.c.id == bindparam("key"))
    .values({column.name: bindparam(column.name) for column in entries_table.c if column.name != "id"})
)


def _by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by id, as the database can hold them."""
    given: dict[str, Entry] = {}
    for entry in entries:
        for name, value, limit in (
            ("id", entry.id, 255),
            ("group", entry.group, 255),
            ("language", entry.language, 16),
        ):
            if not 0 < len(value) <= limit:
                found = f"a {name} of {len(value)} characters" if value else f"an empty {name}"
                raise KnowledgeError(
                    f"an entry has {found}; expected 1 to {limit}: "
                    f"correct the {name} of the entry in group {entry.group[:80]!r}"
                )
        if entry.id in given:
            raise KnowledgeError(
                f"the entry id {entry.id!r} comes twice in one import; expected once: rename or remove one"
            )
        _check_storable(entry)
        given[entry.id] = entry
    return given


def _check_storable(entry: Entry) -> None:
    """Refuses texts that no database takes: NUL and halves of surrogate pairs (from JSON escapes)."""
    text = "".join(
        (entry.question, entry.answer, *entry.variants, entry.category, *entry.tags, *entry.products)
    )
    if "\0" in text or not _encodes(text):
        raise KnowledgeError(
            f"entry {entry.id!r} has a NUL character or half a surrogate pair in its texts; "
            "expected valid Unicode: save its file as UTF-8 again"
        )


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _lock_revision(connection: Connection) -> int:
    """The present revision; other writers wait until this transaction ends."""
    statement = select(state_table.c.revision).where(state_table.c.id == _STATE_ID).with_for_update()
    found = connection.scalar(statement)
    if found is None:
        connection.execute(insert(state_table), [{"id": _STATE_ID, "revision": 0}])
        return 0
    return int(found)


def _set_revision(connection: Connection, revision: int) -> None:
    connection.execute(update(state_table).where(state_table.c.id == _STATE_ID).values(revision=revision))


def _load(connection: Connection, ids: Sequence[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for chunk in _chunks(ids):
        rows = connection.execute(select(entries_table).where(entries_table.c.id.in_(chunk))).mappings()
        found.update((row["id"], _entry(row)) for row in rows)
    return found


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _row(entry: Entry, key: str = "id") -> Mapping[str, Any]:
    return {
        key: entry.id,
        "group": entry.group,
        "language": entry.language,
        "question": entry.question,
        "answer": entry.answer,
        "variants": list(entry.variants),
        "category": entry.category,
        "tags": list(entry.tags),
        "products": list(entry.products),
        "verbatim": entry.verbatim,
    }


def _entry(row: RowMapping) -> Entry:
    return Entry(
        id=row["id"],
        group=row["group"],
        language=row["language"],
        question=row["question"],
        answer=row["answer"],
        variants=tuple(row["variants"]),
        category=row["category"],
        tags=tuple(row["tags"]),
        products=tuple(row["products"]),
        verbatim=row["verbatim"],
    )
