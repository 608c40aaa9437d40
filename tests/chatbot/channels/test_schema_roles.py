"""Generated requests against everything the server describes, by everybody who may knock at its door."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chatbot.storage import Conversations
from chatbot.storage.keys import SCOPES, Keys
from tests.chatbot.channels.serving import serving
from tests.fakes import FakeBot

EXAMPLES = int(os.environ.get("KEFU_TEST_EXAMPLES", "3"))
"""100 for the whole check, which takes some twenty minutes."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SECRET = "s" * 40
PUBLIC = {
    "GET /healthz",
    "GET /readyz",
    "GET /webhooks/rest/",
    "GET /webhooks/callback/",
    "GET /version",
    "GET /health",
    "GET /actions",
}
"""What says nothing of anybody; all other addresses are closed in this installation."""


def token(role: str) -> str:
    claims = {"user": {"username": "ana", "role": role}, "exp": time.time() + 3600}
    return jwt.encode(claims, SECRET, algorithm="HS256")


@pytest.fixture
def app(make_app: Callable[..., FastAPI], conversations: Conversations, tmp_path: Path) -> FastAPI:
    return make_app(
        FakeBot(history=conversations),
        data_dir=tmp_path,
        auth={"required": list(SCOPES), "jwt_secret": SECRET},
        rasa={"token": "r" * 24},
        callback={"url": "https://shop.invalid/replies"},
    )


@pytest.fixture
def roles(conversations: Conversations) -> dict[str, dict[str, str]]:
    """The headers that each role sends."""
    keys = Keys(conversations.database)
    shown = {scope: keys.create(scope, [scope])[1] for scope in SCOPES}
    revoked, text = keys.create("revoked", ["admin"])
    keys.revoke(revoked.id)
    credentials = {
        **shown,
        "revoked": text,
        "Rasa's admin": token("admin"),
        "Rasa's user": token("user"),
        "forger": jwt.encode({"user": {"username": "x", "role": "admin"}}, "f" * 40, algorithm="HS256"),
    }
    return {
        "nobody": {},
        **{role: {"Authorization": f"Bearer {credential}"} for role, credential in credentials.items()},
    }


def try_out(operation: APIOperation, mode: GenerationMode, headers: dict[str, str], address: str) -> set[int]:
    """Sends generated requests and checks the answers; the statuses that came."""
    statuses: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        for name in ("Authorization", "X-API-Key"):
            case.headers.pop(name, None)
        case.headers.update(headers)
        statuses.add(case.call_and_validate(base_url=address, checks=CHECKS).status_code)

    check()
    return statuses


# The server runs in this process and may draw random numbers while a request is being made up.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
def test_no_role_breaks_the_server_and_nobody_gets_in_without_a_key(
    app: FastAPI, roles: dict[str, dict[str, str]]
) -> None:
    described = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) > 20
    let_in: set[tuple[str, str]] = set()
    with serving(app) as address:
        for operation in operations:
            for role, headers in roles.items():
                for mode in GenerationMode:
                    # Health, lists and the like have nothing that could be spoilt.
                    if mode is GenerationMode.NEGATIVE and not operation.body and not operation.query:
                        continue
                    if any(status < 300 for status in try_out(operation, mode, headers, address)):
                        let_in.add((role, operation.label))
    assert {label for role, label in let_in if role in ("nobody", "forger", "revoked")} <= PUBLIC
    assert ("chat", "POST /api/chat") in let_in
    assert ("openai", "POST /v1/embeddings") in let_in
    assert ("chat", "POST /v1/embeddings") not in let_in
    assert ("openai", "POST /api/chat") not in let_in
