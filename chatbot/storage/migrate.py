"""Runs the migrations from inside the program, from an installed package too."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from chatbot.errors import StorageError
from knowledge_base.store import READING

__all__ = ["upgrade"]

_LOCK = 0x6B656675
"""Key of PostgreSQL's advisory lock: one migration at a time («kefu» in ASCII)."""


def upgrade(engine: Engine) -> None:
    """Brings the database to the newest revision, in one transaction.

    A process that starts meanwhile waits: on SQLite because the transaction
    begins with the write lock, on PostgreSQL by an advisory lock.

    Raises:
        StorageError: the database is of a revision that this version does not know.
    """
    config = Config()
    config.set_main_option("script_location", str(files("chatbot.storage") / "migrations").replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        connection = connection.execution_options(**{READING: True})
        with connection.begin():
            if _is_current(connection, script):
                return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if not _is_current(connection, script):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _is_current(connection: Connection, script: ScriptDirectory) -> bool:
    found = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise StorageError(
            f"the database is at revision {found}, which this version of Kefu does not know; "
            f"expected {script.get_current_head()} or an older one: install the newer version again"
        )
    return found == script.get_current_head()
