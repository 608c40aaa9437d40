"""A web application around a scripted bot, and ways to talk to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.channels import BotLoader, create_app
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from tests.fakes import FakeBot

WEBHOOK = "/webhooks/rest/webhook"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    opened.upgrade()
    yield opened
    opened.dispose()


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture
def make_app(conversations: Conversations) -> Callable[..., FastAPI]:
    """An application whose bot is loaded at its start."""

    def make(bot: FakeBot | None = None, **settings: Any) -> FastAPI:
        chosen = bot or FakeBot()
        loader = BotLoader(lambda _report: chosen)
        loader.start()
        assert loader._thread is not None
        loader._thread.join(60)
        return create_app(loader, conversations, Settings(**settings))

    return make


@pytest.fixture
def client(make_app: Callable[..., FastAPI]) -> Iterator[TestClient]:
    with TestClient(make_app()) as opened:
        yield opened


async def call(
    app: FastAPI,
    body: Any,
    *,
    query: str = "",
    leave: asyncio.Event | None = None,
    sent: list[Any] | None = None,
) -> list[Any]:
    """One POST by ASGI itself; with ``leave`` the client closes the connection when it is set.

    Args:
        sent: takes what the application sends, while it does.

    Returns:
        The ASGI messages that the application sent.
    """
    raw = json.dumps(body).encode()
    inbox = [{"type": "http.request", "body": raw, "more_body": False}]
    sent = [] if sent is None else sent

    async def receive() -> Any:
        if inbox:
            return inbox.pop()
        await (leave or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": WEBHOOK,
        "raw_path": WEBHOOK.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [],
        "client": ("test", 1),
        "server": ("test", 80),
    }
    await app(scope, receive, send)
    return sent
