"""Calling an action server: domain, 449, time limit, and what may be repeated."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from chatbot.actions.client import ActionError, ActionRejected, ActionServer
from chatbot.errors import SettingsError
from tests.standin import Answer, stand_in

CALL = {"next_action": "action_x", "sender_id": "s", "tracker": {"sender_id": "s"}}
DOMAIN = {"slots": {"order_number": {"type": "text"}}}
FINE = {"events": [{"event": "slot", "name": "a", "value": 1}], "responses": [{"text": "hi"}]}


def server(
    answers: list[httpx.Response | Exception], seen: list[dict[str, Any]], **rest: Any
) -> ActionServer:
    """An action server that gives these answers in order."""

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    defaults = {"domain": DOMAIN, "sleep": lambda _seconds: None, "transport": httpx.MockTransport(handle)}
    return ActionServer("http://actions.example", **(defaults | rest))


def test_a_call_carries_domain_and_digest_and_gives_events_and_responses() -> None:
    seen: list[dict[str, Any]] = []
    result = server([httpx.Response(200, json=FINE)], seen).run(CALL)
    assert (result.events, result.responses) == (FINE["events"], FINE["responses"])
    assert seen[0]["domain"] == DOMAIN
    assert len(seen[0]["domain_digest"]) == 64
    assert seen[0]["next_action"] == "action_x"


def test_449_is_followed_by_the_same_call_with_the_domain() -> None:
    large = {"slots": {f"slot_{number}": {"type": "text", "note": "x" * 100} for number in range(400)}}
    seen: list[dict[str, Any]] = []
    missing = httpx.Response(449, json={"error": "Missing domain", "action_name": "action_x"})
    fine = [httpx.Response(200, json=FINE) for _ in range(3)]
    actions = server([fine[0], missing, fine[1], fine[2]], seen, domain=large)
    actions.run(CALL)
    actions.run(CALL)
    actions.run(CALL)
    assert ["domain" in call for call in seen] == [True, False, True, False]
    assert len({call["domain_digest"] for call in seen}) == 1


def test_449_again_is_an_error_and_no_endless_loop() -> None:
    seen: list[dict[str, Any]] = []
    missing = [httpx.Response(449, json={"error": "e", "action_name": "a"}) for _ in range(3)]
    with pytest.raises(ActionError, match="449"):
        server([*missing], seen).run(CALL)
    assert len(seen) == 2


@pytest.mark.parametrize(
    "first", [httpx.ConnectError("refused"), httpx.Response(503), httpx.ConnectTimeout("slow")]
)
def test_what_was_not_begun_is_repeated(first: httpx.Response | Exception) -> None:
    seen: list[dict[str, Any]] = []
    assert server([first, first, httpx.Response(200, json=FINE)], seen).run(CALL).responses
    assert len(seen) == 3


@pytest.mark.parametrize(
    "first",
    [
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
        httpx.Response(500, json={"error": "boom"}),
        httpx.Response(502),
        httpx.Response(504),
        httpx.Response(307, headers={"location": "http://elsewhere.example"}),
    ],
)
def test_what_may_have_been_done_is_never_repeated(first: httpx.Response | Exception) -> None:
    seen: list[dict[str, Any]] = []
    with pytest.raises(ActionError):
        server([first, httpx.Response(200, json=FINE)], seen).run(CALL)
    assert len(seen) == 1


def test_a_server_that_stays_away_is_given_up() -> None:
    seen: list[dict[str, Any]] = []
    with pytest.raises(ActionError, match="KEFU_ACTIONS__URL"):
        server([httpx.ConnectError("refused")] * 5, seen).run(CALL)
    assert len(seen) == 3


def test_a_wish_to_wait_longer_than_a_customer_would_is_not_waited_for() -> None:
    seen: list[dict[str, Any]] = []
    with pytest.raises(ActionError, match="503"):
        server([httpx.Response(503, headers={"retry-after": "60"})] * 3, seen).run(CALL)
    assert len(seen) == 1


def test_a_rejection_is_told_apart_from_a_bad_request() -> None:
    rejected = httpx.Response(400, json={"error": "not for me", "action_name": "action_x"})
    with pytest.raises(ActionRejected):
        server([rejected], []).run(CALL)
    with pytest.raises(ActionError, match="400"):
        server([httpx.Response(400, json={"error": "Invalid body request"})], []).run(CALL)


def test_an_unknown_action_names_what_to_mend() -> None:
    with pytest.raises(ActionError, match=r"action_x \(404\)"):
        server([httpx.Response(404, json={"error": "e", "action_name": "action_x"})], []).run(CALL)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b"{", b"[" * 100_000])
def test_an_answer_that_is_no_object_is_an_error(body: bytes) -> None:
    with pytest.raises(ActionError, match="no JSON object"):
        server([httpx.Response(200, content=body)], []).run(CALL)


def test_an_answer_without_end_is_cut_off() -> None:
    with pytest.raises(ActionError, match="bytes"):
        server([httpx.Response(200, content=b"x" * 2_000_000)], []).run(CALL)


def test_null_is_an_action_that_did_nothing() -> None:
    result = server([httpx.Response(200, content=b"null")], []).run(CALL)
    assert (result.events, result.responses) == ([], [])


def test_entries_of_another_type_are_left_out() -> None:
    odd = {"events": ["x", {"event": "slot"}, None], "responses": {"text": "no list"}}
    result = server([httpx.Response(200, json=odd)], []).run(CALL)
    assert (result.events, result.responses) == ([{"event": "slot"}], [])


def test_a_server_that_never_answers_is_left_after_the_time_limit() -> None:
    with stand_in() as other:
        other.answers["/"] = Answer(never=True)
        with pytest.raises(ActionError, match="not repeated"):
            ActionServer(other.url, domain=DOMAIN, timeout_s=0.4).run(CALL)
        assert len(other.received) == 1


def test_a_port_where_nobody_listens_is_an_error_that_names_the_setting() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ActionError, match="KEFU_ACTIONS__URL"):
        ActionServer(f"http://127.0.0.1:{port}", domain={}, timeout_s=2).run(CALL)


def test_the_token_travels_in_the_query_and_the_path_is_filled_in() -> None:
    with stand_in() as other:
        other.answers["/"] = Answer(200, FINE)
        ActionServer(other.url, token="s3cret", domain=DOMAIN).run(CALL)
        ActionServer(other.url + "/own/path", domain=DOMAIN).run(CALL)
        assert [received.path for received in other.received] == ["/webhook?token=s3cret", "/own/path"]


@pytest.mark.parametrize("url", ["", "actions.example", "ftp://x/y", "file:///etc/passwd", "http://"])
def test_an_address_that_cannot_be_used_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="KEFU_ACTIONS__URL"):
        ActionServer(url, domain={})
