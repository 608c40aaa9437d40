"""Opens the database and keeps it safe to use from many threads and processes.

SQLite runs in WAL mode with ``synchronous=FULL``, so what was acknowledged is on
the disk.  Every transaction that may write begins with ``BEGIN IMMEDIATE``: a
deferred one that turns into a writer would fail at once instead of waiting.
All errors of the driver become :class:`StorageError` in one place, here.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy import exc as sa_errors
from sqlalchemy.engine import ExceptionContext

from chatbot.errors import SettingsError, StorageError
from chatbot.storage.texts import storable
from knowledge_base.store import READING

__all__ = ["Database"]

BUSY_TIMEOUT_S = 30.0
"""How long a transaction waits for another process's, in seconds."""

_WRITERS_PAUSE_S, _GAP_S = 0.0005, 0.001
"""Pause between two attempts to become the database's one writer, and the gap that is left for them, in seconds."""

_URGENT_IN_A_ROW = 8

_UNSYNCED = "kefu_unsynced"
"""Execution option of a transaction that need not be on the disk when it ends."""


class Database:
    """One database with its connections.

    :meth:`read` and :meth:`write` give a connection inside a transaction, which
    is committed at the end of the block and rolled back when the block raises.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        # Waiting here is fair and wakes at once, waiting for SQLite's file lock is neither.
        self._writers = _Writers()

    @classmethod
    def open(cls, url: str, *, pool_size: int = 16, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
        """Opens the database at an SQLAlchemy URL; connects at first use.

        Args:
            url: ``sqlite:///path/kefu.db`` (the folder is made) or ``postgresql://…``.
            pool_size: connections kept open; twice as many may be open at a time.
            busy_timeout_s: how long to wait for another writer, in seconds.

        Raises:
            SettingsError: the URL cannot be used.
            StorageError: the folder cannot be made.
        """
        parsed = _parse(url)
        options: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": pool_size,
            "pool_timeout": busy_timeout_s,
            # Messages of SQLAlchemy's errors would carry what customers wrote.
            "hide_parameters": True,
            "json_serializer": _dump_json,
        }
        if parsed.get_backend_name() == "sqlite":
            _make_folder(Path(parsed.database or ""))
            options["connect_args"] = {"timeout": busy_timeout_s, "check_same_thread": False}
        else:
            options["connect_args"] = {"connect_timeout": 10}
            options["pool_pre_ping"] = True
        try:
            engine = create_engine(parsed, **options)
        except ImportError as error:
            raise SettingsError(
                f"KEFU_DATABASE_URL names {parsed.get_backend_name()}, "
                f"whose driver {error.name} is not installed; install kefu[postgres]"
            ) from error
        event.listen(engine, "handle_error", _translate)
        if engine.dialect.name == "sqlite":
            _SQLiteRules(busy_timeout_s).listen(engine)
        return cls(engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; on SQLite it neither waits for writers nor holds them up.

        Raises:
            StorageError: the database cannot be read.
        """
        with self._connection() as connection:
            connection = connection.execution_options(**{READING: True})
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[Connection]:
        """A transaction that may write; when the block ends, it is on the disk.

        Args:
            synced: false for what may be lost when the machine stops, never when
                only the process does: it does not wait for the disk.

        Raises:
            StorageError: nothing was stored; the text says why.
        """
        with self._turn_to_write(urgent=not synced), self._connection() as connection:
            connection = connection.execution_options(**{_UNSYNCED: not synced})
            with connection.begin():
                if not synced and not self._is_sqlite:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
                yield connection

    def check(self) -> None:
        """Asks the database for a sign of life.

        Raises:
            StorageError: there is none.
        """
        with self.read() as connection:
            connection.execute(text("SELECT 1 FROM conversations LIMIT 1"))

    def upgrade(self) -> None:
        """Brings the tables to the state this version needs; safe when several processes start at once.

        Raises:
            StorageError: the database was made by a newer version, or cannot be written.
        """
        from chatbot.storage.migrate import upgrade

        with self._turn_to_write():
            upgrade(self.engine)

    def dispose(self) -> None:
        """Closes all connections; the next use opens new ones."""
        self.engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self.engine.connect()
        except sa_errors.TimeoutError as error:
            raise StorageError(
                "all connections to the database are in use; expected a free one within the time limit: "
                "try again, or give the database more processing power"
            ) from error
        with connection:
            yield connection

    @contextmanager
    def _turn_to_write(self, *, urgent: bool = False) -> Iterator[None]:
        if not self._is_sqlite:
            yield
            return
        if not self._writers.enter(urgent, BUSY_TIMEOUT_S):
            raise StorageError(_BUSY)
        try:
            yield
        finally:
            self._writers.leave()


