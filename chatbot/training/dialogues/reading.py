"""Conversations from files: JSON lines, Rasa trackers, CSV, and text exports of WhatsApp and WeChat."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatbot.errors import BadRequestError
from chatbot.training.dialogues.conversation import Conversation, Role, Said

__all__ = ["read_conversations"]

_ROLES: dict[str, Role] = {
    **dict.fromkeys(
        ("customer", "user", "client", "visitor", "human", "客户", "顾客", "买家", "用户"), "customer"
    ),
    **dict.fromkeys(("agent", "assistant", "operator", "support", "staff", "客服", "坐席", "卖家"), "agent"),
    **dict.fromkeys(("bot", "robot", "机器人"), "bot"),
}
_COLUMNS = {
    "conversation": (
        "conversation",
        "conversation_id",
        "session",
        "session_id",
        "chat_id",
        "ticket",
        "会话",
        "会话id",
    ),
    "role": ("role", "sender", "from", "author", "speaker", "角色", "发送者", "发送人"),
    "text": ("text", "message", "content", "body", "内容", "消息", "消息内容"),
    "at": ("at", "time", "timestamp", "created_at", "date", "时间", "发送时间"),
    "customer": ("customer", "customer_id", "user_id", "客户", "客户id"),
}
_WHATSAPP = re.compile(
    r"^[‎‏]?\[?(?P<at>\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? \d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[\s ][APap]\.?[Mm]\.?)?)\]?"
    r"(?: -)? (?P<name>[^:\n]{1,80}): (?P<text>.*)$"
)
_WECHAT_BEHIND = re.compile(
    r"^(?P<name>[^\s:].{0,60}?)[ \t]+(?P<at>\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日? \d{1,2}:\d{2}(?::\d{2})?)$"
)
_WECHAT_BEFORE = re.compile(
    r"^(?P<at>\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日? \d{1,2}:\d{2}(?::\d{2})?)[ \t]+(?P<name>[^\s:].{0,60})$"
)
_FORMATS = (
    "%m/%d/%y, %I:%M %p",
    "%m/%d/%y, %H:%M",
    "%d/%m/%Y, %H:%M",
    "%d/%m/%Y, %H:%M:%S",
    "%d.%m.%y, %H:%M",
    "%d.%m.%y, %H:%M:%S",
    "%d.%m.%Y, %H:%M",
    "%d/%m/%y, %H:%M:%S",
    "%d/%m/%y, %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
)
_PAUSE_S = 12 * 3600
"""A text export is one long thread: after so long a pause another conversation begins."""
_MOST_BYTES = 512 << 20


def read_conversations(path: Path, agents: Collection[str] = ()) -> list[Conversation]:
    """The conversations of a file.

    Args:
        path: ``.jsonl`` (one conversation a line: ``{"id", "customer", "messages": [{"role", "text"}]}``, or
            a Rasa tracker), ``.json`` (one or a list of them), ``.csv`` (a message a row) or ``.txt``
            (WhatsApp's or WeChat's export).
        agents: names of the company's people, for files that have names instead of roles.

    Raises:
        BadRequestError: the file is of another form; the text says where and what was expected.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadRequestError(f"{path} has more than {_MOST_BYTES >> 20} MB; split it")
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestError(f"{path} cannot be read as UTF-8 text ({type(error).__name__})") from error
    readers: dict[str, Callable[[str, str, Collection[str]], Iterator[Conversation]]] = {
        ".jsonl": _lines,
        ".json": _json,
        ".csv": _csv,
        ".tsv": _csv,
        ".txt": _text,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadRequestError(
            f"{path.name} is none of {', '.join(readers)}; export the conversations as one of them"
        )
    return list(reader(content, path.name, agents))


def _lines(content: str, name: str, agents: Collection[str]) -> Iterator[Conversation]:
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield _object(_parsed(line, f"{name}:{number}"), f"{name}:{number}", agents)


def _json(content: str, name: str, agents: Collection[str]) -> Iterator[Conversation]:
    found = _parsed(content, name)
    rows = found if isinstance(found, list) else [found]
    for number, row in enumerate(rows, 1):
        yield _object(row, f"{name}:{number}", agents)


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"{place} is no JSON ({error}); expected one conversation") from error


def _object(row: Any, place: str, agents: Collection[str]) -> Conversation:
    if isinstance(row, dict) and isinstance(row.get("events"), list):
        return _tracker(row, place)
    if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
        raise BadRequestError(
            f'{place} holds no conversation; expected {{"id", "messages": [{{"role", "text"}}]}} or a Rasa tracker'
        )
    messages = []
    for number, message in enumerate(row["messages"], 1):
        if not isinstance(message, dict) or not isinstance(
            message.get("text") or message.get("content"), str
        ):
            raise BadRequestError(f"{place}, message {number} has no text; expected role and text")
        role = _role(
            str(message.get("role") or message.get("sender") or ""), agents, f"{place}, message {number}"
        )
        messages.append(Said(role, message.get("text") or message["content"], _time(message.get("at"))))
    id_ = str(row.get("id") or row.get("conversation_id") or place)
    rating = row.get("rating")
    return Conversation(
        id=id_,
        customer=str(row.get("customer") or row.get("customer_id") or id_),
        messages=tuple(messages),
        source=place,
        started_at=_time(row.get("started_at")) or next((m.at for m in messages if m.at), None),
        channel=str(row.get("channel") or ""),
        rating=float(rating) if isinstance(rating, int | float) else None,
    )


