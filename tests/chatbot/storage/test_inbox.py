"""The inbox gives each message to one worker at a time, a conversation's in their order."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from chatbot.errors import BusyError
from chatbot.storage import Database
from chatbot.storage.inbox import MAX_WAITING_EACH, Arrival, Inbox, Letter

LEASE = timedelta(seconds=60)


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


def arrival(id_: str, conversation: str = "c") -> Arrival:
    return Arrival("telegram", id_, conversation, {"text": f"text of {id_}", "to": {}})


def claimed(inbox: Inbox, lease: timedelta = LEASE) -> list[Letter]:
    return inbox.claim("holder", 10, lease)


def test_a_message_that_is_delivered_again_is_counted_and_not_stored_again(inbox: Inbox) -> None:
    assert inbox.add([arrival("1"), arrival("2"), arrival("1")]) == [1, 1, 2]
    assert inbox.add([arrival("1")]) == [3]
    assert inbox.counts() == {"waiting": 2}


def test_a_conversation_is_worked_on_one_by_one_and_others_beside_it(inbox: Inbox) -> None:
    inbox.add([arrival("1"), arrival("2"), arrival("3", "other")])
    first = claimed(inbox)
    assert [letter.message_id for letter in first] == ["1", "3"]
    assert claimed(inbox) == []
    inbox.finish(first[0])
    assert [letter.message_id for letter in claimed(inbox)] == ["2"]


def test_a_message_that_is_put_off_holds_the_next_one_back(inbox: Inbox) -> None:
    inbox.add([arrival("1"), arrival("2")])
    [letter] = claimed(inbox)
    inbox.put_off(letter, timedelta(seconds=0.2), "busy")
    assert claimed(inbox) == []
    time.sleep(0.25)
    [again] = claimed(inbox)
    assert (again.message_id, again.attempts) == ("1", 1)


def test_what_a_killed_process_held_goes_to_another_when_the_lease_ends(inbox: Inbox) -> None:
    inbox.add([arrival("1")])
    [lost] = claimed(inbox, timedelta(seconds=0.2))
    assert claimed(inbox) == []
    time.sleep(0.25)
    [found] = claimed(inbox)
    assert found.body["text"] == "text of 1"
    assert not inbox.note_sent(lost, 1)  # it woke up late and learns that it is not its own any more
    inbox.finish(lost)
    assert inbox.counts() == {"waiting": 1}
    assert inbox.note_sent(found, 1)


def test_a_lease_that_is_kept_does_not_end(inbox: Inbox) -> None:
    inbox.add([arrival("1")])
    held = claimed(inbox, timedelta(seconds=0.2))
    inbox.keep(held, LEASE)
    time.sleep(0.25)
    assert claimed(inbox) == []


def test_a_flood_in_one_conversation_is_refused_as_a_whole(inbox: Inbox) -> None:
    inbox.add([arrival(str(number)) for number in range(MAX_WAITING_EACH - 1)])
    with pytest.raises(BusyError) as refused:
        inbox.add([arrival("a", "other"), arrival("b"), arrival("c")])
    assert refused.value.status == 429
    assert inbox.counts() == {"waiting": MAX_WAITING_EACH - 1}
    assert inbox.add([arrival("a", "other")]) == [1]


def test_answered_messages_are_forgotten_in_time_and_waiting_ones_never(inbox: Inbox) -> None:
    inbox.add([arrival("1"), arrival("2", "other")])
    inbox.finish(claimed(inbox)[0])
    assert inbox.purge(timedelta(days=1)) == 0
    assert inbox.purge(timedelta(0)) == 1
    assert inbox.counts() == {"waiting": 1}
