"""From a setting to something that can be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import ModelError
from chatbot.models import resolve_embedder, resolve_generator

pytestmark = pytest.mark.usefixtures("parcel")


def test_a_missing_model_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="kefu models pull toy"):
        resolve_generator("toy", tmp_path)


def test_a_catalogue_id_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is of kind generator"):
        resolve_embedder("toy", tmp_path)


def test_hub_ids_are_passed_on(tmp_path: Path) -> None:
    assert resolve_embedder("BAAI/bge-m3", tmp_path) == "BAAI/bge-m3"
    assert resolve_embedder("all-MiniLM-L6-v2", tmp_path) == "all-MiniLM-L6-v2"
    assert resolve_generator("Qwen/Qwen3-4B", tmp_path) == "Qwen/Qwen3-4B"


def test_existing_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    gguf = tmp_path / "mine.gguf"
    gguf.write_bytes(b"GGUF\x03\x00\x00\x00")
    assert resolve_generator(str(gguf), tmp_path) == gguf
    assert resolve_generator(str(tmp_path), tmp_path) == tmp_path
    assert resolve_embedder(str(tmp_path), tmp_path) == str(tmp_path)


@pytest.mark.parametrize(
    "setting", ["/nowhere/model", "./nowhere", "~/nowhere-at-all", "a/b/c", "lost.gguf", ""]
)
def test_a_path_where_nothing_is_gets_told(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ModelError, match="KEFU_GENERATOR__MODEL"):
        resolve_generator(setting, tmp_path)
    with pytest.raises(ModelError, match="KEFU_EMBEDDER__MODEL"):
        resolve_embedder(setting, tmp_path)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelError, match="expected a GGUF file"):
        resolve_generator(str(tmp_path / "notes.txt"), tmp_path)
    with pytest.raises(ModelError, match="expected a folder"):
        resolve_embedder(str(tmp_path / "notes.txt"), tmp_path)
