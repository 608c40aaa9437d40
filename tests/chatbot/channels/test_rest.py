from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbot.channels.bodies import MAX_BODY_BYTES
from chatbot.channels.rest import reply_items
from chatbot.errors import BadRequestError, BusyError, StorageError
from chatbot.storage import Conversations
from chatbot.turn import Action, Button, Source
from tests.chatbot.channels.conftest import WEBHOOK, call
from tests.fakes import FakeBot

MakeApp = Callable[..., FastAPI]


def test_the_channel_says_that_it_is_there(client: TestClient) -> None:
    assert client.get("/webhooks/rest/").json() == {"status": "ok"}


def test_an_answer_is_a_list_of_items(client: TestClient) -> None:
    answer = client.post(WEBHOOK, json={"sender": "anna", "message": "returns?"})
    assert answer.status_code == 200
    assert answer.json() == [{"recipient_id": "anna", "text": "You can return it within 30 days."}]


def test_a_body_without_content_type_and_without_sender_is_taken(client: TestClient) -> None:
    answer = client.post(
        WEBHOOK, content='{"message": "退货?"}'.encode(), headers={"content-type": "text/plain"}
    )
    assert answer.json()[0]["recipient_id"] == "default"


def test_text_splits_on_blank_lines() -> None:
    reply = FakeBot.reply("one\ntwo\n\nthree\n \n\nfour\n\n")
    assert [item["text"] for item in reply_items("a", reply)] == ["one\ntwo", "three", "four"]


def test_text_with_buttons_stays_whole() -> None:
    reply = FakeBot.reply("Which?\n\nChoose.", buttons=(Button("A", "/a"), Button("B", "/b")))
    assert reply_items("a", reply) == [
        {
            "recipient_id": "a",
            "text": "Which?\n\nChoose.",
            "buttons": [{"title": "A", "payload": "/a"}, {"title": "B", "payload": "/b"}],
        }
    ]


def test_details_come_only_when_asked_for(make_app: MakeApp) -> None:
    source = Source("returns.en", 0.9, "Returns?", "30 days", "en")
    bot = FakeBot(FakeBot.reply("30 days", sources=(source,), action=Action.VERBATIM))
    with TestClient(make_app(bot)) as client:
        plain = client.post(WEBHOOK, json={"message": "x"}).json()
        full = client.post(WEBHOOK, json={"message": "x", "metadata": {"details": True}}).json()
    assert [set(item) for item in plain] == [{"recipient_id", "text"}]
    assert full[1]["custom"]["sources"][0]["entry_id"] == "returns.en"
    assert full[1]["custom"]["action"] == "verbatim"
    assert full[1]["custom"]["message_id"]


def test_the_message_reaches_the_bot_with_its_fields(make_app: MakeApp) -> None:
    bot = FakeBot()
    with TestClient(make_app(bot)) as client:
        client.post(
            WEBHOOK,
            json={
                "sender": "anna",
                "message": "hi",
                "input_channel": "shop",
                "metadata": {"language": "zh-CN", "message_id": "m1"},
            },
        )
    seen = bot.seen[0]
    assert (seen.text, seen.conversation_id, seen.customer_id) == ("hi", "rest:anna", "rest:anna")
    assert (seen.channel, seen.message_id, seen.interface_language) == ("shop", "m1", "zh")


BAD_BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "not JSON"),
    (b"{", 400, "not JSON"),
    (b"\xff\xfe\x00", 400, "not UTF-8"),
    (b"[]", 400, "a list"),
    (b"null", 400, "null"),
    (b'"secret words"', 400, "a text"),
    (b"[" * 60_000, 400, "nested"),
    (b'{"message": ' + b"1" * 5000 + b"}", 400, "number"),
    (b"{}", 422, "message is missing"),
    (b'{"message": null}', 422, "message is missing"),
    (b'{"message": ""}', 422, "empty"),
    (b'{"message": " \\n "}', 422, "empty"),
    (b'{"message": 5}', 422, "expected a text"),
    (b'{"message": {"secret": "words"}}', 422, "expected a text"),
    (b'{"message": "secret words", "sender": 7}', 422, "sender is a number"),
    (b'{"message": "secret words", "sender": ""}', 422, "sender is empty"),
    (b'{"message": "secret words", "metadata": []}', 422, "metadata is a list"),
    (b'{"message": "secret words", "metadata": {"details": 1}}', 422, "metadata.details"),
    (b'{"message": "hi", "sender": "' + b"x" * 201 + b'"}', 422, "201 characters"),
    (b'{"message": "' + b"x" * 2001 + b'"}', 413, "2001 characters"),
    (b'{"message": "' + b"x" * 100_000 + b'"}', 413, f"{MAX_BODY_BYTES} bytes"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD_BODIES)
