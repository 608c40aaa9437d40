"""A running service takes over what another process changed in the entries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbot.storage import Database
from knowledge_base.entry import Entry
from knowledge_base.errors import KefuError
from knowledge_base.refresh import KnowledgeRefresher
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import EntryStore
from tests.embedders import HashEmbedder

PARKING = Entry("park.en", "park", "en", "Where do you park?", "Behind the shop.")
FEE = Entry("fee.en", "fee", "en", "How much is shipping?", "Five dollars.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EntryStore]:
    database = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    database.upgrade()
    store = EntryStore(database.engine)
    store.upsert([FEE])
    yield store
    database.dispose()


@pytest.fixture
def knowledge(store: EntryStore, tmp_path: Path) -> KnowledgeBase:
    return KnowledgeBase.open(tmp_path / "index", store.all(), store.revision(), HashEmbedder())


def test_entries_of_another_process_are_found_without_a_restart(
    store: EntryStore, knowledge: KnowledgeBase, tmp_path: Path
) -> None:
    refresher = KnowledgeRefresher(store, knowledge, tmp_path / "index")
    assert not refresher.check()
    other = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    EntryStore(other.engine).upsert([PARKING])
    other.dispose()
    assert refresher.check()
    assert knowledge.search("Where do you park?", "en")[0].entry == PARKING
    assert not refresher.check()
    store.delete([PARKING.id])
    assert refresher.check()
    assert PARKING.id not in knowledge.entries


def test_a_watch_in_the_background_outlives_trouble_and_stops(
    store: EntryStore, knowledge: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    whole = store.revision

    def broken() -> int:
        asked.set()
        raise KefuError("the database cannot be read")

    monkeypatch.setattr(store, "revision", broken)
    stopped = threading.Event()
    watch = KnowledgeRefresher(store, knowledge, tmp_path / "index", every_s=0.01)
    thread = threading.Thread(target=watch.run, args=(stopped,))
    thread.start()
    assert asked.wait(10)
    monkeypatch.setattr(store, "revision", whole)
    store.upsert([PARKING])
    _until(lambda: PARKING.id in knowledge.entries)
    stopped.set()
    thread.join(10)
    assert not thread.is_alive()


def test_questions_are_answered_while_a_change_is_taken_over(
    store: EntryStore, knowledge: KnowledgeBase, tmp_path: Path
) -> None:
    stopped = threading.Event()
    failures: list[BaseException] = []

    def ask() -> None:
        while not stopped.is_set():
            try:
                assert knowledge.search("How much is shipping?", "en")[0].entry.group == "fee"
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    refresher = KnowledgeRefresher(store, knowledge, tmp_path / "index")
    for number in range(20):
        store.upsert([Entry(f"n{number}.en", f"n{number}", "en", f"subject{number}", f"text{number}")])
        assert refresher.check()
    stopped.set()
    for thread in threads:
        thread.join(10)
    assert failures == []
    assert len(knowledge) == 21


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
