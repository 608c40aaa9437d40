"""Settings: one table, clear errors, secrets from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import SettingsError
from chatbot.settings import load_settings, setting_rows

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_stands_in_the_docs_with_its_default_and_help() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for row in setting_rows():
        assert row.help, row.variable
        default = f"`{row.default}`" if row.default else ""
        line = f"| `{row.variable}` | {default} | {row.help} |"
        assert line in text, f"docs/settings.md lacks the line: {line}"


def test_every_general_setting_stands_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in setting_rows():
        if "__" not in row.variable:
            assert f"`{row.variable}`" in text, f"{row.variable} is missing in README.md"


def test_a_nested_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEFU_GENERATOR__KIND", "none")
    assert load_settings().generator.kind == "none"


def test_a_wrong_value_names_the_variable_and_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEFU_PORT", "seventy")
    with pytest.raises(SettingsError, match=r"KEFU_PORT.*seventy"):
        load_settings()


def test_a_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    monkeypatch.setenv("KEFU_GENERATOR__API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.delenv("KEFU_GENERATOR__API_KEY", raising=False)
    settings = load_settings()
    monkeypatch.delenv("KEFU_GENERATOR__API_KEY", raising=False)
    assert settings.generator.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_a_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEFU_GENERATOR__API_KEY_FILE", "/nowhere/key")
    with pytest.raises(SettingsError, match="/nowhere/key"):
        load_settings()
