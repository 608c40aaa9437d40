"""A reply as the command line's JSON; its names are a contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chatbot.turn import Reply

__all__ = ["reply_json"]


def reply_json(reply: Reply) -> dict[str, Any]:
    """``answer, language, intent, decision, sources, recommendations, guard, timings_ms, trace_id`` and more."""
    trace = reply.trace
    return {
        "answer": reply.text,
        "language": reply.language,
        "intent": {"name": trace.intent.name, "confidence": round(trace.intent.confidence, 4)},
        "decision": trace.decision,
        "sources": [{"entry_id": source.entry_id, "score": source.score} for source in reply.sources],
        "recommendations": list(reply.recommendations),
        "buttons": [asdict(button) for button in reply.buttons],
        "images": list(reply.images),
        "attachments": [{"type": a.type, "payload": dict(a.payload)} for a in reply.attachments],
        "custom": [dict(payload) for payload in reply.custom],
        "hand_over": reply.hand_over,
        "notice": reply.notice,
        "guard": trace.guard,
        "question": trace.question,
        "reason": trace.reason,
        "probability": trace.probability,
        "generator": trace.generator,
        "timings_ms": trace.timings_ms,
        "trace_id": trace.id,
    }
