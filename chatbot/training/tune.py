"""Tunes the upper layers of the answer judge, with low-rank adapters.

The lower layers stay as they are; their states are computed once.  Adapters on
the layers above (LoRA: Hu et al. 2021) and the read-out are trained together on
question-and-entry pairs.  All questions about one entry are read in one pass as
branches behind it (see :func:`chatbot.training.judge.tree`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import BadRequestError
from chatbot.models.probe import ADAPTED, Adapter, Probe
from chatbot.prompt import FORMAT_VERSION
from chatbot.training.judge import (
    LEVEL,
    Case,
    Pair,
    importance_of,
    level_direction,
    load_base,
    logistic,
    tree,
)
from chatbot.training.precision import half_is_faster

__all__ = ["TuneSettings", "Tuned", "read_with", "tune_judge"]

Floats = NDArray[np.float32]
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """How the judge is tuned."""

    layers: int = 14
    """Layers that are kept."""
    frozen: int = 10
    """Layers below the adapters."""
    rank: int = 8
    alpha: float = 16.0
    epochs: int = 2
    rate: float = 5e-4
    """Highest learning rate; it warms up and falls along a cosine."""
    batch: int = 4
    """Entries a step, each with all its questions."""
    dropout: float = 0.05
    seed: int = 7
    start: Probe | None = None
    """A tuned judge to go on from, of as many layers or fewer; None: the untuned model."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came out."""

    probe: Probe
    log_odds: Floats
    """Each pair's value, shape (pairs,); zero for knowledge bases that were trained on."""


@dataclass(slots=True)
class _Branches:
    """One entry with its questions, read up to the frozen layer."""

    numbers: list[int]
    states: Any
    """Shape (1, t, hidden), half precision."""
    positions: Any
    mask: Any
    ends: Any


def tune_judge(
    cases: Sequence[Case],
    pairs: Sequence[Pair],
    base: Path,
    held_out: frozenset[str],
    *,
    base_sha256: str,
    settings: TuneSettings | None = None,
    report: Report = lambda _line: None,
) -> Tuned:
    """Trains adapters and read-out on the pairs of all cases that are not held out.

    Args:
        pairs: see :func:`chatbot.training.judge.pairs_of`.
        base: the GGUF file of the base model.
        held_out: ids of the cases that only calibrate.
        report: gets a line of progress now and then.
    """
    import torch

    chosen = settings or TuneSettings()
    torch.manual_seed(chosen.seed)
    tokenizer, model = load_base(base, chosen.layers)
    report("base model loaded")
    upper = list(model.layers[chosen.frozen :])
    every, model_rotary = _read(model, tokenizer, cases, pairs, chosen, report), model.rotary_emb
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapters = _adapt(upper, chosen)
    if chosen.start is not None:
        _load(adapters, chosen.start, chosen)
    hidden_size = int(model.config.hidden_size)
    head = torch.nn.Linear(hidden_size, 1)
    labels = torch.tensor([float(pair.label) for pair in pairs])
    importance = torch.from_numpy(importance_of(pairs)).float()

    def forward(branches: _Branches) -> Any:
        x = branches.states.float()
        rotary = model_rotary(x, branches.positions)
        with torch.autocast("cpu", torch.bfloat16, enabled=half_is_faster()):
            for layer in upper:
                made = layer(
                    x,
                    attention_mask=branches.mask,
                    position_ids=branches.positions,
                    position_embeddings=rotary,
                )
                x = made[0] if isinstance(made, tuple) else made
        ends = x[0, branches.ends].float()
        return ends / (ends.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()

    train = [b for b in every if pairs[b.numbers[0]].case not in held_out]
    if chosen.start is not None and chosen.start.layers == chosen.layers:
        scale = _as_before(head, chosen.start)
    else:
        scale = _start(head, train[::4], forward, labels, importance)
    parameters = [p for adapter in adapters.values() for p in adapter.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": 0.01},
            {"params": head.parameters(), "weight_decay": 0.1, "lr": chosen.rate / 4},
        ],
        lr=chosen.rate,
    )
    steps = max(chosen.epochs * math.ceil(len(train) / chosen.batch), 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / (0.08 * steps)) * 0.5 * (1 + math.cos(math.pi * step / steps)),
    )
    order = random.Random(chosen.seed)
    step, mean_loss = 0, 0.7
    for epoch in range(chosen.epochs):
        order.shuffle(train)
        _dropping(adapters, on=True)
        for start in range(0, len(train), chosen.batch):
            optimiser.zero_grad()
            part = train[start : start + chosen.batch]
            total = sum(float(importance[b.numbers].sum()) for b in part)
            for branches in part:
                value = head(forward(branches) * scale)[:, 0]
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    value, labels[branches.numbers], weight=importance[branches.numbers], reduction="sum"
                )
                torch.autograd.backward(loss / total)
                mean_loss += 0.02 * (
                    float(loss.detach()) / float(importance[branches.numbers].sum()) - mean_loss
                )
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            if step % 10 == 0 or step == steps:
                report(f"step {step} of {steps}, epoch {epoch + 1}, loss {mean_loss:.3f}")
    _dropping(adapters, on=False)
    unseen = [b for b in every if pairs[b.numbers[0]].case in held_out]
    numbers = [number for branches in unseen for number in branches.numbers]
    with torch.no_grad():
        states = torch.cat([forward(branches) for branches in unseen])
    weights, bias = head.weight[0].detach().numpy(), float(head.bias.detach()[0])
    scaled = states.numpy() * scale.numpy()
    level = level_direction(scaled)
    probe = Probe(
        base_sha256=base_sha256,
        prompt_version=FORMAT_VERSION,
        layers=chosen.layers,
        scale=scale.numpy().astype(np.float32),
        weights=(weights + bias * level / LEVEL).astype(np.float32),
        level=level.astype(np.float32),
        adapters={name: adapter.exported() for name, adapter in adapters.items()},
    )
    log_odds = np.zeros(len(pairs), dtype=np.float32)
    log_odds[numbers] = scaled @ probe.weights
    return Tuned(probe, log_odds)


