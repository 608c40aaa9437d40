"""Text that no file and no database can hold is answered like any other, on every way in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.storage import Conversations
from tests.chatbot.channels.conftest import WEBHOOK
from tests.fakes import FakeBot

HALF = "\\ud800 shipping \\udc00"
"""As it stands in JSON: the halves of surrogate pairs, each alone."""


@pytest.fixture
def echo(make_app: Callable[..., FastAPI], conversations: Conversations) -> FastAPI:
    """An application whose bot repeats the message and stores it."""
    return make_app(FakeBot(lambda message: f"you said: {message.text}", history=conversations))


@pytest.mark.parametrize("query", ["", "?stream=true"])
@pytest.mark.parametrize("sender", ["anna", "anna\\ud83d", "anna\\u0000"])
def test_halves_of_surrogate_pairs_are_answered(echo: FastAPI, query: str, sender: str) -> None:
    with TestClient(echo) as client:
        answer = client.post(
            WEBHOOK + query, content=f'{{"sender": "{sender}", "message": "{HALF}"}}'.encode()
        )
    assert answer.status_code == 200
    assert "shipping" in answer.text
    assert "\ufffd" in answer.json()[0]["text"] if not query else answer.text.endswith("\n")


def test_a_pair_that_was_escaped_in_halves_is_one_character(echo: FastAPI) -> None:
    with TestClient(echo) as client:
        answer = client.post(WEBHOOK, content=b'{"sender": "a", "message": "\\ud83d\\ude00"}')
    assert answer.json()[0]["text"] == "you said: 😀"


def test_no_json_address_fails_on_them(echo: FastAPI) -> None:
    texts = (
        "message",
        "text",
        "sender",
        "session_id",
        "conversation_id",
        "name",
        "reason",
        "message_id",
        "value",
    )
    fields = ", ".join(f'"{name}": "{HALF}"' for name in texts)
    body = f'{{{fields}, "model": "kefu", "messages": [{{"role": "user", "content": "{HALF}"}}], "input": "{HALF}"}}'
    seen = 0
    with TestClient(echo, raise_server_exceptions=False) as client:
        for path, methods in echo.openapi()["paths"].items():
            for method in {"post", "put", "patch"} & set(methods):
                address = path
                while "{" in address:
                    address = address[: address.index("{")] + "x" + address[address.index("}") + 1 :]
                answer = client.request(
                    method, address, content=body.encode(), headers={"content-type": "application/json"}
                )
                seen += 1
                assert answer.status_code not in (500, 502), f"{method} {path}"
    assert seen >= 3
