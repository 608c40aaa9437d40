"""Unpacking the 4-bit embedder, on a network of a few kilobytes."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatbot.errors import ModelError
from chatbot.models import CATALOGUE, e5

SMALL = e5.Shape(
    hidden=32,
    layers=2,
    heads=4,
    feed_forward=64,
    vocabulary=40,
    positions=16,
    token_types=2,
    layer_norm_epsilon=1e-12,
)
REAL = e5.Shape(384, 12, 12, 1536, 250037, 512, 2, 1e-12)


def quantised(elements: int, rng: np.random.Generator) -> tuple[bytes, np.ndarray]:
    """Random blocks in the packed form, and the weights by the definition, one at a time."""
    raw, weights = b"", []
    for _ in range(elements // 32):
        scale = np.float16(rng.normal())
        nibbles = rng.integers(0, 16, 32)
        raw += scale.tobytes() + bytes(int(nibbles[i]) | int(nibbles[i + 16]) << 4 for i in range(16))
        weights += [(int(n) - 8) * float(scale) for n in nibbles]
    return raw, np.array(weights, dtype=np.float32)


def packed_file(shape: e5.Shape, leave_out: str = "") -> tuple[bytes, dict[str, np.ndarray]]:
    """A whole file in the E5S1 format, with random weights; the reverse of what is tested."""
    rng = np.random.default_rng(3)
    blobs: dict[str, tuple[int, int, bytes]] = {}
    expected: dict[str, np.ndarray] = {}
    for name, packed, size in e5._layout(shape):
        elements = math.prod(size)
        if packed is None:
            expected[name] = np.zeros(size, dtype=np.float32)
            continue
        if (packed.endswith(".w") and len(size) == 2) or packed == "emb.word":
            raw, weights = quantised(elements, rng)
            blobs[packed] = (1, elements, raw)
        else:
            weights = rng.normal(size=elements).astype(np.float32)
            blobs[packed] = (0, elements, weights.tobytes())
        expected[name] = weights.reshape(size)
    blobs.pop(leave_out, None)
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, shape.hidden, shape.layers, shape.heads, shape.feed_forward, shape.vocabulary,
        shape.positions, shape.token_types, shape.layer_norm_epsilon, 32,
    )  # fmt: skip
    pieces = [b"<s>", b"a"]
    head += struct.pack("<5iQ", 2, 0, 2, 1, 3, sum(map(len, pieces)))
    head += struct.pack("<3I", 0, 3, 4) + struct.pack("<2f", 0, -1) + b"".join(pieces)
    head += struct.pack("<iI", 1, 5) + b"norms" + struct.pack("<i", len(blobs))
    position = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in blobs)
    body = b""
    for name, (kind, elements, raw) in blobs.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, elements, position + len(body), len(raw))
        body += raw
    return head + body, expected


TOKENIZER = json.dumps({"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}})


def unpack_small(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "packed.bin").write_bytes(content)
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    folder = tmp_path / "folder"
    folder.mkdir()
    e5.unpack(tmp_path / "packed.bin", tmp_path / "tokenizer.json", folder)
    return folder


def pulled_embedder() -> Path:
    """The unpacked model's folder."""
    from chatbot.models import model_folder
    from chatbot.settings import load_settings

    folder = model_folder(CATALOGUE["multilingual-e5-small-q4"], load_settings().models_dir)
    if not folder.exists():
        pytest.skip("the embedder is not pulled")
    return folder


@given(
    scale=st.floats(-60000, 60000, width=16),
    nibbles=st.lists(st.integers(0, 15), min_size=32, max_size=32),
)
def test_a_block_is_dequantised_exactly(scale: float, nibbles: list[int]) -> None:
    raw = struct.pack("<e", scale) + bytes(nibbles[i] | nibbles[i + 16] << 4 for i in range(16))
    assert e5.dequantise(raw).tolist() == [(nibble - 8) * scale for nibble in nibbles]


