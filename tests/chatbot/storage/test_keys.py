from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from chatbot.errors import OperatorError
from chatbot.storage import Database, Keys


def test_a_new_key_is_found_by_its_text_and_has_its_scopes(database: Database) -> None:
    keys = Keys(database)
    key, text = keys.create("shop", ["read", "chat"])
    found = keys.verify(text)
    assert found is not None
    assert (found.id, found.name, found.scopes) == (key.id, "shop", ("chat", "read"))


def test_nothing_in_the_database_gives_the_key_away(database: Database) -> None:
    _, text = Keys(database).create("shop", ["chat"])
    secret = text.rsplit("_", 1)[0] and text.removeprefix("kefu_").split("_", 1)[1]
    with database.read() as connection:
        row = connection.execute(sa.text("SELECT * FROM api_keys")).one()
    assert secret not in " ".join(map(str, row))


@pytest.mark.parametrize("change", ["last", "id", "cut", "longer", "empty", "other"])
def test_a_changed_key_is_not_found(database: Database, change: str) -> None:
    keys = Keys(database)
    _, text = keys.create("shop", ["chat"])
    other = keys.create("other", ["chat"])[1]
    swapped = {
        "last": text[:-1] + ("A" if text[-1] != "A" else "B"),
        "id": text[:5] + ("a" if text[5] != "a" else "b") + text[6:],
        "cut": text[:-1],
        "longer": text + "A",
        "empty": "",
        "other": other[:16] + text[16:],
    }
    assert keys.verify(swapped[change]) is None


def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(database: Database) -> None:
    keys = Keys(database)
    key, text = keys.create("shop", ["chat"])
    first = keys.revoke(key.id).revoked_at
    assert keys.verify(text) is None
    assert keys.revoke(text).revoked_at == first
    assert [(found.id, found.revoked_at) for found in keys.list()] == [(key.id, first)]


def test_a_key_is_refused_after_its_lifetime(database: Database) -> None:
    keys = Keys(database)
    _, text = keys.create("shop", ["chat"], lifetime=timedelta(seconds=-1))
    assert keys.verify(text) is None


def test_the_last_use_is_kept(database: Database) -> None:
    keys = Keys(database)
    key, _ = keys.create("shop", ["chat"])
    assert not key.use_is_noted(datetime.now(UTC))
    keys.note_use(key)
    (found,) = keys.list()
    assert found.use_is_noted(datetime.now(UTC))
    assert not found.use_is_noted(datetime.now(UTC) + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("name", "scopes"), [("shop", []), ("shop", ["root"]), (" ", ["chat"]), ("x" * 101, ["chat"])]
)
def test_unusable_names_and_scopes_are_refused(database: Database, name: str, scopes: list[str]) -> None:
    with pytest.raises(OperatorError):
        Keys(database).create(name, scopes)


def test_an_unknown_id_cannot_be_revoked(database: Database) -> None:
    with pytest.raises(OperatorError, match="kefu keys list"):
        Keys(database).revoke("nobody")