def test_a_bad_body_gets_a_clear_error_in_rasas_form(
    client: TestClient, body: bytes, status: int, words: str
) -> None:
    answer = client.post(WEBHOOK, content=body)
    assert answer.status_code == status
    error = answer.json()
    assert set(error) == {"version", "status", "message", "reason", "details", "help", "code"}
    assert (error["status"], error["code"]) == ("failure", status)
    assert words in error["message"]
    assert "secret" not in answer.text
    assert error["details"]["request_id"] == answer.headers["x-request-id"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300) | st.text(max_size=300).map(lambda t: json.dumps({"message": t}).encode())
)
def test_no_body_at_all_breaks_the_server(client: TestClient, body: bytes) -> None:
    assert client.post(WEBHOOK, content=body).status_code in (200, 400, 422)


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (BusyError("full", retry_after=2.5), 503, "3"),
        (BadRequestError("the id was used", status=409), 409, None),
        (StorageError("no space is left in /var/secret"), 503, "10"),
        (RuntimeError("secret words of a customer"), 500, None),
    ],
)
@pytest.mark.parametrize("query", ["", "?stream=true"])
def test_an_error_of_the_bot_has_its_status_and_keeps_secrets(
    make_app: MakeApp, error: Exception, status: int, retry: str | None, query: str
) -> None:
    with TestClient(make_app(FakeBot(error=error))) as client:
        answer = client.post(WEBHOOK + query, json={"message": "hi"}, headers={"accept-language": "zh-CN,en"})
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == retry
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json()["details"]["say"].endswith("in Chinese")


def test_a_repeated_delivery_gets_the_stored_reply(make_app: MakeApp, conversations: Conversations) -> None:
    numbers = iter(range(100))
    bot = FakeBot(lambda _: f"answer {next(numbers)}", history=conversations)
    body = {"sender": "anna", "message": "hi", "message_id": "m1"}
    with TestClient(make_app(bot)) as client:
        answers = [client.post(WEBHOOK, json=body).json() for _ in range(3)]
        answers.append(_lines(client.post(WEBHOOK + "?stream=true", json=body).text))
        other = client.post(WEBHOOK, json={**body, "message": "something else"})
    assert answers == [[{"recipient_id": "anna", "text": "answer 0"}]] * 4
    assert other.status_code == 409
    assert len(conversations.history("rest:anna")) == 2


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_stream_is_lines_of_json_without_data_marks(make_app: MakeApp) -> None:
    reply = FakeBot.reply("Which one?", buttons=(Button("退货", "退货"),))
    with TestClient(make_app(FakeBot(reply))) as client:
        answer = client.post(WEBHOOK + "?stream=true", json={"sender": "anna", "message": "hi"})
    assert answer.headers["content-type"].split(";")[0] == "text/event-stream"
    assert _lines(answer.text) == [
        {"recipient_id": "anna", "text": "Which"},
        {"recipient_id": "anna", "text": " one?"},
        {"recipient_id": "anna", "buttons": [{"title": "退货", "payload": "退货"}]},
    ]


def test_pieces_arrive_while_the_answer_is_being_made(make_app: MakeApp) -> None:
    app = make_app(FakeBot("one two three four", delay_s=0.25))

    async def follow() -> None:
        sent: list[Any] = []
        running = asyncio.create_task(call(app, {"message": "hi"}, query="stream=true", sent=sent))
        while len(sent) < 2:
            await asyncio.sleep(0.005)
        assert not running.done()
        assert len(sent) < 5
        await running

    asyncio.run(asyncio.wait_for(follow(), 60))


def test_a_failure_in_the_middle_of_a_stream_is_told_in_the_stream(make_app: MakeApp) -> None:
    bot = FakeBot("half an", error=RuntimeError("secret"), late=True)
    with TestClient(make_app(bot)) as client:
        answer = client.post(WEBHOOK + "?stream=true", json={"message": "hi"})
    assert [item["text"] for item in _lines(answer.text)] == ["half", " an", "error in English"]


