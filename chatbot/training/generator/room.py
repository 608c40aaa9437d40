"""What training a generator takes of memory and disk, from the model's file alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from chatbot.models import CATALOGUE
from chatbot.models.gguf_reading import opened, weight_count
from chatbot.models.probe import ADAPTED
from chatbot.models.room import check_disk, check_memory, free_bytes, free_memory
from chatbot.training.generator.lora import KEPT_CHECKPOINTS, LoraSettings
from chatbot.training.precision import half_is_faster

__all__ = ["check_generator_memory", "check_generator_room"]

_BITS_A_WEIGHT = 5.0
"""The least that the catalogue's files have."""
_WORKING = 1.75
"""Of the weights' own bytes, with the activations of a pack and their gradients; measured with the 1.5B model."""
_REST_BYTES = 2 << 30
"""The vocabulary's scores, Python and its libraries."""
_BYTES_A_PARAMETER = 12
"""A checkpoint holds each in single precision, and two means of the optimiser."""
_LOG_BYTES = 50 << 20
"""Metrics, TensorBoard's logs, report, adapter."""


def check_generator_room(base: Path, folder: Path, settings: LoraSettings) -> None:
    """Says before anything is loaded if a run cannot fit.

    Args:
        base: GGUF file of the model.
        folder: of the run; need not be there.

    Raises:
        ModelError: memory or disk do not suffice, or the file cannot be read.
    """
    tensors = opened(base).tensors
    of_rank = _adapted(tensors, settings.targets) * _BYTES_A_PARAMETER * (KEPT_CHECKPOINTS + 1)
    fitting = (free_bytes(folder) - _LOG_BYTES) // of_rank
    check_disk(
        f"training {base.name} with rank {settings.rank}",
        folder,
        settings.rank * of_rank + _LOG_BYTES,
        f"take --rank {fitting}" if fitting > 0 else "set KEFU_DATA_DIR to another folder",
    )
    _check_memory(base, tensors)


def check_generator_memory(base: Path) -> None:
    """The same for memory alone; a GPU tells by itself what it cannot hold.

    Raises:
        ModelError: it does not suffice, or the file cannot be read.
    """
    _check_memory(base, opened(base).tensors)


def _check_memory(base: Path, tensors: Iterable[Any]) -> None:
    import torch

    if not torch.cuda.is_available():
        check_memory(f"training {base.name}", _memory(weight_count(tensors)), _what_fits())


def _memory(weights: int) -> int:
    """Bytes that training so many weights takes on the CPU."""
    return int(weights * (2 if half_is_faster() else 4) * _WORKING) + _REST_BYTES


def _what_fits() -> str:
    """The largest model of the catalogue that can be trained here."""
    needs = {
        model.id: _memory(int(model.files[0].bytes * 8 / _BITS_A_WEIGHT))
        for model in CATALOGUE.values()
        if model.kind == "generator"
    }
    free = free_memory()
    fitting = [name for name, need in needs.items() if need <= free]
    if fitting:
        return f"train a smaller model: --model {max(fitting, key=needs.__getitem__)}"
    least = min(needs, key=needs.__getitem__)
    return f"use a machine with more of it: even {least} needs {needs[least] / 2**30:.1f} GiB"


def _adapted(tensors: Iterable[Any], targets: Collection[str]) -> int:
    """Sum of both sides of all matrices that get an adapter."""
    names = {gguf for place, gguf in ADAPTED.items() if place.rpartition(".")[2] in targets}
    return sum(
        int(sum(tensor.shape))
        for tensor in tensors
        if (found := re.fullmatch(r"blk\.\d+\.(.+)", str(tensor.name))) and found[1] in names
    )
