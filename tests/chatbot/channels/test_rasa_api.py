"""Rasa's HTTP API: shapes and who may see what."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.channels import BotLoader, create_app
from chatbot.errors import ModelError
from chatbot.settings import Settings
from chatbot.storage import Conversations, Keys
from chatbot.turn import Button
from tests.chatbot.channels.conftest import WEBHOOK, call
from tests.fakes import FakeBot

MakeApp = Callable[..., FastAPI]
TOKEN = "let-me-in"
SECRET = "a secret of thirty-two characters, or more"


def bearer(role: str | None, username: str = "anna", key: str = SECRET, **claims: Any) -> dict[str, str]:
    user = {"username": username, **({"role": role} if role else {})}
    token = jwt.encode({"user": user, **claims}, key, "HS256")
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(make_app: MakeApp, conversations: Conversations) -> Any:
    """A client of an installation with token and JWT secret, where anna has said something."""
    bot = FakeBot(
        lambda _: FakeBot.reply(
            "Which?", buttons=(Button("A", "/a"),), images=("https://shop.example/a.png",)
        ),
        history=conversations,
    )
    app = make_app(bot, rasa={"token": TOKEN}, auth={"jwt_secret": SECRET})
    with TestClient(app) as client:
        said = client.post(
            f"{WEBHOOK}?token={TOKEN}", json={"sender": "anna", "message": "hi", "message_id": "m"}
        )
        assert said.status_code == 200
        yield client


def test_a_tracker_has_the_shape_of_rasas(guarded: TestClient) -> None:
    tracker = guarded.get(f"/conversations/anna/tracker?token={TOKEN}").json()
    events = tracker.pop("events")
    moment = tracker.pop("latest_event_time")
    assert time.time() - moment < 60
    parsed = {
        "intent": {"name": "faq", "confidence": 0.9},
        "entities": [],
        "text": "hi",
        "message_id": "m",
        "metadata": {},
        "intent_ranking": [{"name": "faq", "confidence": 0.9}],
    }
    assert tracker == {
        "sender_id": "anna",
        "slots": {},
        "latest_message": parsed,
        "followup_action": None,
        "paused": False,
        "latest_input_channel": "rest",
        "active_loop": {},
        "latest_action": {"action_name": "action_listen"},
        "latest_action_name": "action_listen",
    }
    assert [(event["event"], event.get("name")) for event in events] == [
        ("action", "action_session_start"),
        ("session_started", None),
        ("action", "action_listen"),
        ("user", None),
        ("action", "action_kefu_answer"),
        ("bot", None),
        ("action", "action_listen"),
    ]
    assert all(isinstance(event["timestamp"], float) for event in events)
    assert events[3]["parse_data"] == parsed
    assert events[3]["text"] == "hi"
    assert events[5]["text"] == "Which?"
    assert events[5]["data"] == {
        "elements": None,
        "quick_replies": None,
        "buttons": [{"title": "A", "payload": "/a"}],
        "attachment": None,
        "image": "https://shop.example/a.png",
        "custom": None,
    }


def test_events_can_be_left_out_or_end_earlier(guarded: TestClient) -> None:
    path = f"/conversations/anna/tracker?token={TOKEN}"
    assert guarded.get(f"{path}&include_events=NONE").json()["events"] is None
    early = guarded.get(f"{path}&until=1000").json()
    assert len(early["events"]) == 3
    assert early["latest_message"]["text"] is None
    assert guarded.get(f"{path}&include_events=SOME").status_code == 422


@pytest.mark.parametrize("prefix", ["", "rest:"])
def test_an_administrator_reads_every_conversation_by_sender_or_stored_id(
    guarded: TestClient, prefix: str
) -> None:
    answer = guarded.get(f"/conversations/{prefix}anna/tracker", headers=bearer("admin", "boss"))
    assert answer.json()["latest_message"]["text"] == "hi"


def test_a_user_reads_the_conversation_of_his_own_name_only(guarded: TestClient) -> None:
    assert guarded.get("/conversations/anna/tracker", headers=bearer("user")).status_code == 200
    for name in ("bob", "rest:anna", ""):
        answer = guarded.get("/conversations/anna/tracker", headers=bearer("user", name))
        assert answer.status_code == 403
        body = answer.json()
        assert body["reason"] == "NotAuthorized"
        assert body["status"] == "failure"
        assert body["code"] == 403
        assert set(body) == {"version", "status", "message", "reason", "details", "help", "code"}
    own = guarded.get("/conversations/rest:anna/tracker", headers=bearer("user", "rest:anna"))
    assert own.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer x.y.z"},
        {"authorization": "Basic YTpi"},
        bearer("admin", key="another key of thirty-two characters"),
        bearer("admin", exp=1000),
        {"authorization": "Bearer " + jwt.encode({"user": {"role": "admin"}}, None, "none")},
    ],
)
@pytest.mark.parametrize("token", ["", "?token=wrong", "?token="])
def test_without_credentials_that_can_be_used_it_is_not_authenticated(
    guarded: TestClient, headers: dict[str, str], token: str
) -> None:
    for path in ("/conversations/anna/tracker", "/conversations/nobody/tracker", "/status"):
        answer = guarded.get(path + token, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["reason"] == "NotAuthenticated"
    assert guarded.post("/model/parse" + token, json={"text": "hi"}, headers=headers).status_code == 401


@pytest.mark.parametrize("role", [None, "user", "root"])
def test_a_role_that_is_not_enough_is_not_authorized(guarded: TestClient, role: str | None) -> None:
    headers = bearer(role)
    assert guarded.get("/status", headers=headers).status_code == 403
    assert guarded.post("/model/parse", json={"text": "hi"}, headers=headers).status_code == 403
    if role != "user":
        assert guarded.get("/conversations/anna/tracker", headers=headers).status_code == 403


def test_an_unknown_conversation_is_not_found(guarded: TestClient) -> None:
    answer = guarded.get(f"/conversations/nobody/tracker?token={TOKEN}")
    assert answer.status_code == 404
    assert answer.json()["reason"] == "NotFound"


def test_no_conversation_is_shown_where_nothing_is_configured(
    make_app: MakeApp, conversations: Conversations
) -> None:
    with TestClient(make_app(FakeBot(history=conversations))) as client:
        client.post(WEBHOOK, json={"sender": "anna", "message": "hi"})
        answer = client.get("/conversations/anna/tracker")
        assert answer.status_code == 401
        assert "KEFU_RASA__TOKEN" in answer.json()["message"]
        assert client.get("/conversations/anna/tracker?token=").status_code == 401
        assert client.post("/model/parse", json={"text": "hi"}).status_code == 200
        assert client.get("/status").status_code == 200
        _, secret = Keys(conversations.database).create("reader", ("read",))
        shown = client.get("/conversations/anna/tracker", headers={"x-api-key": secret})
        assert shown.status_code == 200


def test_a_text_is_parsed(guarded: TestClient) -> None:
    answer = guarded.post(
        f"/model/parse?token={TOKEN}", content='{"text": "退货?", "message_id": "m-7"}'.encode()
    )
    assert answer.json() == {
        "text": "退货?",
        "message_id": "m-7",
        "intent": {"name": "faq", "confidence": 0.9},
        "entities": [],
        "intent_ranking": [{"name": "faq", "confidence": 0.9}, {"name": "greeting", "confidence": 0.1}],
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"text": ""}, 422), ({"text": 7}, 422), ([], 400), ({"text": "x" * 2001}, 413)],
)
def test_what_cannot_be_parsed_is_refused(client: TestClient, body: Any, status: int) -> None:
    assert client.post("/model/parse", json=body).status_code == status


def test_version_needs_nothing_and_status_names_the_model(guarded: TestClient) -> None:
    version = guarded.get("/version").json()
    assert version["version"].startswith("3.6.")
    assert version["minimum_compatible_version"] == "3.5.0"
    status = guarded.get(f"/status?token={TOKEN}").json()
    assert status == {
        "model_file": "multilingual-e5-small-q4",
        "model_id": "fake-model",
        "num_active_training_jobs": 0,
    }


@pytest.mark.parametrize("failed", [False, True])
def test_without_a_model_it_is_a_conflict(conversations: Conversations, failed: bool) -> None:
    wait = threading.Event()

    def build(_report: Any) -> FakeBot:
        if failed:
            raise ModelError("no such file")
        wait.wait(10)
        return FakeBot()

    loader = BotLoader(build)
    app = create_app(loader, conversations, Settings(rasa={"token": TOKEN}))
    with TestClient(app) as client:
        for path in ("/status", "/conversations/anna/tracker"):
            answer = client.get(f"{path}?token={TOKEN}")
            assert answer.status_code == 409
            assert answer.json()["reason"] == "Conflict"
        assert client.post(f"/model/parse?token={TOKEN}", json={"text": "hi"}).status_code == 409
        wait.set()


@pytest.mark.parametrize(
    "settings",
    [
        {"rasa": {"token": TOKEN}, "auth": {"jwt_secret": SECRET}},
        {
            "rasa": {"token": TOKEN, "guard_webhooks": False},
            "auth": {"jwt_secret": SECRET, "required": ("chat", "read")},
        },
    ],
)
def test_webhooks_are_guarded_too(make_app: MakeApp, settings: dict[str, Any]) -> None:
    app = make_app(**settings)
    with TestClient(app) as client:
        body = {"sender": "anna", "message": "hi"}
        assert client.post(WEBHOOK, json=body).status_code == 401
        assert client.post(f"{WEBHOOK}?token=wrong", json=body).status_code == 401
        assert client.post(f"{WEBHOOK}?token={TOKEN}", json=body).status_code == 200
        assert client.post(WEBHOOK, json=body, headers=bearer("user")).status_code == 200
        other = client.post(WEBHOOK, json=body, headers=bearer("user", "bob"))
        assert other.status_code == 403
        assert other.json()["reason"] == "NotAuthorized"
        assert client.post("/webhooks/rest/cancel_background_tasks/anna").status_code == 401


def test_customers_may_write_without_a_token_where_the_settings_say_so(make_app: MakeApp) -> None:
    with TestClient(make_app(rasa={"token": TOKEN, "guard_webhooks": False})) as client:
        assert client.post(WEBHOOK, json={"sender": "anna", "message": "hi"}).status_code == 200
        assert client.get("/conversations/anna/tracker").status_code == 401


def test_cancelling_ends_what_runs_and_what_waits(make_app: MakeApp) -> None:
    asyncio.run(_cancelling(make_app))


async def _cancelling(make_app: MakeApp) -> None:
    hold = threading.Event()
    bot = FakeBot(hold=hold)
    app = make_app(bot)
    body = {"sender": "anna", "message": "hi"}
    running = asyncio.create_task(call(app, body))
    while not bot.seen:
        await asyncio.sleep(0.01)
    waiting = asyncio.create_task(call(app, {**body, "message": "later"}))
    streaming = asyncio.create_task(call(app, {**body, "message": "later still"}, query="stream=true"))
    await asyncio.sleep(0.05)
    assert await cancel(app, "bob") == b'{"cancelled":false}'
    assert await cancel(app, "anna") == b'{"cancelled":true}'
    for task in (waiting, streaming):
        sent = await asyncio.wait_for(task, 10)
        assert sent[0]["status"] == 200
        assert sent[1]["body"] == b"[]"
    assert (await asyncio.wait_for(running, 10))[0]["status"] == 200
    assert [message.text for message in bot.cancelled] == ["hi"]
    assert [message.text for message in bot.seen] == ["hi"]
    assert await cancel(app, "anna") == b'{"cancelled":false}'


async def cancel(app: FastAPI, sender: str) -> bytes:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kefu") as client:
        return (await client.post(f"/webhooks/rest/cancel_background_tasks/{sender}")).content
