"""The vocabulary is read when a translation asks for it, and its loss is no crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from chatbot.errors import EngineError
from chatbot.generate.vocabulary import LazyVocabulary


def test_it_is_read_once_and_knows_the_foreign_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["refund", "退款"])
    writer.add_tensor("one", np.ones((3, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    vocabulary = LazyVocabulary(path)
    first = vocabulary()
    path.unlink()
    assert vocabulary() is first
    assert list(first.foreign("en")) == [[1, False]]


def test_a_file_that_has_gone_is_the_engines_trouble(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        LazyVocabulary(tmp_path / "gone.gguf")()
