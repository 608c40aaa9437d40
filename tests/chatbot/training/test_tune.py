"""Tuning learns from the cases it may see and judges those that were held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Qwen2Config, Qwen2Model

from chatbot.errors import BadRequestError
from chatbot.training import tune
from chatbot.training.judge import Case, Pair, Question
from chatbot.training.tune import Tuned, TuneSettings, read_with, tune_judge
from knowledge_base.entry import Entry

SETTINGS = TuneSettings(layers=3, frozen=1, rank=4, epochs=3, rate=3e-3, batch=2, dropout=0.0)


class Letters:
    """A tokenizer of single characters."""

    def __call__(self, text: str, *, add_special_tokens: bool) -> SimpleNamespace:
        assert not add_special_tokens
        return SimpleNamespace(input_ids=[ord(c) % 128 for c in text])


def case(number: int) -> Case:
    name = f"c{number}"
    entries = tuple(
        Entry(f"{name}.{i}", f"{name}.{i}", "en", f"topic {i}", f"text {number} of {i}") for i in range(2)
    )
    words = ["zip it", "buy it", "zap me", "see me", "zoom", "room", "a zoo", "a moo"]
    questions = tuple(Question(f"{word} {number}", "en", (0,) if "z" in word else (), None) for word in words)
    return Case(name, "en", entries, questions)


CASES = [case(number) for number in range(12)]
HELD_OUT = frozenset({"c3", "c8"})
PAIRS = [
    Pair(c.id, e, q, e in question.answers or ("z" in question.text and e == 1))
    for c in CASES
    for e in range(2)
    for q, question in enumerate(c.questions)
]


def fresh(layers: int = 3) -> Any:
    """The same weights each time, with nothing hooked to them."""
    torch.manual_seed(3)
    config = Qwen2Config(
        vocab_size=128,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = Qwen2Model(config).eval()
    model.norm = torch.nn.Identity()
    return model


@pytest.fixture(scope="module")
def base() -> Any:
    return fresh()


@pytest.fixture(scope="module")
def tuned(base: Any) -> Tuned:
    before = {name: value.clone() for name, value in base.state_dict().items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune, "load_base", lambda _base, _layers: (Letters(), base))
        made = tune_judge(CASES, PAIRS, Path("none"), HELD_OUT, base_sha256="abc", settings=SETTINGS)
    after = base.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    return made


def test_questions_about_unseen_knowledge_are_told_apart(tuned: Tuned) -> None:
    held = [number for number, pair in enumerate(PAIRS) if pair.case in HELD_OUT]
    yes = [tuned.log_odds[n] for n in held if PAIRS[n].label]
    no = [tuned.log_odds[n] for n in held if not PAIRS[n].label]
    assert np.mean([a > b for a in yes for b in no]) > 0.9


def test_cases_that_were_trained_on_get_no_judgement(tuned: Tuned) -> None:
    assert not any(tuned.log_odds[n] for n, pair in enumerate(PAIRS) if pair.case not in HELD_OUT)


def test_every_matrix_above_the_frozen_layers_has_an_adapter(tuned: Tuned) -> None:
    layers = {name.split(".")[1] for name in tuned.probe.adapters}
    assert layers == {"1", "2"}
    assert len(tuned.probe.adapters) == 2 * 7
    assert tuned.probe.adapters["blk.2.ffn_down.weight"].down.shape == (4, 64)
    assert any(np.abs(adapter.up).max() > 0 for adapter in tuned.probe.adapters.values())


def test_progress_is_told(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "load_base", lambda _base, _layers: (Letters(), base))
    lines: list[str] = []
    few = [pair for pair in PAIRS if pair.case in ("c1", "c2", "c3")]
    tune_judge(
        CASES,
        few,
        Path("none"),
        HELD_OUT,
        base_sha256="abc",
        settings=replace(SETTINGS, epochs=1),
        report=lines.append,
    )
    assert lines[0] == "base model loaded"
    assert "read" in lines[1]
    assert lines[-1].startswith("step")


def test_a_tuned_judge_reads_alone_what_it_read_at_the_end_of_its_training(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "load_base", lambda _base, _layers: (Letters(), fresh()))
    held = [number for number, pair in enumerate(PAIRS) if pair.case in HELD_OUT]
    again = read_with(tuned.probe, CASES, [PAIRS[n] for n in held], Path("none"))
    np.testing.assert_allclose(again, tuned.log_odds[held], atol=0.15)


def test_a_deeper_judge_goes_on_from_a_shallower_one(tuned: Tuned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "load_base", lambda _base, _layers: (Letters(), fresh(4)))
    deeper = replace(SETTINGS, layers=4, epochs=1, rate=0.0, start=tuned.probe)
    made = tune_judge(CASES, PAIRS, Path("none"), HELD_OUT, base_sha256="abc", settings=deeper)
    assert made.probe.layers == 4
    for name, adapter in tuned.probe.adapters.items():
        np.testing.assert_allclose(made.probe.adapters[name].down, adapter.down, atol=1e-3)
    assert not made.probe.adapters["blk.3.attn_q.weight"].up.any()


@pytest.mark.parametrize("other", [{"layers": 2}, {"frozen": 2}, {"rank": 2}])
def test_a_judge_of_another_shape_is_not_gone_on_from(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch, other: dict[str, int]
) -> None:
    monkeypatch.setattr(tune, "load_base", lambda _base, _layers: (Letters(), fresh(_layers)))
    settings = replace(SETTINGS, start=tuned.probe, **other)  # type: ignore[arg-type]
    with pytest.raises(BadRequestError, match="tune from the untuned model"):
        tune_judge(CASES, PAIRS, Path("none"), HELD_OUT, base_sha256="abc", settings=settings)
