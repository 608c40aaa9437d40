from __future__ import annotations

import threading

import sqlalchemy as sa

from chatbot.storage import Database, Tickets


def test_the_earlier_ticket_goes_first_whoever_holds_it(database: Database) -> None:
    tickets = Tickets(database)
    (first,) = tickets.exchange("one", take=["c"]).taken
    standing = tickets.exchange("two", take=["c", "d"], ask=["c", "d"])
    assert dict(standing.heads) == {"c": first, "d": standing.taken[1]}
    tickets.exchange("one", give_back=[first])
    assert tickets.heads(["c"]) == {"c": standing.taken[0]}


def test_numbers_only_grow(database: Database) -> None:
    tickets = Tickets(database)
    (first,) = tickets.exchange("one", take=["c"]).taken
    (second,) = tickets.exchange("one", take=["c"], give_back=[first]).taken
    tickets.exchange("one", give_back=[second])
    assert tickets.exchange("one", take=["c"]).taken[0] > second > first


def test_nobody_gives_back_what_another_holds(database: Database) -> None:
    tickets = Tickets(database)
    (number,) = tickets.exchange("one", take=["c"]).taken
    tickets.exchange("two", give_back=[number])
    assert tickets.heads(["c"]) == {"c": number}


def test_a_silent_holder_loses_its_tickets_and_learns_of_it(database: Database) -> None:
    tickets = Tickets(database, lease_s=-1.0)
    tickets.exchange("one", take=["c"])
    patient = Tickets(database, lease_s=60.0)
    assert patient.exchange("two", ask=["c"]).heads == {}
    assert patient.exchange("one").lost
    assert not patient.exchange("one").lost


def test_a_holder_within_its_lease_keeps_them(database: Database) -> None:
    tickets = Tickets(database, lease_s=60.0)
    (number,) = tickets.exchange("one", take=["c"]).taken
    assert tickets.exchange("two", ask=["c"]).heads == {"c": number}


def test_one_that_leaves_gives_everything_back(database: Database) -> None:
    tickets = Tickets(database)
    tickets.exchange("one", take=["c", "c", "d"])
    tickets.leave("one")
    assert tickets.heads(["c", "d"]) == {}
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM turn_holders")) == 0


def test_whoever_sees_himself_first_stays_first(database: Database) -> None:
    """A ticket never appears before one that has been seen as the lowest."""
    tickets = Tickets(database)
    overlaps: list[int] = []
    inside = 0
    lock = threading.Lock()

    def process(holder: str) -> None:
        nonlocal inside
        for _ in range(40):
            standing = tickets.exchange(holder, take=["c"], ask=["c"])
            (number,) = standing.taken
            heads = standing.heads
            while heads["c"] != number:
                heads = tickets.heads(["c"])
            with lock:
                inside += 1
                if inside > 1:
                    overlaps.append(number)
            with lock:
                inside -= 1
            tickets.exchange(holder, give_back=[number])

    threads = [threading.Thread(target=process, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert overlaps == []
    assert tickets.heads(["c"]) == {}


def test_ids_that_a_database_cannot_take_are_told_apart_by_what_is_stored(database: Database) -> None:
    tickets = Tickets(database)
    standing = tickets.exchange("one", take=["a\0b"], ask=["a\0b"])
    assert standing.heads == {"a\0b": standing.taken[0]}
