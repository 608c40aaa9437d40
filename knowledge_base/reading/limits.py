"""What a file may be: size, encoding, and for zip containers what is packed inside."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

from knowledge_base.errors import ReadError

__all__ = [
    "MAX_BLOCKS",
    "MAX_CELL",
    "MAX_CELLS",
    "MAX_COLUMNS",
    "MAX_FILE",
    "MAX_ITEMS",
    "MAX_LINE",
    "MAX_MEMBERS",
    "MAX_ROWS",
    "MAX_TEXT",
    "MAX_UNPACKED",
    "MAX_XML",
    "MAX_YAML",
    "check_zip",
    "decode",
    "read_bytes",
    "read_text",
]

MAX_FILE = 50 * 2**20
"""Largest file, in bytes."""
MAX_TEXT = 20 * 2**20
"""Largest text file (csv, json, yml, md, html, txt), in bytes."""
MAX_YAML = 2 * 2**20
"""Largest YAML file, in bytes: reading takes some two seconds and 80 MB for each."""
MAX_LINES = 1_000_000
MAX_LINE = 2**20
"""Longest line of a table, in characters."""
MAX_UNPACKED = 200 * 2**20
"""Largest content of a zip container (xlsx, docx), in bytes."""
MAX_XML = 64 * 2**20
"""Largest XML in a zip container, in bytes; pictures may be larger."""
MAX_MEMBERS = 10_000
"""Most files in a zip container."""
MAX_CELL = 20_000
"""Longest question, answer or other cell, in characters."""
MAX_ROWS = 200_000
"""Most rows, or entries, of one file."""
MAX_BLOCKS = 100_000
"""Most headings and paragraphs of one document."""
MAX_ITEMS = 1_000
"""Most variants, tags or products of one entry."""
MAX_COLUMNS = 256
MAX_CELLS = 1_000_000
"""Most cells of a table."""

_MAX_DIRECTORY = 2 * 2**20
_END = b"PK\x05\x06"
_END_SIZE = 22
_MAX_COMMENT = 65_535
_CHUNK = 1 << 20
_GB2312_SHARE = 0.4
"""Chinese text, even with traditional characters among it, has more of GB 2312 than this;
other encodings misread as GB 18030 give rare characters."""

_MAGIC = {
    b"PK\x03\x04": "a zip container (an .xlsx or .docx perhaps)",
    b"\xd0\xcf\x11\xe0": "an old Office file (.xls, .doc) or one with a password",
    b"%PDF-": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
}
_CONTROL = re.compile("[\x00-\x08\x0e-\x19\x1b-\x1f]")


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """The whole file.

    Args:
        most: largest size in bytes, where it is less than :data:`MAX_FILE`.

    Raises:
        ReadError: missing, no file, empty, or too large.
    """
    most = min(most or MAX_FILE, MAX_FILE)
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "nothing" if not path.exists() else "no regular file"
            raise ReadError(f"{path}: found {found} there, expected a file; check the name")
        size = path.stat().st_size
        if size > most:
            raise ReadError(
                f"{path}: found {size / 2**20:.0f} MB, expected at most {most >> 20} MB; split the file"
            )
        with path.open("rb") as file:
            data = file.read(most + 1)[:most]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name cannot be used"
        raise ReadError(f"{path}: cannot be opened ({reason}); check name and permissions") from error
    if not data:
        raise ReadError(f"{path}: found an empty file, expected questions and answers; save it again")
    return data


def read_text(path: Path, most: int | None = None) -> str:
    """The file as text; see :func:`decode`.

    Args:
        most: largest size in bytes, :data:`MAX_TEXT` by default.

    Raises:
        ReadError: as :func:`read_bytes` and :func:`decode`, or for too many lines.
    """
    text = decode(read_bytes(path, most or MAX_TEXT), path)
    lines = text.count("\n")
    if lines > MAX_LINES:
        raise ReadError(
            f"{path}: found {lines:,} lines, expected at most {MAX_LINES:,}; remove blank lines or split the file"
        )
    return text


def decode(data: bytes, path: Path) -> str:
    """Text of UTF-8, UTF-16 (with or without a byte order mark) or GB 18030.

    Raises:
        ReadError: binary content, or none of the encodings fits.
    """
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            raise ReadError(
                f"{path}: found {name}, expected a {path.suffix} text file; give the file its right ending "
                "or export it as text"
            )
    text = _decoded(data)
    if text is None:
        raise ReadError(
            f"{path}: the encoding is not recognised; expected UTF-8, UTF-16 or GB 18030: save it as UTF-8"
        )
    control = _CONTROL.search(text)
    if control is not None:
        at = control.start()
        line = text.count("\n", 0, at) + 1
        raise ReadError(
            f"{path}, line {line}: found the control character {ord(text[at]):#04x}, expected text; "
            "the file seems to be binary or damaged: export it again as UTF-8 text"
        )
    if not text.strip():
        raise ReadError(f"{path}: found only blanks, expected questions and answers")
    return text


def _decoded(data: bytes) -> str | None:
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return _try(data, encoding)
    wide = _utf16_without_mark(data)
    if wide:
        return _try(data, wide)
    text = _try(data, "utf-8")
    if text is None:
        text = _try(data, "gb18030")
        if text is not None and not _looks_chinese(text):
            return None
    return text


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _utf16_without_mark(data: bytes) -> str:
    """The byte order if every other byte is often zero, as in UTF-16 with separators and blanks."""
    head = data[:4096]
    if len(data) % 2 or len(head) < 8:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < len(head) / 40 or min(even, odd) > 0:
        return ""
    return "utf-16-be" if even > odd else "utf-16-le"


def _looks_chinese(text: str) -> bool:
    foreign = [character for character in text[:100_000] if character > "\x7f"]
    common = sum(len(character.encode("gb2312", "ignore")) > 0 for character in foreign)
    return common >= _GB2312_SHARE * len(foreign)


def check_zip(data: bytes, path: Path) -> None:
    """Refuses containers that would unpack to too much, before anything is unpacked by a reader.

    The directory is measured first; then every member is unpacked piece by
    piece without being kept, for a directory may state smaller sizes than the
    members have.

    Raises:
        ReadError: no zip, broken, encrypted, too many members or too much content.
    """
    _check_directory(data, path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error) as error:
        raise ReadError(
            f"{path}: the container is broken ({error}); expected a sound file: save it again"
        ) from error
    stated = sum(member.file_size for member in members)
    if stated > MAX_UNPACKED or len(members) > MAX_MEMBERS:
        raise _too_much(path, f"{stated >> 20} MB in {len(members)} files")
    left = MAX_UNPACKED
    for member in members:
        if member.flag_bits & 1:
            raise ReadError(
                f"{path}: found an encrypted container, expected one without password; save it without"
            )
        is_xml = member.filename.lower().endswith((".xml", ".rels"))
        left -= _unpacked_size(data, member, min(left, MAX_XML) if is_xml else left, path)


def _too_much(path: Path, found: str) -> ReadError:
    return ReadError(
        f"{path}: found {found} packed inside, expected at most {MAX_UNPACKED >> 20} MB "
        f"in {MAX_MEMBERS} files, {MAX_XML >> 20} MB of text each; export a smaller file"
    )


def _check_directory(data: bytes, path: Path) -> None:
    """Reads the end record only: number of members and size of the directory."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ReadError(
            f"{path}: found an old Office file or one with a password, expected an open {path.suffix}; "
            f"save it as {path.suffix} without password"
        )
    at = data.rfind(_END, max(0, len(data) - _END_SIZE - _MAX_COMMENT))
    if at < 0 or len(data) - at < _END_SIZE:
        raise ReadError(
            f"{path}: found no {path.suffix} container (its end is missing), expected a whole file; "
            "copy or save it again"
        )
    members, size = struct.unpack_from("<HL", data, at + 10)
    if members > MAX_MEMBERS or size > _MAX_DIRECTORY:
        raise _too_much(path, f"{members} files" if members > MAX_MEMBERS else f"a directory of {size} bytes")


