"""Generated requests, right and wrong, against the description of the own and the OpenAI-compatible API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chatbot.storage import Conversations
from tests.chatbot.channels.serving import serving
from tests.fakes import FakeBot

EXAMPLES = 12

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


ROUTES = [
    "POST /api/chat",
    "POST /api/conversations",
    "GET /api/conversations/{conversation_id}/messages",
    "POST /api/feedback",
    "POST /api/hand-over",
    "GET /api/config",
    "POST /v1/chat/completions",
    "GET /v1/models",
    "GET /v1/models/{model}",
    "POST /v1/embeddings",
]


NOTHING_TO_SPOIL = {"POST /api/conversations", "GET /v1/models", "GET /v1/models/{model}"}
"""Routes that take anything there is: no request to them is wrong."""


def roles(route: str) -> tuple[str, ...]:
    """Who tries a route; tokens mean something to the own API only."""
    return ("nobody", "visitor", "forger") if "/api/" in route else ("nobody",)


@pytest.fixture
def app(make_app: Callable[..., FastAPI], conversations: Conversations, tmp_path: Path) -> FastAPI:
    return make_app(FakeBot(history=conversations), data_dir=tmp_path)


def operations(app: FastAPI) -> dict[str, APIOperation]:
    """The operations of the own and the OpenAI-compatible API by method and address."""
    described = schemathesis.openapi.from_asgi("/openapi.json", app)
    found = (result.ok() for result in described.get_all_operations())
    return {each.label: each for each in found if each.path.startswith(("/api/", "/v1/"))}


def test_every_route_is_described_and_tried(app: FastAPI) -> None:
    assert sorted(operations(app)) == sorted(ROUTES)


@pytest.mark.parametrize(
    ("route", "role", "mode"),
    [
        (route, role, mode)
        for route in ROUTES
        for role in roles(route)
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or route not in NOTHING_TO_SPOIL
    ],
)
def test_no_request_breaks_the_server_or_its_description(
    app: FastAPI, route: str, role: str, mode: GenerationMode
) -> None:
    operation = operations(app)[route]
    with serving(app) as address:
        token = httpx.post(f"{address}/api/conversations").json()["token"]
        headers = {
            "nobody": {},
            "visitor": {"X-Conversation-Token": token},
            "forger": {"X-Conversation-Token": token[:-4] + "AAAA"},
        }[role]

        # A query is taken as it is understood: of a page's language anything will do.
        checks = [*CHECKS, negative_data_rejection] if route.startswith("POST") else CHECKS

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        def check(case: schemathesis.Case) -> None:
            case.headers.update(headers)
            case.call_and_validate(base_url=address, checks=checks)

        check()


@pytest.mark.parametrize(
    ("required", "route", "wanted"),
    [
        ("read", "POST /v1/embeddings", [{}, {"ApiKey": []}, {"ApiKeyHeader": []}]),
        ("openai", "POST /v1/embeddings", [{"ApiKey": []}, {"ApiKeyHeader": []}]),
        ("read", "POST /api/feedback", [{"ConversationToken": []}, {"ConversationTokenHeader": []}]),
        (
            "chat",
            "POST /api/feedback",
            [
                {key: [], token: []}
                for key in ("ApiKey", "ApiKeyHeader")
                for token in ("ConversationToken", "ConversationTokenHeader")
            ],
        ),
    ],
)
def test_the_description_says_where_a_key_is_needed(
    make_app: Callable[..., FastAPI], tmp_path: Path, required: str, route: str, wanted: list[object]
) -> None:
    document = make_app(data_dir=tmp_path, auth={"required": required}).openapi()
    method, path = route.split()
    found = document["paths"][path][method.lower()]["security"]
    assert sorted(map(sorted, found)) == sorted(map(sorted, wanted))  # type: ignore[call-overload]
    assert {"ApiKey", "ApiKeyHeader"} <= set(document["components"]["securitySchemes"])
    assert not [name for name in document["components"]["securitySchemes"] if "." in name]
