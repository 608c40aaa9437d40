"""Kefu's own API, by a real server where a lost connection matters."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.channels import chat
from chatbot.channels.live import LiveTurns
from chatbot.errors import StorageError
from chatbot.storage import Conversations
from chatbot.turn import Action, Attachment, Button, Message, Reply, Source
from tests.chatbot.channels.served import served
from tests.chatbot.channels.serving import serving
from tests.fakes import FakeBot

ANSWER = "You can return it within 30 days."
SSE = {"accept": "text/event-stream"}


@pytest.fixture
def make(
    make_app: Callable[..., FastAPI], conversations: Conversations, tmp_path: Path
) -> Callable[..., FastAPI]:
    """An application whose bot stores what it says, and which keeps its secret in a folder of its own."""

    def made(bot: FakeBot | None = None, **settings: Any) -> FastAPI:
        return make_app(bot or FakeBot(history=conversations), data_dir=tmp_path, **settings)

    return made


@pytest.fixture
def client(make: Callable[..., FastAPI]) -> Iterator[TestClient]:
    with TestClient(make()) as opened:
        yield opened


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def begin(client: Any, text: str = "hi") -> tuple[dict[str, str], dict[str, Any]]:
    """A new visitor: his header and the first reply."""
    reply = client.post("/api/chat", json={"message": text}).json()
    return bearer(reply["token"]), reply


def events(text: str) -> list[dict[str, Any]]:
    """The events of a whole stream, read as the standard says."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields: dict[str, Any] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        if "data" in fields:
            fields["data"] = json.loads(fields["data"])
            found.append(fields)
    return found


def told(found: list[dict[str, Any]]) -> str:
    return "".join(event["data"]["text"] for event in found if event["event"] == "delta")


def test_the_first_message_begins_a_conversation_that_its_token_goes_on_with(client: TestClient) -> None:
    headers, first = begin(client)
    assert first["text"] == ANSWER
    assert first["action"] == "answer"
    second = client.post("/api/chat", json={"message": "more"}, headers=headers).json()
    assert second["conversation_id"] == first["conversation_id"]
    other = {"x-conversation-token": second["token"]}
    third = client.post("/api/chat", json={"message": "and more"}, headers=other).json()
    assert third["conversation_id"] == first["conversation_id"]
    address = f"/api/conversations/{first['conversation_id']}/messages"
    history = client.get(address, headers=headers).json()["messages"]
    assert [m["text"] for m in history if m["role"] == "user"] == ["hi", "more", "and more"]
    assert history[1]["id"] == first["message_id"]
    assert len(client.get(address, headers=headers, params={"limit": 2}).json()["messages"]) == 2


def test_a_reply_tells_everything_it_has_and_the_history_tells_it_again(
    make: Callable[..., FastAPI], conversations: Conversations
) -> None:
    rich = FakeBot.reply(
        "Which?",
        action=Action.CLARIFY,
        buttons=(Button("A?", "payload a"),),
        images=("https://x/y.png",),
        attachments=(Attachment("file", {"src": "https://x/z.pdf"}),),
        custom=({"type": "card"},),
        sources=(Source("e1", 0.9, "Q", "A", "en"),),
        hand_over=True,
        notice="busy",
    )
    with TestClient(make(FakeBot(rich, history=conversations))) as client:
        headers, reply = begin(client)
        address = f"/api/conversations/{reply['conversation_id']}/messages"
        said = client.get(address, headers=headers).json()["messages"][1]
        for found in (reply, said):
            assert found["buttons"] == [{"title": "A?", "payload": "payload a"}]
            assert found["images"] == ["https://x/y.png"]
            assert found["attachments"] == [{"type": "file", "payload": {"src": "https://x/z.pdf"}}]
            assert found["custom"] == [{"type": "card"}]
            assert found["sources"] == [
                {"entry_id": "e1", "score": 0.9, "question": "Q", "answer": "A", "language": "en"}
            ]
            assert (found["hand_over"], found["notice"], found["action"]) == (True, "busy", "clarify")


@pytest.mark.parametrize("how", [{"json": {"message": "hi", "stream": True}}, {"headers": SSE}])
def test_a_stream_starts_with_the_token_and_ends_with_the_whole_reply(
    client: TestClient, how: dict[str, Any]
) -> None:
    answer = client.post("/api/chat", **{"json": {"message": "hi"}, **how})
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert [event["event"] for event in (found[0], found[1], found[-1])] == ["start", "delta", "done"]
    assert told(found) == ANSWER == found[-1]["data"]["reply"]["text"]
    ids = [int(event["id"]) for event in found]
    assert ids == sorted(set(ids))
    start = found[0]["data"]
    assert start["message_id"] is None
    history = client.get(
        f"/api/conversations/{start['conversation_id']}/messages", headers=bearer(start["token"])
    )
    assert len(history.json()["messages"]) == 2


