"""A model file in another size: other bits a weight, fewer layers, or with an adapter in its weights.

For comparing, and for machines that the catalogue's files do not suit.  What a
file has lost to few bits does not come back with more of them; more bits can be
read faster, though, and an adapter trained on the new file makes up for layers
that are gone.  An adapter that stays beside the weights costs a sixth of the
speed; within them it costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from functools import partial
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from chatbot.errors import BadRequestError, ModelError
from chatbot.models.adapter import check_adapter
from chatbot.models.gguf_reading import GgufFile, opened, weight_count
from chatbot.models.gguf_writing import written_like
from chatbot.models.room import check_disk

__all__ = ["LEVELS", "compress", "layer_count"]

LEVELS = {
    name: GGMLQuantizationType[name.upper()] for name in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "f16")
}
"""Names of the sizes a weight can have."""
_BLOCK = 32
_MERGED = "q8_0"
"""Level of a matrix that an adapter was added to."""
_FINE = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)
_BITS = {"q4_0": 4.5, "q4_1": 5.0, "q5_0": 5.5, "q5_1": 6.0, "q8_0": 8.5, "f16": 16.0}
_LAYER = re.compile(r"^blk\.(\d+)\.(.+)$")


def layer_count(base: Path) -> int:
    """How many layers a model file has.

    Raises:
        ModelError: it is no model of a kind that has layers.
    """
    reader = opened(base)
    return len(_layers(reader, base))


def compress(
    base: Path,
    target: Path,
    level: str = "",
    without: Sequence[int] = (),
    adapter: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Writes ``base`` in another size to ``target``.

    Args:
        level: one of :data:`LEVELS`, for every matrix; empty: as they are.
        without: numbers of layers that are left out, from 0.
        adapter: becomes part of the weights.  Where ``level`` says nothing, what it touches gets
            eight bits: a small change does not survive rounding to four.

    Raises:
        BadRequestError: an unknown level, a layer that is not there, or all of them.
        ModelError: a file cannot be read, the adapter belongs to another model, or there is no
            room for the new one.
    """
    if level and level not in LEVELS:
        raise BadRequestError(f"{level!r} is no level; expected one of {', '.join(LEVELS)}")
    if base.resolve() == target.resolve():
        raise BadRequestError(f"{target} is the model itself; give another file to write to")
    reader = opened(base)
    there = _layers(reader, base)
    gone = set(without)
    if not gone <= set(there) or len(gone) >= len(there):
        raise BadRequestError(
            f"layers {sorted(gone)} cannot be left out: {base.name} has the layers 0 to {len(there) - 1}, and one "
            "must be left"
        )
    changes = {} if adapter is None else _changes(adapter, base, reader)
    _check_room(base, target, reader, level, set(changes))
    number = {old: new for new, old in enumerate(sorted(set(there) - gone))}
    try:
        with written_like(reader, target, len(number)) as writer:
            for done, tensor in enumerate(reader.tensors, 1):
                name = str(tensor.name)
                match = _LAYER.match(name)
                if match is not None:
                    if int(match[1]) in gone:
                        continue
                    name = f"blk.{number[int(match[1])]}.{match[2]}"
                change = changes.get(str(tensor.name))
                kind = LEVELS[level] if level else None if change is None else _merged(tensor.tensor_type)
                if kind is not None and len(tensor.shape) > 1 and int(tensor.shape[0]) % _BLOCK == 0:
                    values = dequantize(tensor.data, tensor.tensor_type)
                    data = quantize(values if change is None else values + change(), kind)
                    writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=kind)
                else:
                    writer.add_tensor(name, tensor.data, raw_dtype=tensor.tensor_type)
                progress(done, len(reader.tensors))
    except OSError as error:
        raise ModelError(
            f"{target} cannot be written ({error.strerror or error}); expected a folder with room for the file"
        ) from error


def _changes(adapter: Path, base: Path, model: GgufFile) -> dict[str, Callable[[], NDArray[np.float32]]]:
    """By tensor, what an adapter adds to it, shape (out, in); made when it is asked for.

    Raises:
        ModelError: it belongs to another model, or touches what that does not have.
    """
    check_adapter(adapter, base)
    reader = opened(adapter)
    parts = {str(tensor.name): tensor for tensor in reader.tensors}
    alpha = float(reader.fields["adapter.lora.alpha"].contents())
    shapes = {str(tensor.name): tuple(map(int, tensor.shape)) for tensor in model.tensors}

    def change(name: str) -> NDArray[np.float32]:
        down, up = (
            dequantize(parts[f"{name}.lora_{side}"].data, parts[f"{name}.lora_{side}"].tensor_type)
            for side in "ab"
        )
        added: NDArray[np.float32] = (up @ down) * (alpha / len(down))
        return added

    names = [name.removesuffix(".lora_a") for name in parts if name.endswith(".lora_a")]
    for name in names:
        down, up = parts[f"{name}.lora_a"].shape, parts[f"{name}.lora_b"].shape
        if shapes.get(name) != (int(down[0]), int(up[1])) or shapes[name][0] % _BLOCK:
            raise ModelError(
                f"the adapter {adapter.name} changes {name} as {int(up[1])} by {int(down[0])}, which {base.name} "
                "does not have so; expected an adapter that `kefu train generator` wrote for it"
            )
    return {name: partial(change, name) for name in names}


def _merged(kind: GGMLQuantizationType) -> GGMLQuantizationType:
    """What a matrix of ``kind`` becomes that an adapter was added to: no coarser than it was."""
    return kind if kind in _FINE else LEVELS[_MERGED]


def _layers(reader: GgufFile, base: Path) -> list[int]:
    found = {int(match[1]) for tensor in reader.tensors if (match := _LAYER.match(str(tensor.name)))}
    if not found:
        raise ModelError(f"{base} holds no layers; expected a language model")
    return sorted(found)


def _check_room(base: Path, target: Path, reader: GgufFile, level: str, changed: Set[str]) -> None:
    if level:
        needed = int(weight_count(reader.tensors) * _BITS[level] / 8)
    else:
        grown = weight_count([tensor for tensor in reader.tensors if str(tensor.name) in changed])
        needed = base.stat().st_size + int(grown * _BITS[_MERGED] / 8)
    target.parent.mkdir(parents=True, exist_ok=True)
    check_disk(target.name, target.parent, needed, "give another folder")
