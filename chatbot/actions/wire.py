"""The request to an action server, in the form of Rasa 3.6, and the domain's digest."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatbot.turn import Intent, Message, Past

__all__ = ["VERSION", "Spoken", "action_call", "digest"]

VERSION = "3.6.21"
"""Version of Rasa whose protocol is spoken."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The customer's message as the action server is told of it."""

    message: Message
    text: str
    language: str
    intent: Intent
    entities: Sequence[Mapping[str, Any]] = ()
    past: Past = field(default_factory=Past)


def digest(domain: Mapping[str, Any]) -> str:
    """SHA-256 of the domain, as Rasa makes it a fingerprint."""
    canonical = json.dumps(domain, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()


def action_call(
    action: str,
    spoken: Spoken,
    slots: Mapping[str, Any],
    *,
    loop: str = "",
    last_action: str = "",
    events: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The body of ``POST /webhook`` without domain and digest.

    Args:
        slots: all slots, None for those without a value.
        loop: the active loop.
        last_action: the action before this one.
        events: of the actions that ran before in this turn.
    """
    now = time.time()
    latest = _latest(spoken)
    history = _history(spoken, latest, now)
    return {
        "version": VERSION,
        "next_action": action,
        "sender_id": spoken.message.conversation_id,
        "tracker": {
            "sender_id": spoken.message.conversation_id,
            "slots": dict(slots),
            "latest_message": latest,
            "latest_event_time": now,
            "followup_action": None,
            "paused": False,
            "events": [*history, *_slot_events(slots, now), *events],
            "latest_input_channel": spoken.message.channel,
            "active_loop": {"name": loop} if loop else {},
            "latest_action": {"action_name": last_action or "action_listen"},
            "latest_action_name": last_action or "action_listen",
            "stack": [],
            "user_id": spoken.message.customer_id,
        },
    }


def _latest(spoken: Spoken) -> dict[str, Any]:
    intent = {"name": spoken.intent.name, "confidence": round(spoken.intent.confidence, 4)}
    return {
        "text": spoken.text,
        "intent": intent,
        "intent_ranking": [intent],
        "entities": [dict(entity) for entity in spoken.entities],
        "message_id": spoken.message.message_id,
        "metadata": {"language": spoken.language},
    }


def _history(spoken: Spoken, latest: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    channel = spoken.message.channel
    events: list[dict[str, Any]] = [{"event": "action", "timestamp": now, "name": "action_session_start"}]
    for turn in spoken.past.turns:
        events.append({"event": "action", "timestamp": now, "name": "action_listen"})
        events.append(
            {
                "event": "user",
                "timestamp": now,
                "text": turn.question,
                "parse_data": {"text": turn.question, "intent": {"name": None}, "entities": []},
                "input_channel": channel,
            }
        )
        events.append({"event": "bot", "timestamp": now, "text": turn.answer, "data": {}, "metadata": {}})
    events.append({"event": "action", "timestamp": now, "name": "action_listen"})
    events.append(
        {
            "event": "user",
            "timestamp": now,
            "text": spoken.text,
            "parse_data": dict(latest),
            "input_channel": channel,
            "message_id": spoken.message.message_id,
            "metadata": latest["metadata"],
        }
    )
    return events


def _slot_events(slots: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    return [
        {"event": "slot", "timestamp": now, "name": name, "value": value}
        for name, value in slots.items()
        if value is not None
    ]