def test_stream_false_wins_over_the_accept_header(client: TestClient) -> None:
    answer = client.post("/api/chat", json={"message": "hi", "stream": False}, headers=SSE)
    assert answer.json()["text"] == ANSWER


@pytest.mark.parametrize("by_header", [True, False])
def test_the_same_message_ten_times_at_once_has_one_reply(
    make: Callable[..., FastAPI], conversations: Conversations, by_header: bool
) -> None:
    key = str(uuid.uuid4())
    bot = FakeBot(history=conversations, delay_s=0.01)
    body = {"message": "hi"} if by_header else {"message": "hi", "message_id": key}
    headers = {"idempotency-key": f'"{key}"'} if by_header else {}
    with serving(make(bot)) as address, ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda _: httpx.post(f"{address}/api/chat", json=body, headers=headers), range(10))
        )
        assert {answer.status_code for answer in answers} == {200}
        replies = [answer.json() for answer in answers]
        assert len({reply["message_id"] for reply in replies}) == 1
        conversation = replies[0]["conversation_id"]
        assert len(conversations.history(conversation)) == 2
        assert len(bot.seen) == 1
        with_token = httpx.post(
            f"{address}/api/chat", json=body, headers={**headers, **bearer(replies[3]["token"])}
        )
        assert with_token.json()["message_id"] == replies[0]["message_id"]


def test_the_same_id_with_another_text_is_refused_before_and_after_the_reply(
    make: Callable[..., FastAPI], conversations: Conversations
) -> None:
    hold = threading.Event()
    key = str(uuid.uuid4())
    bot = FakeBot(history=conversations, hold=hold)
    with serving(make(bot)) as address, ThreadPoolExecutor(1) as pool:
        url = f"{address}/api/chat"
        first = pool.submit(httpx.post, url, json={"message": "hi", "message_id": key}, timeout=30)
        until(lambda: len(bot.seen) == 1)
        other = {"message": "other", "message_id": key}
        assert httpx.post(url, json=other).status_code == 409
        hold.set()
        assert first.result(30).status_code == 200
        for accept in ("application/json", "text/event-stream"):
            refused = httpx.post(url, json=other, headers={"accept": accept})
            assert refused.status_code == 409
            assert refused.json()["reason"] == "Conflict"
            assert "other" not in refused.text.replace("another", "")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def read_until(lines: Iterator[str], text: str) -> str:
    """The lines of a stream up to one with ``text``; the connection is left then."""
    got = ""
    for line in lines:
        got += line + "\n"
        if text in line:
            return got
    raise AssertionError("the stream ended before")


@pytest.mark.parametrize("when", ["while it is made", "after it is stored", "after a restart"])
def test_who_lost_the_connection_gets_the_rest(
    make: Callable[..., FastAPI], conversations: Conversations, when: str
) -> None:
    body = {"message": "hi", "message_id": str(uuid.uuid4())}
    bot = FakeBot("one two three four five six", history=conversations, delay_s=0.05)
    app = make(bot)
    with serving(app) as address:
        with httpx.stream("POST", f"{address}/api/chat", json=body, headers=SSE) as stream:
            seen = events(read_until(stream.iter_lines(), "two") + "id: 7\n")
        last = "7"
        assert told(seen) == "one two"
        if when != "while it is made":
            until(lambda: len(conversations.history(seen[0]["data"]["conversation_id"])) == 2)
        if when != "after a restart":
            rest = resumed(address, body, last)
    if when == "after a restart":
        with serving(make(FakeBot(history=conversations))) as address:
            rest = resumed(address, body, last)
    assert [event["event"] for event in rest][-1] == "done"
    assert "start" not in [event["event"] for event in rest]
    assert told(rest) == " three four five six"
    assert rest[-1]["data"]["reply"]["text"] == "one two three four five six"
    assert int(rest[0]["id"]) > int(last)
    assert len(bot.seen) == 1
    assert bot.cancelled == []


def resumed(address: str, body: dict[str, Any], last: str) -> list[dict[str, Any]]:
    headers = {**SSE, "last-event-id": last}
    return events(httpx.post(f"{address}/api/chat", json=body, headers=headers, timeout=30).text)