def test_every_weight_lands_under_its_name_in_bert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import load_file

    monkeypatch.setattr(e5, "CHUNK_BYTES", 5 * e5.BLOCK_BYTES * 4)
    content, expected = packed_file(SMALL)
    folder = unpack_small(tmp_path, content)
    found = load_file(folder / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, weights in expected.items():
        np.testing.assert_array_equal(found[name], weights, err_msg=name)


def test_transformers_finds_every_weight_it_wants(tmp_path: Path) -> None:
    from transformers import AutoConfig, BertModel

    content, expected = packed_file(SMALL)
    config = AutoConfig.from_pretrained(unpack_small(tmp_path, content))
    wanted = {name: tuple(weights.shape) for name, weights in BertModel(config).state_dict().items()}
    wanted.pop("embeddings.position_ids", None)
    assert {name: weights.shape for name, weights in expected.items()} == wanted


def test_unpacking_tells_how_many_bytes_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "packed.bin").write_bytes(packed_file(SMALL)[0])
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    (tmp_path / "folder").mkdir()
    told: list[int] = []
    e5.unpack(tmp_path / "packed.bin", tmp_path / "tokenizer.json", tmp_path / "folder", told.append)
    elements = sum(math.prod(size) for _, _, size in e5._layout(SMALL))
    assert sum(told) == 4 * elements


@pytest.mark.parametrize("length", [0, 3, 20, 50, 90, 200, 400])
def test_a_file_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ModelError, match="kefu models pull"):
        unpack_small(tmp_path, packed_file(SMALL)[0][:length])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="starts with b'GGUF'"):
        unpack_small(tmp_path, b"GGUF" + packed_file(SMALL)[0][4:])


def test_a_directory_that_points_outside_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="bytes at"):
        unpack_small(tmp_path, packed_file(SMALL)[0][:-40])


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'l1\.fo\.w' has none elements"):
        unpack_small(tmp_path, packed_file(SMALL, leave_out="l1.fo.w")[0])


def test_the_small_files_have_the_checksums_of_the_catalogue(tmp_path: Path) -> None:
    model = CATALOGUE["multilingual-e5-small-q4"]
    written = {"config.json": e5._network_config(REAL), "1_Pooling/config.json": e5._pooling_config(REAL)}
    written.update(e5._STATIC_FILES)
    for file in model.files:
        if file.name in ("model.safetensors", "tokenizer.json"):
            continue
        e5._write_json(tmp_path / "f", written.pop(file.name))
        assert hashlib.sha256((tmp_path / "f").read_bytes()).hexdigest() == file.sha256, file.name
    assert not written


def test_the_epsilon_keeps_its_value_through_single_precision() -> None:
    epsilon = struct.unpack("<f", struct.pack("<f", 1e-12))[0]
    shape = e5.Shape(32, 2, 4, 64, 40, 16, 2, epsilon)
    assert json.dumps(e5._network_config(shape)["layer_norm_eps"]) == "1e-12"


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pre_tokenizer": {"type": "ByteLevel"}}', "\x00"])
def test_a_tokenizer_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match="kefu models pull"):
        e5._write_tokenizer(tmp_path / "tokenizer.json", tmp_path / "written.json")
    assert not (tmp_path / "written.json").exists()


@pytest.mark.models
def test_the_unpacked_tokenizer_cuts_as_the_class_of_xlm_roberta_does() -> None:
    from transformers import AutoTokenizer, XLMRobertaTokenizer

    folder = pulled_embedder()
    plain = AutoTokenizer.from_pretrained(folder)
    own = XLMRobertaTokenizer.from_pretrained(folder)
    assert type(plain) is not type(own)

    @settings(max_examples=400, deadline=None)
    @given(st.text())
    @example("query: ＡＢＣ  退货要几天？ \n\t ﬁ ½ e\u0301 ")
    @example("<s> <mask> </s> <pad>")
    def same(text: str) -> None:
        assert plain(text)["input_ids"] == own(text)["input_ids"]

    same()


@pytest.mark.models
def test_the_unpacked_model_gives_the_known_cosine() -> None:
    folder = pulled_embedder()
    assert e5.canonical_cosine(folder) == pytest.approx(e5.CANONICAL_COSINE, abs=e5.CANONICAL_TOLERANCE)


def test_another_cosine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (0.5, math.nan):
        monkeypatch.setattr(e5, "canonical_cosine", lambda _, value=wrong: value)
        with pytest.raises(ModelError, match="two fixed sentences"):
            e5.check_folder(tmp_path)
