from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chatbot.channels.turns import TurnQueue
from chatbot.errors import StorageError
from chatbot.storage import Conversations
from chatbot.turn import Listener, Message, Reply
from tests.ui.conftest import company
from tests.ui.fakes import LONG_EN, LONG_ZH, FakeBot
from ui.chat import Chat, Screen
from ui.visitor import Visitor


@pytest.fixture
def make(conversations: Conversations) -> Callable[..., Chat]:
    def made(bot: Any, limit: int = 2000) -> Chat:
        provider = bot if callable(bot) else lambda: bot
        return Chat(provider, conversations, company, limit, "en", TurnQueue(8, 64).submit)

    return made


@pytest.fixture
def visitor() -> Visitor:
    return Visitor.recognise(None, "en")


def html(screen: Screen) -> str:
    return "\n".join(item.html for item in screen.items)


def test_an_answer_is_followed_and_then_kept(make: Any, bot: FakeBot, visitor: Visitor) -> None:
    screens = list(make(bot).send(visitor, "  How long do I have?  "))
    assert screens[0].state == "answering"
    assert screens[0].draft == ""
    assert screens[-1].state == "ready"
    assert "print the label and drop the parcel" in html(screens[-1])
    assert bot.asked[0].text == "How long do I have?"
    assert bot.asked[0].interface_language == "en"
    (again,) = make(bot).open(visitor)
    assert "print the label and drop the parcel" in html(again)


def test_the_growing_text_never_shrinks(make: Any, conversations: Conversations, visitor: Visitor) -> None:
    screens = list(make(FakeBot(conversations, delay=0.01)).send(visitor, "How long?"))
    lengths = [len(html(s)) for s in screens if "kf-growing" in html(s)]
    assert len(lengths) > 3
    assert lengths == sorted(lengths)


def test_nothing_is_sent_for_an_empty_message(make: Any, bot: FakeBot, visitor: Visitor) -> None:
    (screen,) = make(bot).send(visitor, " \n ")
    assert bot.asked == []
    assert screen.draft is None


def test_an_over_long_message_keeps_the_draft_and_reaches_no_bot(
    make: Any, bot: FakeBot, visitor: Visitor
) -> None:
    (screen,) = make(bot, limit=20).send(visitor, "x" * 21)
    assert "21 characters, 20 at most" in html(screen)
    assert screen.draft is None
    assert bot.asked == []


def test_a_starting_bot_takes_no_message(make: Any, visitor: Visitor) -> None:
    (screen,) = make(lambda: None).send(visitor, "hello")
    assert screen.state == "starting"
    assert screen.draft is None


def test_a_bot_that_cannot_be_loaded_is_said(make: Any, visitor: Visitor) -> None:
    def broken() -> None:
        raise RuntimeError("no models")

    (screen,) = make(broken).open(visitor)
    assert screen.state == "failed"
    assert "isn’t available" in html(screen)
    assert "no models" not in html(screen)


def test_a_failure_offers_the_message_again_and_tells_no_details(
    make: Any, bot: FakeBot, visitor: Visitor
) -> None:
    *_, last = make(bot).send(visitor, "boom now")
    assert last.state == "ready"
    assert 'data-text="boom now"' in html(last)
    assert "engine broke" not in html(last)


