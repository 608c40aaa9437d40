from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Future

import pytest

from chatbot.channels.turns import TurnQueue
from chatbot.errors import BusyError
from chatbot.turn import Reply
from tests.fakes import FakeBot

REPLY = FakeBot.reply("done")


def wait_for_empty(queue: TurnQueue) -> None:
    deadline = time.monotonic() + 30
    while len(queue) and time.monotonic() < deadline:
        time.sleep(0.002)
    assert len(queue) == 0
    assert queue._lines == {}


def test_turns_of_a_conversation_never_overlap_and_keep_their_order() -> None:
    queue = TurnQueue(workers=8, waiting=1000)
    done: dict[int, list[int]] = {conversation: [] for conversation in range(5)}
    busy: set[int] = set()
    overlaps: list[int] = []
    chance = random.Random(3)

    def turn(conversation: int, number: int, pause: float) -> Reply:
        if conversation in busy:
            overlaps.append(conversation)
        busy.add(conversation)
        time.sleep(pause)
        busy.discard(conversation)
        done[conversation].append(number)
        return REPLY

    futures: list[Future[Reply]] = []
    for number in range(30):
        for conversation in range(5):
            pause = chance.uniform(0, 0.003)
            futures.append(
                queue.submit(str(conversation), lambda c=conversation, n=number, p=pause: turn(c, n, p))
            )
    for future in futures:
        assert future.result(60) is REPLY
    assert overlaps == []
    assert all(order == list(range(30)) for order in done.values())
    wait_for_empty(queue)
    queue.close()


def test_a_failed_turn_does_not_stop_the_next_one() -> None:
    queue = TurnQueue(workers=1, waiting=8)

    def fail() -> Reply:
        raise ValueError("broken")

    first, second = queue.submit("c", fail), queue.submit("c", lambda: REPLY)
    with pytest.raises(ValueError, match="broken"):
        first.result(60)
    assert second.result(60) is REPLY
    wait_for_empty(queue)
    queue.close()


def test_waiting_turns_hold_no_thread() -> None:
    queue = TurnQueue(workers=2, waiting=50)
    hold = threading.Event()

    def held() -> Reply:
        hold.wait(60)
        return REPLY

    waiting = [queue.submit("held", held) for _ in range(10)]
    assert queue.submit("other", lambda: REPLY).result(60) is REPLY
    hold.set()
    assert all(future.result(60) is REPLY for future in waiting)
    queue.close()


def test_one_conversation_cannot_take_all_places() -> None:
    queue = TurnQueue(workers=1, waiting=100)
    hold = threading.Event()
    for _ in range(25):
        queue.submit("loud", lambda: (hold.wait(60), REPLY)[1])
    with pytest.raises(BusyError) as caught:
        queue.submit("loud", lambda: REPLY)
    assert (caught.value.status, caught.value.phrase) == (429, "rate_limited")
    quiet = queue.submit("quiet", lambda: REPLY)
    hold.set()
    assert quiet.result(60) is REPLY
    queue.close()


def test_closing_ends_what_runs_and_gives_up_what_waits() -> None:
    queue = TurnQueue(workers=1, waiting=10)
    started, hold = threading.Event(), threading.Event()

    def held() -> Reply:
        started.set()
        hold.wait(60)
        return REPLY

    running, waiting = queue.submit("c", held), queue.submit("c", lambda: REPLY)
    started.wait(60)
    closing = threading.Thread(target=queue.close)
    closing.start()
    while not waiting.cancelled():
        time.sleep(0.002)
    hold.set()
    closing.join(60)
    assert running.result(0) is REPLY
    with pytest.raises(BusyError):
        queue.submit("c", lambda: REPLY)
    assert len(queue) == 0
