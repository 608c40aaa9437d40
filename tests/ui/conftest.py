"""A real database, a scripted bot, and the page served to a headless browser."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from tests.ui.fakes import FakeBot

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def conversations(tmp_path: Path) -> Iterator[Conversations]:
    database = Database.open(f"sqlite:///{tmp_path / 'chat.db'}")
    database.upgrade()
    yield Conversations(database)
    database.dispose()


@pytest.fixture
def bot(conversations: Conversations) -> FakeBot:
    return FakeBot(conversations)


def company(language: str) -> str:
    return "潮峰数码" if language == "zh" else "Tidepeak"


@dataclass
class Site:
    """The served page and what a test may change about it."""

    bot: FakeBot
    conversations: Conversations
    url: str = ""
    ready: bool = True
    broken: bool = False
    server: uvicorn.Server | None = None
    seen: list[str] = field(default_factory=list)

    def provide(self) -> FakeBot | None:
        if self.broken:
            raise RuntimeError("the models could not be loaded")
        return self.bot if self.ready else None


def serve(site: Site, port: int = 0) -> threading.Thread:
    """Serves the page in a thread until ``site.server.should_exit``."""
    from ui.mount import mount_chat

    app = FastAPI()

    @app.get("/healthz")
    def health() -> dict[str, bool]:
        return {"alive": True}

    mount_chat(app, site.provide, site.conversations, Settings(), company=company)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    site.server = uvicorn.Server(config)
    thread = threading.Thread(target=site.server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 180
    while not site.server.started:
        assert time.monotonic() < deadline, "the page was not served within three minutes"
        time.sleep(0.05)
    site.url = f"http://127.0.0.1:{site.server.servers[0].sockets[0].getsockname()[1]}/"
    return thread


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('site') / 'chat.db'}")
    database.upgrade()
    conversations = Conversations(database)
    site = Site(FakeBot(conversations, delay=0.03), conversations)
    thread = serve(site)
    yield site
    assert site.server is not None
    site.server.should_exit = True
    thread.join(10)
    database.dispose()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium from the system."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip(
            "no Chromium found on PATH; install the system's chromium package to run the browser tests"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=CHROMIUM)
        yield browser
        browser.close()


class Visit:
    """One browser window on the page, with the few steps that tests repeat."""

    def __init__(self, context: Any, url: str) -> None:
        self.context = context
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(url)
        self.page.wait_for_selector("body[data-kf]")

    def type(self, text: str) -> None:
        self.page.fill("#kf-box textarea", text)

    def ask(self, text: str, wait: bool = True) -> None:
        """Types and sends a message; waits for the end of the answer."""
        before = self.page.locator(".kf-mine").count()
        self.type(text)
        self.page.press("#kf-box textarea", "Enter")
        self.page.wait_for_function(f"document.querySelectorAll('.kf-mine').length > {before}")
        if wait:
            self.settled()

    def settled(self) -> None:
        self.page.wait_for_selector('body[data-kf="ready"]')

    def last_answer(self) -> str:
        return str(self.page.locator(".kf-bot .kf-bubble").last.inner_text())

    def shot(self, name: str) -> None:
        """A picture for a person to look at, where ``KEFU_SHOTS`` names a folder."""
        if folder := os.environ.get("KEFU_SHOTS"):
            self.page.wait_for_timeout(400)
            self.page.screenshot(path=f"{folder}/{name}.png")


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Any]:
    """Opens the page as a visitor: ``visit(locale, width, height, dark)``."""
    site.ready, site.broken, site.bot.delay = True, False, 0.03
    contexts = []

    def opened(locale: str = "en-US", width: int = 1280, height: int = 820, dark: bool = False) -> Visit:
        context = chromium.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        return Visit(context, site.url)

    yield opened
    for context in contexts:
        context.close()
