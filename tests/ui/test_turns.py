"""The page's messages wait in the line of all channels."""

from __future__ import annotations

import threading
import time

from chatbot.channels.turns import TurnQueue
from chatbot.storage import Conversations
from tests.fakes import FakeBot as ScriptedBot
from tests.ui.conftest import company
from tests.ui.fakes import FakeBot
from ui.chat import Chat
from ui.texts import say
from ui.visitor import Visitor


def page(conversations: Conversations, turns: TurnQueue, bot: FakeBot) -> Chat:
    return Chat(lambda: bot, conversations, company, 2000, "en", turns.submit)


def test_a_message_of_the_page_waits_for_one_of_another_channel(conversations: Conversations) -> None:
    turns, hold = TurnQueue(4, 16), threading.Event()
    visitor = Visitor.recognise(None, "en")
    first = turns.submit(visitor.conversation_id, lambda: (hold.wait(60), ScriptedBot.reply("first"))[1])
    screens = page(conversations, turns, FakeBot(conversations)).send(visitor, "hello")
    assert next(screens).state == "answering"
    assert len(turns) == 2
    assert not first.done()
    hold.set()
    assert list(screens)[-1].state == "ready"
    assert first.done()
    turns.close()


def test_without_a_place_in_the_line_the_customer_is_told_and_may_try_again(
    conversations: Conversations,
) -> None:
    turns, hold = TurnQueue(1, 0), threading.Event()
    held = turns.submit("other", lambda: (hold.wait(60), ScriptedBot.reply("first"))[1])
    visitor = Visitor.recognise(None, "en")
    chat = page(conversations, turns, FakeBot(conversations))
    shown = "".join(item.html for item in list(chat.send(visitor, "hello"))[-1].items)
    assert say("error_busy", "en", seconds=5) in shown
    hold.set()
    held.result(60)
    while len(turns):
        time.sleep(0.002)
    assert list(chat.send(visitor, "hello"))[-1].state == "ready"
    turns.close()
