"""Reads requests in OpenAI's format, with errors that name the field as OpenAI's do."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatbot.channels.openai_api.errors import InvalidRequestError
from chatbot.turn import Message, Past, Turn

__all__ = ["MAX_INPUTS", "ChatRequest", "EmbeddingRequest", "read_chat", "read_embedding"]

MAX_INPUTS = 512
"""Texts of one request for embeddings."""
_MAX_MESSAGES = 2000
_MAX_USER = 200
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request for a completion."""

    message: Message
    texts: tuple[str, ...]
    """All texts of the request, for counting its tokens."""
    stream: bool
    include_usage: bool
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """One request for embeddings."""

    texts: tuple[str, ...]
    base64: bool
    dimensions: int | None


def read_chat(body: Json, max_chars: int) -> ChatRequest:
    """A request of ``/v1/chat/completions``.

    The last message of the user is the question; what comes before it is the
    conversation's past.  System messages change nothing: what may be said comes
    from the knowledge base.

    Raises:
        InvalidRequestError: a field cannot be used.
    """
    _get(body, "model", str)
    _check_offers(body)
    told = _read_messages(body)
    last = max((place for place, (role, _) in enumerate(told) if role == "user"), default=None)
    if last is None:
        raise InvalidRequestError(
            "messages has none of the role «user»; expected the customer's question as the last one",
            "messages",
            "missing_user_message",
            phrase="empty",
        )
    question = told[last][1]
    place = f"messages[{last}].content"
    if not question.strip():
        raise InvalidRequestError(
            f"{place} is empty; expected the customer's question", place, "empty_string", phrase="empty"
        )
    if len(question) > max_chars:
        raise InvalidRequestError(
            f"{place} has {len(question)} characters; expected at most {max_chars}: shorten it",
            place,
            "context_length_exceeded",
            phrase="too_long",
        )
    conversation, customer = _identity(body, told)
    options = _get(body, "stream_options", dict) or {}
    return ChatRequest(
        message=Message(
            text=question,
            conversation_id=conversation,
            customer_id=customer,
            channel="openai",
            past=_past(told[:last], max_chars),
        ),
        texts=tuple(text for _, text in told if text),
        stream=bool(_get(body, "stream", bool)),
        include_usage=bool(_get(options, "include_usage", bool, "stream_options.")),
        max_tokens=_limit(body),
    )


def read_embedding(body: Json) -> EmbeddingRequest:
    """A request of ``/v1/embeddings``.

    Raises:
        InvalidRequestError: a field cannot be used.
    """
    _get(body, "model", str)
    _get(body, "user", str)
    texts = _texts(body.get("input"))
    encoding = _get(body, "encoding_format", str) or "float"
    if encoding not in ("float", "base64"):
        raise InvalidRequestError(
            "encoding_format is neither «float» nor «base64»; send one of them",
            "encoding_format",
            "invalid_value",
        )
    dimensions: int | None = _get(body, "dimensions", int)
    return EmbeddingRequest(texts, encoding == "base64", dimensions)


def _texts(given: Any) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list):
        raise InvalidRequestError(
            f"input is {_NAMES[type(given)]}; expected a text or a list of texts", "input", "invalid_type"
        )
    if not 0 < len(texts) <= MAX_INPUTS:
        raise InvalidRequestError(
            f"input has {len(texts)} texts; expected 1 to {MAX_INPUTS}: send several requests",
            "input",
            "invalid_size",
        )
    for place, text in enumerate(texts):
        name = "input" if isinstance(given, str) else f"input[{place}]"
        if type(text) in (int, list):
            raise InvalidRequestError(
                f"{name} is made of token numbers; expected texts, for numbers of another model's vocabulary mean "
                "nothing here (LangChain: check_embedding_ctx_length=False)",
                "input",
                "token_input_not_supported",
            )
        if not isinstance(text, str):
            raise InvalidRequestError(
                f"{name} is {_NAMES[type(text)]}; expected a text", "input", "invalid_type"
            )
        if not text.strip():
            raise InvalidRequestError(f"{name} is empty; expected some text", "input", "empty_string")
    return tuple(texts)


