from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.channels import BotLoader, configure_logging, create_app
from chatbot.channels.loader import Report
from chatbot.errors import ModelError
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from tests.chatbot.channels.conftest import WEBHOOK
from tests.fakes import FakeBot


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def test_it_is_alive_at_once_and_ready_when_the_bot_is_loaded(conversations: Conversations) -> None:
    models, index = threading.Event(), threading.Event()

    def build(report: Report) -> FakeBot:
        report("embedder", 0, 4)
        models.wait(60)
        report("ready", 4, 4)
        report("index", 10, 20)
        index.wait(60)
        return FakeBot()

    with TestClient(create_app(BotLoader(build), conversations, Settings())) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        until(lambda: client.get("/readyz").json()["doing"] == "embedder")
        early = client.get("/readyz")
        assert early.status_code == 503
        assert (early.json()["status"], early.json()["missing"]) == ("loading", ["models", "index"])
        refused = client.post(WEBHOOK, json={"message": "hi"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        models.set()
        until(lambda: client.get("/readyz").json()["missing"] == ["index"])
        assert client.get("/readyz").json()["total"] == 20
        index.set()
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/readyz").json()["missing"] == []
        assert client.post(WEBHOOK, json={"message": "hi"}).status_code == 200


def test_a_failed_load_is_tried_again_without_a_restart(conversations: Conversations) -> None:
    mended = threading.Event()

    def build(_report: Report) -> FakeBot:
        if not mended.is_set():
            raise ModelError("/secret/path is missing; run: kefu models pull")
        return FakeBot()

    loader = BotLoader(build, first_pause_s=0.02)
    with TestClient(create_app(loader, conversations, Settings())) as client:
        until(lambda: client.get("/readyz").json()["status"] == "failed")
        failed = client.get("/readyz")
        assert (failed.status_code, failed.json()["error"]) == (503, "ModelError")
        refused = client.post(WEBHOOK, json={"message": "hi"})
        assert refused.status_code in (500, 503)
        assert "secret" not in failed.text + refused.text
        mended.set()
        until(lambda: client.get("/readyz").status_code == 200)


def test_a_database_that_is_gone_makes_it_unready(
    make_app: Callable[..., FastAPI], database: Database
) -> None:
    with TestClient(make_app()) as client:
        assert client.get("/readyz").status_code == 200
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE conversations RENAME TO hidden")
        assert client.get("/readyz").json()["missing"] == ["database"]
        assert client.get("/healthz").status_code == 200


def test_the_documentation_needs_no_other_host(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    assert "/docs/assets/swagger-ui-bundle.js" in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert client.get(f"/docs/assets/{asset}").status_code == 200


def test_the_interface_is_described_with_examples(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    webhook = described["paths"][WEBHOOK]["post"]
    assert webhook["requestBody"]["content"]["application/json"]["examples"]
    assert {"200", "400", "409", "413", "422", "429", "500", "503"} <= set(webhook["responses"])
    assert {"/healthz", "/readyz", "/webhooks/rest/"} <= set(described["paths"])


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", WEBHOOK, 405)])
def test_unknown_addresses_and_methods_have_the_same_error_form(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["code"] == status
    assert answer.json()["status"] == "failure"


def test_a_request_id_is_kept_if_it_is_harmless(client: TestClient) -> None:
    assert client.get("/healthz", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/healthz", headers={"x-request-id": "<script>"}).headers["x-request-id"]
    assert len(made) == 32


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_logs_have_the_request_but_not_the_customers_words(
    make_app: Callable[..., FastAPI], capsys: pytest.CaptureFixture[str], level: str
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging(level)
    try:
        bots = [FakeBot("canary-answer"), FakeBot(error=RuntimeError("canary-error"))]
        for bot in bots:
            with TestClient(make_app(bot)) as client:
                for query in ("", "?stream=true&canary-query=1"):
                    client.post(WEBHOOK + query, json={"sender": "canary-sender", "message": "canary-text"})
                client.post(WEBHOOK, content=b'{"canary-broken')
                client.get("/canary-path")
        try:
            raise RuntimeError("canary-library")
        except RuntimeError:
            logging.getLogger("some.library").exception("it failed")
    finally:
        root.handlers[:], root.level = before
        structlog.reset_defaults()
    written = capsys.readouterr().err
    assert "canary" not in written
    records = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    requests = [record for record in records if record["event"] == "request"]
    assert {record["path"] for record in requests} >= {WEBHOOK, "(page)"}
    assert all(record["request_id"] and record["status"] for record in requests)
    failure: dict[str, Any] = next(record for record in records if record.get("error") == "RuntimeError")
    assert any("fakes.py" in place for place in failure["places"])


def test_two_applications_share_a_database(conversations: Conversations) -> None:
    bot = FakeBot(history=conversations)
    for _ in range(2):
        with TestClient(create_app(BotLoader(lambda _: bot), conversations, Settings())) as client:
            until(lambda c=client: c.get("/readyz").status_code == 200)
            client.post(WEBHOOK, json={"sender": "anna", "message": "hi"})
    assert len(conversations.history("rest:anna")) == 4
