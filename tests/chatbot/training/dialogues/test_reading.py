"""Conversations are read from every form they are exported in, and what cannot be read is said."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.errors import BadRequestError
from chatbot.training.dialogues import read_conversations

WHATSAPP = """12/31/25, 9:14 PM - Messages are end-to-end encrypted.
12/31/25, 9:14 PM - Ana: hello
is my parcel late?
12/31/25, 9:16 PM - Shop Care: It arrives on Friday.
1/3/26, 8:00 AM - Ana: thanks
1/3/26, 8:01 AM - Shop Care: You're welcome
"""
APPLE = "[31.12.25, 21:14:05] Ana: Hallo\n[31.12.25, 21:15:00] Laden: Guten Tag: was gibt es?\n"
WECHAT = "小林 2026-03-04 10:12:33\n退货要多久\n\n潮峰客服 2026-03-04 10:13:01\n七天内都可以\n"
WECHAT_BEFORE = "2026年3月4日 10:12 小林\n退货要多久\n2026年3月4日 10:13 潮峰客服\n七天内都可以\n"


def roles(path: Path, content: str, *agents: str) -> list[list[tuple[str, str]]]:
    path.write_text(content, encoding="utf-8")
    return [[(m.role, m.text) for m in c.messages] for c in read_conversations(path, agents)]


def test_whatsapps_export_has_messages_of_several_lines_and_a_pause_begins_another(tmp_path: Path) -> None:
    assert roles(tmp_path / "chat.txt", WHATSAPP, "shop care") == [
        [("customer", "hello\nis my parcel late?"), ("agent", "It arrives on Friday.")],
        [("customer", "thanks"), ("agent", "You're welcome")],
    ]
    first = read_conversations(tmp_path / "chat.txt", ["Shop Care"])[0]
    assert (first.customer, first.started_at) == ("Ana", datetime(2025, 12, 31, 21, 14, tzinfo=UTC))


@pytest.mark.parametrize("content", [WECHAT, WECHAT_BEFORE])
def test_wechats_export_has_the_name_before_or_behind_the_time(tmp_path: Path, content: str) -> None:
    expected = [[("customer", "退货要多久"), ("agent", "七天内都可以")]]
    assert roles(tmp_path / "chat.txt", content, "潮峰客服") == expected


def test_a_colon_in_a_text_is_not_taken_for_a_name(tmp_path: Path) -> None:
    assert roles(tmp_path / "a.txt", APPLE, "Laden")[0][1] == ("agent", "Guten Tag: was gibt es?")


def test_nobody_of_ours_in_an_export_is_said_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match=r"Ana, Shop Care.*--agent"):
        roles(tmp_path / "chat.txt", WHATSAPP)


def test_rasas_trackers_and_lists_of_conversations(tmp_path: Path) -> None:
    tracker = {
        "sender_id": "ana",
        "events": [
            {"event": "action", "name": "action_listen"},
            {"event": "user", "text": "hi", "timestamp": 1767215640.0},
            {"event": "bot", "text": "hello"},
            {"event": "bot", "text": None},
        ],
    }
    expected = [[("customer", "hi"), ("agent", "hello")]]
    assert roles(tmp_path / "t.json", json.dumps(tracker)) == expected
    assert roles(tmp_path / "t.jsonl", json.dumps(tracker) + "\n\n") == expected
    assert roles(tmp_path / "l.json", json.dumps([tracker, tracker])) == expected * 2


@pytest.mark.parametrize(
    "content",
    [
        'conversation_id,role,text\n1,user,hi\n2,user,hey\n1,assistant,"hello, you"\n',
        "会话;角色;内容\n1;客户;hi\n1;客服;hello, you\n2;客户;hey\n",
    ],
)
def test_csv_by_the_usual_names_of_columns_also_where_conversations_are_mixed(
    tmp_path: Path, content: str
) -> None:
    found = roles(tmp_path / "c.csv", content)
    assert found == [[("customer", "hi"), ("agent", "hello, you")], [("customer", "hey")]]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "x,y\n1,2\n", "columns x, y; expected also conversation, role, text"),
        ("a.jsonl", '{"id": 1}\n', "a.jsonl:1 holds no conversation"),
        ("a.jsonl", "{no\n", "a.jsonl:1 is no JSON"),
        ("a.json", "[" * 100_000, "a.json is no JSON"),
        ("a.jsonl", '{"messages": [{"role": "x", "text": "hi"}]}\n', "message 1 is from «x»"),
        ("a.jsonl", '{"messages": [{"role": "user"}]}\n', "message 1 has no text"),
        ("a.txt", "just some words\n", "no line like"),
        ("a.doc", "x", "none of .jsonl"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        roles(tmp_path / name, content)
    assert told in str(caught.value)


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_a_separator_of_lines_within_a_message_ends_no_row(tmp_path: Path, mark: str) -> None:
    text = f"It is free.{mark}From 49 euros."
    row = {"id": "c", "messages": [{"role": "agent", "text": text}]}
    table = f"conversation_id,role,text\nc,agent,{text}\n"
    assert roles(tmp_path / "c.jsonl", json.dumps(row, ensure_ascii=False)) == [[("agent", text)]]
    assert roles(tmp_path / "c.csv", table) == [[("agent", text)]]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadRequestError, match="UTF-8"):
        read_conversations(tmp_path / "a.csv")


@given(suffix=st.sampled_from([".csv", ".txt", ".json", ".jsonl"]), content=st.text(max_size=300))
def test_no_content_breaks_the_reading(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: str
) -> None:
    path = tmp_path_factory.mktemp("read") / f"f{suffix}"
    path.write_text(content, encoding="utf-8", errors="replace")
    with contextlib.suppress(BadRequestError):
        read_conversations(path, ["x"])
