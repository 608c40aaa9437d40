from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import jwt
import pytest

from chatbot.channels.tokens import SECRET_FILE, ConversationTokens, NotAllowedError, open_secret
from chatbot.errors import SettingsError, StorageError

KEY = "k" * 32


def tokens(lifetime_s: float = 60.0, key: str = KEY) -> ConversationTokens:
    return ConversationTokens(lambda: key.encode(), lifetime_s)


def test_a_token_opens_its_conversation_and_tells_when_it_ends() -> None:
    token = tokens().issue("api-1")
    assert tokens().read(token.text) == "api-1"
    assert abs(token.expires_at.timestamp() - time.time() - 60) < 3


def refused(text: str) -> str:
    with pytest.raises(NotAllowedError) as caught:
        tokens().read(text)
    assert caught.value.status == 401
    return str(caught.value)


def test_an_expired_token_opens_nothing() -> None:
    assert "expired" in refused(tokens(-5).issue("api-1").text)


def test_any_altered_character_makes_a_token_useless() -> None:
    text = tokens().issue("api-1").text
    for place in range(0, len(text), 7):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        if changed[:-1] != text[:-1]:  # the last character has bits that mean nothing
            refused(changed)


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    made = {"sub": "api-1", "aud": "kefu:conversation", "iat": now, "exp": now + 60, **changes}
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize(
    "changes", [{"aud": "other"}, {"aud": None}, {"sub": None}, {"exp": None}, {"iat": None}, {"sub": 5}]
)
def test_tokens_of_the_same_key_made_for_something_else_open_nothing(changes: dict[str, object]) -> None:
    refused(jwt.encode(claims(**changes), KEY, algorithm="HS256"))


def test_only_our_algorithm_and_key_count() -> None:
    refused(jwt.encode(claims(), None, algorithm="none"))
    refused(jwt.encode(claims(), "x" * 64, algorithm="HS512"))
    refused(jwt.encode(claims(), "another key of thirty-two bytes!!", algorithm="HS256"))
    for nonsense in ("", "a.b.c", "x" * 100_000, "ü.é.ñ", "\0"):
        refused(nonsense)


def test_a_long_random_key_names_its_conversation_and_a_short_one_names_none() -> None:
    key = "5f0c1a52-6f0e-4b35-9a57-0d6f4c1f6d3e"
    assert tokens().begin(key) == tokens().begin(key) != tokens().begin(key + "x")
    assert tokens().begin(key) != tokens(key="j" * 32).begin(key)
    assert tokens().begin("m-1") != tokens().begin("m-1")
    assert tokens().begin() != tokens().begin()
    assert len(tokens().begin()) == len(tokens().begin(key))


def test_the_secret_is_made_once_for_all_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(open_secret("", folder)())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 12
    assert len(set(found)) == 1
    assert len(found[0]) >= 32
    assert stat.S_IMODE(os.stat(folder / SECRET_FILE).st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == [SECRET_FILE]


def test_a_secret_too_short_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="KEFU_TOKEN_SECRET has 9 bytes") as caught:
        open_secret("topsecret", tmp_path)
    assert "topsecret" not in str(caught.value)
    assert open_secret(KEY, tmp_path)() == KEY.encode()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_or_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"short")
    with pytest.raises(SettingsError, match="holds 5 bytes"):
        open_secret("", tmp_path)()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be used"):
        open_secret("", tmp_path / "file")()
