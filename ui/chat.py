"""What happens on the chat page, without any of its framework.

Each method is one event of the page and gives the :class:`Screen` to show.  The
truth is in the database: a screen is built from the stored history each time.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from chatbot.errors import BusyError, CustomerError
from chatbot.starters import suggest
from chatbot.storage import Conversations, StoredMessage
from chatbot.turn import Action, Listener, Message, Reply
from knowledge_base.entry import Entry
from knowledge_base.errors import KefuError
from ui import render
from ui.render import Item
from ui.texts import say
from ui.turns import Answering, Running, Submit
from ui.visitor import Visitor

__all__ = ["Chat", "Screen", "ServingBot", "State"]

log = logging.getLogger(__name__)

State = Literal["ready", "answering", "starting", "failed"]

_SHOWN = 100
"""Messages of a conversation that a page shows at most."""


class Knowledge(Protocol):
    """What the page needs of a knowledge base: entries to suggest first questions from."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All entries by id."""


class ServingBot(Protocol):
    """What the page needs of a bot."""

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge base it answers from."""

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        """Answers one message and stores both."""


@dataclass(frozen=True, slots=True)
class Screen:
    """All that the page shows at one moment."""

    visitor: Visitor
    items: tuple[Item, ...]
    state: State
    company: str
    limit: int
    """Longest message, in characters."""
    draft: str | None = None
    """New content of the input box; None leaves it as it is."""

    def header(self) -> str:
        """HTML of the top bar."""
        return render.header(self.company, self.visitor.language, self.state)

    def thread(self) -> dict[str, Any]:
        """The value of the page's thread."""
        return {
            "items": [{"key": item.key, "html": item.html} for item in self.items],
            "state": self.state,
            "language": self.visitor.language,
            "limit": self.limit,
            "title": say("title", self.visitor.language, company=self.company),
            "jump": say("jump", self.visitor.language),
            "thread": say("thread", self.visitor.language),
            "hint": say("hint", self.visitor.language),
            "hint_short": say("hint_short", self.visitor.language),
        }


