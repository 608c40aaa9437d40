"""What holds for every messenger alike."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from chatbot.errors import BadRequestError
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from chatbot.storage.inbox import Inbox
from tests.chatbot.channels.messengers.conftest import EXAMPLES, SENT, Signed, sent, slack, slack_signed
from tests.fakes import FakeBot
from tests.standin import Answer, StandIn, until

NAMES = list(EXAMPLES)
every = pytest.mark.parametrize("name", NAMES)


@every
def test_a_message_is_acknowledged_and_answered_by_the_providers_api(
    client: TestClient, provider: StandIn, name: str
) -> None:
    assert EXAMPLES[name]("退货要多久？").send(client).status_code == 200
    until(lambda: len(sent(provider, name)) == 1)
    assert sent(provider, name) == ["You said: 退货要多久？"]


@every
def test_it_is_acknowledged_before_the_bot_answers(
    serve: Callable[..., Any],
    provider: StandIn,
    conversations: Conversations,
    held: threading.Event,
    name: str,
) -> None:
    with serve(FakeBot(hold=held, history=conversations)) as client:
        assert EXAMPLES[name]().send(client).status_code == 200
        assert sent(provider, name) == []
        held.set()
        until(lambda: len(sent(provider, name)) == 1)


@every
def test_ten_deliveries_are_answered_once(
    client: TestClient, provider: StandIn, bot: FakeBot, name: str
) -> None:
    signed = EXAMPLES[name]()
    assert {signed.send(client).status_code for _ in range(10)} == {200}
    until(lambda: len(sent(provider, name)) == 1)
    signed.send(client)
    time.sleep(0.3)
    assert len(sent(provider, name)) == 1
    assert len(bot.seen) == 1


def _altered(signed: Signed) -> Signed:
    body = signed.body
    middle = len(body) // 2
    return signed.changed(body=body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("telegram", "dingtalk")])
def test_an_altered_body_is_refused(client: TestClient, provider: StandIn, bot: FakeBot, name: str) -> None:
    """Telegram and DingTalk sign no body; see their own tests."""
    assert _altered(EXAMPLES[name]()).send(client).status_code in (400, 401, 403)
    _nothing_happened(provider, bot)


@every
def test_an_unsigned_request_is_refused(
    client: TestClient, provider: StandIn, bot: FakeBot, inbox: Inbox, name: str
) -> None:
    assert EXAMPLES[name]().changed(headers={}, query={}).send(client).status_code == 401
    _nothing_happened(provider, bot)
    assert inbox.counts() == {}


@every
def test_a_wrong_signature_is_refused(client: TestClient, provider: StandIn, bot: FakeBot, name: str) -> None:
    signed = EXAMPLES[name]()
    for field in ("headers", "query"):
        values = getattr(signed, field)
        for key, value in values.items():
            if "sign" not in key and "secret" not in key:
                continue
            if key == "signature" and "msg_signature" in values:
                continue  # in safe mode the other one counts
            for wrong in (value[:-1] + ("0" if value[-1] != "0" else "1"), "", "é", value + "0"):
                try:
                    answer = signed.changed(**{field: {**values, key: wrong}}).send(client)
                except UnicodeEncodeError:
                    continue  # no client sends it
                assert answer.status_code in (401, 403), (key, wrong)
    _nothing_happened(provider, bot)


@pytest.mark.parametrize("name", ["slack", "feishu", "dingtalk", "wechat", "wecom"])
@pytest.mark.parametrize("age_s", [301, -301, 86400])
def test_a_stale_request_is_refused(
    client: TestClient, provider: StandIn, bot: FakeBot, name: str, age_s: float
) -> None:
    signed = slack_signed(slack().body, age_s=age_s) if name == "slack" else EXAMPLES[name](age_s=age_s)
    assert signed.send(client).status_code == 403
    _nothing_happened(provider, bot)


@pytest.mark.parametrize("name", ["slack", "feishu", "dingtalk", "wechat", "wecom"])
@pytest.mark.parametrize("age_s", [290, -290])
def test_a_request_within_the_window_is_taken(
    client: TestClient, provider: StandIn, name: str, age_s: float
) -> None:
    signed = slack_signed(slack().body, age_s=age_s) if name == "slack" else EXAMPLES[name](age_s=age_s)
    assert signed.send(client).status_code == 200
    until(lambda: len(sent(provider, name)) == 1)


@pytest.mark.parametrize("name", ["slack", "feishu", "dingtalk", "wechat", "wecom"])
def test_a_shifted_timestamp_is_refused(
    client: TestClient, provider: StandIn, bot: FakeBot, name: str
) -> None:
    signed = EXAMPLES[name]()
    field = "query" if signed.query else "headers"
    values = getattr(signed, field)
    key = next(key for key in values if "timestamp" in key)
    for wrong in (str(int(values[key]) + 1), "", "abc", "9" * 30, "-5", "１７"):
        try:
            answer = signed.changed(**{field: {**values, key: wrong}}).send(client)
        except UnicodeEncodeError:
            continue
        assert answer.status_code in (401, 403), wrong
    _nothing_happened(provider, bot)


def _nothing_happened(provider: StandIn, bot: FakeBot) -> None:
    time.sleep(0.15)
    assert bot.seen == []
    assert provider.received == []


@every
def test_a_provider_that_answers_429_500_or_never_gets_it_again(
    serve: Callable[..., Any], provider: StandIn, settings: Settings, bot: FakeBot, name: str
) -> None:
    path = SENT[name][0]
    good = next(
        provider.answers[p] for p in sorted(provider.answers, key=len, reverse=True) if path.startswith(p)
    )
    script = [Answer(429, headers={"retry-after": "0"}), Answer(500), Answer(never=True), Answer(503), good]
    answers = iter(script)
    provider.answers[path] = lambda _request: next(answers)  # type: ignore[assignment,return-value]
    short = settings.messengers.model_copy(update={"timeout_s": 0.4})
    with serve(messengers=short) as client:
        EXAMPLES[name]().send(client)
        until(lambda: len(provider.to(path)) == 5)
    assert len({request.body for request in provider.to(path)}) == 1
    assert len(bot.seen) >= 1


@every
def test_a_stored_message_outlives_the_process(
    serve: Callable[..., Any],
    provider: StandIn,
    conversations: Conversations,
    held: threading.Event,
    inbox: Inbox,
    name: str,
) -> None:
    stuck = FakeBot(hold=held, history=conversations)
    with serve(stuck) as client:
        EXAMPLES[name]("are you there?").send(client)
        until(lambda: len(stuck.seen) == 1)
        threading.Timer(0.2, held.set).start()
    assert inbox.counts() == {"waiting": 1}
    assert sent(provider, name) == []
    with serve():
        until(lambda: inbox.counts() == {"answered": 1})
    assert len(sent(provider, name)) == 1


@every
def test_what_the_customer_wrote_does_not_stay_in_the_inbox(
    client: TestClient, database: Database, inbox: Inbox, name: str
) -> None:
    EXAMPLES[name]("canary-4711").send(client)
    until(lambda: inbox.counts() == {"answered": 1})
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM inbox").all()
    assert "canary" not in repr(rows)


@every
def test_messages_of_one_conversation_are_answered_in_their_order(
    serve: Callable[..., Any],
    provider: StandIn,
    conversations: Conversations,
    held: threading.Event,
    name: str,
) -> None:
    slow = FakeBot(lambda message: message.text, history=conversations, hold=held)
    with serve(slow) as client:
        for number in range(8):
            id_ = 10_000 + number if name == "telegram" else f"id.{number}"
            assert EXAMPLES[name](f"m{number}", id_).send(client).status_code == 200
        held.set()
        until(lambda: len(sent(provider, name)) == 8)
    assert sent(provider, name) == [f"m{number}" for number in range(8)]


@every
def test_broken_bodies_are_refused_or_passed_over_without_a_stack(
    client: TestClient, bot: FakeBot, name: str
) -> None:
    for body in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 20_000, b"<xml>", b"<xml/>", b"{}"):
        answer = EXAMPLES[name]().changed(body=body).send(client)
        assert answer.status_code in (200, 400, 401, 403)
        assert "Traceback" not in answer.text
    assert bot.seen == []


@every
def test_a_huge_body_is_refused(client: TestClient, name: str) -> None:
    assert EXAMPLES[name]().changed(body=b"x" * 10_000_000).send(client).status_code == 413


@every
def test_a_message_that_is_too_long_is_answered_with_a_sentence(
    serve: Callable[..., Any], provider: StandIn, name: str
) -> None:
    strict = FakeBot(error=BadRequestError("too long", phrase="too_long", status=413))
    with serve(strict) as client:
        EXAMPLES[name]("x" * 5000).send(client)
        until(lambda: len(sent(provider, name)) == 1)
    assert sent(provider, name) == ["too_long in English"]
    assert len(strict.seen[0].text) == 2001


@every
def test_a_bot_that_fails_is_asked_again_and_then_the_customer_is_told(
    serve: Callable[..., Any], provider: StandIn, name: str
) -> None:
    broken = FakeBot(error=RuntimeError("secret"))
    with serve(broken) as client:
        EXAMPLES[name]().send(client)
        until(lambda: len(sent(provider, name)) == 1)
    assert len(broken.seen) == 3
    assert sent(provider, name) == ["error in English"]


@every
def test_a_long_answer_comes_in_parts_that_make_the_whole(
    serve: Callable[..., Any], provider: StandIn, conversations: Conversations, name: str
) -> None:
    text = "。".join(f"第{number}句话说的是退货与退款的规定" for number in range(600)) + "。"
    with serve(FakeBot(text, history=conversations)) as client:
        EXAMPLES[name]().send(client)
        until(lambda: "".join(sent(provider, name)) == text)
    assert len(sent(provider, name)) > 1
    assert all(part.endswith("。") for part in sent(provider, name))


def test_unknown_messengers_have_no_address(serve: Callable[..., Any]) -> None:
    with serve(telegram=Settings().telegram) as client:
        assert EXAMPLES["telegram"]().send(client).status_code == 404


def test_the_customer_and_the_conversation_are_the_messengers_own(client: TestClient, bot: FakeBot) -> None:
    for name in NAMES:
        EXAMPLES[name]().send(client)
    until(lambda: len(bot.seen) == len(NAMES))
    assert {message.channel for message in bot.seen} == set(NAMES)
    for message in bot.seen:
        assert message.conversation_id.startswith(f"{message.channel}:")
        assert message.customer_id.startswith(f"{message.channel}:")


def test_the_answer_names_what_was_wrong_and_nothing_of_the_request(client: TestClient) -> None:
    answer = EXAMPLES["slack"]("canary-4711").changed(headers={}).send(client)
    assert answer.status_code == 401
    assert "x-slack-request-timestamp" in answer.json()["message"]
    assert "canary" not in json.dumps(answer.json())
