"""Adapters beside an encoder's matrices, and the descent that trains them.

The table of word vectors, four fifths of a small multilingual encoder, and its
lower layers stay as they are.
"""

from __future__ import annotations

import math
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.models.room import check_memory
from chatbot.training.precision import half_is_faster
from knowledge_base.encoder_adapter import add_to

__all__ = ["EncoderProgress", "EncoderSettings", "adapted", "check_encoder_memory", "descend", "embed"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How an encoder is tuned."""

    rank: int = 16
    frozen: int = 6
    """Layers from below that stay as they are."""
    epochs: int = 3
    rate: float = 5e-4
    """Highest learning rate; it warms up over a tenth of the steps and falls in a line."""
    batch: int = 32
    """Texts, or pairs of texts, a step."""
    dropout: float = 0.05
    seed: int = 7


@dataclass(frozen=True, slots=True)
class EncoderProgress:
    """Where a tuning is."""

    step: int
    steps: int
    loss: float
    """Mean of the last steps."""
    texts_per_s: float
    seconds_left: float


Report = Callable[[EncoderProgress], None]
_WORKING_BYTES = 2 << 30
"""For activations, gradients and the optimiser of a small encoder."""


def check_encoder_memory() -> None:
    """Says before anything begins if there is too little memory to tune an encoder that is loaded.

    Raises:
        ModelError: there is.
    """
    check_memory("tuning the encoder", _WORKING_BYTES, "do without tuning: the encoder works as it is")


@contextmanager
def adapted(
    network: Any, settings: EncoderSettings
) -> Iterator[tuple[list[Any], dict[str, tuple[Floats, Floats]]]]:
    """Puts adapters into a sentence-transformers model; after the block they are part of its weights.

    Yields:
        The parameters to train, and a mapping that holds each matrix's adapter after the block.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(settings.seed)
    inner = network[0].auto_model
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    targets = [
        name
        for name, module in inner.named_modules()
        if isinstance(module, torch.nn.Linear) and _layer(name) >= settings.frozen
    ]
    scale = 2.0
    wanted = LoraConfig(
        r=settings.rank,
        lora_alpha=scale * settings.rank,
        lora_dropout=settings.dropout,
        target_modules=targets,
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # peft asks transformers for an attribute by its old name
        model = get_peft_model(inner, wanted)
    matrices: dict[str, tuple[Floats, Floats]] = {}
    network.train()
    yield [parameter for parameter in model.parameters() if parameter.requires_grad], matrices
    network.eval()
    for name, module in model.get_base_model().named_modules():
        if hasattr(module, "lora_A") and "default" in module.lora_A:
            down = module.lora_A["default"].weight.detach().numpy().astype(np.float16).astype(np.float32)
            up = (
                (module.lora_B["default"].weight.detach() * scale)
                .numpy()
                .astype(np.float16)
                .astype(np.float32)
            )
            matrices[name] = (down, up)
    network[0].auto_model = model.unload()
    add_to(network[0].auto_model, matrices)  # in half precision, as a saved adapter is


def embed(network: Any, texts: Sequence[str]) -> Any:
    """Vectors with their gradients, shape (n, dimension), as the model serves them."""
    import torch

    features = network.preprocess(list(texts))
    with torch.autocast("cpu", torch.bfloat16, enabled=half_is_faster()):
        made = network(features)["sentence_embedding"]
    return torch.nn.functional.normalize(made.float(), dim=-1)


def descend(
    parameters: Sequence[Mapping[str, Any]],
    batches: Sequence[Any],
    loss_of: Callable[[Any], Any],
    rate: float,
    texts_of: Callable[[Any], int],
    report: Report,
) -> float:
    """One step of AdamW for each batch.

    Args:
        parameters: groups as the optimiser takes them; a group's own ``lr`` stands against ``rate``.

    Returns:
        Mean loss of the last tenth of the steps.
    """
    import torch

    optimiser = torch.optim.AdamW([dict(group) for group in parameters], lr=rate, weight_decay=0.01)
    steps = max(1, len(batches))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / (0.1 * steps)) * (1.0 - step / steps)
    )
    everything = [parameter for group in parameters for parameter in group["params"]]
    losses: list[float] = []
    begin, texts = time.perf_counter(), 0
    for step, batch in enumerate(batches, 1):
        optimiser.zero_grad()
        loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(everything, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        texts += texts_of(batch)
        if step % 20 == 0 or step == steps:
            spent = time.perf_counter() - begin
            recent = losses[-20:]
            report(
                EncoderProgress(
                    step, steps, sum(recent) / len(recent), texts / spent, spent / step * (steps - step)
                )
            )
    last = losses[-math.ceil(steps / 10) :]
    return sum(last) / len(last) if last else 0.0


def _layer(name: str) -> int:
    """Number of the layer that a module is in; -1 for one outside all layers."""
    found = re.search(r"\.(?:layer|layers|block|h)\.(\d+)\.", f".{name}.")
    return int(found.group(1)) if found else -1
