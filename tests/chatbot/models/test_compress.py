"""A model file in another size holds the same model, or is not written at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from chatbot.errors import BadRequestError, ModelError
from chatbot.models.adapter import AdapterManifest
from chatbot.models.compress import LEVELS, compress, layer_count
from chatbot.models.disk import sha256_of
from chatbot.prompt import FORMAT_VERSION
from chatbot.training.generator.adapter_file import write_adapter
from tests.chatbot.models.test_probe import base_file, tensors


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_keeps_the_weights_as_near_as_its_bits_allow(tmp_path: Path, level: str) -> None:
    base = base_file(tmp_path / "base.gguf")
    compress(base, tmp_path / "out.gguf", level)
    before, after = tensors(base), tensors(tmp_path / "out.gguf")
    assert set(after) == set(before)
    allowed = {"q4": 0.126, "q5": 0.063, "q8": 0.005, "f1": 0.001}[level[:2]]
    for name, values in before.items():
        lost, block = (np.abs(each).reshape(-1, 32).max(1) for each in (after[name] - values, values))
        assert (lost <= allowed * block).all(), name
    assert (tmp_path / "out.gguf").stat().st_size < base.stat().st_size


def test_left_out_layers_are_gone_and_the_others_are_counted_anew(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf", layers=4)
    compress(base, tmp_path / "out.gguf", without=(1, 2))
    before, after = tensors(base), tensors(tmp_path / "out.gguf")
    np.testing.assert_array_equal(after["blk.0.attn_q.weight"], before["blk.0.attn_q.weight"])
    np.testing.assert_array_equal(after["blk.1.attn_q.weight"], before["blk.3.attn_q.weight"])
    assert "blk.2.attn_q.weight" not in after
    assert layer_count(tmp_path / "out.gguf") == 2
    assert GGUFReader(tmp_path / "out.gguf").fields["qwen2.block_count"].contents() == 2


@pytest.mark.parametrize(
    ("level", "without", "told"),
    [
        ("q3_k", (), "expected one of q4_0"),
        ("", (3,), "has the layers 0 to 2"),
        ("", (-1,), "has the layers 0 to 2"),
        ("", (0, 1, 2), "one must be left"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    tmp_path: Path, level: str, without: tuple[int, ...], told: str
) -> None:
    base = base_file(tmp_path / "base.gguf")
    with pytest.raises(BadRequestError, match=told):
        compress(base, tmp_path / "out.gguf", level, without)
    assert [file.name for file in tmp_path.iterdir()] == ["base.gguf"]


def test_a_model_is_never_written_over_itself(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf")
    before = base.read_bytes()
    with pytest.raises(BadRequestError, match="the model itself"):
        compress(base, tmp_path / "." / "base.gguf", "q8_0")
    assert base.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + b"\xff" * 60, b"no model"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "base.gguf").write_bytes(content)
    with pytest.raises(ModelError):
        compress(tmp_path / "base.gguf", tmp_path / "out.gguf", "q8_0")


def test_too_little_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = base_file(tmp_path / "base.gguf")
    monkeypatch.setattr("chatbot.models.room.shutil.disk_usage", lambda _folder: _Usage())
    with pytest.raises(ModelError, match="free some space"):
        compress(base, tmp_path / "out.gguf", "q8_0")
    assert not (tmp_path / "out.gguf").exists()


class _Usage:
    free = 100


def test_the_engine_loads_what_was_written(gguf: Path, tmp_path: Path) -> None:
    from chatbot.generate.llama import LlamaGenerator
    from chatbot.prompt import ChatMessage, Prompt

    out = tmp_path / "small.gguf"
    compress(gguf, out, "q4_0", without=(layer_count(gguf) // 2,))
    engine = LlamaGenerator(out, slots=1, context_tokens=512)
    try:
        said = engine.generate(Prompt((ChatMessage("user", "Say hello."),), "en"), max_tokens=8)
    finally:
        engine.close()
    assert said.completion_tokens > 0


def lora_file(
    path: Path, base: Path, matrices: dict[str, tuple[np.ndarray, np.ndarray]], alpha: float = 4.0
) -> Path:
    manifest = AdapterManifest("base", sha256_of(base), FORMAT_VERSION, "data", "run")
    write_adapter(path, matrices, architecture="qwen2", alpha=alpha, manifest=manifest)
    return path


def low_rank(out: int, into: int, rank: int = 2) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(5)
    down, up = draw.standard_normal((rank, into)), draw.standard_normal((out, rank))
    return down.astype(np.float32), up.astype(np.float32)


def test_an_adapter_becomes_part_of_the_weights_it_was_trained_beside(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf", layers=4)
    down, up = low_rank(32, 32)
    lora = lora_file(tmp_path / "lora.gguf", base, {"blk.2.attn_q.weight": (down, up)})
    compress(base, tmp_path / "out.gguf", without=(1,), adapter=lora)
    before, after = tensors(base), tensors(tmp_path / "out.gguf")
    wanted = before["blk.2.attn_q.weight"] + up @ down * 2.0
    np.testing.assert_allclose(after["blk.1.attn_q.weight"], wanted, atol=0.01)
    assert np.abs(wanted - before["blk.2.attn_q.weight"]).max() > 1
    for new, old in {"blk.0": "blk.0", "blk.2": "blk.3"}.items():
        np.testing.assert_array_equal(after[f"{new}.attn_q.weight"], before[f"{old}.attn_q.weight"])


def test_what_an_adapter_touches_gets_eight_bits_where_it_had_fewer(tmp_path: Path) -> None:
    compress(base_file(tmp_path / "whole.gguf"), tmp_path / "base.gguf", "q4_0")
    down, up = low_rank(32, 32)
    base = tmp_path / "base.gguf"
    lora = lora_file(tmp_path / "lora.gguf", base, {"blk.2.attn_q.weight": (down, up * 0.01)})
    compress(base, tmp_path / "out.gguf", adapter=lora)
    kinds = {str(t.name): t.tensor_type.name for t in GGUFReader(tmp_path / "out.gguf").tensors}
    assert (kinds["blk.1.attn_q.weight"], kinds["blk.2.attn_q.weight"]) == ("Q4_0", "Q8_0")
    wanted = tensors(base)["blk.2.attn_q.weight"] + up @ down * 0.02
    found = tensors(tmp_path / "out.gguf")["blk.2.attn_q.weight"]
    assert np.abs(found - wanted).max() <= np.abs(wanted).max() / 200


def test_with_a_level_an_adapter_is_added_before_the_weights_are_rounded(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf")
    down, up = low_rank(32, 32)
    lora = lora_file(tmp_path / "lora.gguf", base, {"blk.2.attn_q.weight": (down, up)})
    compress(base, tmp_path / "out.gguf", "f16", adapter=lora)
    found = tensors(tmp_path / "out.gguf")["blk.2.attn_q.weight"]
    np.testing.assert_allclose(found, tensors(base)["blk.2.attn_q.weight"] + up @ down * 2.0, atol=0.02)


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("blk.7.attn_q.weight", (32, 32), "which base.gguf does not have so"),
        ("blk.1.attn_q.weight", (16, 32), "changes blk.1.attn_q.weight as 16 by 32"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, shape: tuple[int, int], told: str
) -> None:
    base = base_file(tmp_path / "base.gguf")
    lora = lora_file(tmp_path / "lora.gguf", base, {name: low_rank(*shape)})
    with pytest.raises(ModelError, match=told):
        compress(base, tmp_path / "out.gguf", adapter=lora)
    other = base_file(tmp_path / "other.gguf")
    with pytest.raises(ModelError, match="belongs to base"):
        compress(other, tmp_path / "out.gguf", adapter=lora)
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.models
def test_the_engine_says_with_merged_weights_what_it_says_with_the_adapter_beside_them(
    gguf: Path, tmp_path: Path
) -> None:
    from chatbot.generate.llama import LlamaGenerator
    from chatbot.prompt import judge_prompt

    shapes = {str(t.name): tuple(map(int, t.shape)) for t in GGUFReader(gguf).tensors}
    matrices = {}
    for name, (into, *out) in shapes.items():
        if name.endswith(("attn_q.weight", "attn_v.weight")):
            down, up = low_rank(out[0], into, 4)
            matrices[name] = (down / into**0.5, up * 0.11)
    lora = lora_file(tmp_path / "lora.gguf", gguf, matrices, alpha=8.0)
    compress(gguf, tmp_path / "merged.gguf", adapter=lora)
    prompt = judge_prompt("When do you open?", "At nine.", "Do you open at nine?")
    said = {}
    for name, file, beside in (
        ("plain", gguf, None),
        ("beside", gguf, lora),
        ("merged", tmp_path / "merged.gguf", None),
    ):
        engine = LlamaGenerator(file, adapter=beside, slots=1, context_tokens=512)
        try:
            said[name] = np.array(engine.choose(prompt, ("Yes", "No")))
        finally:
            engine.close()
    changed = np.abs(said["plain"] - said["beside"]).max()
    assert changed > 0.5
    assert np.abs(said["merged"] - said["beside"]).max() < changed / 4
