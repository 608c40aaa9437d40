"""A look into a GGUF file before an engine maps it.

llama.cpp trusts the file: a truncated one is read past its end, which kills the
process.  The header, the table of tensors and the length are checked here first.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from chatbot.errors import ModelError

__all__ = ["GgufHeader", "check_gguf"]

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY, _UINT32 = 8, 9, 4
_ADVICE = "fetch the file again with `kefu models pull`, or give another one"


@dataclass(slots=True)
class GgufHeader:
    """What the rest of the program wants to know of a file."""

    architecture: str = ""
    name: str = ""
    chat_template: bool = False
    alignment: int = 32
    tensors: int = 0
    ends: int = 0
    """Bytes the file must have for the last tensor to be whole."""
    strings: dict[str, str] = field(default_factory=dict)
    tokens: list[bytes] = field(default_factory=list)
    """The vocabulary as the file spells it, in the order of the token numbers."""
    byte_level: bool = False
    """The vocabulary spells bytes as letters, as GPT-2's does."""


class _Reader:
    """Reads forward through a mapped file; running past the end is a struct.error."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def number(self, code: str) -> int:
        layout = "<" + code
        (value,) = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return int(value)

    def skip(self, count: int) -> None:
        self.at += count
        if count < 0 or self.at > len(self.data):
            raise struct.error(f"{count} bytes wanted at {self.at - count}")

    def text(self) -> bytes:
        length = self.number("Q")
        start = self.at
        self.skip(length)
        return self.data[start : self.at]

    def texts(self) -> list[bytes]:
        """An array of strings; empty for another kind of array."""
        inner, count = self.number("I"), self.number("Q")
        if inner != _STRING:
            self._skip_items(inner, count)
            return []
        return [self.text() for _ in range(count)]

    def skip_value(self, kind: int) -> None:
        if kind in _SCALARS:
            self.skip(_SCALARS[kind])
        elif kind == _STRING:
            self.skip(self.number("Q"))
        elif kind == _ARRAY:
            self._skip_items(self.number("I"), self.number("Q"))
        else:
            raise struct.error(f"unknown value type {kind}")

    def _skip_items(self, kind: int, count: int) -> None:
        if kind in _SCALARS:
            self.skip(_SCALARS[kind] * count)
        elif kind == _STRING:
            self._skip_strings(count)
        else:
            for _ in range(count):
                self.skip_value(kind)

    def _skip_strings(self, count: int) -> None:
        """A tight loop: a vocabulary has some 300,000 of them."""
        data, at, length = self.data, self.at, struct.Struct("<Q").unpack_from
        for _ in range(count):
            at += 8 + length(data, at)[0]
        self.skip(at - self.at)


def check_gguf(path: Path, *, tokens: bool = False) -> GgufHeader:
    """Checks that ``path`` is a whole GGUF file.

    Args:
        tokens: read the vocabulary too, some 0.2 s.

    Raises:
        ModelError: it cannot be read, is another format, is damaged in its
            header, or is shorter than its tensors need.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                raise ModelError(
                    f"{path} begins with {magic!r}, expected b'GGUF': it is no GGUF file; {_ADVICE}"
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header = _read_header(_Reader(data), path, tokens)
    except OSError as error:
        raise ModelError(
            f"model file {path} cannot be read ({error.strerror}); check the path, or run `kefu models pull`"
        ) from error
    except (struct.error, ValueError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path} is damaged or cut off in its header ({error}); {_ADVICE}") from error
    if header.ends > size:
        raise ModelError(f"{path} has {size} bytes, its tensors need {header.ends}: it is cut off; {_ADVICE}")
    return header


def _read_header(reader: _Reader, path: Path, tokens: bool) -> GgufHeader:
    reader.skip(4)
    version = reader.number("I")
    if version not in (2, 3):
        raise ModelError(f"{path} is GGUF version {version}, expected 2 or 3; {_ADVICE}")
    header = GgufHeader(tensors=reader.number("Q"))
    for _ in range(reader.number("Q")):
        key, kind = reader.text(), reader.number("I")
        if kind == _STRING and key in (b"general.architecture", b"general.name"):
            header.strings[key.decode()] = reader.text().decode(errors="replace")
        elif kind == _STRING and key == b"tokenizer.ggml.model":
            header.byte_level = reader.text() == b"gpt2"
        elif tokens and kind == _ARRAY and key == b"tokenizer.ggml.tokens":
            header.tokens = reader.texts()
        elif kind == _UINT32 and key == b"general.alignment":
            header.alignment = reader.number("I")
        else:
            header.chat_template |= key == b"tokenizer.chat_template"
            reader.skip_value(kind)
    header.architecture = header.strings.get("general.architecture", "")
    header.name = header.strings.get("general.name", "")
    if not header.tensors or not header.architecture or header.alignment <= 0:
        raise ValueError(f"{header.tensors} tensors, architecture {header.architecture!r}")
    last = max(_read_tensor_end(reader) for _ in range(header.tensors))
    data_starts = -(-reader.at // header.alignment) * header.alignment
    header.ends = data_starts + last
    return header


def _read_tensor_end(reader: _Reader) -> int:
    """Where one tensor ends, in bytes from the start of the data part."""
    reader.text()
    elements = 1
    for _ in range(reader.number("I")):
        elements *= reader.number("Q")
    block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(reader.number("I"))]
    return reader.number("Q") + -(-elements // int(block)) * int(block_bytes)
