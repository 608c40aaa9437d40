"""What the OpenAI-compatible addresses answer and take, as their description shows it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field

from chatbot import __version__
from chatbot.channels.openai_api.requests import MAX_INPUTS
from chatbot.turn import Reply

__all__ = [
    "CHAT_BODY",
    "CHAT_MODEL",
    "CHAT_OK",
    "EMBEDDING_BODY",
    "EMBEDDING_MODEL",
    "Chunks",
    "Completion",
    "Embeddings",
    "Model",
    "Models",
    "Usage",
    "completion",
    "model_fields",
]

CHAT_MODEL = "kefu"
EMBEDDING_MODEL = "kefu-embedding"

Finish = Literal["stop", "length"]


class Usage(BaseModel):
    """Tokens of the request and of the answer, counted with the encoder's vocabulary."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class EmbeddingUsage(BaseModel):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class AssistantMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: str | None = None


class Choice(BaseModel):
    """The one answer."""

    index: int
    message: AssistantMessage
    finish_reason: Finish
    logprobs: None = None


class Completion(BaseModel):
    """An answer in OpenAI's form."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str = Field(description="What answered, whatever model was named.")
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage
    kefu: dict[str, Any] = Field(
        description="What Kefu's reply has beside its text: action, language, sources, buttons, images, attachments, "
        "custom, recommendations, hand_over, notice, message_id, conversation_id; `text` is the whole reply."
    )


class Embedding(BaseModel):
    """The vector of one text."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="Numbers, or 32-bit floats (little-endian) in base64.")


class Embeddings(BaseModel):
    """Vectors in the order of the texts."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Model(BaseModel):
    """A model that may be named."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[Model]


def model_fields(name: str, created: int) -> dict[str, Any]:
    """A :class:`Model` as JSON values."""
    return {"id": name, "object": "model", "created": created, "owned_by": "kefu"}


def completion(
    reply: Reply, content: str, finish: Finish, usage: dict[str, int], conversation_id: str
) -> dict[str, Any]:
    """A :class:`Completion` as JSON values.

    Args:
        content: the reply's text, or its beginning where the client set a limit.
    """
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": f"chatcmpl-{reply.message_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": CHAT_MODEL,
        "system_fingerprint": _FINGERPRINT,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": usage,
        "kefu": extension(reply, conversation_id),
    }


@dataclass(frozen=True, slots=True)
class Chunks:
    """Makes the chunks of one streamed completion.

    Args:
        with_usage: each chunk has the field ``usage``, null but in the last one.
    """

    id: str
    with_usage: bool
    created: int = field(default_factory=lambda: int(time.time()))

    def delta(self, content: str | None = None, *, role: bool = False) -> dict[str, Any]:
        """The next piece of the answer; with ``role`` the first one."""
        delta: dict[str, Any] = {"role": "assistant"} if role else {}
        if content is not None:
            delta["content"] = content
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}])

    def end(self, finish: Finish, reply: Reply, conversation_id: str) -> dict[str, Any]:
        """The end of the answer."""
        chunk = self._chunk([{"index": 0, "delta": {}, "finish_reason": finish, "logprobs": None}])
        return {**chunk, "kefu": extension(reply, conversation_id)}

    def usage(self, usage: dict[str, int]) -> dict[str, Any]:
        """The last chunk where the client asked for the usage."""
        return {**self._chunk([]), "usage": usage}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        chunk = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": CHAT_MODEL,
            "system_fingerprint": _FINGERPRINT,
            "choices": choices,
        }
        return {**chunk, "usage": None} if self.with_usage else chunk


_FINGERPRINT = f"kefu-{__version__}"


def extension(reply: Reply, conversation_id: str) -> dict[str, Any]:
    """What the reply has beside its text."""
    return {
        "text": reply.text,
        "language": reply.language,
        "action": reply.action.value,
        "buttons": [asdict(button) for button in reply.buttons],
        "images": list(reply.images),
        "attachments": [{"type": a.type, "payload": dict(a.payload)} for a in reply.attachments],
        "custom": [dict(payload) for payload in reply.custom],
        "sources": [asdict(source) for source in reply.sources],
        "recommendations": list(reply.recommendations),
        "hand_over": reply.hand_over,
        "notice": reply.notice,
        "message_id": reply.message_id,
        "conversation_id": conversation_id,
    }


