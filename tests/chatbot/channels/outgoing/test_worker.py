"""Events reach their endpoints: signed, again after a failure, each by one process at a time."""

from __future__ import annotations

import multiprocessing
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from chatbot.channels.outgoing.deliver import new_secret, signed_headers
from chatbot.storage import Conversations, Database
from chatbot.storage.outbox import Endpoint, Outbox
from chatbot.turn import Action, Intent, Message, Reply, Trace
from tests.chatbot.channels.outgoing.conftest import local, work
from tests.standin import Answer, StandIn, stand_in


def exchange(
    conversations: Conversations, text: str = "退货要多久？", **fields: Any
) -> tuple[Message, Reply]:
    trace = Trace(uuid.uuid4().hex, "zh", Intent("faq", 1.0), text, "answer", "r", 1.0, (), "passed", "none")
    message = Message(text, "c", "anna", channel="test", message_id=uuid.uuid4().hex)
    reply = Reply("三十天内。", "zh", **{"action": Action.ANSWER, "trace": trace, **fields})
    return message, conversations.record(message, reply)


def states(outbox: Outbox) -> list[str]:
    return sorted(delivery.state for delivery in outbox.deliveries())


def add(outbox: Outbox, receiver: StandIn, *events: str) -> Endpoint:
    return outbox.add_endpoint(f"{receiver.url}/hook", new_secret(), events)