class _Writers:
    """Lets the threads of this process write one after another, the urgent ones first.

    After some urgent ones in a row one of the others goes, so that none of them
    waits for ever.  Between two that follow each other at once it leaves a gap in
    which another process finds the file unlocked: SQLite lets whoever comes back
    first go first.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting = {True: 0, False: 0}
        self._busy = False
        self._in_a_row = 0
        self._left = 0.0

    def enter(self, urgent: bool, timeout_s: float) -> bool:
        """Waits for its turn; false when it has not come in time."""
        with self._changed:
            self._waiting[urgent] += 1
            mine = self._changed.wait_for(lambda: self._is_next(urgent), timeout_s)
            self._waiting[urgent] -= 1
            if mine:
                self._busy = True
                self._in_a_row = self._in_a_row + 1 if urgent else 0
            else:
                self._changed.notify_all()  # those behind it need not wait for it any more
        if mine and not urgent and time.monotonic() - self._left < _GAP_S:
            time.sleep(_GAP_S)
        return mine

    def leave(self) -> None:
        """Calls the next one."""
        with self._changed:
            self._busy = False
            self._left = time.monotonic()
            self._changed.notify_all()

    def _is_next(self, urgent: bool) -> bool:
        if self._busy:
            return False
        if self._waiting[True] and self._waiting[False]:
            return urgent == (self._in_a_row < _URGENT_IN_A_ROW)
        return True


class _SQLiteRules:
    """How connections to SQLite are set up and transactions begun."""

    def __init__(self, busy_timeout_s: float) -> None:
        self._busy_timeout_s = busy_timeout_s

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "begin", self._begin)

    def _connected(self, connection: sqlite3.Connection, _record: object) -> None:
        """Takes the transactions over from the driver and sets what holds for a connection."""
        connection.isolation_level = None
        for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
            self._patiently(connection, f"PRAGMA {pragma}")

    def _begin(self, connection: Connection) -> None:
        reading = connection.get_execution_options().get(READING, False)
        if reading:
            connection.exec_driver_sql("BEGIN")
        else:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            level = "NORMAL" if connection.get_execution_options().get(_UNSYNCED, False) else "FULL"
            try:
                if connection.info.setdefault("synchronous", "FULL") != level:
                    self._patiently(driver, f"PRAGMA synchronous = {level}")
                    connection.info["synchronous"] = level
                self._begin_writing(driver)
            except sqlite3.Error as error:
                # Not run by SQLAlchemy, so its errors do not pass the translation.
                raise _storage_error(error) from error

    def _begin_writing(self, connection: sqlite3.Connection) -> None:
        """Waits for the write lock in short steps: SQLite's own grow to a tenth of a second."""
        connection.execute("PRAGMA busy_timeout = 0").close()
        try:
            self._patiently(connection, "BEGIN IMMEDIATE", pause_s=_WRITERS_PAUSE_S)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout_s * 1000)}").close()

    def _patiently(self, connection: sqlite3.Connection, statement: str, pause_s: float = 0.02) -> None:
        """Runs a statement again that SQLite refuses at once where its busy timeout does not apply.

        Switching to WAL and opening the log after a crash answer «busy» or
        «locking protocol» without waiting.
        """
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                connection.execute(statement).close()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _WAIT_CODES or time.monotonic() > deadline:
                    raise
                time.sleep(pause_s)


_WAIT_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

_BUSY = (
    "the database was busy with other writers for too long; expected a free moment: "
    "try again, or move to PostgreSQL by KEFU_DATABASE_URL"
)

_SQLITE_TEXTS: dict[int, str] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_FULL: "no space is left on the disk of the database; expected room to write: "
    "free some space, the service goes on by itself",
    sqlite3.SQLITE_IOERR: "the disk of the database gave an I/O error; expected to read and write: "
    "check the disk and its free space",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened; expected a folder that may be written: "
    "check KEFU_DATA_DIR, its rights and its free space",
    sqlite3.SQLITE_READONLY: "the database file may only be read; expected to write it: "
    "check its owner and rights",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged; expected a whole one: restore a backup",
    sqlite3.SQLITE_NOTADB: "the database file is not an SQLite database; expected one: "
    "check KEFU_DATABASE_URL or restore a backup",
}


def _translate(context: ExceptionContext) -> None:
    """Turns the driver's errors into ours; broken constraints stay what they are."""
    if context.sqlalchemy_exception is None or isinstance(
        context.sqlalchemy_exception, sa_errors.IntegrityError
    ):
        return
    raise _storage_error(context.original_exception) from context.original_exception


def _storage_error(error: BaseException) -> StorageError:
    kind, text = type(error).__name__, str(error)
    code = getattr(error, "sqlite_errorcode", None)
    known = None if code is None else _SQLITE_TEXTS.get(code & 0xFF)
    if known is not None:
        return StorageError(known)
    if "no such table" in text or "no such column" in text or kind in ("UndefinedTable", "UndefinedColumn"):
        return StorageError(
            "the database lacks a table or column that this version needs; run: kefu db upgrade"
        )
    return StorageError(
        f"the database answered with {kind}; expected it to take the statement: "
        "check that its server runs, that KEFU_DATABASE_URL is right, and its log"
    )


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except sa_errors.ArgumentError:
        raise SettingsError(
            "KEFU_DATABASE_URL is no database URL; expected sqlite:///folder/kefu.db or "
            "postgresql://user:password@host/name"
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise SettingsError(
            f"KEFU_DATABASE_URL names the database {parsed.drivername!r}; expected sqlite or postgresql"
        )
    if parsed.get_backend_name() == "sqlite" and (
        not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:")
    ):
        raise SettingsError(
            "KEFU_DATABASE_URL names an SQLite database in memory, "
            "which one thread cannot share with another; expected a file: sqlite:///folder/kefu.db"
        )
    return parsed


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {path.parent} of the database cannot be made ({error.strerror}); "
            "expected a place that may be written: set KEFU_DATA_DIR or mend its rights"
        ) from error


def _dump_json(value: object) -> str:
    return storable(json.dumps(value, ensure_ascii=False))