def test_a_repeat_without_the_last_event_tells_all_again(client: TestClient) -> None:
    body = {"message": "hi", "message_id": str(uuid.uuid4()), "stream": True}
    first, again = (events(client.post("/api/chat", json=body).text) for _ in range(2))
    assert told(first) == told(again) == ANSWER
    assert first[-1]["data"]["reply"]["message_id"] == again[-1]["data"]["reply"]["message_id"]
    beyond = client.post("/api/chat", json=body, headers={"last-event-id": "99999"}).text
    assert [event["event"] for event in events(beyond)] == ["done"]


@pytest.mark.parametrize("last", ["abc", "-1", "1e5", "9" * 5000, "٣", ""])
def test_an_event_id_that_is_none_of_ours_counts_as_none(client: TestClient, last: str) -> None:
    body = {"message": "hi", "message_id": str(uuid.uuid4()), "stream": True}
    found = events(client.post("/api/chat", json=body, headers={"last-event-id": last.encode()}).text)
    assert found[0]["event"] == "start"
    assert told(found) == ANSWER


def test_an_event_id_without_a_message_id_cuts_nothing_off(client: TestClient) -> None:
    found = events(
        client.post("/api/chat", json={"message": "x"}, headers={**SSE, "last-event-id": "9"}).text
    )
    assert told(found) == ANSWER


def test_who_leaves_a_message_without_an_id_stops_it_and_one_with_an_id_after_the_grace_time(
    make: Callable[..., FastAPI], conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "LiveTurns", lambda turns: LiveTurns(turns, grace_s=4.0))
    hold = threading.Event()
    bot = FakeBot(history=conversations, hold=hold)
    app = make(bot)
    with serving(app) as address:
        for body, least, most in (
            ({"message": "no id"}, 0.0, 3.5),
            ({"message": "with id", "message_id": str(uuid.uuid4())}, 4.0, 30.0),
        ):
            for headers in (SSE, {}):
                bot.cancelled.clear()
                with (
                    pytest.raises(httpx.ReadTimeout),
                    httpx.stream(
                        "POST", f"{address}/api/chat", json=body, headers=headers, timeout=0.3
                    ) as stream,
                ):
                    list(stream.iter_lines())
                left = time.monotonic()
                until(lambda: len(bot.cancelled) == 1)
                assert least - 0.1 <= time.monotonic() - left <= most
                until(lambda: len(app.state.turns) == 0)
                body = {**body, "message_id": str(uuid.uuid4())} if "message_id" in body else body


def test_a_failure_in_the_midst_is_told_as_an_event_and_may_be_tried_again(
    make: Callable[..., FastAPI], conversations: Conversations
) -> None:
    bot = FakeBot("secret words", history=conversations, error=StorageError("disk /secret full"), late=True)
    body = {"message": "hi", "message_id": str(uuid.uuid4()), "stream": True}
    with TestClient(make(bot)) as client:
        found = events(client.post("/api/chat", json=body).text)
        assert [found[0]["event"], found[-1]["event"]] == ["start", "error"]
        error = found[-1]["data"]
        assert (error["code"], error["retry_after"]) == (503, 10)
        assert error["say"] == "error in English"
        assert "disk" not in json.dumps(error)
        assert "id" not in found[-1]
        whole = client.post("/api/chat", json={**body, "stream": False})
        assert whole.status_code == 503
        bot._error = None
        again = events(client.post("/api/chat", json=body).text)
        assert again[-1]["event"] == "done"


def test_a_corrected_wording_is_put_right_by_the_last_event(
    make: Callable[..., FastAPI], conversations: Conversations
) -> None:
    class Correcting(FakeBot):
        def respond(self, message: Message, listener: Any = None) -> Reply:
            listener.on_text("within 99 da")
            listener.on_text("\n\nwithin 30 days")
            return self._memory.record(message, self.reply("within 30 days"))

    with TestClient(make(Correcting(history=conversations))) as client:
        body = {"message": "hi", "message_id": str(uuid.uuid4()), "stream": True}
        found = events(client.post("/api/chat", json=body).text)
        assert found[-1]["data"]["reply"]["text"] == "within 30 days"
        assert int(found[-1]["id"]) > int(found[-2]["id"])
        rest = events(client.post("/api/chat", json=body, headers={"last-event-id": "12"}).text)
        assert told(rest) == "\n\nwithin 30 days"