def _tracker(row: Mapping[str, Any], place: str) -> Conversation:
    """A Rasa tracker: what its user and its bot said."""
    roles: dict[str, Role] = {"user": "customer", "bot": "agent"}
    messages = [
        Said(roles[event["event"]], event["text"], _time(event.get("timestamp")))
        for event in row["events"]
        if isinstance(event, dict) and event.get("event") in roles and isinstance(event.get("text"), str)
    ]
    id_ = str(row.get("sender_id") or place)
    return Conversation(id_, id_, tuple(messages), place, next((m.at for m in messages if m.at), None))


def _csv(content: str, name: str, agents: Collection[str]) -> Iterator[Conversation]:
    """A message a row, in order; the rows of a conversation need not stand together."""
    sample = content[:4096]
    try:
        dialect: Any = csv.Sniffer().sniff(sample, delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    rows = csv.DictReader(io.StringIO(content, newline=""), dialect=dialect)
    columns = {
        wanted: next((h for h in rows.fieldnames or () if h and h.strip().lower() in names), None)
        for wanted, names in _COLUMNS.items()
    }
    missing = [wanted for wanted in ("conversation", "role", "text") if columns[wanted] is None]
    if missing:
        raise BadRequestError(
            f"{name} has the columns {', '.join(rows.fieldnames or ['none'])}; expected also {', '.join(missing)} "
            f"({'; '.join(f'{m}: ' + ' or '.join(_COLUMNS[m][:3]) for m in missing)})"
        )
    by_id: dict[str, list[Said]] = {}
    customers: dict[str, str] = {}
    for number, row in enumerate(rows, 2):

        def cell(wanted: str, row: Mapping[str, Any] = row) -> str:
            return str(row.get(columns[wanted] or "") or "").strip()

        if not cell("text"):
            continue
        id_ = cell("conversation") or f"{name}:{number}"
        role = _role(cell("role"), agents, f"{name}:{number}")
        by_id.setdefault(id_, []).append(Said(role, cell("text"), _time(cell("at"))))
        customers.setdefault(id_, cell("customer") or id_)
    for id_, messages in by_id.items():
        yield Conversation(
            id_,
            customers[id_],
            tuple(messages),
            f"{name}:{id_}",
            next((m.at for m in messages if m.at), None),
        )


def _text(content: str, name: str, agents: Collection[str]) -> Iterator[Conversation]:
    said = list(_exported(content))
    if not said:
        raise BadRequestError(
            f"{name} has no line like «31.12.25, 21:14 - Name: text» or «Name 2025-12-31 21:14:05»; expected "
            "a chat exported from WhatsApp or WeChat"
        )
    names = Counter(who for who, _, _ in said)
    ours = {each.casefold() for each in agents}
    if not any(who.casefold() in ours for who in names):
        shown = ", ".join(who for who, _ in names.most_common(8))
        raise BadRequestError(
            f"nobody in {name} is known to be one of your people; it has {shown}: name them with --agent"
        )
    customer = next((who for who, _ in names.most_common() if who.casefold() not in ours), name)
    part: list[Said] = []
    number = 1
    for who, at, text in said:
        last = part[-1].at if part else None
        if at and last and (at - last).total_seconds() > _PAUSE_S:
            yield Conversation(f"{name}-{number}", customer, tuple(part), f"{name}:{number}", part[0].at)
            part, number = [], number + 1
        part.append(Said("agent" if who.casefold() in ours else "customer", text, at))
    yield Conversation(f"{name}-{number}", customer, tuple(part), f"{name}:{number}", part[0].at)


def _exported(content: str) -> Iterator[tuple[str, datetime | None, str]]:
    """Name, time and text of each message of an export; a text may have several lines."""
    who, at, lines = "", None, list[str]()
    for line in content.splitlines():
        match = _WHATSAPP.match(line) or _WECHAT_BEHIND.match(line) or _WECHAT_BEFORE.match(line)
        if match is None:
            lines.append(line)
            continue
        if who and "".join(lines).strip():
            yield who, at, "\n".join(lines).strip()
        who, at = match["name"].strip(), _time(match["at"])
        lines = [match.groupdict().get("text") or ""]
    if who and "".join(lines).strip():
        yield who, at, "\n".join(lines).strip()


def _role(told: str, agents: Collection[str], place: str) -> Role:
    role = _ROLES.get(told.strip().lower())
    if role is not None:
        return role
    if agents:
        return "agent" if told.casefold() in {each.casefold() for each in agents} else "customer"
    raise BadRequestError(
        f"{place} is from «{told[:40]}»; expected customer or agent (or name your people with --agent)"
    )


def _time(told: Any) -> datetime | None:
    """A moment, with a time zone; None where nothing can be read."""
    if isinstance(told, int | float) and not isinstance(told, bool):
        try:
            return datetime.fromtimestamp(told / 1000 if told > 1e11 else told, UTC)
        except (OverflowError, OSError, ValueError):
            return None
    if not isinstance(told, str) or not told.strip():
        return None
    text = told.strip().replace(" ", " ")
    text = re.sub(r"[年月]", "-", text).replace("日", "")
    found = next(_tried(text), None)
    if found is None:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tried(text: str) -> Iterator[datetime]:
    with contextlib.suppress(ValueError):
        yield datetime.fromisoformat(text)
    upper = text.upper().replace("A.M.", "AM").replace("P.M.", "PM")
    for form in _FORMATS:
        with contextlib.suppress(ValueError):
            yield datetime.strptime(upper, form)
