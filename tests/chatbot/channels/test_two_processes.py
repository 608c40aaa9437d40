"""Two served processes over one database keep the promises of one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from chatbot.storage import Conversations, Database
from chatbot.storage.door_tables import tickets
from tests.chatbot.channels.conftest import WEBHOOK
from tests.chatbot.channels.served import Server, served
from tests.chatbot.storage.conftest import SERVER

CUSTOMERS = int(os.environ.get("KEFU_TEST_CUSTOMERS", "12"))
MESSAGES = int(os.environ.get("KEFU_TEST_MESSAGES", "8"))
"""50 and 100 for the whole check, which takes minutes."""
ASK_S = 0.05
"""How often a customer looks whether his message has arrived, in seconds."""


@pytest.fixture(params=["sqlite", *(["postgresql"] if SERVER else [])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kefu.db'}"
    database = Database.open(SERVER)
    with database.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    database.dispose()
    return SERVER


@pytest.fixture
def pair(url: str) -> Iterator[tuple[Server, Server]]:
    with served(url, delay_s=0.02) as one, served(url, delay_s=0.02) as two:
        yield one, two


async def say(client: httpx.AsyncClient, server: Server, sender: str, text: str, id_: str) -> httpx.Response:
    body = {"sender": sender, "message": text, "message_id": id_}
    return await client.post(server.address + WEBHOOK, json=body)


def last_ticket(database: Database, conversation: str) -> int:
    """Number of the newest ticket in the line before a conversation; 0 if nobody waits."""
    newest = select(func.max(tickets.c.number)).where(tickets.c.conversation_id == conversation)
    with database.read() as connection:
        return connection.execute(newest).scalar() or 0


def patient_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=200))


def test_messages_of_a_conversation_keep_their_order_over_two_processes(
    pair: tuple[Server, Server], url: str
) -> None:
    async def customer(client: httpx.AsyncClient, name: str) -> None:
        waiting: list[asyncio.Task[httpx.Response]] = []
        before = 0
        for number in range(MESSAGES):
            server = pair[number % 2]
            waiting.append(asyncio.create_task(say(client, server, name, f"{number}", f"m{number}")))
            # the next message may follow before this one is answered, but not before it has arrived
            while not waiting[-1].done():
                await asyncio.wait([waiting[-1]], timeout=ASK_S)
                if (newest := last_ticket(database, f"rest:{name}")) > before:
                    before = newest
                    break
        for response in await asyncio.gather(*waiting):
            assert response.status_code == 200, response.text

    async def all_customers() -> None:
        async with patient_client() as client:
            await asyncio.gather(*(customer(client, f"customer-{n}") for n in range(CUSTOMERS)))

    database = Database.open(url)
    started = time.monotonic()
    asyncio.run(all_customers())
    took = time.monotonic() - started
    for number in range(CUSTOMERS):
        history = Conversations(database).history(f"rest:customer-{number}", 1000)
        asked = [int(message.text) for message in history if message.role == "user"]
        assert asked == list(range(MESSAGES))
        # each is answered before the next one is taken up
        assert [m.role for m in history] == ["user", "bot"] * MESSAGES
    database.dispose()
    print(f"{CUSTOMERS} customers x {MESSAGES} messages in {took:.1f} s")


def test_ten_deliveries_to_two_processes_store_one_reply(pair: tuple[Server, Server], url: str) -> None:
    async def deliver() -> list[httpx.Response]:
        async with patient_client() as client:
            return await asyncio.gather(*(say(client, pair[n % 2], "anna", "hello", "m") for n in range(10)))

    responses = asyncio.run(deliver())
    assert {response.status_code for response in responses} == {200}
    assert len({response.text for response in responses}) == 1
    database = Database.open(url)
    assert len(Conversations(database).history("rest:anna")) == 2
    database.dispose()


def test_one_conversation_never_runs_in_both_processes_and_others_do_not_wait(
    pair: tuple[Server, Server],
) -> None:
    async def talk() -> tuple[float, float]:
        async with patient_client() as client:
            started = time.monotonic()
            slow = asyncio.create_task(say(client, pair[0], "anna", "slow", "1"))
            await asyncio.sleep(0.1)
            behind = asyncio.create_task(say(client, pair[1], "anna", "quick", "2"))
            await say(client, pair[1], "ben", "quick", "1")
            other = time.monotonic() - started
            await behind
            assert slow.done()
            return other, time.monotonic() - started

    other, behind = asyncio.run(talk())
    assert other < 0.35
    assert behind >= 0.4


def test_a_killed_process_holds_its_conversations_up_for_no_longer_than_its_lease(url: str) -> None:
    with served(url, lease_s=2.0) as one, served(url, delay_s=3.0, lease_s=2.0) as two:

        async def talk() -> float:
            async with patient_client() as client:
                lost = asyncio.create_task(say(client, two, "anna", "slow", "1"))
                await asyncio.sleep(0.5)
                two.kill()
                with pytest.raises(httpx.HTTPError):
                    await lost
                started = time.monotonic()
                response = await say(client, one, "anna", "and now?", "2")
                assert response.json()[0]["text"] == "echo: and now?"
                return time.monotonic() - started

        assert 0.2 < asyncio.run(talk()) < 10
