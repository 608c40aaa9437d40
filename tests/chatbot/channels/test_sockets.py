"""The socket.io channel, met by python-socketio's own client."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import jwt
import pytest
import socketio
from fastapi import FastAPI

from chatbot.errors import StorageError
from chatbot.storage import Conversations
from chatbot.turn import Attachment, Button, Message
from tests.chatbot.channels.serving import serving
from tests.fakes import FakeBot

MakeApp = Callable[..., FastAPI]
SESSION = "0f" * 16
KEY = "a key of the shop that is long enough to be one"


class Client:
    """A connection and what came in on it, in order."""

    def __init__(self, address: str, **options: Any) -> None:
        self.io = socketio.Client(reconnection=False)
        self.seen: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.io.on("*", lambda event, *data: self.seen.put((event, data[0] if data else None)))
        self.io.connect(address, **{"transports": ["websocket"], "wait_timeout": 10, **options})

    def begin(self, session: Any = None) -> str:
        self.io.emit("session_request", {"session_id": session})
        event, confirmed = self.next()
        assert event == "session_confirm"
        return str(confirmed)

    def say(self, message: Any, **fields: Any) -> None:
        self.io.emit("user_uttered", {"message": message, **fields})

    def next(self, timeout: float = 10) -> tuple[str, Any]:
        return self.seen.get(timeout=timeout)

    def heard(self) -> Any:
        event, data = self.next()
        assert event == "bot_uttered"
        return data

    def quiet(self, for_s: float = 0.3) -> bool:
        try:
            self.seen.get(timeout=for_s)
        except queue.Empty:
            return True
        return False


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connect(address: str, **options: Any) -> Client:
        clients.append(Client(address, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.io.disconnect()


@pytest.fixture
def site(make_app: MakeApp) -> Callable[..., Any]:
    @contextmanager
    def site(bot: FakeBot | None = None, **settings: Any) -> Iterator[str]:
        with serving(make_app(bot, **settings)) as address:
            yield address

    return site


def until(what: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
def test_a_session_is_confirmed_as_a_bare_text_and_a_message_answered(
    site: Any, connect: Any, transports: list[str]
) -> None:
    bot = FakeBot()
    with site(bot) as address:
        client = connect(address, transports=transports)
        session = client.begin()
        assert len(session) == 32
        client.say("returns?", session_id=session, customData={"language": "de-AT"})
        assert client.heard() == {"text": "You can return it within 30 days."}
    assert bot.seen == [
        Message("returns?", f"socketio:{session}", f"socketio:{session}", "socketio", None, "de")
    ]


def test_a_known_session_is_kept_over_connections(site: Any, connect: Any) -> None:
    bot = FakeBot()
    with site(bot) as address:
        first = connect(address)
        assert first.begin(SESSION) == SESSION
        first.say("one")
        first.heard()
        first.io.disconnect()
        second = connect(address)
        assert second.begin(SESSION) == SESSION
        second.say("two", session_id=SESSION)
        second.heard()
    assert {message.conversation_id for message in bot.seen} == {f"socketio:{SESSION}"}


def test_without_persistence_each_connection_is_a_conversation(site: Any, connect: Any) -> None:
    bot = FakeBot()
    with site(bot, socketio={"session_persistence": False}) as address:
        for _ in range(2):
            client = connect(address)
            assert client.begin(SESSION) == SESSION
            client.say("hi", session_id=SESSION)
            client.heard()
    ids = {message.conversation_id for message in bot.seen}
    assert len(ids) == 2
    assert f"socketio:{SESSION}" not in ids


@pytest.mark.parametrize("given", [None, "", "  ", 7, ["x"], {"a": 1}, "x" * 500])
def test_a_session_id_that_cannot_be_used_is_replaced(site: Any, connect: Any, given: Any) -> None:
    with site() as address:
        assert len(connect(address).begin(given)) == 32


def test_every_part_has_the_keys_that_widgets_draw(site: Any, connect: Any) -> None:
    rich = FakeBot.reply(
        "one\n\ntwo",
        images=("https://shop.example/a.png",),
        attachments=(Attachment("video", {"src": "https://shop.example/v", "title": "How"}),),
        custom=({"type": "card", "n": 1}, {"data": {"type": "slot"}}),
    )
    choice = FakeBot.reply("Which?\n\nChoose.", buttons=(Button("A", "/a"), Button("B", "/b")))
    with site(FakeBot(lambda message: choice if message.text == "which" else rich)) as address:
        client = connect(address)
        client.say("rich")
        assert [client.heard() for _ in range(6)] == [
            {"text": "one"},
            {"text": "two"},
            {"attachment": {"type": "image", "payload": {"src": "https://shop.example/a.png"}}},
            {"attachment": {"type": "video", "payload": {"src": "https://shop.example/v", "title": "How"}}},
            {"type": "card", "n": 1},
            {"type": "slot"},
        ]
        client.say("which")
        assert client.heard() == {
            "text": "Which?\n\nChoose.",
            "quick_replies": [
                {"content_type": "text", "title": "A", "payload": "/a"},
                {"content_type": "text", "title": "B", "payload": "/b"},
            ],
        }


@pytest.mark.parametrize("by_setting", [True, False])
def test_who_asks_for_it_gets_the_pieces_before_the_answer(site: Any, connect: Any, by_setting: bool) -> None:
    with site(FakeBot("one two three"), socketio={"stream": by_setting}) as address:
        client = connect(address)
        client.say("hi", metadata={} if by_setting else '{"stream": true}')
        assert [client.next() for _ in range(6)] == [
            ("stream_start", {}),
            ("stream_chunk", {"text": "one"}),
            ("stream_chunk", {"text": " two"}),
            ("stream_chunk", {"text": " three"}),
            ("stream_end", {}),
            ("bot_uttered", {"text": "one two three"}),
        ]


def test_messages_sent_at_once_are_answered_in_their_order(site: Any, connect: Any) -> None:
    bot = FakeBot(lambda message: f"answer {message.text}", delay_s=0.001)
    with site(bot) as address:
        client = connect(address)
        for number in range(30):
            client.say(str(number))
        assert [client.heard()["text"] for _ in range(30)] == [f"answer {n}" for n in range(30)]


@pytest.mark.parametrize("data", [None, 7, "hi", [], {}, {"message": None}, b"\0\1"])
def test_what_is_no_message_is_not_answered(site: Any, connect: Any, data: Any) -> None:
    with site() as address:
        client = connect(address)
        client.io.emit("user_uttered", data)
        client.io.emit("session_request", data)
        assert client.next()[0] == "session_confirm"
        client.say("hi")
        assert client.heard() == {"text": "You can return it within 30 days."}


def test_extra_arguments_and_odd_metadata_do_no_harm(site: Any, connect: Any) -> None:
    with site() as address:
        client = connect(address)
        for metadata in ("{no json", "[" * 20_000, 7, [], {"language": {"a": 1}, "message_id": 9}):
            client.io.emit("user_uttered", ({"message": "hi", "metadata": metadata}, "more", 1))
            assert client.heard() == {"text": "You can return it within 30 days."}


@pytest.mark.parametrize(
    ("message", "said"),
    [("x" * 2001, "too_long in English"), ("   ", "empty in English"), (7, "error in English")],
)
def test_a_message_that_cannot_be_taken_is_answered_with_the_reason(
    site: Any, connect: Any, message: Any, said: str
) -> None:
    with site() as address:
        client = connect(address)
        client.say(message)
        assert client.heard() == {"text": said}


def test_a_failure_is_told_in_the_language_of_the_browser_and_keeps_secrets(site: Any, connect: Any) -> None:
    with site(FakeBot(error=StorageError("/secret/place"))) as address:
        client = connect(address, headers={"accept-language": "zh-CN,zh;q=0.9"})
        client.say("hi")
        assert client.heard() == {"text": "error in Chinese"}


def test_a_packet_that_is_too_large_ends_the_connection_only(site: Any, connect: Any) -> None:
    with site() as address:
        client, other = connect(address), connect(address)
        client.say("x" * 400_000)
        until(lambda: not client.io.connected)
        other.say("hi")
        assert other.heard()["text"]


def test_a_disconnect_stops_what_runs_and_gives_up_what_waits(site: Any, connect: Any) -> None:
    hold = threading.Event()
    bot = FakeBot(hold=hold)
    with site(bot) as address:
        client = connect(address)
        client.begin()
        client.say("runs")
        client.say("waits")
        until(lambda: len(bot.seen) == 1)
        client.io.disconnect()
        until(lambda: len(bot.cancelled) == 1)
        hold.set()
        time.sleep(0.2)
    assert [message.text for message in bot.seen] == ["runs"]


def test_two_pages_of_a_session_both_hear_the_answer_also_after_one_has_closed(
    site: Any, connect: Any
) -> None:
    hold = threading.Event()
    bot = FakeBot(hold=hold)
    with site(bot) as address:
        first, second = connect(address), connect(address)
        session = first.begin()
        assert second.begin(session) == session
        first.say("hi")
        until(lambda: len(bot.seen) == 1)
        first.io.disconnect()
        hold.set()
        assert second.heard() == {"text": "You can return it within 30 days."}
        assert bot.cancelled == []


def test_who_guesses_a_session_hears_nothing_of_it(site: Any, connect: Any) -> None:
    with site() as address:
        owner, guesser = connect(address), connect(address)
        for session in ("anna", owner.io.get_sid()):
            owner.begin(session)
            guesser.begin(session)
            owner.say("hi")
            assert owner.heard()
            assert guesser.quiet()


def test_a_token_is_asked_for_where_a_key_is_set(site: Any, connect: Any) -> None:
    good = jwt.encode({"sub": "anna", "exp": time.time() + 60}, KEY, "HS256")
    other_key = jwt.encode({"sub": "anna"}, "x" * 32, "HS256")
    past = jwt.encode({"sub": "anna", "exp": time.time() - 60}, KEY, "HS256")
    unsigned = jwt.encode({"sub": "anna"}, None, "none")
    bot = FakeBot()
    with site(bot, socketio={"jwt_key": KEY}) as address:
        for auth in (None, {}, {"token": None}, {"token": 7}, {"token": "x"}, "x",
                     {"token": other_key}, {"token": past}, {"token": unsigned}):  # fmt: skip
            with pytest.raises(socketio.exceptions.ConnectionError):
                connect(address, auth=auth)
        client = connect(address, auth={"token": f"Bearer {good}"})
        client.begin(SESSION)
        client.say("hi")
        client.heard()
    assert [message.conversation_id for message in bot.seen] == [f"socketio:anna:{SESSION}"]


def test_a_short_key_of_an_existing_installation_can_be_used(site: Any, connect: Any) -> None:
    with pytest.warns(UserWarning, match="below"):
        token = jwt.encode({"user": {"username": "anna"}}, "secret", "HS256")
    with site(socketio={"jwt_key": "secret"}) as address:
        assert connect(address, auth={"token": token}).begin()


def test_the_same_session_id_of_another_user_is_another_conversation(
    site: Any, connect: Any, conversations: Conversations
) -> None:
    bot = FakeBot(history=conversations)
    with site(bot, socketio={"jwt_key": KEY}) as address:
        clients = [
            connect(address, auth={"token": jwt.encode({"sub": name}, KEY, "HS256")})
            for name in ("anna", "bob")
        ]
        for client in clients:
            client.begin(SESSION)
        clients[0].say("hi")
        assert clients[0].heard()
        assert clients[1].quiet()


def test_a_conversation_is_stored_and_a_repeated_message_answered_once(
    site: Any, connect: Any, conversations: Conversations
) -> None:
    with site(FakeBot(history=conversations)) as address:
        client = connect(address)
        session = client.begin()
        for _ in range(2):
            client.say("hi", metadata={"message_id": "m-1"})
            assert client.heard()
        stored = conversations.history(f"socketio:{session}")
    assert [message.role for message in stored] == ["user", "bot"]


def test_feedback_is_kept_for_the_last_answer_or_the_one_named(
    site: Any, connect: Any, conversations: Conversations
) -> None:
    with site(FakeBot(history=conversations)) as address:
        client, stranger = connect(address), connect(address)
        session = client.begin()
        stranger.begin()
        client.say("hi")
        client.heard()
        assert client.io.call("feedback", {"value": "dislike", "reason": "wrong"}) == {"status": "ok"}
        answer = conversations.history(f"socketio:{session}")[-1]
        assert answer.feedback == "dislike"
        assert stranger.io.call("feedback", {"value": "like", "message_id": answer.id})["status"] == "failure"
        assert client.io.call("feedback", {"value": "great"})["status"] == "failure"
        assert client.io.call("feedback", "x")["status"] == "failure"
        assert client.io.call("feedback", {"value": "like", "message_id": answer.id}) == {"status": "ok"}
        assert conversations.history(f"socketio:{session}")[-1].feedback == "like"


@pytest.mark.parametrize(
    ("origin", "settings", "status"),
    [
        ("http://testserver", {}, 200),
        ("https://evil.example", {}, 400),
        ("https://shop.example", {"cors_origins": ("https://shop.example",)}, 200),
        ("https://evil.example", {"cors_origins": ("https://shop.example",)}, 400),
        ("https://any.example", {"cors_origins": ("*",)}, 200),
    ],
)
def test_pages_of_other_sites_connect_only_where_the_settings_say_so(
    site: Any, origin: str, settings: dict[str, Any], status: int
) -> None:
    with site(**settings) as address:
        answer = httpx.get(
            f"{address}/socket.io/?EIO=4&transport=polling", headers={"origin": origin, "host": "testserver"}
        )
        assert answer.status_code == status
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed in (origin, "*") if status == 200 else allowed is None


def test_it_can_be_switched_off(make_app: MakeApp) -> None:
    with serving(make_app(socketio={"enabled": False})) as address:
        assert httpx.get(f"{address}/socket.io/?EIO=4&transport=polling").status_code == 404


def test_connections_leave_nothing_behind(make_app: MakeApp, connect: Any) -> None:
    app = make_app()
    with serving(app) as address:
        for _ in range(20):
            client = connect(address)
            client.begin()
            client.say("hi")
            client.heard()
            client.io.disconnect()
        channel = next(
            r.app._app.engineio_server for r in app.routes if getattr(r, "name", "") == "socket.io"
        )
        until(lambda: not channel.environ and not channel.eio.sockets)
        assert len(app.state.turns) == 0
