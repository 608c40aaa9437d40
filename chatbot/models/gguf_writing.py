"""Writes a GGUF file that is made from another one, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gguf import GGUFReader, GGUFValueType, GGUFWriter

from knowledge_base.whole_file import whole_file

__all__ = ["written_like"]


@contextmanager
def written_like(reader: GGUFReader, target: Path, layers: int | None = None) -> Iterator[GGUFWriter]:
    """A writer that has the reader's metadata already; the file appears at ``target`` when the block ends.

    Args:
        layers: how many the new file has; None: as many.
    """
    architecture = str(reader.fields["general.architecture"].contents())
    with whole_file(target) as part:
        writer = GGUFWriter(part, architecture)
        _copy_metadata(reader, writer, architecture, layers)
        yield writer
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _copy_metadata(reader: GGUFReader, writer: GGUFWriter, architecture: str, layers: int | None) -> None:
    for entry in reader.fields.values():
        if entry.name.startswith("GGUF.") or entry.name == "general.architecture":
            continue
        counts = entry.name == f"{architecture}.block_count" and layers is not None
        value = layers if counts else entry.contents()
        kind = entry.types[0]
        sub = entry.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(entry.name, value, kind, sub_type=sub)
