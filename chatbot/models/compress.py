"""A model file in another size: other bits a weight, or fewer layers.

For comparing, and for machines that the catalogue's files do not suit.  What a
file has lost to few bits does not come back with more of them; more bits can be
read faster, though, and an adapter trained on the new file makes up for layers
that are gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from chatbot.errors import BadRequestError, ModelError
from chatbot.models.gguf_reading import GgufFile, opened, weight_count
from chatbot.models.gguf_writing import written_like
from chatbot.models.room import check_disk

__all__ = ["LEVELS", "compress", "layer_count"]

LEVELS = {
    name: GGMLQuantizationType[name.upper()] for name in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "f16")
}
"""Names of the sizes a weight can have."""
_BLOCK = 32
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
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Writes ``base`` in another size to ``target``.

    Args:
        level: one of :data:`LEVELS`, for every matrix; empty: as they are.
        without: numbers of layers that are left out, from 0.

    Raises:
        BadRequestError: an unknown level, a layer that is not there, or all of them.
        ModelError: the file cannot be read, or there is no room for the new one.
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
    _check_room(base, target, reader, level)
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
                if level and len(tensor.shape) > 1 and int(tensor.shape[0]) % _BLOCK == 0:
                    data = quantize(dequantize(tensor.data, tensor.tensor_type), LEVELS[level])
                    writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=LEVELS[level])
                else:
                    writer.add_tensor(name, tensor.data, raw_dtype=tensor.tensor_type)
                progress(done, len(reader.tensors))
    except OSError as error:
        raise ModelError(
            f"{target} cannot be written ({error.strerror or error}); expected a folder with room for the file"
        ) from error


def _layers(reader: GgufFile, base: Path) -> list[int]:
    found = {int(match[1]) for tensor in reader.tensors if (match := _LAYER.match(str(tensor.name)))}
    if not found:
        raise ModelError(f"{base} holds no layers; expected a language model")
    return sorted(found)


def _check_room(base: Path, target: Path, reader: GgufFile, level: str) -> None:
    needed = int(weight_count(reader.tensors) * _BITS[level] / 8) if level else base.stat().st_size
    target.parent.mkdir(parents=True, exist_ok=True)
    check_disk(target.name, target.parent, needed, "give another folder")
