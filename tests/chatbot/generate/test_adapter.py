"""An adapter file of ours in the real engine: it loads, and it changes what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chatbot.errors import ModelError
from chatbot.generate.llama import LlamaGenerator
from chatbot.models.adapter import AdapterManifest
from chatbot.models.gguf_reading import GgufFile
from chatbot.prompt import FORMAT_VERSION, ChatMessage, Prompt
from chatbot.training.generator.adapter_file import write_adapter

ASKED = Prompt((ChatMessage("user", "Count from one to ten in words."),), "en")


def write(path: Path, model: Path, strength: float) -> None:
    """An adapter of the second layer's value matrix with random weights."""
    name = "blk.1.attn_v.weight"
    rows = {tensor.name: tensor for tensor in GgufFile(model).tensors}
    inside, outside = (int(n) for n in rows[name].shape)
    chance = np.random.default_rng(5)
    down = chance.normal(size=(4, inside)).astype(np.float32)
    up = chance.normal(size=(outside, 4)).astype(np.float32) * strength
    write_adapter(
        path,
        {name: (down, up)},
        architecture="qwen2",
        alpha=8.0,
        manifest=AdapterManifest(model.name, "0" * 64, FORMAT_VERSION, "d"),
    )


def says(model: Path, adapter: Path | None, **options: Any) -> str:
    engine = LlamaGenerator(model, adapter=adapter, slots=1, cache_mib=0, context_tokens=512, **options)
    try:
        return engine.generate(ASKED, max_tokens=24).text
    finally:
        engine.close()


def test_an_adapter_of_nothing_changes_nothing_and_another_one_does(gguf: Path, tmp_path: Path) -> None:
    write(tmp_path / "nothing.gguf", gguf, 0.0)
    write(tmp_path / "strong.gguf", gguf, 3.0)
    plain = says(gguf, None)
    assert plain
    assert says(gguf, tmp_path / "nothing.gguf") == plain
    assert says(gguf, tmp_path / "strong.gguf") != plain


def test_the_model_is_named_with_its_adapter(gguf: Path, tmp_path: Path) -> None:
    write(tmp_path / "ours.gguf", gguf, 0.0)
    engine = LlamaGenerator(gguf, adapter=tmp_path / "ours.gguf", slots=1, cache_mib=0, context_tokens=512)
    assert engine.model_id == f"{gguf.stem}+ours"
    engine.close()


def test_a_file_that_is_no_adapter_is_refused(gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"nonsense")
    with pytest.raises(ModelError):
        says(gguf, tmp_path / "no.gguf")
