"""Reads a GGUF file with the ``gguf`` package, its long lists in one go.

The package's reader makes three memory-map objects for each word of a
vocabulary: ten seconds for one of 150,000 words and as many merges.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType
from numpy.typing import NDArray

from chatbot.errors import ModelError

__all__ = ["GgufFile", "opened", "weight_count"]

_LENGTH = struct.Struct("<Q")


class GgufFile(GGUFReader):  # type: ignore[misc]
    """The package's reader with plain arrays; fields and tensors are the same."""

    @property
    def data(self) -> NDArray[np.uint8]:
        """The file's bytes."""
        return self._plain

    @data.setter
    def data(self, mapped: NDArray[np.uint8]) -> None:
        self._plain = np.asarray(mapped)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> tuple[int, list[Any], list[int], list[Any]]:
        """As the package's: bytes read, parts, which parts are values, and types."""
        inner = None if raw_type != GGUFValueType.ARRAY else int(self._get(orig_offs, np.uint32)[0])
        scalar = self.gguf_scalar_to_np.get(inner)
        count = 0 if inner is None else int(self._get(orig_offs + 4, np.uint64)[0])
        if not count or self.byte_order == "S" or (scalar is None and inner != GGUFValueType.STRING):
            return super()._get_field_parts(orig_offs, raw_type)  # type: ignore[no-any-return]
        start = orig_offs + 12
        head = [self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)]
        types = [GGUFValueType.ARRAY, GGUFValueType(inner)]
        if scalar is not None:
            values = self._get(start, scalar, count)
            parts = list(values.reshape(-1, 1))
            return 12 + values.nbytes, head + parts, list(range(2, 2 + len(parts))), types
        parts, end = self._strings(start, count)
        return end - orig_offs, head + parts, list(range(3, 3 + len(parts), 2)), types

    def _strings(self, at: int, count: int) -> tuple[list[Any], int]:
        """Length and bytes of each string, and where the last one ends.

        Raises:
            ValueError: the list is longer than the file.
        """
        view: Any = self._plain
        parts: list[Any] = []
        try:
            for _ in range(count):
                (length,) = _LENGTH.unpack_from(view, at)
                parts += (view[at : at + 8].view(np.uint64), view[at + 8 : at + 8 + length])
                at += 8 + length
        except struct.error:
            at = len(view) + 1
        if at > len(view):
            raise ValueError(f"a list of {count} strings goes beyond the file's {len(view)} bytes")
        return parts, at


def opened(base: Path) -> GgufFile:
    """A model file, opened.

    Raises:
        ModelError: it is missing, or none.
    """
    try:
        return GgufFile(base)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ModelError(f"{base} cannot be read as a GGUF model ({error})") from error


def weight_count(tensors: Iterable[Any]) -> int:
    """How many numbers the tensors of a file hold together."""
    return sum(int(tensor.n_elements) for tensor in tensors)
