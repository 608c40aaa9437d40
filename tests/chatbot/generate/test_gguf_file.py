from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbot.errors import ModelError
from chatbot.generate.gguf_file import check_gguf


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_name("Tiny 微")
    writer.add_chat_template("{{ messages }}")
    writer.add_token_list(["a", "你好", "c"])
    writer.add_array("numbers", [1, 2, 3])
    writer.add_tensor("one", np.ones((3, 32), dtype=np.float32))
    writer.add_tensor("two", np.ones(40, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_whole_file_is_read(whole: Path) -> None:
    header = check_gguf(whole, tokens=True)
    assert (header.architecture, header.name, header.tensors) == ("llama", "Tiny 微", 2)
    assert header.chat_template
    assert whole.stat().st_size - 32 < header.ends <= whole.stat().st_size


def test_file_cut_anywhere_is_refused(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    ends = check_gguf(whole).ends
    for length in [*range(1, ends, 7), ends - 1]:
        path = tmp_path / "cut.gguf"
        path.write_bytes(data[:length])
        with pytest.raises(ModelError, match=r"cut\.gguf"):
            check_gguf(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=1000)
@given(st.data())
def test_changed_header_is_read_or_refused_but_never_crashes(
    whole: Path, tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 300))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.gguf"
    path.write_bytes(content)
    with contextlib.suppress(ModelError):
        assert check_gguf(path, tokens=True).ends <= len(content)


@pytest.mark.parametrize("kind", [4, 9, 99])
def test_a_vocabulary_of_another_type_is_read_or_refused(tmp_path: Path, kind: int) -> None:
    key = b"tokenizer.ggml.tokens"
    head = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", len(key)) + key
    path = tmp_path / "odd.gguf"
    path.write_bytes(head + struct.pack("<IIQ", 9, kind, 1) + bytes(64))
    with contextlib.suppress(ModelError):
        assert check_gguf(path, tokens=True).tokens == []


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04" + bytes(100), b"GGUF\x01\0\0\0" + bytes(100)])
def test_other_formats_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.gguf"):
        check_gguf(path)


def test_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="kefu models pull"):
        check_gguf(tmp_path / "none.gguf")
