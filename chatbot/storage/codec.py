"""Replies and traces as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chatbot.turn import Action, Attachment, Button, Intent, Reply, Route, Source, Trace

__all__ = ["reply_fields", "reply_from", "rich_parts", "trace_from", "trace_json"]

Json = Mapping[str, Any]


def trace_json(trace: Trace) -> dict[str, Any]:
    """The trace as JSON values."""
    return asdict(trace)


def trace_from(body: Json) -> Trace:
    """The trace of :func:`trace_json`."""
    intent = body["intent"]
    return Trace(
        id=body["id"],
        language=body["language"],
        intent=Intent(intent["name"], intent["confidence"], Route(intent["route"])),
        question=body["question"],
        decision=body["decision"],
        reason=body["reason"],
        probability=body["probability"],
        sources=tuple(Source(**source) for source in body["sources"]),
        guard=body["guard"],
        generator=body["generator"],
        timings_ms=dict(body["timings_ms"]),
    )


def reply_fields(reply: Reply) -> dict[str, Any]:
    """What a reply has beside its text, language, id and trace, as JSON values."""
    return {
        "action": reply.action.value,
        "searched": reply.trace.question,
        "buttons": [asdict(button) for button in reply.buttons],
        "images": list(reply.images),
        "attachments": [{"type": a.type, "payload": dict(a.payload)} for a in reply.attachments],
        "custom": [dict(payload) for payload in reply.custom],
        "sources": [asdict(source) for source in reply.sources],
        "recommendations": list(reply.recommendations),
        "hand_over": reply.hand_over,
        "notice": reply.notice,
    }


def rich_parts(fields: Json) -> dict[str, Any]:
    """Images, attachments and custom payloads of :func:`reply_fields`; older rows have none."""
    return {
        "images": tuple(fields.get("images", ())),
        "attachments": tuple(Attachment(a["type"], a["payload"]) for a in fields.get("attachments", ())),
        "custom": tuple(fields.get("custom", ())),
    }


def reply_from(text: str, language: str, message_id: str, fields: Json, trace: Trace) -> Reply:
    """The reply of :func:`reply_fields` and the columns beside it."""
    return Reply(
        text=text,
        language=language,
        action=Action(fields["action"]),
        trace=trace,
        message_id=message_id,
        buttons=tuple(Button(**button) for button in fields["buttons"]),
        **rich_parts(fields),
        sources=tuple(Source(**source) for source in fields["sources"]),
        recommendations=tuple(fields["recommendations"]),
        hand_over=fields["hand_over"],
        notice=fields["notice"],
    )
