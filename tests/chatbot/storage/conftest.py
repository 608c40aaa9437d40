"""A fresh database for each test: SQLite, and PostgreSQL too where KEFU_TEST_DATABASE_URL names one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from chatbot.storage import Conversations, Database

SERVER = os.environ.get("KEFU_TEST_DATABASE_URL", "")


@pytest.fixture(params=["sqlite", *(["postgresql"] if SERVER else [])])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database.open(f"sqlite:///{tmp_path / 'data' / 'kefu.db'}")
    else:
        opened = Database.open(SERVER)
        with opened.write() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
    opened.upgrade()
    yield opened
    opened.dispose()


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)
