"""``kefu models`` as an operator sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatbot.errors import ModelError
from chatbot.models.commands import app, needed_models
from chatbot.settings import load_settings

from .conftest import Parcel

pytestmark = pytest.mark.usefixtures("parcel", "models_dir")


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder and settings that need the toy model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEFU_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("KEFU_GENERATOR__MODEL", "toy")
    monkeypatch.setenv("KEFU_EMBEDDER__MODEL", "BAAI/bge-m3")
    return tmp_path / "models"


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def test_pull_without_ids_takes_what_the_settings_need(parcel: Parcel) -> None:
    first = json.loads(run("pull", "--json"))["models"]
    assert [(row["id"], row["already"]) for row in first] == [("toy", False)]
    assert Path(first[0]["path"], "toy.gguf").read_bytes() == parcel.data
    assert json.loads(run("pull", "--json"))["models"][0]["already"]


def test_nothing_is_pulled_for_a_server_or_no_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("none", "openai"):
        monkeypatch.setenv("KEFU_GENERATOR__KIND", kind)
        assert needed_models(load_settings()) == []
        assert "nothing to pull" in run("pull")


def test_list_tells_the_state_of_each_model() -> None:
    row = json.loads(run("list", "--json"))["models"][0]
    assert (row["id"], row["state"], row["needed"]) == ("toy", "missing", True)
    run("pull", "--all")
    assert json.loads(run("list", "--json"))["models"][0]["state"] == "ready"
    assert "toy" in run("list")


def test_verify_fails_on_a_damaged_file_and_names_it(parcel: Parcel, models_dir: Path) -> None:
    run("pull")
    assert json.loads(run("verify", "--json"))["ok"]
    (models_dir / "toy" / "toy.gguf").write_bytes(b"GGUF" * 10)
    report = json.loads(run("verify", "toy", "--json", status=1))
    assert report["models"][0]["files"][0]["found"] == f"40 bytes instead of {len(parcel.data)}"
    assert "kefu models pull toy" in run("verify", status=1)


def test_verify_reports_a_needed_model_that_is_missing() -> None:
    assert json.loads(run("verify", "--json", status=1))["models"][0]["files"][0]["found"] == "missing"


def test_an_unknown_id_is_told_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="no model 'tooy' in the catalogue; known are toy"):
        run("pull", "tooy")


def test_pull_takes_files_from_a_folder(parcel: Parcel, models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "toy.gguf").write_bytes(parcel.data)
    for wheel in parcel.wheels.iterdir():
        wheel.unlink()
    run("pull", "toy", "--from", str(tmp_path / "stick"))
    assert (models_dir / "toy" / "toy.gguf").read_bytes() == parcel.data
