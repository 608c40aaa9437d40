"""What Kefu's own API sends and takes, as its description shows it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from chatbot.channels.tokens import Token
from chatbot.storage import StoredMessage
from chatbot.turn import Reply

__all__ = [
    "CHAT_ANSWERS",
    "CHAT_BODY",
    "FEEDBACK_BODY",
    "PERSON_BODY",
    "Begun",
    "Config",
    "Feedback",
    "HandedOver",
    "History",
    "begun_fields",
    "reply_fields",
    "stored_fields",
]

MAX_ID = 200
"""Longest message id of a client, in characters."""


class Begun(BaseModel):
    """A conversation and the token that opens it."""

    conversation_id: str = Field(examples=["api-2nSG3pkZ6Hn6rNc1Bv7tq0yXw9dLmKeJ"])
    token: str = Field(description="Send it as `Authorization: Bearer …`; keep the newest one.")
    token_expires_at: datetime


class ChatButton(BaseModel):
    """One quick reply."""

    title: str
    payload: str = Field(description="What to send as the next message when it is clicked.")


class ChatSource(BaseModel):
    """An entry of the knowledge base that the answer rests on."""

    entry_id: str
    question: str
    answer: str
    language: str
    score: float


class ChatAttachment(BaseModel):
    """A file, a video or the like."""

    type: str
    payload: dict[str, Any]


class Answer(BaseModel):
    """What a reply has beside its text."""

    action: str = Field(
        description="What was done: answer, verbatim, clarify, small_talk, recommend, hand_over, custom, decline."
    )
    buttons: list[ChatButton]
    images: list[str] = Field(description="Addresses of pictures.")
    attachments: list[ChatAttachment]
    custom: list[dict[str, Any]] = Field(description="Payloads for the client itself.")
    sources: list[ChatSource]
    recommendations: list[str]
    hand_over: bool = Field(description="A person was asked for.")
    notice: str = Field(
        description="Why the answer is a lesser one: busy, error, curated_language; or empty."
    )


class ChatReply(Begun, Answer):
    """The reply to one message."""

    message_id: str = Field(description="Id of the reply, for feedback.")
    text: str = Field(description="Plain text.")
    language: str


class ChatMessage(Answer):
    """One message of a conversation.  Of other roles than `bot` the fields of an answer are empty."""

    id: str
    role: Literal["user", "bot", "agent"]
    text: str
    language: str
    created_at: datetime
    client_message_id: str | None = Field(description="The client's own id of a visitor's message.")
    feedback: Literal["like", "dislike"] | None


class History(BaseModel):
    """The last messages of a conversation, oldest first."""

    conversation_id: str
    messages: list[ChatMessage]


class Feedback(BaseModel):
    """An opinion that was kept."""

    message_id: str
    value: Literal["like", "dislike"]


class HandedOver(Begun):
    """A person was asked for."""

    hand_over: bool
    say: str = Field(description="A sentence for the customer.")


class Config(BaseModel):
    """What a page needs to know before the first message."""

    company: str
    language: str
    default_language: str
    languages: list[str] = Field(description="Languages that customers may write in.")
    suggestions: list[str] = Field(description="First questions to offer in `language`.")
    max_message_chars: int
    max_reason_chars: int
    ready: bool = Field(description="False while models and index are loading.")
    version: str


def begun_fields(token: Token) -> dict[str, Any]:
    """A :class:`Begun` as JSON values."""
    return {
        "conversation_id": token.conversation_id,
        "token": token.text,
        "token_expires_at": _moment(token.expires_at),
    }


def reply_fields(reply: Reply, token: Token) -> dict[str, Any]:
    """A :class:`ChatReply` as JSON values."""
    return {
        **begun_fields(token),
        "message_id": reply.message_id,
        "text": reply.text,
        "language": reply.language,
        **_answer_fields(reply, reply.action.value),
    }


def stored_fields(message: StoredMessage) -> dict[str, Any]:
    """A :class:`ChatMessage` as JSON values."""
    return {
        "id": message.id,
        "role": message.role,
        "text": message.text,
        "language": message.language,
        "created_at": _moment(message.created_at),
        "client_message_id": message.client_message_id,
        **_answer_fields(message, message.action),
        "feedback": message.feedback,
    }


def _answer_fields(said: Reply | StoredMessage, action: str) -> dict[str, Any]:
    return {
        "action": action,
        "buttons": [asdict(button) for button in said.buttons],
        "images": list(said.images),
        "attachments": [{"type": a.type, "payload": dict(a.payload)} for a in said.attachments],
        "custom": [dict(payload) for payload in said.custom],
        "sources": [asdict(source) for source in said.sources],
        "recommendations": list(said.recommendations),
        "hand_over": said.hand_over,
        "notice": said.notice,
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(limit: int, description: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "maxLength": limit, "pattern": r"\S", "description": description}


def CHAT_BODY(max_chars: int) -> dict[str, Any]:  # noqa: N802 - read as the constants beside it
    """Description of the body of ``POST /api/chat``."""
    schema = {
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": {
                "type": "string",
                "pattern": r"\S",
                "description": f"What the customer wrote, at most {max_chars} characters (else 413).",
            },
            "message_id": _text(
                MAX_ID,
                "Your own random id of this message (a UUID): repeating it is safe and a lost stream can be resumed.",
            ),
            "conversation_id": _text(255, "Must be the token's."),
            "language": _text(35, "Language of the page, a tie-break."),
            "stream": {
                "type": ["boolean", "null"],
                "description": "Answer as server-sent events, whatever `Accept` says.",
            },
        },
    }
    examples = {
        "first message": {"value": {"message": "How long do I have to return something?"}},
        "safe to repeat, streamed": {
            "value": {
                "message": "退货要多久？",
                "message_id": "5f0c1a52-6f0e-4b35-9a57-0d6f4c1f6d3e",
                "language": "zh",
                "stream": True,
            }
        },
    }
    return _body(schema, examples)


def _body(schema: dict[str, Any], examples: dict[str, Any], required: bool = True) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": schema, "examples": examples}},
        }
    }


FEEDBACK_BODY = _body(
    {
        "type": "object",
        "required": ["message_id", "value"],
        "properties": {
            "message_id": {
                "type": "string",
                "maxLength": MAX_ID,
                "pattern": r"\S",
                "description": "Id of a reply of this conversation.",
            },
            "value": {"type": "string", "enum": ["like", "dislike"]},
            "reason": {
                "type": ["string", "null"],
                "pattern": r"\S",
                "description": "At most 2000 characters (else 413).",
            },
        },
    },
    {"like": {"value": {"message_id": "0f8fad5bd9cb469fa16570867728950e", "value": "like"}}},
)

PERSON_BODY = _body(
    {
        "type": "object",
        "properties": {
            "reason": {
                "type": ["string", "null"],
                "pattern": r"\S",
                "description": "Why, or how to be reached; at most 2000 characters (else 413).",
            }
        },
    },
    {"with a reason": {"value": {"reason": "My order came damaged, please call me."}}},
    required=False,
)

_REPLY_EXAMPLE = {
    "conversation_id": "api-2nSG3pkZ6Hn6rNc1Bv7tq0yXw9dLmKeJ",
    "token": "eyJhbGciOiJIUzI1NiIs…",
    "token_expires_at": "2027-01-01T12:00:00Z",
    "message_id": "0f8fad5bd9cb469fa16570867728950e",
    "text": "You can return it within 30 days.",
    "language": "en",
    "action": "verbatim",
    "buttons": [],
    "images": [],
    "attachments": [],
    "custom": [],
    "sources": [
        {
            "entry_id": "returns-period-en",
            "question": "How long do I have to return something?",
            "answer": "You can return it within 30 days.",
            "language": "en",
            "score": 0.98,
        }
    ],
    "recommendations": [],
    "hand_over": False,
    "notice": "",
}

CHAT_ANSWERS: dict[str, Any] = {
    "model": ChatReply,
    "description": "The reply, or its making as events `start`, `delta`, `done`, `error`.",
    "content": {
        "application/json": {"examples": {"answer": {"value": _REPLY_EXAMPLE}}},
        "text/event-stream": {
            "schema": {
                "type": "object",
                "description": "One event; `data` is JSON.",
                "required": ["event", "data"],
                "properties": {
                    "event": {"enum": ["start", "delta", "done", "error"]},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                    "id": {"type": "string", "pattern": "^[0-9]+$"},
                },
            },
            "examples": {
                "start": {
                    "value": {
                        "event": "start",
                        "data": '{"conversation_id": "api-2nSG…", "token": "eyJ…", "token_expires_at": "…", '
                        '"message_id": "5f0c…"}',
                        "id": "0",
                    }
                },
                "delta": {"value": {"event": "delta", "data": '{"text": "You can"}', "id": "7"}},
                "done": {
                    "value": {
                        "event": "done",
                        "data": '{"reply": {"text": "You can return it within 30 days.", …}}',
                        "id": "34",
                    }
                },
                "error": {
                    "value": {
                        "event": "error",
                        "data": '{"say": "…", "message": "…", "reason": "ServiceUnavailable", "code": 503, '
                        '"retry_after": 10, "request_id": "…"}',
                    }
                },
            },
        },
    },
}
