"""The widget on a shop's page of another origin, Kefu with a scripted bot behind it, a headless browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from chatbot.channels import BotLoader, create_app
from chatbot.phrases import Phrases
from chatbot.settings import Settings
from chatbot.starters import suggest
from chatbot.storage import Conversations, Database
from tests.ui.conftest import chromium  # noqa: F401  (a fixture)
from tests.ui.fakes import ENTRIES, FakeBot
from ui.widget import build_router


class ServedBot(FakeBot):
    """The page's scripted bot with what the API asks of a bot besides."""

    phrases = Phrases(
        {
            key: {"en": f"{key} in English", "zh": f"{key} in Chinese"}
            for key in ("error", "busy", "too_long", "empty", "rate_limited", "handed_over")
        },
        "Tidepeak",
    )

    def suggestions(self, language: str) -> list[str]:
        return suggest(ENTRIES, language)


class Weather:
    """ASGI middleware that a test may let break: the network between browser and server.

    ``down``: connections break off without an answer.  ``cut_after``: the next stream
    breaks off after so many pieces.  ``answer``: status, headers and body to give instead.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.clear()

    def clear(self) -> None:
        self.down = False
        self.cut_after: int | None = None
        self.answers: list[Response] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def calls(self, path: str) -> list[dict[str, str]]:
        """Headers of the calls of one address, in order."""
        return [headers for _, found, headers in self.requests if found == path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.down:
            raise ConnectionResetError("the test has cut the line")
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self.requests.append((scope["method"], scope["path"], headers))
        if self.answers and scope["path"] == "/api/chat":
            await self.answers.pop(0)(scope, receive, send)
            return
        left = self.cut_after if scope["path"] == "/api/chat" else None

        async def cutting(message: Any) -> None:
            nonlocal left
            if message["type"] == "http.response.body" and left is not None:
                left -= 1
                if left < 0:
                    self.cut_after = None
                    raise ConnectionResetError("the test has cut the line")
            await send(message)

        await self.app(scope, receive, cutting)


def busy(seconds: int = 1, origin: str = "*", status: int = 503) -> Response:
    """What an overloaded server answers."""
    return JSONResponse(
        {"details": {}, "reason": "ServiceUnavailable"},
        status,
        {"retry-after": str(seconds), "access-control-allow-origin": origin,
         "access-control-expose-headers": "Retry-After"},
    )  # fmt: skip


def refusal(status: int, say: str = "") -> Response:
    """An error in the API's form."""
    return JSONResponse(
        {"details": {"say": say} if say else {}}, status, {"access-control-allow-origin": "*"}
    )


STRICT = (
    "default-src 'none'; script-src {kefu}; connect-src {kefu}; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Neither own scripts, nor any style, picture or frame: the widget must do with its script alone."""


def _host_page(kefu: str) -> Callable[[Request], Response]:
    """A page of another site; the query's ``data-…`` go into the tag, ``lang`` and ``body`` into the page."""

    def page(request: Request) -> Response:
        query = request.query_params
        data = "".join(f' {key}="{escape(value)}"' for key, value in query.items() if key.startswith("data-"))
        tag = f'<script src="{kefu}/widget.js"{data}></script>'
        lang = f' lang="{escape(query["lang"])}"' if "lang" in query else ""
        html = (
            f'<!doctype html><html{lang} dir="{escape(query.get("dir", "ltr"))}"><head><title>Shop</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"{tag * int(query.get('times', '1'))}</head>"
            '<body><main><h1>A shop</h1><button id="page-button">Buy</button></main></body></html>'
        )
        return HTMLResponse(html, headers={"content-security-policy": STRICT.format(kefu=kefu)})

    return page


@dataclass
class Kefu:
    """What is served, and what a test may change about it."""

    bot: ServedBot
    conversations: Conversations
    weather: Weather
    url: str = ""
    shop: str = ""
    servers: list[uvicorn.Server] = field(default_factory=list)

    def page(self, **query: str) -> str:
        """Address of the other site's page; ``data_theme="dark"`` becomes ``data-theme``."""
        from urllib.parse import urlencode

        return f"{self.shop}/?{urlencode({key.replace('_', '-'): value for key, value in query.items()})}"


def _serve(app: Any, servers: list[uvicorn.Server], port: int = 0) -> str:
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline, "the server was not up within a minute"
        time.sleep(0.02)
    servers.append(server)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture(scope="module")
def kefu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kefu]:
    folder = tmp_path_factory.mktemp("kefu")
    database = Database.open(f"sqlite:///{folder / 'kefu.db'}")
    database.upgrade()
    conversations = Conversations(database)
    bot = ServedBot(conversations, delay=0.02)
    loader = BotLoader(lambda _report: bot)
    settings = Settings(data_dir=folder, cors_origins=("*",))
    app = create_app(loader, conversations, settings)
    app.include_router(build_router())
    weather = Weather(app)
    served = Kefu(bot, conversations, weather)
    served.url = _serve(weather, served.servers)
    served.shop = _serve(Starlette(routes=[Route("/", _host_page(served.url))]), served.servers)
    yield served
    for server in served.servers:
        server.should_exit = True
    database.dispose()