class Chat:
    """The events of the page.

    Args:
        bot_provider: the bot, or None while it is being assembled; raises when it cannot be.
        company: its name in a language.
        limit: longest message, in characters.
        default_language: of the interface, when the browser asks for none we have.
        submit: the line that the messages of every channel wait in.
    """

    def __init__(
        self,
        bot_provider: Callable[[], ServingBot | None],
        conversations: Conversations,
        company: Callable[[str], str],
        limit: int,
        default_language: str,
        submit: Submit,
    ) -> None:
        self._provider = bot_provider
        self._conversations = conversations
        self._company = company
        self._limit = limit
        self._default_language = default_language
        self._running = Running(submit)

    def visitor(self, stored: object, accept_language: str = "") -> Visitor:
        """Who sends this event."""
        return Visitor.recognise(stored, accept_language, self._default_language)

    def open(self, visitor: Visitor) -> Iterator[Screen]:
        """The page is opened, reloaded or reconnected; an answer still in the making is waited for."""
        answering = self._running.get(visitor.conversation_id)
        if answering is not None:
            asked = render.question("new", answering.message.text, visitor.language, None)
            waiting = (asked, render.typing(self._company(visitor.language), visitor.language))
            yield self._screen(visitor, *waiting, state="answering")
            while not answering.done.wait(0.5):
                yield self._screen(visitor, *waiting, state="answering")
        yield self._screen(visitor)

    def send(self, visitor: Visitor, text: str) -> Iterator[Screen]:
        """The customer's message: screens while the answer grows, then the whole."""
        text = text.strip()
        if not text:
            yield self._screen(visitor)
            return
        language = visitor.language
        if len(text) > self._limit:
            words = say("error_too_long", language, found=f"{len(text):,}", limit=f"{self._limit:,}")
            yield self._screen(visitor, render.error(words, language))
            return
        bot, state = self._bot()
        if bot is None:
            yield self._screen(visitor, state=state)
            return
        message = Message(
            text,
            visitor.conversation_id,
            visitor.customer_id,
            channel="page",
            message_id=uuid.uuid4().hex,
            interface_language=language,
        )
        answering = Answering(bot, message)
        try:
            started = self._running.start(answering)
        except BusyError as error:
            answering.error = error
            yield self._screen(visitor, _failure(answering, language))
            return
        if not started:
            yield self._screen(visitor, render.error(say("error_running", language), language))
            return
        try:
            yield from self._follow(visitor, answering)
        finally:
            answering.cancel()

    def _follow(self, visitor: Visitor, answering: Answering) -> Iterator[Screen]:
        language, company = visitor.language, self._company(visitor.language)
        before = self._past(visitor, current=False)
        asked = render.question("new", answering.message.text, language, datetime.now(UTC))
        last = ""

        def screen(item: Item, state: State, draft: str | None = None) -> Screen:
            return Screen(visitor, (*before, asked, item), state, company, self._limit, draft)

        yield screen(render.typing(company, language), "answering", draft="")
        for last in answering.texts():
            yield screen(render.typing(company, language, last), "answering")
        answering.done.wait()
        if answering.reply is not None:
            yield screen(self._answer(visitor, answering.reply, answering.cancelled(), last), "ready")
        else:
            yield screen(_failure(answering, language), "ready")

    def _answer(self, visitor: Visitor, reply: Reply, stopped: bool, shown: str) -> Item:
        return render.answer(
            reply.message_id or "answer",
            (shown or reply.text) if stopped else reply.text,
            company=self._company(visitor.language),
            interface=visitor.language,
            language=reply.language,
            message_id=reply.message_id,
            moment=datetime.now(UTC),
            sources=reply.sources,
            buttons=reply.buttons,
            notice=reply.notice,
            offer_person=reply.action in (Action.DECLINE, Action.HAND_OVER),
            stopped=stopped,
        )

    def stop(self, visitor: Visitor) -> None:
        """The customer does not want to wait for the rest of the answer."""
        answering = self._running.get(visitor.conversation_id)
        if answering is not None:
            answering.cancel()

    def rate(self, visitor: Visitor, message_id: str, value: str, reason: str) -> str:
        """Keeps a rating of an answer of the visitor's own conversation; a sentence if it was not kept."""
        try:
            own = any(
                m.id == message_id for m in self._conversations.history(visitor.conversation_id, _SHOWN)
            )
            if own and value in ("like", "dislike"):
                self._conversations.feedback(
                    message_id, "like" if value == "like" else "dislike", reason[:500]
                )
                return ""
        except KefuError as error:
            log.warning("a rating could not be stored: %s", type(error).__name__)
        return say("rate_failed", visitor.language)

    def person(self, visitor: Visitor, note: str) -> Screen:
        """Records that the customer wants a person."""
        try:
            self._conversations.request_person(
                visitor.conversation_id, note.strip()[:500], customer_id=visitor.customer_id
            )
        except KefuError as error:
            log.warning("a request for a person could not be stored: %s", type(error).__name__)
            return self._screen(
                visitor, render.error(say("person_failed", visitor.language), visitor.language)
            )
        done = say("person_done", visitor.language)
        return self._screen(visitor, render.note("person", done, good=True))

    def fresh(self, visitor: Visitor) -> Screen:
        """A new conversation."""
        self.stop(visitor)
        return self._screen(visitor.anew())

    def _bot(self) -> tuple[ServingBot | None, State]:
        try:
            bot = self._provider()
        except Exception as error:
            log.warning("the bot is not available: %s", type(error).__name__)
            return None, "failed"
        return bot, "starting" if bot is None else "ready"

    def _screen(self, visitor: Visitor, *after: Item, state: State | None = None) -> Screen:
        """The stored conversation with ``after`` below it; the welcome when there is neither."""
        language, company = visitor.language, self._company(visitor.language)
        bot, found = self._bot()
        state = state or found
        items = self._past(visitor)
        if not items and not any(item.key == "new" for item in after):
            starters = suggest(bot.knowledge.entries.values(), language) if bot is not None else []
            items = [render.welcome(company, language, starters)]
        if state in ("starting", "failed"):
            items.append(render.note(state, say(state, language)))
        return Screen(visitor, (*items, *after), state, company, self._limit)

    def _past(self, visitor: Visitor, current: bool = True) -> list[Item]:
        """The stored messages; quick replies stay under the last one while it is the ``current`` one."""
        try:
            stored = self._conversations.history(visitor.conversation_id, _SHOWN)
        except KefuError as error:
            log.warning("a history could not be read: %s", type(error).__name__)
            return [render.note("history", say("error_history", visitor.language))]
        last = len(stored) - 1
        return [
            self._stored(visitor, message, current and place == last) for place, message in enumerate(stored)
        ]

    def _stored(self, visitor: Visitor, message: StoredMessage, last: bool) -> Item:
        if message.role == "user":
            return render.question(message.id, message.text, visitor.language, message.created_at)
        return render.answer(
            message.id,
            message.text,
            company=self._company(visitor.language),
            interface=visitor.language,
            language=message.language,
            message_id=message.id if message.role == "bot" else "",
            moment=message.created_at,
            sources=message.sources,
            buttons=message.buttons if last else (),
            notice=message.notice,
            offer_person=last and message.action in (Action.DECLINE, Action.HAND_OVER),
            rated=message.feedback or "",
        )


def _failure(answering: Answering, language: str) -> Item:
    """What to say when the bot gave no reply."""
    error, text = answering.error, answering.message.text
    if isinstance(error, BusyError):
        words = say("error_busy", language, seconds=max(1, round(error.retry_after)))
    elif isinstance(error, CustomerError) and error.phrase == "too_long":
        words = say("error_too_long", language, found=f"{len(text):,}", limit="…")
    else:
        log.error("a message was not answered: %s", type(error).__name__)
        words = say("error", language)
    return render.error(words, language, retry=text)