def read_with(
    probe: Probe,
    cases: Sequence[Case],
    pairs: Sequence[Pair],
    base: Path,
    report: Report = lambda _line: None,
) -> Floats:
    """What a tuned judge says of pairs: log-odds, shape (pairs,).

    Args:
        base: the GGUF file of the model it was tuned from.

    Raises:
        BadRequestError: it has adapters where this version puts none.
    """

    first = min((int(name.split(".")[1]) for name in probe.adapters), default=probe.layers)
    rank = next((len(adapter.down) for adapter in probe.adapters.values()), 1)
    chosen = TuneSettings(layers=probe.layers, frozen=first, rank=rank, alpha=float(rank), dropout=0.0)
    tokenizer, model = load_base(base, probe.layers)
    adapters = _adapt(list(model.layers[first:]), chosen)
    _load(adapters, probe, chosen)
    whole = replace(chosen, frozen=probe.layers)
    found = np.zeros(len(pairs), dtype=np.float32)
    for branches in _read(model, tokenizer, cases, pairs, whole, report):
        ends = branches.states[0, branches.ends].float()
        states = ends / (ends.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()
        found[branches.numbers] = (states.detach().numpy() * probe.scale) @ probe.weights
    return found


def _start(
    head: Any, some: Sequence[_Branches], forward: Callable[[_Branches], Any], labels: Any, importance: Any
) -> Any:
    """Sets the read-out to the best linear one of the untuned states.

    Returns:
        Its units: one over the standard deviation of the states' values.
    """
    import torch

    numbers = [number for branches in some for number in branches.numbers]
    with torch.no_grad():
        states = torch.cat([forward(branches) for branches in some]).numpy()
    weights, bias, scale = logistic(states, labels[numbers].numpy() > 0.5, importance[numbers].numpy())
    with torch.no_grad():
        head.weight[0].copy_(torch.from_numpy(weights))
        head.bias.fill_(bias)
    return torch.from_numpy(scale)


def _as_before(head: Any, start: Probe) -> Any:
    """Sets the read-out to that of a tuned judge, whose bias is in its weights; gives its units."""
    import torch

    with torch.no_grad():
        head.weight[0].copy_(torch.from_numpy(start.weights))
        head.bias.zero_()
    return torch.from_numpy(start.scale)


def _load(adapters: dict[str, Any], start: Probe, chosen: TuneSettings) -> None:
    """Sets the adapters to those of a tuned judge; what it has none for stays as the untuned model is.

    Raises:
        BadRequestError: it has what this one has no place for.
    """
    import torch

    if not set(start.adapters) <= set(adapters) or start.layers > chosen.layers:
        raise BadRequestError(
            f"the judge to go on from has {start.layers} layers and {len(start.adapters)} adapters; expected "
            f"at most {chosen.layers} layers and adapters above layer {chosen.frozen} only: tune from the untuned "
            "model instead"
        )
    with torch.no_grad():
        for name, found in start.adapters.items():
            adapter = adapters[name]
            if adapter.down.shape != found.down.shape:
                raise BadRequestError(
                    f"the judge to go on from has adapters of rank {len(found.down)}, expected {chosen.rank}: "
                    "tune from the untuned model instead"
                )
            adapter.down.copy_(torch.from_numpy(found.down.astype(np.float32)))
            adapter.up.copy_(torch.from_numpy(found.up.astype(np.float32)) * (chosen.rank / chosen.alpha))


def _read(
    model: Any,
    tokenizer: Any,
    cases: Sequence[Case],
    pairs: Sequence[Pair],
    chosen: TuneSettings,
    report: Report,
) -> list[_Branches]:
    """All entries with their questions, through the frozen layers."""
    import torch

    known = {case.id: case for case in cases}
    by_entry: dict[tuple[str, int], list[int]] = {}
    for number, pair in enumerate(pairs):
        by_entry.setdefault((pair.case, pair.entry), []).append(number)
    whole, found = model.layers, []
    model.layers = whole[: chosen.frozen]
    with torch.no_grad():
        for done, ((case_id, entry), numbers) in enumerate(by_entry.items(), 1):
            case = known[case_id]
            texts = [case.questions[pairs[n].question].text for n in numbers]
            ids, positions, mask, ends = tree(tokenizer, case.entries[entry], texts)
            with torch.autocast("cpu", torch.bfloat16, enabled=half_is_faster()):
                states = model(ids, position_ids=positions, attention_mask=mask).last_hidden_state
            found.append(_Branches(numbers, states.half(), positions, mask, ends))
            if done % 50 == 0 or done == len(by_entry):
                report(f"read {done} of {len(by_entry)} entries")
    model.layers = whole
    return found


def _adapt(layers: Sequence[Any], chosen: TuneSettings) -> dict[str, Any]:
    """Puts an adapter beside every matrix of the layers; keys are the GGUF tensors' names."""
    import torch

    class LowRank(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.down = torch.nn.Parameter(
                torch.randn(chosen.rank, inner.in_features) / inner.in_features**0.5
            )
            self.up = torch.nn.Parameter(torch.zeros(inner.out_features, chosen.rank))
            self.drop = torch.nn.Dropout(chosen.dropout)

        def forward(self, x: Any) -> Any:
            return (self.drop(x) @ self.down.T) @ self.up.T * (chosen.alpha / chosen.rank)

        def exported(self) -> Adapter:
            up = self.up.detach().numpy() * (chosen.alpha / chosen.rank)
            return Adapter(self.down.detach().numpy().astype(np.float16), up.astype(np.float16))

    adapters = {}
    for number, layer in enumerate(layers, chosen.frozen):
        for place, name in ADAPTED.items():
            parent, _, leaf = place.rpartition(".")
            owner = layer.get_submodule(parent)
            inner = getattr(owner, leaf)
            adapter = LowRank(inner)
            inner.register_forward_hook(lambda _m, inputs, output, a=adapter: output + a(inputs[0]))
            adapters[f"blk.{number}.{name}"] = adapter
    return adapters


def _dropping(adapters: dict[str, Any], *, on: bool) -> None:
    for adapter in adapters.values():
        adapter.train(on)
