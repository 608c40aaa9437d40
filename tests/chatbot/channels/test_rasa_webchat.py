"""``rasa-webchat`` as its makers ship it, in headless Chromium, against the socket.io channel."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response

from chatbot.channels import BotLoader, create_app
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from chatbot.turn import Button, Message, Reply
from tests.chatbot.channels.npm import npm_packages
from tests.chatbot.channels.serving import serving
from tests.fakes import FakeBot

pytestmark = pytest.mark.browser

PIXEL = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="120" height="60"><rect width="120" height="60"/></svg>'
)
PAGE = """<!doctype html><meta charset=utf-8><title>shop</title><div id=chat></div>
<script src=/test/webchat.js></script>
<script>
WebChat.default({selector: '#chat', initPayload: %s, socketUrl: '%s', socketPath: '/socket.io/',
  title: 'Shop', customData: {language: 'en'}, params: {storage: 'local'}}, null);
</script>"""


def answer(message: Message) -> Reply | str:
    if message.text == "which":
        buttons = (Button("Return it", "/returns{}"), Button("Get a refund", "refund me"))
        return FakeBot.reply("Which of these?", buttons=buttons)
    if message.text == "picture":
        return FakeBot.reply("Here it is.", images=("/test/picture.svg",))
    if message.text == "long":
        return "\n\n".join(f"Paragraph {n} " + "word " * 80 for n in range(3))
    return f"You said: {message.text}"


class Shop:
    """A page with the widget on it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.problems: list[str] = []
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(address)

    def open(self) -> None:
        self.page.click(".rw-launcher")
        self.page.wait_for_selector(".rw-new-message")

    def say(self, text: str) -> None:
        self.page.fill(".rw-new-message", text)
        self.page.press(".rw-new-message", "Enter")

    def heard(self, text: str) -> None:
        self.page.wait_for_selector(f".rw-response >> text={text}")

    def shot(self, name: str) -> None:
        """A picture for a person to look at, where ``KEFU_SHOTS`` names a folder."""
        if folder := os.environ.get("KEFU_SHOTS"):
            self.page.wait_for_timeout(400)
            self.page.screenshot(path=f"{folder}/{name}.png")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium found on PATH; install the system's chromium package")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def script() -> Any:
    return npm_packages("rasa-webchat", "rasa-webchat@1.0.1") / "rasa-webchat" / "lib" / "index.js"


@pytest.fixture
def visit(chromium: Any, script: Any, tmp_path: Any) -> Iterator[Callable[..., Shop]]:
    """Opens the page: ``visit(bot, first="…", other_origin=…, **settings)``."""
    database = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    database.upgrade()
    closers: list[Callable[[], Any]] = []

    def visit(
        bot: FakeBot | None = None, first: str = "null", other_origin: bool = False, **settings: Any
    ) -> Shop:
        bot = bot or FakeBot(answer, history=Conversations(database), delay_s=0.01)
        loader = BotLoader(lambda _report: bot)
        app = create_app(loader, Conversations(database), Settings(**settings))
        _add_page(app, script, first)
        server = serving(app)
        address = server.__enter__()
        context = chromium.new_context(locale="en-US")
        closers[:0] = [context.close, lambda: server.__exit__(None, None, None)]
        page = f"{address}/test/page?to={address}"
        return Shop(context.new_page(), page.replace("127.0.0.1", "localhost", 1) if other_origin else page)

    yield visit
    for close in closers:
        close()
    database.dispose()


def _add_page(app: FastAPI, script: Any, first: str) -> None:
    @app.get("/test/webchat.js")
    def webchat() -> FileResponse:
        return FileResponse(script)

    @app.get("/test/picture.svg")
    def picture() -> Response:
        return Response(PIXEL, media_type="image/svg+xml")

    @app.get("/test/page")
    def page(to: str) -> HTMLResponse:
        return HTMLResponse(PAGE % (first, to))


def test_text_a_long_text_and_a_picture_are_drawn(visit: Any) -> None:
    shop = visit()
    shop.open()
    shop.say("hello")
    shop.heard("You said: hello")
    shop.say("long")
    for number in range(3):
        shop.heard(f"Paragraph {number}")
    shop.say("picture")
    shop.heard("Here it is.")
    shop.page.wait_for_selector("img[src='/test/picture.svg']")
    assert shop.page.locator("text=undefined").count() == 0
    shop.shot("rasa-webchat")
    assert shop.problems == []


def test_a_click_on_a_button_sends_its_payload(visit: Any) -> None:
    bot = FakeBot(answer)
    shop = visit(bot)
    shop.open()
    shop.say("which")
    shop.page.wait_for_selector(".rw-reply >> text=Get a refund")
    shop.shot("rasa-webchat-buttons")
    shop.page.click(".rw-reply >> text=Get a refund")
    shop.heard("You said: refund me")
    assert [message.text for message in bot.seen] == ["which", "refund me"]


def test_a_first_message_is_sent_when_the_chat_is_opened(visit: Any) -> None:
    shop = visit(first='"/get_started"')
    shop.open()
    shop.heard("You said: /get_started")


def test_no_first_message_is_not_answered(visit: Any) -> None:
    bot = FakeBot(answer)
    shop = visit(bot, first="undefined")
    shop.open()
    shop.say("hello")
    shop.heard("You said: hello")
    assert [message.text for message in bot.seen] == ["hello"]
    assert shop.page.locator(".rw-response").count() == 1


def test_a_reload_keeps_session_and_conversation(visit: Any) -> None:
    bot = FakeBot(answer)
    shop = visit(bot)
    shop.open()
    shop.say("hello")
    shop.heard("You said: hello")
    shop.page.reload()
    shop.page.wait_for_selector(".rw-launcher")
    if not shop.page.locator(".rw-new-message").is_visible():
        shop.open()
    shop.heard("You said: hello")
    shop.say("again")
    shop.heard("You said: again")
    assert len({message.conversation_id for message in bot.seen}) == 1


def test_pieces_for_other_clients_change_nothing_here(visit: Any) -> None:
    shop = visit(socketio={"stream": True})
    shop.open()
    shop.say("hello")
    shop.heard("You said: hello")
    time.sleep(0.3)
    assert shop.page.locator(".rw-response").count() == 1
    assert shop.problems == []


def test_a_page_of_another_site_that_the_settings_name_can_use_it(visit: Any) -> None:
    shop = visit(other_origin=True, cors_origins=("*",))
    shop.open()
    shop.say("hello")
    shop.heard("You said: hello")
