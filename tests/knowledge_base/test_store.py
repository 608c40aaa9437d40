from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import create_engine

from knowledge_base.entry import Entry
from knowledge_base.errors import KnowledgeError
from knowledge_base.store import EntryStore, ImportReport, metadata

RETURNS = Entry(
    "returns.zh",
    "returns",
    "zh",
    "怎么退货？",
    "七天内可以退货。",
    variants=("退货", "想退"),
    category="returns",
    tags=("a", "b"),
    products=("TP-E200",),
    verbatim=True,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EntryStore]:
    engine = create_engine(f"sqlite:///{tmp_path / 'entries.db'}")
    metadata.create_all(engine)
    yield EntryStore(engine)
    engine.dispose()


def test_entries_come_back_as_they_were_put_in(store: EntryStore) -> None:
    english = replace(
        RETURNS, id="returns.en", language="en", variants=(), tags=(), products=(), verbatim=False
    )
    assert store.upsert([RETURNS, english]) == ImportReport(added=2, changed=0, unchanged=0)
    assert store.all() == [english, RETURNS]
    assert store.get("returns.zh") == RETURNS
    assert store.get("unknown") is None
    assert store.groups() == {"returns": [english, RETURNS]}
    assert store.count() == 2


def test_the_revision_grows_only_with_changes(store: EntryStore) -> None:
    assert store.revision() == 0
    store.upsert([RETURNS])
    assert store.revision() == 1
    assert store.upsert([RETURNS]) == ImportReport(added=0, changed=0, unchanged=1)
    assert store.revision() == 1
    assert store.upsert([replace(RETURNS, answer="八天")]) == ImportReport(added=0, changed=1, unchanged=0)
    assert store.revision() == 2
    assert store.delete(["unknown"]) == 0
    assert store.revision() == 2
    assert store.delete(["returns.zh", "returns.zh", "unknown"]) == 1
    assert store.revision() == 3
    assert store.snapshot().revision == 3
    assert store.snapshot().entries == ()


def test_more_entries_than_one_statement_takes(store: EntryStore) -> None:
    many = [replace(RETURNS, id=f"e{number:05}", group=f"g{number}") for number in range(2500)]
    assert store.upsert(many).added == 2500
    assert store.upsert(many).unchanged == 2500
    assert store.delete(entry.id for entry in many) == 2500


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([RETURNS, RETURNS], "comes twice"),
        ([replace(RETURNS, id="")], "empty id"),
        ([replace(RETURNS, group="g" * 256)], "256 characters"),
        ([replace(RETURNS, answer="half \ud83d")], "surrogate"),
        ([replace(RETURNS, variants=("nul \0",))], "NUL"),
    ],
)
def test_an_import_that_cannot_be_stored_changes_nothing(
    store: EntryStore, entries: list[Entry], words: str
) -> None:
    good = replace(RETURNS, id="good")
    with pytest.raises(KnowledgeError, match=words):
        store.upsert([good, *entries])
    assert store.count() == 0
    assert store.revision() == 0


class StoreMachine(RuleBasedStateMachine):
    """The store beside a plain dictionary."""

    ids = st.sampled_from(["a", "b", "c", "d"])

    def __init__(self) -> None:
        super().__init__()
        self.engine = create_engine("sqlite://")
        metadata.create_all(self.engine)
        self.store = EntryStore(self.engine)
        self.model: dict[str, Entry] = {}
        self.revision = 0

    @rule(answers=st.dictionaries(ids, st.sampled_from(["one", "two", "三"])))
    def upsert(self, answers: dict[str, str]) -> None:
        entries = [replace(RETURNS, id=id_, answer=answer) for id_, answer in answers.items()]
        changes = sum(self.model.get(entry.id) != entry for entry in entries)
        report = self.store.upsert(entries)
        assert report.added + report.changed == changes
        self.revision += changes > 0
        self.model.update((entry.id, entry) for entry in entries)

    @rule(ids=st.lists(ids))
    def delete(self, ids: list[str]) -> None:
        known = {id_ for id_ in ids if id_ in self.model}
        assert self.store.delete(ids) == len(known)
        self.revision += bool(known)
        for id_ in known:
            del self.model[id_]

    @invariant()
    def agrees_with_the_model(self) -> None:
        snapshot = self.store.snapshot()
        assert {entry.id: entry for entry in snapshot.entries} == self.model
        assert snapshot.revision == self.revision

    def teardown(self) -> None:
        self.engine.dispose()


StoreMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
TestStoreAgainstModel = StoreMachine.TestCase
