"""``kefu keys`` as an operator uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chatbot.commands import output
from chatbot.commands.keys import app
from chatbot.errors import OperatorError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEFU_DATA_DIR", str(tmp_path / "var"))
    output.settings.cache_clear()
    yield
    output.settings.cache_clear()


def kefu(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked() -> None:
    made = kefu("create", "web shop", "--scope", "chat", "--scope", "read", "--days", "30")
    assert made["key"].startswith(f"kefu_{made['id']}_")
    assert (made["scopes"], made["state"]) == (["chat", "read"], "usable")
    (listed,) = kefu("list")
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert kefu("revoke", made["id"])["state"] == "revoked"
    assert kefu("list")[0]["state"] == "revoked"


def test_the_bare_key_is_all_of_standard_output() -> None:
    result = CliRunner().invoke(app, ["create", "shop"])
    assert result.stdout.split() == [result.stdout.strip()]
    assert result.stdout.startswith("kefu_")


def test_an_unknown_scope_or_id_is_told() -> None:
    with pytest.raises(OperatorError, match="'root'"):
        kefu("create", "shop", "--scope", "root")
    with pytest.raises(OperatorError, match="no key"):
        kefu("revoke", "nobody")
