"""An outbox in a fresh database and a receiver on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatbot.channel_settings import WebhookSettings
from chatbot.channels.background import running
from chatbot.channels.outgoing import WebhookWorker
from chatbot.storage import Conversations, Database
from chatbot.storage.outbox import Outbox
from tests.standin import StandIn, stand_in


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    opened.upgrade()
    yield opened
    opened.dispose()


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture
def receiver() -> Iterator[StandIn]:
    with stand_in() as opened:
        yield opened


def local(**changes: Any) -> WebhookSettings:
    """Settings that allow this machine and try again soon."""
    return WebhookSettings(
        **{"allowed_networks": ["127.0.0.0/8"], "pauses_s": (0.01, 0.01, 0.01), "timeout_s": 5, **changes}
    )


def work(outbox: Outbox, done: Callable[[], bool], settings: WebhookSettings | None = None) -> None:
    """Runs a worker until something is true."""

    async def run() -> None:
        async with running([WebhookWorker(outbox, settings or local(), poll_s=0.02)]), asyncio.timeout(30):
            while not done():
                await asyncio.sleep(0.01)

    asyncio.run(run())