def _unpacked_size(data: bytes, member: zipfile.ZipInfo, limit: int, path: Path) -> int:
    """True size of one member in bytes, by unpacking it without keeping anything."""
    start = member.header_offset
    if data[start : start + 4] != b"PK\x03\x04" or start + 30 > len(data):
        raise ReadError(f"{path}: the container is broken (a member is missing); save the file again")
    name, extra = struct.unpack_from("<HH", data, start + 26)
    start += 30 + name + extra
    packed = memoryview(data)[start : start + member.compress_size]
    if member.compress_type == zipfile.ZIP_STORED:
        return len(packed)
    if member.compress_type != zipfile.ZIP_DEFLATED:
        raise ReadError(
            f"{path}: found an unusual compression in the container; save the file again with Office"
        )
    unpacker = zlib.decompressobj(-15)
    size = 0
    try:
        for at in range(0, len(packed), _CHUNK):
            pending: bytes | memoryview = packed[at : at + _CHUNK]
            while len(pending):
                size += len(unpacker.decompress(pending, _CHUNK))
                if size > limit:
                    raise _too_much(path, f"more than {limit >> 20} MB")
                pending = unpacker.unconsumed_tail
    except zlib.error as error:
        raise ReadError(f"{path}: the container is damaged ({error}); copy or save the file again") from error
    return size