def test_keep_alive_comments_come_while_nothing_is_said(
    make: Callable[..., FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "KEEP_ALIVE_S", 0.05)
    hold = threading.Event()
    bot = FakeBot(hold=hold)

    def release() -> None:
        until(lambda: bool(bot.seen))
        time.sleep(0.4)
        hold.set()

    with TestClient(make(bot)) as client:
        threading.Thread(target=release).start()
        text = client.post("/api/chat", json={"message": "hi", "stream": True}).text
    assert text.count("\n: keep-alive\n") >= 2
    assert told(events(text)) == ANSWER


def test_nobody_comes_into_anothers_conversation(client: TestClient) -> None:
    mine, first = begin(client, "my secret is 4711")
    yours, second = begin(client, "hello")
    address = f"/api/conversations/{first['conversation_id']}/messages"
    tries: list[tuple[int, dict[str, str]]] = [
        (401, {}),
        (401, bearer("x.y.z")),
        (401, bearer(first["token"][:-3] + "abc")),
        (401, {"authorization": "Basic eDp5"}),
        (403, yours),
    ]
    for status, headers in tries:
        answer = client.get(address, headers=headers)
        assert answer.status_code == status
        assert answer.json()["reason"] == ("NotAuthenticated" if status == 401 else "NotAuthorized")
        assert "4711" not in answer.text
        body = {"message": "hi", "conversation_id": first["conversation_id"]}
        assert client.post("/api/chat", json=body, headers=headers).status_code == status
    opinion = {"message_id": first["message_id"], "value": "dislike"}
    assert client.post("/api/feedback", json=opinion, headers=yours).status_code == 404
    assert client.post("/api/feedback", json=opinion).status_code == 401
    assert client.get(address, headers=mine).json()["messages"][1]["feedback"] is None
    own = second["conversation_id"]
    other = own[:-1] + ("y" if own.endswith("x") else "x")
    guessed = f"/api/conversations/{other}/messages"
    assert client.get(guessed, headers=yours).status_code == 403


def test_a_conversation_of_another_channel_cannot_be_opened(client: TestClient) -> None:
    client.post("/webhooks/rest/webhook", json={"sender": "ana", "message": "my secret is 4711"})
    headers, _ = begin(client)
    for name in ("rest:ana", "ana", "..%2Frest:ana"):
        answer = client.get(f"/api/conversations/{name}/messages", headers=headers)
        assert answer.status_code in (403, 404)
        assert "4711" not in answer.text


def test_feedback_is_kept_and_can_be_changed(client: TestClient) -> None:
    headers, reply = begin(client)
    for value in ("like", "dislike"):
        body = {"message_id": reply["message_id"], "value": value, "reason": "because"}
        assert client.post("/api/feedback", json=body, headers=headers).json() == {
            "message_id": reply["message_id"],
            "value": value,
        }
    address = f"/api/conversations/{reply['conversation_id']}/messages"
    assert client.get(address, headers=headers).json()["messages"][1]["feedback"] == "dislike"
    for body, status in (
        ({"message_id": reply["message_id"], "value": "meh"}, 422),
        ({"message_id": reply["message_id"]}, 422),
        ({"message_id": "unknown", "value": "like"}, 404),
        ({"message_id": reply["message_id"], "value": "like", "reason": "x" * 2001}, 413),
    ):
        assert client.post("/api/feedback", json=body, headers=headers).status_code == status


def test_a_person_can_be_asked_for_at_any_time(client: TestClient) -> None:
    headers, reply = begin(client)
    asked = client.post("/api/hand-over", json={"reason": "damaged"}, headers=headers)
    assert asked.status_code == 200
    assert (asked.json()["hand_over"], asked.json()["conversation_id"]) == (True, reply["conversation_id"])
    first = client.post("/api/hand-over")
    assert first.status_code == 200
    goes_on = client.post("/api/chat", json={"message": "hi"}, headers=bearer(first.json()["token"]))
    assert goes_on.json()["conversation_id"] == first.json()["conversation_id"]
    assert client.post("/api/hand-over", json={"reason": "x" * 2001}).status_code == 413


def test_a_conversation_can_begin_without_a_message(client: TestClient) -> None:
    begun = client.post("/api/conversations")
    assert begun.status_code == 201
    fields = begun.json()
    address = f"/api/conversations/{fields['conversation_id']}/messages"
    assert client.get(address, headers=bearer(fields["token"])).json()["messages"] == []


def test_a_page_learns_what_it_needs(client: TestClient) -> None:
    asked = client.get("/api/config", headers={"accept-language": "zh-CN,en;q=0.5"}).json()
    assert (asked["language"], asked["company"], asked["suggestions"]) == ("zh", "潮峰数码", [])
    asked = client.get("/api/config", params={"language": "en-US"}).json()
    assert (asked["language"], asked["company"]) == ("en", "Tidepeak")
    assert asked["suggestions"] == ["How do I return it?"]
    assert (asked["max_message_chars"], asked["ready"]) == (2000, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (b"{}", 422),
        (b'{"message": ""}', 422),
        (b'{"message": " \\n"}', 422),
        (b'{"message": 5}', 422),
        (b'{"message": "x", "message_id": 5}', 422),
        (b'{"message": "x", "stream": "yes"}', 422),
        (json.dumps({"message": "x" * 2001}).encode(), 413),
        (json.dumps({"message": "x", "message_id": "i" * 201}).encode(), 422),
        (b'{"message": "' + b"x" * 100_000 + b'"}', 413),
    ],
)
def test_bad_bodies_have_the_usual_errors_also_where_a_stream_is_asked_for(
    client: TestClient, body: bytes, status: int
) -> None:
    for headers in ({}, SSE):
        answer = client.post("/api/chat", content=body, headers=headers)
        assert answer.status_code == status
        assert answer.json()["status"] == "failure"