def _check_offers(body: Json) -> None:
    """Refuses what would be answered wrongly; what only shapes a wording is left unheeded."""
    count = _get(body, "n", int)
    if count not in (None, 1):
        raise InvalidRequestError(
            f"n is {count}; expected 1: a question has one grounded answer", "n", "unsupported_value"
        )
    choice = body.get("tool_choice")
    if choice not in (None, "auto", "none"):
        raise InvalidRequestError(
            "tool_choice asks for a call of a tool; expected «auto» or «none»: this model answers by itself",
            "tool_choice",
            "unsupported_value",
        )
    form = _get(body, "response_format", dict)
    if form is not None and form.get("type") != "text":
        raise InvalidRequestError(
            'response_format asks for another form than text; expected {"type": "text"}, or leave it out',
            "response_format",
            "unsupported_value",
        )
    modalities = _get(body, "modalities", list)
    if modalities is not None and modalities != ["text"]:
        raise InvalidRequestError(
            'modalities asks for more than text; expected ["text"]', "modalities", "unsupported_value"
        )
    if _get(body, "logprobs", bool):
        raise InvalidRequestError(
            "logprobs is true; expected false: most answers are not worded by a model",
            "logprobs",
            "unsupported_value",
        )


def _limit(body: Json) -> int | None:
    limit: int | None = None
    for name in ("max_completion_tokens", "max_tokens"):
        found = _get(body, name, int)
        if found is not None and found < 1:
            raise InvalidRequestError(f"{name} is {found}; expected 1 or more", name, "invalid_value")
        limit = found if limit is None else limit
    return limit


def _read_messages(body: Json) -> list[tuple[str, str]]:
    """Role and text of each message."""
    messages = _get(body, "messages", list)
    if not messages or len(messages) > _MAX_MESSAGES:
        raise InvalidRequestError(
            f"messages is missing or has {len(messages or ())} messages; expected 1 to {_MAX_MESSAGES}",
            "messages",
            "invalid_size" if messages else "missing_required_parameter",
            phrase="empty",
        )
    asking = max(
        (i for i, m in enumerate(messages) if isinstance(m, dict) and m.get("role") == "user"), default=-1
    )
    found = []
    for place, message in enumerate(messages):
        name = f"messages[{place}]"
        if not isinstance(message, dict):
            raise InvalidRequestError(
                f"{name} is {_NAMES[type(message)]}; expected an object with role and content",
                name,
                "invalid_type",
            )
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise InvalidRequestError(
                f"{name}.role is none of {', '.join(sorted(_ROLES))}", f"{name}.role", "invalid_value"
            )
        found.append((role, _content(message.get("content"), f"{name}.content", strict=place == asking)))
    return found


def _content(content: Any, name: str, *, strict: bool) -> str:
    """The text of a message.

    Args:
        strict: other parts than text are refused, not passed over: of the question nothing may be left out.
    """
    if isinstance(content, str):
        return content
    if content is None and not strict:
        return ""
    if not isinstance(content, list):
        raise InvalidRequestError(
            f"{name} is {_NAMES[type(content)]}; expected a text or a list of parts", name, "invalid_type"
        )
    texts = []
    for place, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif strict or not isinstance(part, dict):
            raise InvalidRequestError(
                f'{name}[{place}] is no part with a text; expected {{"type": "text", "text": …}}: '
                "pictures, sound and files are not read",
                f"{name}[{place}]",
                "unsupported_content",
            )
    return "\n".join(texts)


def _past(told: list[tuple[str, str]], max_chars: int) -> Past:
    """The exchanges before the question; their languages are found out by the bot."""
    turns: list[Turn] = []
    for role, text in told:
        text = text[:max_chars]
        if role == "user":
            turns.append(Turn(text, "", "", "answer"))
        elif role == "assistant" and turns and text:
            last = turns[-1]
            turns[-1] = Turn(last.question, f"{last.answer}\n{text}".strip(), "", "answer")
    return Past(tuple(turns))


def _identity(body: Json, told: list[tuple[str, str]]) -> tuple[str, str]:
    """Ids of conversation and customer: with ``user`` one conversation goes on by its first question."""
    user = _get(body, "user", str)
    if user is None or not user.strip():
        conversation = f"openai:{uuid.uuid4().hex}"
        return conversation, conversation
    name = user if len(user) <= _MAX_USER else hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
    first = next(text for role, text in told if role == "user")
    digest = hashlib.sha256(f"{user}\0{first}".encode("utf-8", "replace")).hexdigest()
    return f"openai:{digest[:40]}", f"openai:user:{name}"


def _get(values: Json, name: str, expected: type, prefix: str = "") -> Any:
    """A field of one type; None where it is left out or null."""
    value = values.get(name)
    if value is not None and type(value) is not expected:
        raise InvalidRequestError(
            f"{prefix}{name} is {_NAMES[type(value)]}; expected {_NAMES[expected]}",
            prefix + name,
            "invalid_type",
        )
    return value
