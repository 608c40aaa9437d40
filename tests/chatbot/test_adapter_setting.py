"""Which adapter is loaded beside the model, and that one that does not fit ends the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chatbot import assembly
from chatbot.errors import ModelError
from chatbot.models.adapter import ADAPTER, AdapterManifest
from chatbot.models.disk import sha256_of
from chatbot.prompt import FORMAT_VERSION
from chatbot.settings import Settings
from chatbot.training.generator.adapter_file import write_adapter


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "mine.gguf"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


def adapter(path: Path, sha256: str) -> Path:
    matrices = {"blk.0.attn_q.weight": (np.ones((2, 8), np.float32), np.ones((8, 2), np.float32))}
    manifest = AdapterManifest("mine.gguf", sha256, FORMAT_VERSION, "d")
    write_adapter(path, matrices, architecture="qwen2", alpha=4.0, manifest=manifest)
    return path


def chosen(tmp_path: Path, model: Path | str, **generator: Any) -> Path | None:
    settings = Settings(data_dir=tmp_path / "var", generator={"model": str(model), **generator})
    return assembly._adapter(settings, model)


def test_a_run_by_its_name_and_a_file_by_its_path(tmp_path: Path, model: Path) -> None:
    run = adapter(tmp_path / "var" / "training" / "ours" / ADAPTER, sha256_of(model))
    assert chosen(tmp_path, model, adapter="ours") == run
    assert chosen(tmp_path, model, adapter=str(run)) == run


def test_none_and_models_without_one_have_none(tmp_path: Path, model: Path) -> None:
    adapter(tmp_path / "var" / "training" / "none" / ADAPTER, sha256_of(model))
    assert chosen(tmp_path, model, adapter="none") is None
    assert chosen(tmp_path, model) is None
    assert chosen(tmp_path, "a/hub-id", kind="transformers", adapter="ours") is None


def test_one_of_another_model_ends_the_start(tmp_path: Path, model: Path) -> None:
    adapter(tmp_path / "var" / "training" / "theirs" / ADAPTER, "1" * 64)
    with pytest.raises(ModelError, match=r"belongs to mine\.gguf"):
        chosen(tmp_path, model, adapter="theirs")


def test_one_that_is_not_there_is_named_with_what_to_do(tmp_path: Path, model: Path) -> None:
    with pytest.raises(ModelError, match="kefu train list"):
        chosen(tmp_path, model, adapter="lost")
