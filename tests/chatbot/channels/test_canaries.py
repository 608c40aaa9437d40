"""Nobody reads what another customer said: canaries in every channel, and thousands of tries to get at them."""

from __future__ import annotations

import json
import os
import random
import string
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import jwt
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.storage import Conversations
from tests.chatbot.channels.conftest import WEBHOOK
from tests.fakes import FakeBot

TRIES = int(os.environ.get("KEFU_TEST_TRIES", "600"))
"""10,000 for the whole check, which takes two minutes."""
SECRET = "a secret of thirty-two characters, or more"
CANARY = "canary"
Request = tuple[str, str, dict[str, Any]]
"""Method, address, and what else httpx takes."""


def user_token(name: str, key: str = SECRET) -> str:
    return jwt.encode({"user": {"username": name, "role": "user"}}, key, "HS256")


def seeded(client: TestClient, chance: random.Random) -> list[dict[str, Any]]:
    """Customers who each told a secret by their own channel; what an attacker may have seen of them."""
    known = []
    for number in range(8):
        secret = f"{CANARY}-{chance.getrandbits(64):x}"
        reply = client.post("/api/chat", json={"message": f"my code is {secret}", "message_id": f"w{number}"})
        known.append({**reply.json(), "message_id": f"w{number}"})
        for name in (f"cust-{number}", f"{number}"):
            body = {"sender": name, "message": f"my code is {secret}", "message_id": f"r{number}"}
            assert client.post(WEBHOOK, json=body).status_code == 200
        messages = [{"role": "user", "content": f"my code is {secret}"}]
        body = {"model": "kefu", "messages": messages, "user": f"cust-{number}"}
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    return known


def spoilt(token: str, chance: random.Random) -> str:
    """A token with one character changed, or of another's payload."""
    letters = list(token)
    place = chance.randrange(len(letters))
    letters[place] = chance.choice((string.ascii_letters + string.digits).replace(letters[place], ""))
    return "".join(letters)


def attacks(known: list[dict[str, Any]], own: dict[str, str], chance: random.Random) -> Iterator[Request]:
    """Requests of somebody who knows names and ids, and has a conversation and a token of his own."""
    while True:
        victim = chance.choice(known)
        id_, number = victim["conversation_id"], chance.randrange(8)
        name = chance.choice([f"cust-{number}", f"{number}", id_, f"rest:cust-{number}", f"web:{id_}"])
        token = chance.choice(
            [own["token"], spoilt(victim["token"], chance), spoilt(own["token"], chance), ""]
        )
        headers = {"authorization": f"Bearer {token}"} if token else {}
        forged = {"authorization": f"Bearer {user_token(name, 'x' * 40)}"}
        mallory = {"authorization": f"Bearer {user_token('mallory')}"}
        asked = {"role": "user", "content": "What did I just say?"}
        prefix = chance.choice(["", "rest:", "web:", "../", "%2e%2e%2f", "*", "%25"])
        yield from [
            ("GET", f"/api/conversations/{id_}/messages", {"headers": headers}),
            ("GET", f"/api/conversations/{prefix}{name}/messages", {"headers": headers}),
            (
                "GET",
                f"/conversations/{prefix}{name}/tracker",
                {"headers": chance.choice([{}, forged, mallory])},
            ),
            ("GET", f"/conversations/{name}/tracker?token={spoilt(SECRET, chance)}", {}),
            (
                "POST",
                "/api/chat",
                {"json": {"message": "what did I say?", "conversation_id": id_}, "headers": headers},
            ),
            # somebody else's message id, to get the reply that is kept for it
            ("POST", "/api/chat", {"json": {"message": "what did I say?", "message_id": f"w{number}"}}),
            (
                "POST",
                WEBHOOK,
                {"json": {"sender": f"mallory{number}", "message": "repeat", "message_id": f"r{number}"}},
            ),
            ("POST", "/v1/chat/completions", {"json": {"model": "kefu", "messages": [asked], "user": name}}),
            (
                "POST",
                "/api/feedback",
                {"json": {"message_id": victim["message_id"], "value": "like"}, "headers": headers},
            ),
            (
                "POST",
                "/api/chat",
                {"json": {"message": "x"}, "headers": {**headers, "last-event-id": f"w{number}:0"}},
            ),
        ]


def test_no_try_to_read_another_customers_words_succeeds(
    make_app: Callable[..., FastAPI], conversations: Conversations, tmp_path: Path
) -> None:
    chance = random.Random(22)
    bot = FakeBot(lambda message: f"You said: {message.text}", history=conversations)
    unlimited = {"per_address": "", "per_conversation": "", "per_key": ""}
    app = make_app(bot, data_dir=tmp_path, auth={"jwt_secret": SECRET}, limits=unlimited)
    with TestClient(app) as client:
        known = seeded(client, chance)
        own = client.post("/api/chat", json={"message": "hello"}).json()
        mine = {"authorization": f"Bearer {known[0]['token']}"}
        shown = client.get(f"/api/conversations/{known[0]['conversation_id']}/messages", headers=mine)
        assert CANARY in shown.text, "the owner himself must see it, else this test finds nothing"
        statuses: dict[int, int] = {}
        for method, address, options in islice(attacks(known, own, chance), TRIES):
            answer = client.request(method, address, **options)
            assert CANARY not in answer.text, f"{method} {address} {json.dumps(options)}"
            assert answer.status_code < 500
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    assert statuses.get(401, 0) > TRIES / 20
    assert statuses.get(403, 0) > TRIES / 50
    assert statuses.get(200, 0) > TRIES / 20
