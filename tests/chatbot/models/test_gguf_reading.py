"""Lists are read in one go, and all that is read stays the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter

from chatbot.models.gguf_reading import GgufFile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_name("Tiny 微")
    writer.add_token_list(["a", "", "你好", "c" * 300])
    writer.add_token_types([1, 3, 1, 6])
    writer.add_array("nothing", [])
    writer.add_array("scores", [0.5, -2.0])
    writer.add_array("flags", [True, False])
    writer.add_bool("one", True)
    writer.add_tensor("weights", np.arange(64, dtype=np.float32).reshape(2, 32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_fields_and_tensors_are_those_of_the_package(file: Path) -> None:
    ours, package = GgufFile(file), GGUFReader(file)
    assert list(ours.fields) == list(package.fields)
    for name, field in package.fields.items():
        assert ours.fields[name].contents() == field.contents()
        assert ours.fields[name].types == field.types
        assert [ours.fields[name].parts[place].tobytes() for place in ours.fields[name].data] == [
            field.parts[place].tobytes() for place in field.data
        ]
    np.testing.assert_array_equal(ours.tensors[0].data, package.tensors[0].data)


def test_a_list_beyond_the_end_is_refused(file: Path) -> None:
    content = file.read_bytes()
    at = content.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 8
    file.write_bytes(content[:at] + (5000).to_bytes(8, "little") + content[at + 8 :])
    with pytest.raises(ValueError, match="list of 5000 strings"):
        GgufFile(file)
    file.write_bytes(content[: at + 14])
    with pytest.raises(ValueError, match="list of 4 strings"):
        GgufFile(file)
