"""``action_kefu_answer`` and ``action_kefu_handover``: what a Rasa assistant can have Kefu do."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from chatbot.channels.action_server import ActionFunction
from chatbot.channels.loader import BotProvider, ready
from chatbot.channels.turns import TurnQueue
from chatbot.errors import BadRequestError, BusyError
from chatbot.language import dominant_language
from chatbot.settings import Settings
from chatbot.storage import Conversations
from chatbot.turn import Message, Reply

__all__ = ["ANSWER", "HAND_OVER", "KefuActions"]

log = structlog.get_logger(__name__)

ANSWER, HAND_OVER = "action_kefu_answer", "action_kefu_handover"

MAX_ID = 200
"""A longer sender becomes its SHA-256, in characters."""
_MAX_REASON = 2000


class KefuActions:
    """The actions around a bot and its storage.

    Args:
        provider: gives the bot.
        turns: keeps the messages of a conversation in order.
        conversations: where a wish for a person is kept.
        settings: of this installation.
    """

    def __init__(
        self, provider: BotProvider, turns: TurnQueue, conversations: Conversations, settings: Settings
    ) -> None:
        self._provider = provider
        self._turns = turns
        self._conversations = conversations
        self._settings = settings

    def by_name(self) -> Mapping[str, ActionFunction]:
        """The actions as an executor takes them."""
        return {ANSWER: self.answer, HAND_OVER: self.hand_over}

    async def answer(self, dispatcher: Any, tracker: Any, domain: Any) -> list[dict[str, Any]]:
        """Answers the customer's last message.

        Slots that the domain declares are set: ``kefu_action``, ``kefu_language``, ``kefu_handover``.

        Raises:
            rasa_sdk.interfaces.ActionExecutionRejection: the last message has no text.
            BusyError: all places are taken, or the models are loading.
        """
        text = _text(tracker)
        if not text.strip():
            raise _rejection(
                ANSWER, f"{ANSWER} found no text in latest_message; expected the customer's message"
            )
        bot = ready(self._provider)
        message = self._message(tracker, text)
        try:
            future = self._turns.submit(message.conversation_id, lambda: bot.respond(message))
            reply = await asyncio.wrap_future(future)
        except BusyError:
            raise
        except BadRequestError as error:
            language = self._language(tracker, text)
            limit = self._settings.max_message_chars
            dispatcher.utter_message(text=bot.phrases.say(error.phrase, language, limit=limit))
            return []
        _utter(dispatcher, reply)
        found = {
            "kefu_action": reply.action.value,
            "kefu_language": reply.language,
            "kefu_handover": reply.hand_over,
        }
        return _slots(found, domain)

    async def hand_over(self, dispatcher: Any, tracker: Any, domain: Any) -> list[dict[str, Any]]:
        """Keeps that the customer wants a person, and says so.

        Raises:
            BusyError: the models are loading.
            StorageError: it could not be kept.
        """
        bot = ready(self._provider)
        text = _text(tracker)
        identity = _identity(tracker)
        await asyncio.to_thread(
            self._conversations.request_person,
            identity,
            text[:_MAX_REASON],
            customer_id=identity,
            channel="rasa",
        )
        log.info("a person is wanted", channel="rasa")
        language = await asyncio.to_thread(self._language, tracker, text)
        dispatcher.utter_message(text=bot.phrases.say("handed_over", language))
        return _slots({"kefu_handover": True, "kefu_action": "hand_over", "kefu_language": language}, domain)

    def _message(self, tracker: Any, text: str) -> Message:
        latest = _latest(tracker)
        message_id = latest.get("message_id")
        identity = _identity(tracker)
        return Message(
            text=text,
            conversation_id=identity,
            customer_id=identity,
            channel="rasa",
            message_id=message_id if isinstance(message_id, str) and 0 < len(message_id) <= MAX_ID else None,
            interface_language=_stated_language(tracker),
        )

    def _language(self, tracker: Any, text: str) -> str:
        """The customer's, from the message, the slot ``language`` or what was spoken before."""
        found = dominant_language(text, self._settings.languages) or _stated_language(tracker)
        if not found:
            found = self._conversations.recall(_identity(tracker), 1).language
        return found or self._settings.default_language


def _latest(tracker: Any) -> Mapping[str, Any]:
    latest = tracker.latest_message
    return latest if isinstance(latest, Mapping) else {}


def _text(tracker: Any) -> str:
    text = _latest(tracker).get("text")
    return text if isinstance(text, str) else ""


def _identity(tracker: Any) -> str:
    """Conversation and customer; the prefix keeps a guessed sender out of other channels."""
    sender = str(tracker.sender_id)
    if len(sender) > MAX_ID:
        sender = hashlib.sha256(sender.encode("utf-8", "surrogatepass")).hexdigest()
    return f"rasa:{sender}"


def _stated_language(tracker: Any) -> str | None:
    metadata = _latest(tracker).get("metadata")
    slots = tracker.slots if isinstance(tracker.slots, Mapping) else {}
    for value in (metadata.get("language") if isinstance(metadata, Mapping) else None, slots.get("language")):
        if isinstance(value, str) and 2 <= len(value) <= 35:
            subtag = value.replace("_", "-").split("-", 1)[0].lower()
            if subtag.isascii() and subtag.isalpha():
                return subtag
    return None


def _utter(dispatcher: Any, reply: Reply) -> None:
    """The reply as responses: the text with its buttons first, then everything beside it."""
    buttons = [{"title": button.title, "payload": button.payload} for button in reply.buttons]
    dispatcher.utter_message(text=reply.text, buttons=buttons)
    for image in reply.images:
        dispatcher.utter_message(image=image)
    for attachment in reply.attachments:
        dispatcher.utter_message(attachment={"type": attachment.type, "payload": dict(attachment.payload)})
    for payload in reply.custom:
        dispatcher.utter_message(json_message=dict(payload))


def _slots(found: Mapping[str, Any], domain: Any) -> list[dict[str, Any]]:
    """Events for the slots that the assistant's domain has; Rasa complains of others."""
    declared = domain.get("slots") if isinstance(domain, Mapping) else None
    known = declared if isinstance(declared, Mapping) else {}
    return [
        {"event": "slot", "timestamp": None, "name": name, "value": value}
        for name, value in found.items()
        if name in known
    ]


def _rejection(action: str, message: str) -> Exception:
    from rasa_sdk.interfaces import ActionExecutionRejection

    make: Callable[..., Exception] = ActionExecutionRejection
    return make(action, message)
