"""The callback channel, with a stand-in of the company's address."""

from __future__ import annotations

import base64
import http.server
import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.errors import StorageError
from chatbot.turn import Button
from tests.fakes import FakeBot

MakeApp = Callable[..., FastAPI]
PATH = "/webhooks/callback/webhook"


class Receiver:
    """Takes posts; answers with the statuses given, then 200."""

    def __init__(self) -> None:
        self.seen: queue.Queue[tuple[str, dict[str, str], Any]] = queue.Queue()
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.hold.wait(10)
                receiver.seen.put((self.path, dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def body(self) -> Any:
        return self.seen.get(timeout=15)[2]

    def quiet(self) -> bool:
        try:
            self.seen.get(timeout=1.5)
        except queue.Empty:
            return True
        return False


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.hold.set()
    made.server.shutdown()
    made.server.server_close()


def test_it_says_success_at_once_and_posts_each_part(make_app: MakeApp, receiver: Receiver) -> None:
    hold = threading.Event()
    reply = FakeBot.reply("one\n\ntwo", images=("https://shop.example/a.png",))
    bot = FakeBot(reply, hold=hold)
    with TestClient(make_app(bot, callback={"url": receiver.url})) as client:
        answer = client.post(PATH, json={"sender": "anna", "message": "hi"})
        assert answer.status_code == 200
        assert answer.text == "success"
        assert answer.headers["content-type"].startswith("text/plain")
        hold.set()
        assert [receiver.body() for _ in range(3)] == [
            {"recipient_id": "anna", "text": "one"},
            {"recipient_id": "anna", "text": "two"},
            {"recipient_id": "anna", "image": "https://shop.example/a.png"},
        ]
    assert bot.seen[0].conversation_id == "callback:anna"
    assert bot.seen[0].channel == "callback"


def test_a_stream_begins_goes_on_ends_and_the_whole_follows(make_app: MakeApp, receiver: Receiver) -> None:
    reply = FakeBot.reply("one two three\n\nfour", buttons=(Button("A", "/a"),))
    with TestClient(make_app(FakeBot(reply, delay_s=0.05), callback={"url": receiver.url})) as client:
        assert client.post(f"{PATH}?stream=true", json={"sender": "anna", "message": "hi"}).text == "success"
        posts = [receiver.body()]
        while "streamed" not in posts[-1]:
            posts.append(receiver.body())
    start, *deltas, end, whole = posts
    assert start["event"] == "stream_start"
    assert end["event"] == "stream_end"
    assert {post["stream_id"] for post in posts[:-1]} == {start["stream_id"]}
    assert [delta["index"] for delta in deltas] == list(range(len(deltas)))
    assert len(deltas) > 1
    assert all(set(d) == {"event", "stream_id", "recipient_id", "text", "index"} for d in deltas)
    assert "".join(delta["text"] for delta in deltas) == reply.text
    assert whole == {
        "recipient_id": "anna",
        "text": reply.text,
        "buttons": [{"title": "A", "payload": "/a"}],
        "streamed": True,
    }


def test_a_receiver_that_takes_no_pieces_still_gets_the_answer(make_app: MakeApp, receiver: Receiver) -> None:
    receiver.statuses = [400]
    with TestClient(make_app(FakeBot("one two"), callback={"url": receiver.url})) as client:
        client.post(f"{PATH}?stream=true", json={"message": "hi"})
        assert receiver.body()["event"] == "stream_start"
        assert receiver.body() == {"recipient_id": "default", "text": "one two"}


def test_headers_basic_authentication_and_token_are_sent(make_app: MakeApp, receiver: Receiver) -> None:
    settings = {
        "url": receiver.url + "?shop=1",
        "headers": {"X-Shop": "tide"},
        "username": "kefu",
        "password": "pass",
        "token": "t0k&n",
    }
    with TestClient(make_app(callback=settings)) as client:
        client.post(PATH, json={"message": "hi"})
        path, headers, _ = receiver.seen.get(timeout=10)
    assert path == "/in?shop=1&token=t0k%26n"
    assert headers["X-Shop"] == "tide"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"kefu:pass"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_is_not_taken_for_now_is_tried_again(make_app: MakeApp, receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    with TestClient(make_app(callback={"url": receiver.url})) as client:
        client.post(PATH, json={"message": "hi"})
        assert receiver.body() == receiver.body()
        assert receiver.quiet()


@pytest.mark.parametrize("status", [302, 307, 400, 404, 410])
def test_a_redirect_or_a_refusal_is_not_followed_nor_repeated(
    make_app: MakeApp, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    receiver.headers = {"location": receiver.url + "/elsewhere"}
    with TestClient(make_app(callback={"url": receiver.url})) as client:
        client.post(PATH, json={"message": "hi"})
        assert receiver.body()
        assert receiver.quiet()


def test_it_gives_up_after_the_attempts_set_and_logs_no_words_and_no_secret(
    make_app: MakeApp, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.statuses = [500] * 9
    settings = {"url": receiver.url, "attempts": 2, "token": "hush-hush"}
    with TestClient(make_app(FakeBot("my-answer"), callback=settings)) as client:
        client.post(PATH, json={"message": "my-question"})
        assert receiver.body() == receiver.body()
        assert receiver.quiet()
    out = "".join(capsys.readouterr())
    assert "a callback was not delivered" in out
    assert not [word for word in ("hush-hush", "my-answer", "my-question") if word in out]


def test_answers_of_a_conversation_are_posted_in_order_and_others_do_not_wait(
    make_app: MakeApp, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    bot = FakeBot(lambda message: f"answer {message.text}")
    with TestClient(make_app(bot, callback={"url": receiver.url})) as client:
        for number in range(5):
            client.post(PATH, json={"sender": "anna", "message": str(number)})
        first = receiver.body()["text"]
        client.post(PATH, json={"sender": "bob", "message": "bob"})
        texts = [receiver.body()["text"] for _ in range(6)]
    assert first == "answer 0"
    assert [text for text in texts if text != "answer bob"] == [f"answer {number}" for number in range(5)]
    assert texts[0] == "answer bob"


def test_a_failure_is_told_to_the_customer(make_app: MakeApp, receiver: Receiver) -> None:
    bot = FakeBot(error=StorageError("/secret/place"))
    with TestClient(make_app(bot, callback={"url": receiver.url})) as client:
        client.post(PATH, json={"sender": "anna", "message": "hi"})
        assert receiver.body() == {"recipient_id": "anna", "text": "error in English"}


def test_what_cannot_be_read_is_refused_before_success(make_app: MakeApp, receiver: Receiver) -> None:
    with TestClient(make_app(callback={"url": receiver.url})) as client:
        assert client.get("/webhooks/callback/").json() == {"status": "ok"}
        assert client.post(PATH, content=b"{").status_code == 400
        assert client.post(PATH, json={"message": ""}).status_code == 422
        assert client.post(PATH, json={"message": "x" * 3000}).status_code == 413
        assert receiver.quiet()


def test_without_an_address_the_channel_is_off(client: TestClient) -> None:
    answer = client.post(PATH, json={"message": "hi"})
    assert answer.status_code == 404
    assert "KEFU_CALLBACK__URL" in answer.json()["message"]


def test_an_end_of_the_service_waits_for_what_is_on_its_way(make_app: MakeApp, receiver: Receiver) -> None:
    receiver.hold.clear()
    with TestClient(make_app(callback={"url": receiver.url})) as client:
        client.post(PATH, json={"message": "hi"})
        threading.Timer(1, receiver.hold.set).start()
    assert receiver.body()["text"] == "You can return it within 30 days."
