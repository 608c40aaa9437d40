"""The judge's file is its base with the adapters merged and the read-out as output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize

from chatbot.errors import ModelError
from chatbot.models.probe import Adapter, Probe, write_judge

HIDDEN, VOCABULARY = 32, 8
RNG = np.random.default_rng(5)


def base_file(path: Path, layers: int = 3) -> Path:
    writer = GGUFWriter(str(path), "qwen2")
    writer.add_block_count(layers)
    writer.add_token_list([f"t{i}" for i in range(VOCABULARY)])
    writer.add_tensor("token_embd.weight", RNG.standard_normal((VOCABULARY, HIDDEN)).astype(np.float32))
    for layer in range(layers):
        writer.add_tensor(
            f"blk.{layer}.attn_q.weight", RNG.standard_normal((HIDDEN, HIDDEN)).astype(np.float32)
        )
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def probe(adapters: dict[str, Adapter]) -> Probe:
    numbers = RNG.standard_normal((3, HIDDEN)).astype(np.float32)
    return Probe("abc", 1, 2, np.abs(numbers[0]), numbers[1], numbers[2], adapters)


def adapter() -> Adapter:
    return Adapter(
        RNG.standard_normal((2, HIDDEN)).astype(np.float16),
        RNG.standard_normal((HIDDEN, 2)).astype(np.float16),
    )


def tensors(path: Path) -> dict[str, np.ndarray]:
    return {t.name: dequantize(t.data, t.tensor_type) for t in GGUFReader(path).tensors}


def test_a_saved_probe_reads_back_with_its_adapters(tmp_path: Path) -> None:
    saved = probe({"blk.1.attn_q.weight": adapter()})
    saved.save(tmp_path / "probe.npz")
    read = Probe.load(tmp_path / "probe.npz")
    np.testing.assert_array_equal(read.weights, saved.weights)
    assert set(read.adapters) == {"blk.1.attn_q.weight"}
    np.testing.assert_array_equal(
        read.adapters["blk.1.attn_q.weight"].up, saved.adapters["blk.1.attn_q.weight"].up
    )


def test_adapters_are_merged_and_all_else_stays(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf")
    added = adapter()
    write_judge(base, probe({"blk.1.attn_q.weight": added}), tmp_path / "judge.gguf", yes=3, no=5)
    before, after = tensors(base), tensors(tmp_path / "judge.gguf")
    wanted = before["blk.1.attn_q.weight"] + added.up.astype(np.float32) @ added.down.astype(np.float32)
    np.testing.assert_allclose(after["blk.1.attn_q.weight"], wanted, atol=0.08)
    np.testing.assert_array_equal(after["blk.0.attn_q.weight"], before["blk.0.attn_q.weight"])
    assert "blk.2.attn_q.weight" not in after


def test_the_log_odds_of_yes_are_the_read_out(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf")
    read_out = probe({})
    write_judge(base, read_out, tmp_path / "judge.gguf", yes=3, no=5)
    output = tensors(tmp_path / "judge.gguf")["output.weight"]
    state = RNG.standard_normal(HIDDEN).astype(np.float32)
    logits = output @ (read_out.scale * state)
    assert logits[3] - logits[5] == pytest.approx((read_out.scale * state) @ read_out.weights, abs=0.3)


def test_a_base_with_too_few_layers_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf", layers=1)
    with pytest.raises(ModelError, match="has no 2 layers"):
        write_judge(base, probe({}), tmp_path / "judge.gguf", yes=3, no=5)
    assert [file.name for file in tmp_path.iterdir()] == ["base.gguf"]


def test_something_else_than_a_probe_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "probe.npz").write_bytes(b"no probe")
    with pytest.raises(ModelError, match="train it anew"):
        Probe.load(tmp_path / "probe.npz")
