"""``kefu webhooks``: the way an operator goes, from adding an endpoint to replaying what it missed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from chatbot.cli import app
from chatbot.commands import output
from chatbot.errors import BadRequestError
from tests.standin import Answer, StandIn, stand_in

Run = Callable[..., Any]


@pytest.fixture
def receiver() -> Iterator[StandIn]:
    with stand_in() as opened:
        yield opened


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEFU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KEFU_WEBHOOKS__ALLOWED_NETWORKS", '["127.0.0.0/8"]')
    monkeypatch.setenv("KEFU_WEBHOOKS__TIMEOUT_S", "2")
    output.settings.cache_clear()

    def call(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["webhooks", *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    yield call
    output.settings.cache_clear()


def test_from_adding_to_replaying(run: Run, receiver: StandIn) -> None:
    added = run("add", f"{receiver.url}/hook", "--event", "message.created", "--json")
    assert (added["events"], added["secrets"]) == (["message.created"], 1)
    receiver.script.append(Answer(500))
    failed = run("test", added["id"], "--json", code=1)
    assert (failed["state"], failed["status"], failed["type"]) == ("failed", 500, "webhook.test")
    assert run("test", added["id"], "--json")["state"] == "delivered"
    for request in receiver.received:
        assert Webhook(added["secret"]).verify(request.body, request.headers)["type"] == "webhook.test"
    listed = run("deliveries", "--endpoint", added["id"], "--json")
    assert [one["state"] for one in listed] == ["delivered", "failed"]
    assert run("replay", failed["event_id"], "--json") == {"replayed": 1}
    assert run("deliveries", "--state", "pending", "--json")[0]["event_id"] == failed["event_id"]
    rotated = run("rotate", added["id"], "--json")
    assert rotated["secret"] != added["secret"]
    assert rotated["secrets"] == 2
    run("disable", added["id"])
    assert run("list", "--json")[0]["enabled"] is False
    run("enable", added["id"])
    run("remove", added["id"])
    assert run("list", "--json") == []


def test_secrets_are_shown_once(run: Run, receiver: StandIn) -> None:
    added = run("add", f"{receiver.url}/hook", "--json")
    assert added["secret"].startswith("whsec_")
    for words in (("list",), ("list", "--json"), ("deliveries",)):
        assert added["secret"] not in str(run(*words))


@pytest.mark.parametrize(
    "words",
    [
        ("add", "file:///etc/passwd"),
        ("add", "http://169.254.169.254/latest"),
        ("add", "https://10.0.0.1/x"),
        ("add", "https://[::ffff:10.0.0.1]/x"),
        ("add", "https://nowhere.invalid/x"),
        ("add", "https://127.0.0.1/x", "--event", "unknown"),
        ("add", "https://127.0.0.1/x", "--secret", "short"),
        ("rotate", "ep_unknown"),
        ("remove", "ep_unknown"),
        ("test", "ep_unknown"),
        ("replay",),
        ("deliveries", "--state", "lost"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(run: Run, words: tuple[str, ...]) -> None:
    with pytest.raises(BadRequestError):
        run(*words)