def test_a_broken_character_in_an_id_breaks_nothing(client: TestClient) -> None:
    body = b'{"message": "a \\ud800 b", "message_id": "\\udfff 0123456789 abcdef", "stream": true}'
    found = events(client.post("/api/chat", content=body).text)
    assert found[-1]["event"] == "done"
    again = events(client.post("/api/chat", content=body).text)
    assert again[-1]["data"]["reply"]["message_id"] == found[-1]["data"]["reply"]["message_id"]
    start = found[0]["data"]
    address = f"/api/conversations/{start['conversation_id']}/messages"
    assert len(client.get(address, headers=bearer(start["token"])).json()["messages"]) == 2


def test_any_text_comes_through_whole(make: Callable[..., FastAPI]) -> None:
    strange = "a\r\nb\n\nc\u2028d\u0085e 😀 \u0000 data: x\nevent: done"
    with TestClient(make(FakeBot(strange))) as opened:
        found = events(opened.post("/api/chat", json={"message": strange, "stream": True}).text)
    assert told(found) == strange == found[-1]["data"]["reply"]["text"]


def test_the_turns_of_lost_clients_leave_nothing_behind(
    make: Callable[..., FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[LiveTurns] = []

    def kept(turns: Any) -> LiveTurns:
        made.append(LiveTurns(turns, grace_s=0.05))
        return made[-1]

    monkeypatch.setattr(chat, "LiveTurns", kept)
    app = make(FakeBot(delay_s=0.05))

    def leave(number: int) -> None:
        body: dict[str, Any] = {"message": "hi"}
        if number % 2:
            body["message_id"] = str(uuid.uuid4())
        headers = SSE if number % 3 else {}
        with pytest.raises(httpx.TimeoutException):
            httpx.post(f"{address}/api/chat", json=body, headers=headers, timeout=0.02)

    with serving(app) as address:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(leave, range(80)))
        until(lambda: len(app.state.turns) == 0)
        until(lambda: len(made[0]) == 0)


def test_two_processes_give_one_reply_and_resume_each_others_streams(tmp_path: Path) -> None:
    url, data = f"sqlite:///{tmp_path / 'kefu.db'}", str(tmp_path)
    body = {"message": "slow one", "message_id": str(uuid.uuid4())}
    with served(url, delay_s=0.05, data_dir=data) as one, served(url, delay_s=0.05, data_dir=data) as two:
        with httpx.stream("POST", f"{one.address}/api/chat", json=body, headers=SSE) as stream:
            start = events(read_until(stream.iter_lines(), "data: ") + "\n")[0]["data"]
        rest = resumed(two.address, body, "0")
        assert told(rest) == "echo: slow one"
        addresses = [server.address for server in (one, two) for _ in range(5)]
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda address: httpx.post(f"{address}/api/chat", json=body), addresses))
            assert {answer.status_code for answer in answers} == {200}
            replies = {answer.json()["message_id"] for answer in answers}
            assert replies == {rest[-1]["data"]["reply"]["message_id"]}
            other = {**body, "message": "other"}
            refused = pool.map(lambda address: httpx.post(f"{address}/api/chat", json=other), addresses)
            assert {answer.status_code for answer in refused} == {409}
        history = f"{two.address}/api/conversations/{start['conversation_id']}/messages"
        assert len(httpx.get(history, headers=bearer(start["token"])).json()["messages"]) == 2
