from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from chatbot.errors import BadRequestError, SettingsError, StorageError
from chatbot.storage import Conversations, Database, tables
from chatbot.storage.database import _Writers
from chatbot.turn import Action, Intent, Message, Reply, Trace
from knowledge_base import store


def exchange(conversation: str, text: str, id_: str, trace_id: str) -> tuple[Message, Reply]:
    trace = Trace(trace_id, "en", Intent("faq", 1.0), text, "answer", "", 1.0, (), "passed", "none")
    return (
        Message(text, conversation, conversation, message_id=id_),
        Reply(f"answer to {text}", "en", Action.ANSWER, trace),
    )


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, [tables.metadata, store.metadata]) == []


def test_an_upgrade_can_be_repeated_and_keeps_what_is_stored(database: Database) -> None:
    Conversations(database).record(*exchange("c", "hello", "m", "t" * 32))
    database.upgrade()
    assert len(Conversations(database).history("c")) == 2


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="9999"):
        database.upgrade()


def test_sqlite_runs_in_wal_and_syncs_every_commit(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    with database.read() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 30000]


@pytest.mark.parametrize(
    "url", ["", "no url", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@host/db", "oracle://x"]
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="KEFU_DATABASE_URL") as caught:
        Database.open(url)
    assert "secret" not in str(caught.value)


def test_a_database_without_tables_names_the_command_that_makes_them(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    with pytest.raises(StorageError, match="kefu db upgrade"):
        database.check()


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "kefu.db").write_bytes(b"no database at all, only text" * 100)
    with pytest.raises(StorageError, match="not an SQLite database"):
        Database.open(f"sqlite:///{tmp_path / 'kefu.db'}").upgrade()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be made"):
        Database.open(f"sqlite:///{tmp_path / 'file' / 'sub' / 'kefu.db'}")


def test_a_writer_in_another_process_ends_in_a_clear_error_when_it_never_stops(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    database = Database.open(f"sqlite:///{path}", busy_timeout_s=0.2)
    database.upgrade()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="busy"):
        Conversations(database).record(*exchange("c", "hello", "m", "t" * 32))
    assert Conversations(database).history("c") == []  # readers do not wait for it
    other.execute("ROLLBACK")
    Conversations(database).record(*exchange("c", "hello", "m", "t" * 32))


def test_a_full_disk_is_said_clearly_and_does_not_last(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}", pool_size=1)
    database.upgrade()
    conversations = Conversations(database)
    conversations.record(*exchange("c", "before", "m0", "0" * 32))
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="no space is left"):
        conversations.record(*exchange("c", "x" * 100_000, "m1", "1" * 32))
    assert [m.text for m in conversations.history("c")] == ["before", "answer to before"]
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    conversations.record(*exchange("c", "after", "m1", "1" * 32))
    assert conversations.history("c")[-1].text == "answer to after"


def test_errors_carry_nothing_of_what_customers_wrote(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    with pytest.raises(StorageError) as caught:
        Conversations(database).record(*exchange("c", "my card is 4111", "m", "t" * 32))
    error: BaseException | None = caught.value
    while error is not None:
        assert "4111" not in str(error)
        error = error.__cause__ or error.__context__


def _write_many(url: str, process: int, failures: multiprocessing.Queue[str]) -> None:
    try:
        database = Database.open(url)
        database.upgrade()
        conversations = Conversations(database)
        for number in range(40):
            conversations.record(
                *exchange("shared", f"text {number}", f"m{number}", f"{process:016}{number:016}")
            )
            conversations.record(
                *exchange(f"own-{process}", "hi", f"o{number}", f"{process + 5:016}{number:016}")
            )
            conversations.recall("shared", 6)
    except Exception as error:
        failures.put(f"{type(error).__name__}: {error}")


def test_two_processes_start_and_write_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kefu.db'}"
    context = multiprocessing.get_context("spawn")
    failures: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_write_many, args=(url, number, failures)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert failures.empty(), failures.get()
    conversations = Conversations(Database.open(url))
    assert len(conversations.history("shared", 1000)) == 80
    assert all(len(conversations.history(f"own-{number}", 1000)) == 80 for number in range(2))


_ENDLESS_WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from test_database import exchange
from chatbot.storage import Conversations, Database
conversations = Conversations(Database.open(sys.argv[1]))
number = int(sys.argv[2])
while True:
    number += 1
    conversations.record(*exchange("c", f"text {number}", f"m{number}", f"{number:032}"))
    print(number, flush=True)
"""


def test_what_was_acknowledged_outlives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    database = Database.open(f"sqlite:///{path}")
    database.upgrade()
    acknowledged = 0
    chance = random.Random(7)
    for _ in range(4):
        command = [
            sys.executable,
            "-c",
            _ENDLESS_WRITER,
            f"sqlite:///{path}",
            str(acknowledged),
            os.path.dirname(__file__),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.15))
            writer.send_signal(signal.SIGKILL)
            last = [int(line) for line in writer.stdout.read().splitlines() if line]
        known = [
            int(m.text.split()[1]) for m in Conversations(database).history("c", 100_000) if m.role == "user"
        ]
        acknowledged = max([*last, acknowledged])
        assert known[: len(known)] == list(range(1, len(known) + 1))
        assert len(known) >= acknowledged
        acknowledged = len(known)
        assert len(Conversations(database).history("c", 100_000)) == 2 * len(known)
        with sqlite3.connect(path) as check:
            assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        check.close()


def test_a_broken_rule_is_not_taken_for_trouble_with_the_database(database: Database) -> None:
    with pytest.raises(BadRequestError):
        Conversations(database).feedback("unknown", "like")
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(
            sa.insert(tables.feedback).values(message_id="x", value="y", reason="", created_at=None)
        )


def test_a_stream_of_urgent_writes_does_not_keep_the_others_waiting() -> None:
    writers = _Writers()
    ended = threading.Event()
    let_in = []

    def urgent() -> None:
        while not ended.is_set():
            assert writers.enter(True, 30)
            let_in.append("urgent")
            writers.leave()

    def other() -> None:
        for _ in range(20):
            assert writers.enter(False, 30)
            let_in.append("other")
            writers.leave()

    with ThreadPoolExecutor(5) as pool:
        streams = [pool.submit(urgent) for _ in range(4)]
        pool.submit(other).result(60)
        ended.set()
        for stream in streams:
            stream.result(60)
    assert let_in.count("other") == 20


def test_a_writer_whose_time_is_up_lets_those_behind_it_in() -> None:
    writers = _Writers()
    assert writers.enter(False, 1)
    with ThreadPoolExecutor(2) as pool:
        impatient = pool.submit(writers.enter, True, 0.05)
        assert not impatient.result(30)
        behind = pool.submit(writers.enter, False, 30)
        writers.leave()
        assert behind.result(30)
