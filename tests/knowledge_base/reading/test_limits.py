"""Containers that would unpack to too much are refused before they are read."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading import limits

from .files import packed

Read = Callable[[str, str | bytes], list[Entry]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers may hold 1 MB."""
    monkeypatch.setattr(limits, "MAX_UNPACKED", 1 << 20)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("suffix", ["docx", "xlsx"])
def test_a_bomb_is_refused(read: Read, suffix: str) -> None:
    with pytest.raises(ReadError, match="4 MB in 1 files packed inside"):
        read(f"a.{suffix}", packed({"word/document.xml": "0" * (4 << 20)}))


@pytest.mark.usefixtures("small")
def test_a_bomb_that_states_a_small_size_is_refused(read: Read) -> None:
    data = bytearray(packed({"word/document.xml": "0" * (4 << 20)}))
    struct.pack_into("<L", data, data.rfind(b"PK\x01\x02") + 24, 100)
    with pytest.raises(ReadError, match="more than 1 MB"):
        read("a.docx", bytes(data))


def test_too_many_members_are_refused_by_the_end_record(read: Read) -> None:
    data = bytearray(packed({"a": "b"}))
    struct.pack_into("<H", data, data.rfind(b"PK\x05\x06") + 10, 65_535)
    with pytest.raises(ReadError, match="65535 files"):
        read("a.xlsx", bytes(data))


def test_an_encrypted_member_is_named(read: Read) -> None:
    data = bytearray(packed({"word/document.xml": "x"}))
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ReadError, match="encrypted container"):
        read("a.docx", bytes(data))


def test_a_large_file_is_refused_unread(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILE", 10)
    with pytest.raises(ReadError, match="split the file"):
        read("a.csv", "question,answer\n")
