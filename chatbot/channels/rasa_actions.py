"""Kefu's actions for rasa-sdk's own server: ``python -m rasa_sdk --actions chatbot.channels.rasa_actions``.

The models stay in the running Kefu: an action is passed on to Kefu's own action
server (``KEFU_ACTIONS__KEFU_URL``), so both ways give the same events and
responses.  When Kefu cannot be reached the customer is told; nothing is raised,
because rasa-sdk's answer to an exception repeats the whole conversation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import structlog
from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionExecutionRejection

import knowledge_base
from chatbot.channels.kefu_actions import ANSWER, HAND_OVER
from chatbot.language import dominant_language
from chatbot.phrases import Phrases
from chatbot.settings import Settings, load_settings

__all__ = ["ActionKefuAnswer", "ActionKefuHandover"]

log = structlog.get_logger(__name__)

_TIMEOUT_S = 60.0


class _Relayed(Action, ABC):  # type: ignore[misc]
    """Passes its call on to the running Kefu."""

    transport: httpx.AsyncBaseTransport | None = None
    """For tests."""

    @abstractmethod
    def name(self) -> str:
        """The name for the assistant's domain."""

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any
    ) -> list[dict[str, Any]]:
        """Has Kefu run the action, and gives back what it gave."""
        call = {
            "next_action": self.name(),
            "sender_id": tracker.sender_id,
            "tracker": tracker.current_state(),
            "domain": domain if domain is not None else {},
        }
        try:
            answer = await self._post(call)
            if answer.status_code == httpx.codes.BAD_REQUEST and "action_name" in answer.json():
                raise ActionExecutionRejection(self.name(), answer.json()["error"])
            result = answer.raise_for_status().json()
            dispatcher.messages.extend(result["responses"])
            return list(result["events"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.error(
                "kefu cannot be used; start it or mend KEFU_ACTIONS__KEFU_URL", error=type(error).__name__
            )
            dispatcher.utter_message(text=_sorry(tracker))
            return []

    async def _post(self, call: dict[str, Any]) -> httpx.Response:
        chosen = _settings().actions
        key = chosen.kefu_key.get_secret_value()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with httpx.AsyncClient(transport=self.transport, timeout=_TIMEOUT_S, trust_env=False) as client:
            return await client.post(chosen.kefu_url.rstrip("/") + "/webhook", json=call, headers=headers)


class ActionKefuAnswer(_Relayed):
    """Answers the customer's last message from Kefu's knowledge base."""

    def name(self) -> str:
        """The name for the assistant's domain."""
        return ANSWER


class ActionKefuHandover(_Relayed):
    """Has Kefu keep that the customer wants a person."""

    def name(self) -> str:
        """The name for the assistant's domain."""
        return HAND_OVER


def _sorry(tracker: Tracker) -> str:
    """The sentence for the customer, in the language of the last message."""
    settings = _settings()
    text = tracker.latest_message.get("text")
    language = dominant_language(text, settings.languages) if isinstance(text, str) else None
    sample = Path(knowledge_base.__file__).parent / "sample"
    phrases = Phrases.load(sample / "phrases.yml", settings.company)
    return phrases.say("error", language or settings.default_language)


@lru_cache(maxsize=1)
def _settings() -> Settings:
    return load_settings()
