"""Which parts of a half-fetched file are missing."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chatbot.models.catalogue import Part
from chatbot.models.parts import Piece, find_missing


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6),
    data=st.data(),
)
def test_exactly_the_damaged_parts_are_missing(chunks: list[bytes], data: st.DataObject) -> None:
    damaged = data.draw(st.sets(st.integers(0, len(chunks) - 1)))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "file"
        pieces, content, offset = [], b"", 0
        for number, chunk in enumerate(chunks):
            part = Part(f"p{number}", "1", "m", len(chunk), hashlib.sha256(chunk).hexdigest())
            pieces.append(Piece(part, target, offset))
            content += bytes([chunk[0] ^ 1]) + chunk[1:] if number in damaged else chunk
            offset += len(chunk)
        target.write_bytes(content)
        looked: list[int] = []
        missing = find_missing(pieces, looked.append)
    assert {int(piece.part.package[1:]) for piece in missing} == damaged
    assert looked[-1] == len(content)


def test_a_file_not_begun_is_made_in_its_full_length(tmp_path: Path) -> None:
    part = Part("p", "1", "m", 10, hashlib.sha256(bytes(10)).hexdigest())
    pieces = [Piece(part, tmp_path / "file", 0), Piece(part, tmp_path / "file", 10)]
    assert (tmp_path / "file").exists() is False
    find_missing(pieces, lambda _: None)
    assert (tmp_path / "file").stat().st_size == 20
