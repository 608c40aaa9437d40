"""A customer's order in the whole turn: asked, looked up on an action server, stored, gone on with elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chatbot.actions import ActionPlans, ActionServer, ActionStage
from chatbot.bot import Bot
from chatbot.channels.sample_server import SampleServer, create_sample_app, wants_sample_server
from chatbot.decide import Decider
from chatbot.followup import FollowUp
from chatbot.generate import Generator
from chatbot.judge import AnswerJudge
from chatbot.language import LanguageDetector
from chatbot.memory import Memory
from chatbot.phrases import Phrases, Routes
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from chatbot.turn import Action, Intent, Message, Reply, Route
from chatbot.writer import Writer
from knowledge_base.search import KnowledgeBase
from tests.chatbot.test_bot import CALIBRATION, ENTRIES, SAMPLE
from tests.embedders import HashEmbedder
from tests.fakes import FakeGenerator


class Intents:
    """Knows wishes by their words."""

    def named(self, name: str) -> Intent | None:
        return Intent("greeting", 1.0, Route.SMALL_TALK) if name == "get_started" else None

    def classify(self, text: str, vector: object) -> Intent:
        del vector
        words = text.lower()
        if "cancel" in words or "取消" in words:
            return Intent("order_cancel", 0.95)
        if "where" in words or "到哪" in words or words.strip("#").isdigit():
            return Intent("order_status", 0.95)
        if "agent" in words or "人工" in words or "person" in words:
            return Intent("human", 0.99, Route.HAND_OVER)
        return Intent("faq", 0.5)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    opened.upgrade()
    yield opened
    opened.dispose()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SampleServer]:
    started = SampleServer(Settings(data_dir=tmp_path / "data", actions={"sample_port": 0}))  # type: ignore[arg-type]
    yield started
    started.stop()


def build(database: Database, url: str) -> Bot:
    """A bot as another process would build it."""
    phrases = Phrases.load(SAMPLE / "phrases.yml", "Acme")
    routes = Routes.load(SAMPLE / "routes.yml")
    detector = LanguageDetector(("zh", "en", "es", "ja"), "en")
    plans = ActionPlans.load(SAMPLE / "routes.yml")
    engine: Generator = FakeGenerator(choice=[0.05, 0.95])
    return Bot(
        knowledge=KnowledgeBase.in_memory(ENTRIES, HashEmbedder()),
        language=detector,
        intents=Intents(),  # type: ignore[arg-type]
        followup=FollowUp(),
        judge=AnswerJudge(engine),
        decider=Decider(CALIBRATION),
        writer=Writer(None, phrases, routes, lambda text: detector.detect(text).language),
        memory=Memory(Conversations(database)),
        phrases=phrases,
        actions=ActionStage(
            plans, ActionServer(url, domain=plans.domain, timeout_s=5), phrases, routes.route
        ),
    )


def say(bot: Bot, text: str, conversation: str = "c", id_: str | None = None) -> Reply:
    return bot.respond(Message(text, conversation, conversation, message_id=id_))


def test_an_order_is_looked_up_after_its_e_mail_was_given(database: Database, server: SampleServer) -> None:
    bot = build(database, server.url)
    asked = say(bot, "where is my order 10423?")
    assert (asked.action, "SF1415926535897" in asked.text) == (Action.CUSTOM, False)
    told = say(bot, "li.wei@example.com")
    assert "SF1415926535897" in told.text
    assert told.trace.decision == "custom"
    assert "action" in told.trace.timings_ms


def test_another_process_goes_on_where_the_customer_was(database: Database, server: SampleServer) -> None:
    assert "邮箱" in say(build(database, server.url), "我的订单10423到哪了").text
    assert "SF1415926535897" in say(build(database, server.url), "li.wei@example.com").text


def test_a_repeated_delivery_is_answered_once_and_cancels_once(
    database: Database, server: SampleServer
) -> None:
    bot = build(database, server.url)
    say(bot, "cancel my order 10402", id_="m1")
    first = say(bot, "sofia.ruiz@example.com", id_="m2")
    assert first.text.startswith("Done.")
    assert say(bot, "sofia.ruiz@example.com", id_="m2") == first


def test_what_one_customer_told_is_not_known_in_another_conversation(
    database: Database, server: SampleServer
) -> None:
    bot = build(database, server.url)
    say(bot, "where is my order 10423?")
    say(bot, "li.wei@example.com")
    assert "SF1415926535897" not in say(bot, "where is my order 10423?", "stranger").text


def test_a_question_in_between_is_answered_from_the_knowledge_base(
    database: Database, server: SampleServer
) -> None:
    bot = build(database, server.url)
    say(bot, "where is my order?")
    assert say(bot, "How much is shipping?").text == "Shipping is $5.90, free from $49."
    assert "10423" in say(bot, "#10423").text


def test_when_the_server_is_down_the_customer_is_told_and_gets_a_person(database: Database) -> None:
    bot = build(database, "http://127.0.0.1:9/webhook")
    say(bot, "where is my order 10423?")
    down = say(bot, "li.wei@example.com")
    assert (down.notice, down.action) == ("error", Action.DECLINE)
    assert down.buttons
    assert say(bot, "yes").hand_over


def test_the_text_reaches_those_who_listen(database: Database, server: SampleServer) -> None:
    class Ear:
        heard = ""

        def on_text(self, piece: str) -> None:
            self.heard += piece

        def cancelled(self) -> bool:
            return False

    ear = Ear()
    reply = build(database, server.url).respond(Message("where is my order?", "c", "c"), ear)
    assert ear.heard == reply.text


def test_two_sample_servers_take_two_ports(server: SampleServer, tmp_path: Path) -> None:
    port = int(server.url.split(":")[2].split("/")[0])
    other = SampleServer(Settings(data_dir=tmp_path / "other", actions={"sample_port": port}))  # type: ignore[arg-type]
    try:
        assert other.url != server.url
        for url in (server.url, other.url):
            health = httpx.get(url.replace("/webhook", "/actions"), trust_env=False, timeout=20)
            assert {"name": "action_order_status"} in health.json()
    finally:
        other.stop()


def test_the_sample_server_is_left_out_where_it_has_nothing_to_do() -> None:
    assert wants_sample_server(Settings())
    for settings in (
        Settings(actions={"sample": False}),  # type: ignore[arg-type]
        Settings(actions={"url": "http://shop.example:5055"}),  # type: ignore[arg-type]
        Settings(routes_path=Path("own.yml")),
    ):
        assert not wants_sample_server(settings)


def test_the_sample_server_describes_itself_nowhere(tmp_path: Path) -> None:
    assert create_sample_app(tmp_path / "orders.db").openapi_url is None
