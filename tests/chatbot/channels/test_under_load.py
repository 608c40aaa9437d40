"""A served process under more than it can bear, and with clients that go away."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from chatbot.storage import Conversations, Database
from tests.chatbot.channels.conftest import WEBHOOK
from tests.chatbot.channels.served import Server, served

GONE = int(os.environ.get("KEFU_TEST_DISCONNECTS", "60"))
"""1,000 for the whole check."""


HELD_S = float(os.environ.get("KEFU_TEST_HELD_S", "3"))
"""How long a generation is held; 30 for the whole check."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'kefu.db'}"


@pytest.fixture
def small(url: str) -> Iterator[Server]:
    """Four messages at a time, eight may wait."""
    with served(url, delay_s=0.3, workers=4, waiting=8) as server:
        yield server


def debug(server: Server) -> dict[str, int]:
    found: dict[str, int] = httpx.get(f"{server.address}/debug", timeout=30).json()
    return found


def settled(server: Server) -> dict[str, int]:
    deadline = time.monotonic() + 30
    while (found := debug(server))["turns"] and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.3)
    return debug(server) if not found["turns"] else found


def test_five_times_what_it_can_bear_is_refused_with_a_time_and_nothing_taken_is_lost(
    small: Server, url: str
) -> None:
    async def crowd() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=small.address, timeout=60, limits=limits) as client:
            asked = [
                asyncio.create_task(client.post(WEBHOOK, json={"sender": f"s{n}", "message": f"m{n}"}))
                for n in range(60)
            ]
            await asyncio.sleep(0.1)
            assert (await client.get("/healthz")).status_code == 200
            return await asyncio.gather(*asked)

    responses = asyncio.run(crowd())
    taken = [n for n, response in enumerate(responses) if response.status_code == 200]
    refused = [response for response in responses if response.status_code != 200]
    assert len(taken) >= 12
    assert refused
    assert {response.status_code for response in refused} <= {429, 503}
    assert all(int(response.headers["retry-after"]) >= 1 for response in refused)
    database = Database.open(url)
    for number in range(60):
        stored = Conversations(database).history(f"rest:s{number}")
        assert len(stored) == (2 if number in taken else 0)
    database.dispose()


def test_clients_that_go_away_leave_nothing_behind(small: Server) -> None:
    host, port = urlsplit(small.address).hostname or "", urlsplit(small.address).port or 0
    httpx.post(small.address + WEBHOOK, json={"message": "warm"}, timeout=30)
    before = settled(small)
    for number in range(GONE):
        body = b'{"sender": "g%d", "message": "slow and gone"}' % (number % 20)
        query = b"?stream=true" if number % 2 else b""
        with socket.create_connection((host, port), timeout=10) as client:
            client.sendall(
                b"POST " + WEBHOOK.encode() + query + b" HTTP/1.1\r\nHost: x\r\nContent-Length: "
                + str(len(body)).encode() + b"\r\n\r\n" + body
            )  # fmt: skip
            if number % 3 == 0:
                time.sleep(0.02)
    after = settled(small)
    assert after["turns"] == 0
    assert after["descriptors"] <= before["descriptors"] + 6
    assert after["tasks"] <= before["tasks"] + 2
    assert after["threads"] <= before["threads"] + 6


def test_health_answers_while_every_place_is_taken_by_a_slow_model(small: Server) -> None:
    async def watch() -> list[float]:
        async with httpx.AsyncClient(base_url=small.address, timeout=60) as client:
            held = [
                asyncio.create_task(client.post(WEBHOOK, json={"sender": f"h{n}", "message": "slow"}))
                for n in range(12)
            ]
            took = []
            for _ in range(40):
                start = time.perf_counter()
                response = await client.get("/healthz")
                assert response.status_code == 200
                took.append(time.perf_counter() - start)
            for task in held:
                task.cancel()
            return sorted(took)

    assert asyncio.run(watch())[20] < 0.1


def test_a_generation_that_is_held_slows_neither_health_nor_the_answers_of_others(url: str) -> None:
    with served(url, delay_s=HELD_S / 20, quick_s=0.01) as server:

        async def watch() -> tuple[list[float], list[float]]:
            limits = httpx.Limits(max_connections=100)
            async with httpx.AsyncClient(base_url=server.address, timeout=60, limits=limits) as client:

                async def timed(method: str, address: str, **options: object) -> float:
                    start = time.perf_counter()
                    response = await client.request(method, address, **options)  # type: ignore[arg-type]
                    assert response.status_code == 200
                    return time.perf_counter() - start

                held = [
                    asyncio.create_task(client.post(WEBHOOK, json={"sender": f"h{n}", "message": "slow"}))
                    for n in range(4)
                ]
                await asyncio.sleep(0.2)
                health, others = [], []
                for number in range(100):
                    health.append(await timed("GET", "/healthz"))
                    body = {"sender": f"o{number % 10}", "message": "quick"}
                    others.append(await timed("POST", WEBHOOK, json=body))
                if HELD_S > 10:
                    assert not any(task.done() for task in held)
                await asyncio.gather(*held)
                return sorted(health), sorted(others)

        health, others = asyncio.run(watch())
    print(f"health p99 {health[98] * 1000:.0f} ms, others' answers p99 {others[98] * 1000:.0f} ms")
    assert health[98] < 0.1
    assert others[98] < 0.5