def test_both_messages_of_an_exchange_arrive_signed(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    endpoint = add(outbox, receiver)
    message, reply = exchange(conversations)
    work(outbox, lambda: states(outbox) == ["delivered"] * 2)
    verifier = Webhook(endpoint.secrets[0])
    told = [verifier.verify(request.body, request.headers) for request in receiver.received]
    by_role = {event["data"]["message"]["role"]: event for event in told}
    assert {event["type"] for event in told} == {"message.created"}
    assert by_role["user"]["data"]["message"]["text"] == message.text
    assert by_role["user"]["data"]["message"]["client_message_id"] == message.message_id
    assert by_role["bot"]["data"]["message"]["id"] == reply.message_id
    assert by_role["bot"]["data"]["message"]["answers"] == by_role["user"]["data"]["message"]["id"]
    assert {event["data"]["customer_id"] for event in told} == {"anna"}
    assert all(request.headers["content-type"] == "application/json" for request in receiver.received)


def test_hand_over_and_feedback_are_told(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    add(outbox, receiver, "conversation.handover", "feedback.created")
    _, reply = exchange(conversations, action=Action.HAND_OVER, hand_over=True)
    conversations.request_person("c", "call +44 1")
    conversations.feedback(reply.message_id, "dislike", "too late")
    work(outbox, lambda: len(receiver.received) == 3)
    told = {request.json["type"]: request.json["data"] for request in receiver.received}
    statuses = [
        request.json["data"]["status"] for request in receiver.received if "handover" in request.json["type"]
    ]
    assert sorted(statuses) == ["requested", "updated"]
    assert told["feedback.created"]["feedback"] == {
        "message_id": reply.message_id,
        "value": "dislike",
        "reason": "too late",
    }
    assert told["feedback.created"]["conversation_id"] == "c"


def test_an_exchange_that_is_not_stored_tells_nothing(
    outbox: Outbox, conversations: Conversations, receiver: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(outbox, receiver)
    monkeypatch.setattr(
        "chatbot.storage.conversations._request_person", lambda *_: (_ for _ in ()).throw(OSError("x"))
    )
    with pytest.raises(OSError, match="x"):
        exchange(conversations, action=Action.HAND_OVER, hand_over=True)
    assert outbox.deliveries() == []


def test_a_failure_is_tried_again_with_the_same_id_and_body(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    endpoint = add(outbox, receiver, "feedback.created")
    receiver.script.extend([Answer(500), Answer(404), Answer(302, headers={"location": receiver.url})])
    conversations.feedback(exchange(conversations)[1].message_id, "like")
    work(outbox, lambda: states(outbox) == ["delivered"])
    assert len(receiver.received) == 4
    assert len({(request.headers["webhook-id"], request.body) for request in receiver.received}) == 1
    for request in receiver.received:
        Webhook(endpoint.secrets[0]).verify(request.body, request.headers)
    [delivery] = outbox.deliveries()
    assert (delivery.attempts, delivery.status, delivery.error) == (4, 200, "")


def test_after_the_last_pause_it_has_failed_and_can_be_replayed(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    add(outbox, receiver, "feedback.created")
    receiver.answers["/"] = Answer(500)
    conversations.feedback(exchange(conversations)[1].message_id, "like")
    work(outbox, lambda: states(outbox) == ["failed"])
    assert len(receiver.received) == 4  # once and after each of three pauses
    receiver.answers["/"] = Answer(204, b"")
    assert outbox.replay(state="failed") == 1
    work(outbox, lambda: states(outbox) == ["delivered"])
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


def test_gone_disables_the_endpoint_and_nothing_more_is_written_for_it(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    endpoint = add(outbox, receiver)
    receiver.answers["/"] = Answer(410)
    exchange(conversations)
    work(outbox, lambda: states(outbox) == ["failed"] * 2)
    assert not outbox.endpoint(endpoint.id).enabled
    assert "410" in outbox.endpoint(endpoint.id).note
    exchange(conversations)
    assert len(outbox.deliveries()) == 2
    assert outbox.replay(endpoint_id=endpoint.id) == 0
    receiver.answers["/"] = Answer()
    outbox.set_enabled(endpoint.id, True)
    assert outbox.replay(endpoint_id=endpoint.id, state="failed") == 2
    work(outbox, lambda: states(outbox) == ["delivered"] * 2)


def test_retry_after_is_waited_for(outbox: Outbox, conversations: Conversations, receiver: StandIn) -> None:
    add(outbox, receiver, "feedback.created")
    receiver.script.append(Answer(503, headers={"retry-after": "120"}))
    conversations.feedback(exchange(conversations)[1].message_id, "like")
    work(outbox, lambda: bool(outbox.deliveries()[0].error))
    assert outbox.deliveries()[0].next_at > datetime.now(UTC) + timedelta(seconds=110)


def test_one_that_never_answers_holds_up_only_itself(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    with stand_in() as silent:
        silent.answers["/"] = Answer(never=True)
        slow = add(outbox, silent)
        quick = add(outbox, receiver)
        for _ in range(10):
            exchange(conversations)
        work(outbox, lambda: len(receiver.received) == 20, local(workers=4, timeout_s=60))
        assert {one.error for one in outbox.deliveries(endpoint_id=slow.id)} == {
            ""
        }  # none has come to its end
        assert {one.state for one in outbox.deliveries(endpoint_id=slow.id)} == {"pending"}
        work(
            outbox,
            lambda: any("no answer within" in one.error for one in outbox.deliveries(endpoint_id=slow.id)),
            local(timeout_s=0.3),
        )
        assert {one.state for one in outbox.deliveries(endpoint_id=quick.id)} == {"delivered"}


def test_a_rotated_secret_signs_beside_the_old_one_until_it_ends(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    endpoint = add(outbox, receiver, "feedback.created")
    old, new = endpoint.secrets[0], new_secret()
    outbox.rotate(endpoint.id, new, timedelta(seconds=60))
    conversations.feedback(exchange(conversations)[1].message_id, "like")
    work(outbox, lambda: len(receiver.received) == 1)
    both = receiver.received[0]
    assert len(both.headers["webhook-signature"].split()) == 2
    for secret in (old, new):
        Webhook(secret).verify(both.body, both.headers)
    outbox.rotate(endpoint.id, new_secret(), timedelta(0))
    outbox.replay(endpoint_id=endpoint.id)
    work(outbox, lambda: len(receiver.received) == 2)
    last = receiver.received[1]
    for secret in (old, new):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(last.body, last.headers)


_BODY = '{"type":"message.created","data":{"text":"退货"}}'


@pytest.mark.parametrize(
    ("header", "change"),
    [
        ("webhook-id", lambda value: value + "x"),
        ("webhook-timestamp", lambda value: str(int(value) + 1)),
        ("webhook-timestamp", lambda value: str(int(value) - 301)),
        ("webhook-signature", lambda value: value[:5] + ("A" if value[5] != "A" else "B") + value[6:]),
        ("webhook-signature", lambda value: value.replace("v1,", "v2,")),
        ("webhook-signature", lambda _: ""),
        (None, lambda body: body + " "),
        (None, lambda body: body.replace("退", "进")),
    ],
)
def test_what_is_altered_is_refused_by_the_official_verifier(header: str | None, change: Any) -> None:
    secret, body = new_secret(), _BODY
    rotated = signed_headers("msg_1", body, [new_secret(), secret], datetime.now(UTC))
    Webhook(secret).verify(body, rotated)  # unaltered it is taken, whichever signature is theirs
    headers = signed_headers("msg_1", body, [secret], datetime.now(UTC))
    if header is None:
        body = change(body)
    else:
        headers = {**headers, header: change(headers[header])}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


@pytest.mark.parametrize("age_s", [301, -301])
def test_a_replay_outside_of_five_minutes_is_refused_by_the_official_verifier(age_s: int) -> None:
    secret = new_secret()
    headers = signed_headers("msg_1", _BODY, [secret], datetime.now(UTC) - timedelta(seconds=age_s))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(_BODY, headers)


def _work_for(path: str, stop: Any) -> None:
    database = Database.open(f"sqlite:///{path}")
    work(Outbox(database), stop.is_set)


def test_two_processes_deliver_each_event_once(
    tmp_path: Path, outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    add(outbox, receiver)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    workers = [
        context.Process(target=_work_for, args=(str(tmp_path / "kefu.db"), stop), daemon=True)
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    try:
        for _ in range(20):
            exchange(conversations)
        deadline = time.monotonic() + 60
        while states(outbox) != ["delivered"] * 40 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        for worker in workers:
            worker.join(30)
    ids = [request.headers["webhook-id"] for request in receiver.received]
    assert len(ids) == len(set(ids)) == 40


def test_what_a_process_held_when_it_died_is_taken_up_when_the_lease_ends(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    add(outbox, receiver, "feedback.created")
    conversations.feedback(exchange(conversations)[1].message_id, "like")
    [held] = outbox.claim(5, timedelta(seconds=0.4))
    assert outbox.claim(5, timedelta(seconds=5)) == []
    work(outbox, lambda: states(outbox) == ["delivered"])
    outbox.fail(held, "too late", 500, None)  # the dead one's word does not count any more
    assert states(outbox) == ["delivered"]


def test_a_huge_message_is_cut_to_the_advised_size(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    add(outbox, receiver)
    exchange(conversations, "退" * 60_000)
    work(outbox, lambda: len(receiver.received) == 2)
    assert max(len(request.body) for request in receiver.received) <= 20 * 1024
    longest = max(receiver.received, key=lambda request: len(request.body)).json
    assert longest["data"]["truncated"] is True
    assert longest["data"]["message"]["text"].startswith("退退")


def test_old_events_are_purged_and_waiting_ones_kept(
    outbox: Outbox, conversations: Conversations, receiver: StandIn
) -> None:
    add(outbox, receiver, "feedback.created")
    conversations.feedback(exchange(conversations)[1].message_id, "like")
    assert outbox.purge(timedelta(0)) == 0
    work(outbox, lambda: states(outbox) == ["delivered"])
    assert outbox.purge(timedelta(days=1)) == 0
    assert outbox.purge(timedelta(0)) == 1
    assert outbox.deliveries() == []


def test_many_threads_tell_without_losing_an_event(outbox: Outbox, conversations: Conversations) -> None:
    outbox.add_endpoint("https://hooks.example/x", new_secret())
    threads = [threading.Thread(target=exchange, args=(conversations,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outbox.deliveries(limit=100)) == 32
