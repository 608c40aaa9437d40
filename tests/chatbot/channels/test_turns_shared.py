"""Queues of several processes over one database, here side by side in one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future

import pytest

from chatbot.channels.turns import TurnQueue
from chatbot.errors import StorageError
from chatbot.storage import Database, Tickets
from chatbot.storage.tickets import Standing
from chatbot.turn import Reply
from tests.chatbot.channels.test_turns import REPLY, wait_for_empty


class Watched(Tickets):
    """Tickets that count what the database is asked, and fail on demand."""

    def __init__(self, database: Database, lease_s: float = 15.0) -> None:
        super().__init__(database, lease_s)
        self.exchanges = 0
        self.looks = 0
        self.broken = False

    def exchange(
        self, holder: str, *, take: Sequence[str] = (), give_back: Sequence[int] = (), ask: Sequence[str] = ()
    ) -> Standing:
        self.exchanges += 1
        if self.broken:
            raise StorageError("no space")
        return super().exchange(holder, take=take, give_back=give_back, ask=ask)

    def heads(self, ask: Sequence[str]) -> Mapping[str, int]:
        self.looks += 1
        return super().heads(ask)


@pytest.fixture
def tickets(database: Database) -> Watched:
    return Watched(database)


@pytest.fixture
def pair(tickets: Watched, database: Database) -> Iterator[tuple[TurnQueue, TurnQueue]]:
    queues = (TurnQueue(8, 100, tickets), TurnQueue(8, 100, Tickets(database)))
    yield queues
    for queue in queues:
        queue.close()


def until_in_line(database: Database, count: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with database.read() as connection:
            if connection.exec_driver_sql("SELECT count(*) FROM turn_tickets").scalar_one() >= count:
                return
        time.sleep(0.005)
    raise AssertionError(f"there never were {count} in line")


def test_turns_of_two_queues_follow_each_other_in_the_order_of_their_arrival(
    pair: tuple[TurnQueue, TurnQueue], database: Database
) -> None:
    done: list[int] = []
    hold = threading.Event()

    def turn(number: int) -> Reply:
        hold.wait(60)
        done.append(number)
        return REPLY

    futures: list[Future[Reply]] = []
    for number in range(12):
        futures.append(pair[number % 2].submit("c", lambda n=number: turn(n)))
        until_in_line(database, number + 1)
    hold.set()
    assert all(future.result(60) is REPLY for future in futures)
    assert done == list(range(12))
    for queue in pair:
        wait_for_empty(queue)


def test_other_conversations_do_not_wait(pair: tuple[TurnQueue, TurnQueue], database: Database) -> None:
    hold = threading.Event()
    held = pair[0].submit("c", lambda: (hold.wait(60), REPLY)[1])
    until_in_line(database, 1)
    behind = pair[1].submit("c", lambda: REPLY)
    assert pair[1].submit("d", lambda: REPLY).result(60) is REPLY
    assert not behind.done()
    hold.set()
    assert held.result(60) is behind.result(60) is REPLY


def test_a_held_conversation_is_looked_at_seldom_and_nothing_is_written_meanwhile(
    database: Database, tickets: Watched
) -> None:
    other = Tickets(database)
    (number,) = other.exchange("other", take=["c"]).taken
    queue = TurnQueue(2, 10, tickets)
    waiting = queue.submit("c", lambda: REPLY)
    time.sleep(1.0)
    assert not waiting.done()
    assert tickets.exchanges <= 2
    assert 4 <= tickets.looks <= 20
    other.exchange("other", give_back=[number])
    assert waiting.result(5) is REPLY
    queue.close()


def test_an_idle_queue_leaves_the_database_alone(tickets: Watched) -> None:
    queue = TurnQueue(2, 10, tickets)
    queue.submit("c", lambda: REPLY).result(60)
    wait_for_empty(queue)
    time.sleep(0.2)
    before = tickets.exchanges, tickets.looks
    time.sleep(0.5)
    assert (tickets.exchanges, tickets.looks) == before
    queue.close()


def test_what_a_dead_process_held_is_free_after_its_lease(database: Database) -> None:
    Tickets(database, lease_s=0.3).exchange("dead", take=["c"])
    queue = TurnQueue(2, 10, Tickets(database, lease_s=0.5))
    assert queue.submit("c", lambda: REPLY).result(10) is REPLY
    queue.close()


def test_a_process_that_was_taken_for_dead_lines_up_again_in_its_order(
    database: Database, tickets: Watched
) -> None:
    done: list[int] = []
    hold = threading.Event()
    queue = TurnQueue(4, 50, tickets)

    def turn(number: int) -> Reply:
        hold.wait(60)
        done.append(number)
        return REPLY

    futures = [queue.submit("c", lambda n=number: turn(n)) for number in range(4)]
    until_in_line(database, 4)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM turn_tickets")
        connection.exec_driver_sql("DELETE FROM turn_holders")
    futures += [queue.submit("c", lambda n=number: turn(n)) for number in range(4, 6)]
    hold.set()
    assert all(future.result(60) is REPLY for future in futures)
    assert done == list(range(6))
    wait_for_empty(queue)
    queue.close()


def test_without_the_database_a_message_is_refused_and_the_next_one_served_when_it_is_back(
    tickets: Watched,
) -> None:
    queue = TurnQueue(2, 10, tickets)
    tickets.broken = True
    with pytest.raises(StorageError):
        queue.submit("c", lambda: REPLY).result(60)
    wait_for_empty(queue)
    tickets.broken = False
    assert queue.submit("c", lambda: REPLY).result(60) is REPLY
    queue.close()


def test_a_message_that_was_given_up_frees_its_place_at_once_and_lets_the_next_one_through(
    pair: tuple[TurnQueue, TurnQueue], database: Database
) -> None:
    hold = threading.Event()
    held = pair[0].submit("c", lambda: (hold.wait(60), REPLY)[1])
    until_in_line(database, 1)
    given_up = [pair[1].submit("c", lambda: REPLY) for _ in range(5)]
    last = pair[1].submit("c", lambda: REPLY)
    until_in_line(database, 7)
    for future in given_up:
        future.cancel()
    assert len(pair[1]) == 1
    hold.set()
    assert held.result(60) is last.result(60) is REPLY


def test_closing_leaves_no_ticket_behind(database: Database, tickets: Watched) -> None:
    queue = TurnQueue(1, 20, tickets)
    hold = threading.Event()
    running = queue.submit("c", lambda: (hold.wait(60), REPLY)[1])
    waiting = [queue.submit("c", lambda: REPLY) for _ in range(3)]
    until_in_line(database, 4)
    closing = threading.Thread(target=queue.close)
    closing.start()
    while not all(future.cancelled() for future in waiting):
        time.sleep(0.002)
    hold.set()
    closing.join(60)
    assert running.result(0) is REPLY
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM turn_tickets").scalar_one() == 0
