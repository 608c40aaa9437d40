"""A stored conversation in the form of a Rasa tracker (read from Rasa 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chatbot.storage.trackers import StoredTracker, TrackedMessage
from chatbot.turn import Intent, Reply

__all__ = ["intent_json", "tracker_json"]

Event = dict[str, Any]

_LISTEN = "action_listen"
_NOTHING: dict[str, Any] = {
    "intent": {"name": None, "confidence": 0.0},
    "entities": [],
    "text": None,
    "message_id": None,
    "metadata": {},
    "intent_ranking": [],
}


def tracker_json(
    tracker: StoredTracker, sender_id: str, *, until: float | None = None, events: bool = True
) -> dict[str, Any]:
    """The tracker's state.

    Args:
        sender_id: the name under which the conversation was asked for.
        until: leaves out what came after this moment, in seconds since 1970.
        events: false gives null in their place.
    """
    said = [m for m in tracker.messages if until is None or m.created_at.timestamp() <= until]
    users = [message for message in said if message.role == "user"]
    loop = tracker.state.get("loop", "")
    last = max((message.created_at for message in said), default=tracker.created_at)
    return {
        "sender_id": sender_id,
        "slots": dict(tracker.state.get("slots", {})),
        "latest_message": parse_data(users[-1]) if users else dict(_NOTHING),
        "latest_event_time": last.timestamp(),
        "followup_action": None,
        "paused": False,
        "events": _events(tracker, said) if events else None,
        "latest_input_channel": tracker.channel,
        "active_loop": {"name": loop} if loop else {},
        "latest_action": {"action_name": _LISTEN},
        "latest_action_name": _LISTEN,
    }


def parse_data(message: TrackedMessage) -> dict[str, Any]:
    """What a customer's message was taken for."""
    known = message.intent is not None
    intent = intent_json(message.intent) if message.intent else {"name": None, "confidence": 0.0}
    return {
        "intent": intent,
        "entities": [],
        "text": message.text,
        "message_id": message.client_message_id or message.id,
        "metadata": {},
        "intent_ranking": [intent] if known else [],
    }


def intent_json(intent: Intent) -> dict[str, Any]:
    """An intent as Rasa writes it."""
    return {"name": intent.name, "confidence": intent.confidence}


def _events(tracker: StoredTracker, messages: Sequence[TrackedMessage]) -> list[Event]:
    begun = tracker.created_at
    events = [
        _action("action_session_start", begun),
        {"event": "session_started", "timestamp": begun.timestamp(), "metadata": {}},
        _action(_LISTEN, begun),
    ]
    for message in messages:
        if message.role == "user":
            events.append(_user(tracker, message))
            continue
        if message.reply is not None:
            events.append(_action(_name(message.reply), message.created_at))
        events.append(_bot(message))
        if message.reply is not None:
            events.append(_action(_LISTEN, message.created_at))
    return events


def _action(name: str, moment: datetime) -> Event:
    return {
        "event": "action",
        "timestamp": moment.timestamp(),
        "metadata": {},
        "name": name,
        "policy": None,
        "confidence": 1.0,
        "action_text": None,
        "hide_rule_turn": False,
    }


def _user(tracker: StoredTracker, message: TrackedMessage) -> Event:
    parsed = parse_data(message)
    return {
        "event": "user",
        "timestamp": message.created_at.timestamp(),
        "metadata": {},
        "text": message.text,
        "parse_data": parsed,
        "input_channel": tracker.channel,
        "message_id": parsed["message_id"],
    }


def _bot(message: TrackedMessage) -> Event:
    data: dict[str, Any] = dict.fromkeys(
        ("elements", "quick_replies", "buttons", "attachment", "image", "custom")
    )
    metadata: dict[str, Any] = {"message_id": message.id}
    reply = message.reply
    if reply is None:
        metadata["role"] = message.role
    else:
        data["buttons"] = [{"title": b.title, "payload": b.payload} for b in reply.buttons] or None
        data["image"] = reply.images[0] if reply.images else None
        attachments = [{"type": a.type, "payload": dict(a.payload)} for a in reply.attachments]
        data["attachment"] = attachments[0] if attachments else None
        data["custom"] = dict(reply.custom[0]) if reply.custom else None
        metadata |= {"language": reply.language, "utter_action": _name(reply)}
    return {
        "event": "bot",
        "timestamp": message.created_at.timestamp(),
        "metadata": metadata,
        "text": message.text,
        "data": data,
    }


def _name(reply: Reply) -> str:
    return "action_kefu_handover" if reply.hand_over else "action_kefu_answer"