def _body(schema: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


def _or_null(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": [kind, "null"], **more}


_TEXT_PART = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
}

CHAT_BODY = _body(
    {
        "type": "object",
        "required": ["messages"],
        "properties": {
            "model": _or_null("string", description="Any name; the answer names `kefu`."),
            "messages": {
                "type": "array",
                "minItems": 1,
                "description": "The last one of the user is the question, earlier ones are the conversation so far. "
                "System messages change nothing: what may be said comes from the knowledge base.",
                "contains": {
                    "type": "object",
                    "required": ["role"],
                    "properties": {"role": {"const": "user"}},
                },
                "items": {
                    "type": "object",
                    "required": ["role"],
                    "properties": {
                        "role": {"enum": ["system", "developer", "user", "assistant", "tool", "function"]},
                        "content": {
                            "anyOf": [
                                {"type": "string"},
                                {"type": "array", "items": {"type": "object"}},
                                {"type": "null"},
                            ]
                        },
                    },
                    "if": {"properties": {"role": {"const": "user"}}},
                    "then": {
                        "required": ["content"],
                        "properties": {
                            "content": {
                                "anyOf": [
                                    {"type": "string", "pattern": r"\S"},
                                    {"type": "array", "minItems": 1, "items": _TEXT_PART},
                                ]
                            }
                        },
                    },
                },
            },
            "stream": _or_null("boolean"),
            "stream_options": _or_null("object", properties={"include_usage": _or_null("boolean")}),
            "max_completion_tokens": _or_null(
                "integer", minimum=1, description="The answer is cut there, with finish_reason `length`."
            ),
            "max_tokens": _or_null("integer", minimum=1, description="The same."),
            "user": _or_null("string", description="Your customer's id; his exchanges are kept together."),
            "n": _or_null("integer", minimum=1, maximum=1),
            "tools": {"description": "Left unheeded."},
            "tool_choice": {"enum": ["auto", "none", None]},
            "response_format": _or_null("object", required=["type"], properties={"type": {"const": "text"}}),
            "modalities": {"enum": [["text"], None]},
            "logprobs": {"enum": [False, None]},
        },
    },
    {
        "a question": {
            "value": {
                "model": "kefu",
                "messages": [{"role": "user", "content": "How long do I have to return something?"}],
            }
        },
        "a follow-up, streamed": {
            "value": {
                "model": "kefu",
                "stream": True,
                "messages": [
                    {"role": "user", "content": "寄到日本运费多少？"},
                    {"role": "assistant", "content": "寄往日本的运费为 12 美元。"},
                    {"role": "user", "content": "那韩国呢？"},
                ],
            }
        },
    },
)

EMBEDDING_BODY = _body(
    {
        "type": "object",
        "required": ["input"],
        "properties": {
            "model": _or_null("string", description="Any name; the answer names `kefu-embedding`."),
            "input": {
                "anyOf": [
                    {"type": "string", "pattern": r"\S"},
                    {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MAX_INPUTS,
                        "items": {"type": "string", "pattern": r"\S"},
                    },
                ]
            },
            "encoding_format": {"enum": ["float", "base64", None]},
            "dimensions": {
                "type": "null",
                "description": "Leave it out: of all numbers only the encoder's own is taken.",
            },
            "user": _or_null("string"),
        },
    },
    {"two texts": {"value": {"model": "kefu-embedding", "input": ["How much is shipping?", "运费多少钱？"]}}},
)

CHAT_OK: dict[str, Any] = {
    "model": Completion,
    "description": "The answer, or its chunks as server-sent events that end with `data: [DONE]`.",
    "content": {
        "application/json": {
            "examples": {
                "answer": {
                    "value": {
                        "id": "chatcmpl-0f8fad5bd9cb469fa16570867728950e",
                        "object": "chat.completion",
                        "created": 1795881600,
                        "model": CHAT_MODEL,
                        "system_fingerprint": "kefu-0.1.0",
                        "choices": [
                            {
                                "index": 0,
                                "message": {
                                    "role": "assistant",
                                    "content": "You can return it within 30 days.",
                                    "refusal": None,
                                },
                                "finish_reason": "stop",
                                "logprobs": None,
                            }
                        ],
                        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
                        "kefu": {"action": "verbatim", "language": "en", "sources": []},
                    }
                }
            }
        },
        "text/event-stream": {
            "schema": {
                "type": "object",
                "description": "One event; `data` is a chunk in JSON, at last `[DONE]`.",
                "required": ["data"],
                "properties": {"data": {"type": "string"}},
            },
            "examples": {
                "chunk": {
                    "value": {
                        "data": '{"id": "chatcmpl-…", "object": "chat.completion.chunk", "choices": '
                        '[{"index": 0, "delta": {"content": "You can"}, "finish_reason": null}], …}'
                    }
                },
                "end": {"value": {"data": "[DONE]"}},
            },
        },
    },
}