_SHADOW = "document.querySelector('kefu-widget').shadowRoot"


class Visit:
    """One browser tab on a page with the widget.  Playwright's selectors see into the shadow root."""

    def __init__(self, context: Any, url: str) -> None:
        self.context = context
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.page.wait_for_selector("kefu-widget", state="attached")

    def _note(self, message: Any) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.problems.append(message.text)

    def open(self) -> Visit:
        self.page.click(".launch")
        self.page.wait_for_selector(".status[data-state=ready]")
        return self

    def ask(self, text: str, wait: bool = True) -> None:
        before = self.page.locator(".bubble").count()
        self.page.fill(".composer textarea", text)
        self.page.press(".composer textarea", "Enter")
        if wait:
            self.page.wait_for_function(
                f"(before) => {_SHADOW}.querySelectorAll('.bubble').length > before", arg=before
            )
            self.settled()

    def settled(self) -> None:
        """Waits until nothing is being answered; what was sent just now shows from the next frame on."""
        self.page.evaluate(
            "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
        )
        self.page.wait_for_selector(".status[data-state=ready]")

    def said(self) -> list[str]:
        """The finished bubbles' texts, in order."""
        done = self.page.locator(".bubble:not(.dots, .growing)")
        return [str(text) for text in done.all_inner_texts()]

    def focused(self) -> str:
        """Class of what has the focus inside the widget, or the page's element's id."""
        found = self.page.evaluate(
            f"(() => {{ const inside = {_SHADOW}.activeElement; return inside ? inside.className || inside.tagName"
            " : document.activeElement.id || document.activeElement.tagName; })()"
        )
        return str(found)

    def faults(self, axe: str) -> list[str]:
        """What axe-core finds: rule and element."""
        self.page.wait_for_timeout(250)
        self.page.evaluate(axe)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [f"{v['id']}: {node['target']}" for v in found["violations"] for node in v["nodes"]]

    def shot(self, name: str) -> None:
        """A picture for a person to look at, where ``KEFU_SHOTS`` names a folder."""
        if folder := os.environ.get("KEFU_SHOTS"):
            self.page.wait_for_timeout(350)
            self.page.screenshot(path=str(Path(folder) / f"widget-{name}.png"))


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core 4, fetched once by npm into a folder for caches."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kefu" / "tests"
    source = cache / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm was not found on PATH; install Node.js to check the widget with axe-core")
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(cache), "axe-core@4"]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        if done.returncode or not source.exists():
            pytest.skip("npm could not fetch axe-core (no network?); the widget was not checked with it")
    return source.read_text(encoding="utf-8")


@pytest.fixture
def visit(chromium: Any, kefu: Kefu) -> Iterator[Any]:  # noqa: F811
    """Opens a page with the widget: ``visit(url, locale, width, height, dark, context)``."""
    kefu.weather.clear()
    kefu.bot.delay = 0.02
    contexts = []

    def opened(
        url: str = "", locale: str = "en-US", width: int = 1280, height: int = 820, dark: bool = False,
        context: Any = None, **more: Any,
    ) -> Visit:  # fmt: skip
        if context is None:
            size = {"width": width, "height": height}
            scheme = "dark" if dark else "light"
            context = chromium.new_context(locale=locale, viewport=size, color_scheme=scheme, **more)
            contexts.append(context)
        return Visit(context, url or kefu.page(lang=locale[:2]))

    yield opened
    for context in contexts:
        context.close()