def test_a_failure_writes_no_customers_words_to_the_log(
    make: Any, bot: FakeBot, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    list(make(bot).send(visitor, "boom zanzibar"))
    assert "EngineError" in caplog.text
    assert "zanzibar" not in caplog.text


class Waiting(FakeBot):
    """Answers only when it is let, or when nobody waits any more."""

    def __init__(self, conversations: Conversations) -> None:
        super().__init__(conversations)
        self.go = threading.Event()
        self.begun = threading.Event()

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        self.begun.set()
        while not self.go.wait(0.02):
            if listener is not None and listener.cancelled():
                self.cancelled.set()
                break
        return super().respond(message, None)


def test_one_conversation_is_answered_once_at_a_time(
    make: Any, conversations: Conversations, visitor: Visitor
) -> None:
    bot = Waiting(conversations)
    chat = make(bot)
    first = chat.send(visitor, "How long?")
    next(first)
    (second,) = chat.send(visitor, "And again?")
    assert "still being answered" in html(second)
    bot.go.set()
    assert "print the label" in html(list(first)[-1])
    assert [m.text for m in bot.asked] == ["How long?"]


def test_stop_cancels_the_generation(make: Any, conversations: Conversations, visitor: Visitor) -> None:
    bot = Waiting(conversations)
    chat = make(bot)
    screens = chat.send(visitor, "How long?")
    next(screens)
    chat.stop(visitor)
    last = list(screens)[-1]
    assert bot.cancelled.is_set()
    assert "Stopped" in html(last)


def test_a_browser_that_goes_away_cancels_the_generation(
    make: Any, conversations: Conversations, visitor: Visitor
) -> None:
    bot = Waiting(conversations)
    screens = make(bot).send(visitor, "How long?")
    next(screens)
    screens.close()
    assert bot.cancelled.wait(5)


def test_a_page_reloaded_while_answering_waits_for_the_answer(
    make: Any, conversations: Conversations, visitor: Visitor
) -> None:
    bot = Waiting(conversations)
    chat = make(bot)
    screens = chat.send(visitor, "How long?")
    next(screens)
    reloaded = chat.open(visitor)
    waiting = next(reloaded)
    assert waiting.state == "answering"
    assert "How long?" in html(waiting)
    bot.go.set()
    assert "print the label" in html(list(reloaded)[-1])


def test_quick_replies_stand_only_under_the_last_answer(make: Any, bot: FakeBot, visitor: Visitor) -> None:
    chat = make(bot)
    *_, asked = chat.send(visitor, "which one?")
    assert html(asked).count("kf-chips") == 1
    *_, answered = chat.send(visitor, "How long does delivery take?")
    assert "kf-chips" not in html(answered)


def test_a_rating_is_kept_only_for_the_visitors_own_conversation(
    make: Any, bot: FakeBot, visitor: Visitor, conversations: Conversations
) -> None:
    chat = make(bot)
    list(chat.send(visitor, "How long?"))
    answer = conversations.history(visitor.conversation_id)[-1]
    stranger = Visitor.recognise(None)
    assert "wasn’t saved" in chat.rate(stranger, answer.id, "dislike", "")
    assert "wasn’t saved" in chat.rate(visitor, answer.id, "love", "")
    assert conversations.history(visitor.conversation_id)[-1].feedback is None
    assert chat.rate(visitor, answer.id, "dislike", "wrong") == ""
    assert conversations.history(visitor.conversation_id)[-1].feedback == "dislike"


def test_a_request_for_a_person_is_confirmed_only_when_stored(
    make: Any, bot: FakeBot, visitor: Visitor, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = make(bot)
    assert "is recorded" in html(chat.person(visitor, "call me"))

    def broken(*_: object, **__: object) -> None:
        raise StorageError("disk full")

    monkeypatch.setattr(conversations, "request_person", broken)
    screen = html(chat.person(visitor, "call me"))
    assert "wasn’t saved" in screen
    assert "is recorded" not in screen


def test_an_unreadable_history_is_said_and_not_shown_as_empty(
    make: Any, bot: FakeBot, visitor: Visitor, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StorageError("disk gone")

    monkeypatch.setattr(conversations, "history", broken)
    (screen,) = make(bot).open(visitor)
    assert "can’t be loaded" in html(screen)
    assert "kf-welcome" not in html(screen)


def test_a_new_conversation_shows_nothing_of_the_old_one(make: Any, bot: FakeBot, visitor: Visitor) -> None:
    chat = make(bot)
    list(chat.send(visitor, "How long?"))
    screen = chat.fresh(visitor)
    assert "How long?" not in html(screen).replace("How long do", "").replace("How long does", "")
    assert screen.visitor.conversation_id != visitor.conversation_id


def test_labels_follow_the_interface_and_texts_the_answer(make: Any, bot: FakeBot, visitor: Visitor) -> None:
    chat = make(bot)
    list(chat.send(visitor, "多久可以退货？"))
    (screen,) = chat.open(visitor.speaking("zh"))
    assert "参考资料" in html(screen)
    assert LONG_ZH[:12] in html(screen)
    assert LONG_EN not in html(screen)