@pytest.mark.parametrize("query", ["", "stream=true"])
def test_a_client_that_leaves_before_the_answer_stops_the_turn(make_app: MakeApp, query: str) -> None:
    bot = FakeBot(hold=threading.Event())
    app = make_app(bot)

    async def leave_early() -> None:
        before = asyncio.all_tasks()
        leave = asyncio.Event()
        calls = [
            asyncio.create_task(call(app, {"sender": "a", "message": f"{n}"}, query=query, leave=leave))
            for n in range(3)
        ]
        while not bot.seen:
            await asyncio.sleep(0.005)
        leave.set()
        await asyncio.wait_for(asyncio.gather(*calls), 30)
        while len(app.state.turns):
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == before

    asyncio.run(asyncio.wait_for(leave_early(), 60))
    assert len(bot.cancelled) == 1  # the one that ran saw it
    assert len(bot.seen) == 1  # those that waited never began
    assert app.state.turns._lines == {}


def test_a_client_that_leaves_in_the_middle_of_a_stream_stops_the_turn(make_app: MakeApp) -> None:
    stopped = threading.Event()

    class Endless(FakeBot):
        def respond(self, _message: Any, listener: Any = None) -> Any:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                if listener.cancelled():
                    stopped.set()
                    break
                listener.on_text("more ")
                time.sleep(0.002)
            return self.reply("more")

    app = make_app(Endless())

    async def leave_midway() -> None:
        leave = asyncio.Event()
        sent: list[Any] = []
        running = asyncio.create_task(
            call(app, {"message": "hi"}, query="stream=true", leave=leave, sent=sent)
        )
        while len(sent) < 5:
            await asyncio.sleep(0.005)
        leave.set()
        await asyncio.wait_for(running, 30)

    asyncio.run(asyncio.wait_for(leave_midway(), 60))
    assert stopped.wait(30)


def test_a_held_answer_does_not_hold_up_health_or_other_customers(make_app: MakeApp) -> None:
    hold = threading.Event()

    class HeldForSome(FakeBot):
        def respond(self, message: Any, listener: Any = None) -> Any:
            if message.text == "slow":
                hold.wait(60)
            return super().respond(message, listener)

    app = make_app(HeldForSome())
    with TestClient(app) as client:
        slow = [
            threading.Thread(
                target=client.post, args=(WEBHOOK,), kwargs={"json": {"sender": f"s{n}", "message": "slow"}}
            )
            for n in range(20)
        ]
        for thread in slow:
            thread.start()
        while len(app.state.turns) < 20:
            time.sleep(0.005)
        try:
            assert client.get("/healthz").status_code == 200
            assert client.post(WEBHOOK, json={"sender": "quick", "message": "hi"}).status_code == 200
            assert len(app.state.turns) >= 20  # none of them was waited for
        finally:
            hold.set()
            for thread in slow:
                thread.join()


def test_what_is_too_much_is_refused_at_once(make_app: MakeApp) -> None:
    hold = threading.Event()
    app = make_app(FakeBot(hold=hold), workers=1, waiting=2)

    async def overload() -> list[int]:
        calls = [asyncio.create_task(call(app, {"sender": f"s{n}", "message": "hi"})) for n in range(10)]
        while sum(task.done() for task in calls) < 7:
            await asyncio.sleep(0.005)
        hold.set()
        return [sent[0]["status"] for sent in await asyncio.gather(*calls)]

    statuses = asyncio.run(asyncio.wait_for(overload(), 60))
    assert sorted(statuses) == [200] * 3 + [503] * 7


def test_messages_of_a_conversation_are_answered_in_their_order(
    make_app: MakeApp, conversations: Conversations
) -> None:
    bot = FakeBot(history=conversations)
    app = make_app(bot)

    async def write_all() -> None:
        calls = []
        for number in range(8):
            for customer in range(6):
                body = {"sender": f"c{customer}", "message": f"{number}"}
                calls.append(asyncio.create_task(call(app, body)))
                await asyncio.sleep(0)
        await asyncio.gather(*calls)

    asyncio.run(asyncio.wait_for(write_all(), 60))
    for customer in range(6):
        asked = [m.text for m in conversations.history(f"rest:c{customer}") if m.role == "user"]
        assert asked == [str(number) for number in range(8)]
