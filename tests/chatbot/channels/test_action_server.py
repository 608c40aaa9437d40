"""The action server's contract: the same calls and answers for our own route and for rasa-sdk's server."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionExecutionRejection

from chatbot.channels import BotLoader, create_app
from chatbot.channels.action_server import Executors, build_router
from chatbot.channels.kefu_actions import ANSWER, HAND_OVER
from chatbot.channels.rasa_actions import ActionKefuAnswer
from chatbot.errors import BusyError
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database, tables
from chatbot.turn import Action, Attachment, Button
from tests.fakes import FakeBot
from tests.standin import until

ROOT = Path(__file__).parents[3]
RESPONSE_KEYS = {"text", "buttons", "elements", "custom", "template", "response", "image", "attachment"}
REPLY = FakeBot.reply(
    "You can return it within 30 days.",
    buttons=(Button("More", "tell me more"),),
    images=("https://shop.example/a.png",),
    attachments=(Attachment("video", {"src": "https://shop.example/v.mp4"}),),
    custom=({"type": "card"},),
)


def tracker(sender: str = "anna", text: Any = "How long do I have?", **rest: Any) -> dict[str, Any]:
    latest = {"text": text, "intent": {"name": "ask"}, "entities": []}
    fields = {
        "sender_id": sender,
        "slots": {"kefu_action": None},
        "latest_message": {**latest, **rest.pop("latest", {})},
        "events": [],
        "paused": False,
        "followup_action": None,
        "active_loop": {},
        "latest_action_name": "action_listen",
        "stack": [],
        "user_id": None,
    }
    return {**fields, **rest}


def call(action: str = ANSWER, **rest: Any) -> dict[str, Any]:
    fields = {
        "next_action": action,
        "sender_id": "anna",
        "tracker": tracker(),
        "domain": {"slots": {"kefu_action": {}, "kefu_handover": {}}},
        "version": "3.6.21",
    }
    return {**fields, **rest}


def without_domain(**rest: Any) -> dict[str, Any]:
    return {name: value for name, value in call(**rest).items() if name != "domain"}


class Kefu:
    """A running Kefu with a scripted bot."""

    def __init__(self, database: Database) -> None:
        self.bot = FakeBot(lambda _message: REPLY)
        self.bot.phrases._phrases["handed_over"] = {"en": "A colleague will answer.", "zh": "同事会回复您。"}  # type: ignore[index]
        self.database = database
        self.conversations = Conversations(database)
        loader = BotLoader(lambda _report: self.bot)
        loader.start()
        assert loader._thread is not None
        loader._thread.join(60)
        self.app = create_app(loader, self.conversations, Settings())

    def waiting(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(tables.hand_overs.select()).all())


@pytest.fixture(scope="module")
def kefu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kefu]:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('kefu') / 'kefu.db'}")
    database.upgrade()
    yield Kefu(database)
    database.dispose()


@pytest.fixture(scope="module")
def address(kefu: Kefu) -> Iterator[str]:
    """The running Kefu on a port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(kefu.app, log_config=None, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: server.started, 100)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def sdk_address(address: str) -> Iterator[str]:
    """``python -m rasa_sdk --actions chatbot.channels.rasa_actions`` in front of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SANIC_HOST": "127.0.0.1", "KEFU_ACTIONS__KEFU_URL": address}
    command = [
        sys.executable,
        "-m",
        "rasa_sdk",
        "--actions",
        "chatbot.channels.rasa_actions",
        "--port",
        str(port),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline and process.poll() is None:
            try:
                httpx.get(f"{url}/health", trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


Post = Callable[..., httpx.Response]


@pytest.fixture(params=["own route", "python -m rasa_sdk"])
def post(request: pytest.FixtureRequest) -> Iterator[Post]:
    """Posts to ``/webhook`` of either server."""
    base = request.getfixturevalue("address" if request.param == "own route" else "sdk_address")
    with httpx.Client(base_url=base, trust_env=False, timeout=30) as client:

        def send(
            body: Any = None, *, content: bytes | None = None, path: str = "/webhook", **headers: str
        ) -> httpx.Response:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            raw = json.dumps(body).encode() if content is None else content
            return client.post(path, content=raw, headers={"content-type": "application/json", **names})

        send.get = client.get  # type: ignore[attr-defined]
        yield send


def test_an_answer_has_events_and_responses_with_all_keys(post: Post) -> None:
    answer = post(call())
    assert answer.status_code == 200
    assert set(answer.json()) == {"events", "responses"}
    text, image, attachment, custom = answer.json()["responses"]
    assert all(set(response) == RESPONSE_KEYS for response in answer.json()["responses"])
    assert (text["text"], text["buttons"]) == (REPLY.text, [{"title": "More", "payload": "tell me more"}])
    assert image["image"] == "https://shop.example/a.png"
    assert attachment["attachment"] == {"type": "video", "payload": {"src": "https://shop.example/v.mp4"}}
    assert custom["custom"] == {"type": "card"}


def test_only_slots_of_the_domain_are_set(post: Post) -> None:
    events = post(call()).json()["events"]
    assert {event["name"]: event["value"] for event in events} == {
        "kefu_action": "answer",
        "kefu_handover": False,
    }
    assert post(call(domain={"slots": {}, "intents": ["x"]})).json()["events"] == []


def test_a_wish_for_a_person_is_kept_and_said(post: Post, kefu: Kefu) -> None:
    before = len(kefu.waiting())
    sender = f"sender-{before}"
    answer = post(call(HAND_OVER, tracker=tracker(sender, "我要找人工")))
    assert answer.json()["responses"][0]["text"] == "同事会回复您。"
    events = {event["name"]: event["value"] for event in answer.json()["events"]}
    assert events == {"kefu_handover": True, "kefu_action": "hand_over"}
    row = kefu.waiting()[-1]
    assert (row.conversation_id, row.reason) == (f"rasa:{sender}", "我要找人工")
    assert len(kefu.waiting()) == before + 1


@pytest.mark.parametrize("body", [{}, {"tracker": tracker()}, {"next_action": None, "tracker": tracker()}])
def test_no_action_is_null(post: Post, body: dict[str, Any]) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()) == (200, None)


@pytest.mark.parametrize("text", ["", None, " "])
def test_an_action_that_rejects_is_400_with_its_name(post: Post, text: str | None) -> None:
    answer = post(call(tracker=tracker(text=text)))
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "action_name"}
    assert answer.json()["action_name"] == ANSWER


def test_an_unknown_action_is_404_with_its_name(post: Post) -> None:
    answer = post(call("action_nowhere"))
    assert (answer.status_code, set(answer.json())) == (404, {"error", "action_name"})
    assert answer.json()["action_name"] == "action_nowhere"


def test_an_unknown_domain_is_449_until_it_was_sent_once(post: Post) -> None:
    digest = f"digest-{time.time_ns()}"
    answer = post(without_domain(domain_digest=digest))
    assert (answer.status_code, set(answer.json())) == (449, {"error", "action_name"})
    assert post(without_domain()).status_code == 449
    assert post(call(domain_digest=digest)).status_code == 200
    again = post(without_domain(domain_digest=digest))
    assert again.status_code == 200
    assert [event["name"] for event in again.json()["events"]] == ["kefu_action", "kefu_handover"]


def test_malformed_json_is_400(post: Post) -> None:
    answer = post(content=b'{"next_action": ', accept="application/json")
    assert answer.status_code == 400
    assert answer.json() == {
        "description": "Bad Request",
        "status": 400,
        "message": "Failed when parsing body as json",
    }


@pytest.mark.parametrize("content", [b"null", b""])
def test_null_is_400(post: Post, content: bytes) -> None:
    answer = post(content=content)
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid body request"})


def test_a_deflated_body_is_read(post: Post) -> None:
    raw = zlib.compress(json.dumps(call()).encode())
    assert post(content=raw, content_encoding="deflate").json()["responses"][0]["text"] == REPLY.text


def test_health_and_actions(post: Post) -> None:
    get = post.get  # type: ignore[attr-defined]
    assert get("/health").json() == {"status": "ok"}
    names = get("/actions").json()
    assert sorted(names, key=lambda action: action["name"]) == [{"name": ANSWER}, {"name": HAND_OVER}]


# -- what is our own route's alone ------------------------------------------------------


def boom(_dispatcher: CollectingDispatcher, _tracker: Tracker, _domain: Any) -> list[Any]:
    raise RuntimeError("my card is 4111")


def slow(dispatcher: CollectingDispatcher, _tracker: Tracker, _domain: Any) -> list[Any]:
    time.sleep(0.5)
    dispatcher.utter_message(text="done")
    return []


def busy(_dispatcher: CollectingDispatcher, _tracker: Tracker, _domain: Any) -> list[Any]:
    raise BusyError("all places are taken", retry_after=3)


def rejects(_dispatcher: CollectingDispatcher, _tracker: Tracker, _domain: Any) -> list[Any]:
    raise ActionExecutionRejection("rejects")


def echo(dispatcher: CollectingDispatcher, _tracker: Tracker, domain: Any) -> list[Any]:
    dispatcher.utter_message(text=json.dumps(domain))
    return []


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    actions = {"boom": boom, "slow": slow, "busy": busy, "rejects": rejects, "echo": echo}
    app.include_router(build_router(Executors(lambda: actions)))
    with TestClient(app) as opened:
        yield opened


def test_an_action_that_fails_is_500_without_the_request_or_its_words(client: TestClient) -> None:
    answer = client.post("/webhook", json=call("boom", tracker=tracker(text="my card is 4111")))
    assert answer.status_code == 500
    assert set(answer.json()) == {"error"}
    assert "4111" not in answer.text
    assert "RuntimeError" in answer.json()["error"]


def test_busy_is_503_with_a_time_to_come_back(client: TestClient) -> None:
    answer = client.post("/webhook", json=call("busy"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


def test_slow_actions_run_side_by_side_and_leave_the_loop_free() -> None:
    app = FastAPI()
    app.include_router(build_router(Executors(lambda: {"slow": slow})))

    async def all_at_once() -> tuple[float, float]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            await http.get("/actions")  # loads rasa-sdk
            began = time.monotonic()
            calls = [asyncio.create_task(http.post("/webhook", json=call("slow"))) for _ in range(4)]
            await asyncio.sleep(0.05)
            asked = time.monotonic()
            assert (await http.get("/health")).json() == {"status": "ok"}
            free = time.monotonic() - asked
            answers = await asyncio.gather(*calls)
            assert all(answer.json()["responses"][0]["text"] == "done" for answer in answers)
            return free, time.monotonic() - began

    free, all_of_them = asyncio.run(all_at_once())
    assert free < 0.3
    assert all_of_them < 1.5


def test_two_assistants_keep_their_own_domains(client: TestClient) -> None:
    for name in ("one", "two"):
        client.post("/webhook", json=call("echo", domain={"name": name}, domain_digest=name))
    for name in ("one", "two"):
        answer = client.post("/webhook", json=without_domain(action="echo", domain_digest=name))
        assert json.loads(answer.json()["responses"][0]["text"]) == {"name": name}


def test_an_assistant_without_a_digest_never_gets_anothers_domain(client: TestClient) -> None:
    client.post("/webhook", json=call("echo", domain={"secret": 1}, domain_digest="x"))
    answer = client.post("/webhook", json=call("echo", domain={}))
    assert "secret" not in answer.text


@pytest.mark.parametrize("body", [[], "text", 5, True])
def test_a_body_that_is_no_object_is_400(client: TestClient, body: Any) -> None:
    answer = client.post("/webhook", content=json.dumps(body))
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid body request"})


@pytest.mark.parametrize("broken", [None, [], {}, {"sender_id": 5}])
def test_a_call_without_a_tracker_is_400_and_no_rejection(client: TestClient, broken: Any) -> None:
    answer = client.post("/webhook", json=call("echo", tracker=broken))
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


@pytest.mark.parametrize(
    "odd",
    [
        {"slots": None, "events": None, "latest_message": None},
        {"latest_message": "text", "active_loop": None, "stack": None},
        {"events": "x", "slots": [], "paused": "maybe"},
    ],
)
def test_a_tracker_with_odd_fields_never_breaks_the_server(client: TestClient, odd: dict[str, Any]) -> None:
    assert client.post("/webhook", json=call("echo", tracker=tracker(**odd))).status_code in (200, 500)


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (zlib.compress(b"null")[2:-4], "deflate", 400),
        (gzip.compress(b"null"), "gzip", 400),
        (b"no deflate", "deflate", 400),
        (zlib.compress(b"{}")[:-5], "deflate", 400),
        (zlib.compress(b" " * 20_000_000), "deflate", 413),
        (b"{}", "br", 415),
    ],
)
def test_bodies_of_other_encodings(client: TestClient, content: bytes, encoding: str, status: int) -> None:
    headers = {"content-encoding": encoding}
    assert client.post("/webhook", content=content, headers=headers).status_code == status


def test_a_body_without_end_is_413(client: TestClient) -> None:
    assert client.post("/webhook", content=b"x" * 9_000_000).status_code == 413


# -- Kefu's own actions -----------------------------------------------------------------


def test_a_senders_messages_are_one_conversation_apart_from_other_channels(kefu: Kefu) -> None:
    client = TestClient(kefu.app)
    client.post("/webhook", json=call(tracker=tracker("ben", "hi", latest={"message_id": "m1"})))
    client.post("/webhook", json=call(tracker=tracker("x" * 5000, "hi", slots={"language": "zh-CN"})))
    first, second = kefu.bot.seen[-2:]
    assert (first.conversation_id, first.customer_id, first.channel) == ("rasa:ben", "rasa:ben", "rasa")
    assert first.message_id == "m1"
    assert len(second.conversation_id) < 100
    assert second.interface_language == "zh"


def test_while_the_models_load_it_is_503(kefu: Kefu) -> None:
    never = BotLoader(lambda _report: kefu.bot)
    app = create_app(never, kefu.conversations, Settings())
    answer = TestClient(app).post("/webhook", json=call())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_a_kefu_that_is_down_is_said_to_the_customer_in_his_language(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(ActionKefuAnswer, "transport", httpx.MockTransport(refuse))
    dispatcher = CollectingDispatcher()
    state = Tracker.from_dict(tracker(text="退货要多久？"))
    assert asyncio.run(ActionKefuAnswer().run(dispatcher, state, {})) == []
    assert "抱歉" in dispatcher.messages[0]["text"]


@pytest.mark.parametrize("body", [b"<html>", b"null", b"[]", b'{"events": 5}', b"{}"])
def test_a_kefu_that_answers_nonsense_is_said_too(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(
        ActionKefuAnswer, "transport", httpx.MockTransport(lambda _request: httpx.Response(200, content=body))
    )
    dispatcher = CollectingDispatcher()
    assert asyncio.run(ActionKefuAnswer().run(dispatcher, Tracker.from_dict(tracker()), None)) == []
    assert len(dispatcher.messages) == 1


def test_the_actions_do_not_hide_the_other_addresses(kefu: Kefu) -> None:
    client = TestClient(kefu.app)
    assert client.get("/webhooks/rest/").json() == {"status": "ok"}
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.post("/webhook", json=call()).json()["events"][0]["value"] == Action.ANSWER.value
