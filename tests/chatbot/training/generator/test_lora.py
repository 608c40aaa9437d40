"""An adapter is learnt, a killed run goes on to the same end, and the file holds what was learnt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chatbot.errors import BadRequestError, ModelError
from chatbot.models.adapter import AdapterManifest, check_adapter, read_manifest
from chatbot.models.disk import sha256_of
from chatbot.models.gguf_reading import GgufFile
from chatbot.prompt import FORMAT_VERSION
from chatbot.training.generator.adapter_file import tensor_name, write_adapter
from chatbot.training.generator.examples import Example
from chatbot.training.generator.lora import LoraSettings, Progress, Trained, train_adapter
from chatbot.training.runs import curve, list_runs

QUICK = LoraSettings(rank=4, alpha=8, epochs=30, rate=2e-2, pack_tokens=256, dropout=0.0, patience=20)
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"
)


class Stopped(Exception):
    pass


def train(model: Any, tokenizer: Any, examples: list[Example], folder: Path, report: Any = None) -> Trained:
    return train_adapter(
        model, tokenizer, examples, examples[:4], folder, QUICK, report or (lambda _progress: None)
    )


def test_what_is_learnt_shows_in_the_held_out_loss_and_in_the_curve(
    model: Any, tokenizer: Any, examples: list[Example], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Progress] = []
    trained = train(model, tokenizer, examples, tmp_path / "run", seen.append)
    assert not capsys.readouterr().out, "standard output is for the result"
    assert trained.held_out_after < trained.held_out_before - 0.15
    assert trained.steps == seen[-1].steps
    assert trained.tokens_per_s > 0
    assert {name.partition(".attn")[0] for name in trained.matrices} == {"blk.0", "blk.1"}
    down, up = trained.matrices["blk.0.attn_q.weight"]
    assert down.shape == (4, 32)
    assert up.shape == (32, 4)
    assert np.abs(up).max() > 0
    points = curve(tmp_path / "run")
    assert points[0]["step"] == 1
    assert any(point["held_out_loss"] for point in points)
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    (listed,) = list_runs(tmp_path)
    assert (listed.name, listed.state) == ("run", "unfinished")


def test_a_run_that_was_stopped_goes_on_to_the_same_end(
    model: Any, tokenizer: Any, examples: list[Example], tmp_path: Path
) -> None:
    import copy

    again, whole = copy.deepcopy(model), copy.deepcopy(model)
    straight = train(whole, tokenizer, examples, tmp_path / "straight")

    def kill(progress: Progress) -> None:
        if progress.step > progress.steps // 2:
            raise Stopped

    with pytest.raises(Stopped):
        train(model, tokenizer, examples, tmp_path / "run", kill)
    steps: list[int] = []
    resumed = train(
        again, tokenizer, examples, tmp_path / "run", lambda progress: steps.append(progress.step)
    )
    assert min(steps) > 1, "it did not begin anew"
    assert resumed.held_out_after == pytest.approx(straight.held_out_after, abs=0.05)


def test_another_data_in_the_same_run_is_refused(
    model: Any, tokenizer: Any, examples: list[Example], tmp_path: Path
) -> None:
    train(model, tokenizer, examples, tmp_path / "run")
    with pytest.raises(BadRequestError, match="other data or settings"):
        train(model, tokenizer, examples[:-1], tmp_path / "run")


def test_nothing_to_learn_is_said(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match="0 examples to learn"):
        train(model, tokenizer, [], tmp_path / "run")


MANIFEST = AdapterManifest("tiny", "", FORMAT_VERSION, "d" * 16, "run", {"held_out_loss": 0.5})


def saved(path: Path, **changes: Any) -> None:
    from dataclasses import replace

    matrices = {"blk.0.attn_q.weight": (np.ones((4, 32), np.float32), np.ones((32, 4), np.float32))}
    write_adapter(path, matrices, architecture="qwen2", alpha=8.0, manifest=replace(MANIFEST, **changes))


def test_the_file_is_llama_cpps_form_and_tells_what_it_belongs_to(tmp_path: Path) -> None:
    saved(tmp_path / "a.gguf", base_sha256="f" * 64)
    file = GgufFile(tmp_path / "a.gguf")
    told = {
        name: field.contents()
        for name, field in file.fields.items()
        if name.startswith(("general", "adapter"))
    }
    assert told["general.type"] == "adapter"
    assert told["general.architecture"] == "qwen2"
    assert told["adapter.type"] == "lora"
    assert told["adapter.lora.alpha"] == 8.0
    shapes = {tensor.name: tuple(tensor.data.shape) for tensor in file.tensors}
    assert shapes == {"blk.0.attn_q.weight.lora_a": (4, 32), "blk.0.attn_q.weight.lora_b": (32, 4)}
    assert read_manifest(tmp_path / "a.gguf").figures == {"held_out_loss": 0.5}
    assert not list(tmp_path.glob("*.part"))


def test_an_adapter_of_another_model_or_prompt_format_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"weights")
    saved(tmp_path / "a.gguf", base_sha256=sha256_of(model))
    assert check_adapter(tmp_path / "a.gguf", model).run == "run"
    saved(tmp_path / "b.gguf", base_sha256="0" * 64)
    with pytest.raises(ModelError, match="belongs to tiny"):
        check_adapter(tmp_path / "b.gguf", model)
    saved(tmp_path / "c.gguf", base_sha256=sha256_of(model), prompt_version=FORMAT_VERSION + 1)
    with pytest.raises(ModelError, match="train it again"):
        check_adapter(tmp_path / "c.gguf", model)
    (tmp_path / "d.gguf").write_bytes(b"GGUF nonsense")
    with pytest.raises(ModelError, match="no adapter of Kefu"):
        check_adapter(tmp_path / "d.gguf", model)


@pytest.mark.parametrize("module", ["lm_head", "model.layers.x.self_attn.q_proj", "model.layers.1.norm"])
def test_only_matrices_of_layers_have_a_tensor(module: str) -> None:
    assert tensor_name("base.model.layers.3.self_attn.q_proj") == "blk.3.attn_q.weight"
    with pytest.raises(ValueError, match="no matrix"):
        tensor_name(module)


def test_damaged_runs_are_listed_as_such(tmp_path: Path) -> None:
    for name, content in (("a", "{"), ("b", "[]"), ("c", json.dumps({"kind": "generator"}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(content)
    assert {run.state for run in list_runs(tmp_path)} == {"damaged"}
    assert list_runs(tmp_path / "nowhere") == []
