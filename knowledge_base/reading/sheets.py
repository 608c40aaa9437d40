"""Workbooks: xlsx."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, check_zip, read_bytes
from knowledge_base.reading.rows import Row, column_of, entries_of_rows
from knowledge_base.reading.tables import table_rows

__all__ = ["read_workbook"]

_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{1,9})(\d{1,20})["']""")
_CHUNK = 1 << 20
_OVERLAP = 64


def read_workbook(path: Path, rule: LanguageRule) -> list[Entry]:
    """Every sheet whose first row has a question and an answer column.

    Raises:
        ReadError: names sheet and row.
    """
    data = read_bytes(path)
    check_zip(data, path)
    _check_extent(data, path)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = book.sheet_names
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise _broken(path, error) from error
    entries: dict[str, Entry] = {}
    for name in names:
        where = f"{path}, sheet {name[:40]!r}"
        cells = _cells(book, name, path)
        if not _is_table(cells) and len(names) > 1 and not _is_last_chance(entries, name, names):
            continue
        for entry in entries_of_rows(_rows(cells, where), where, rule):
            if entries.setdefault(entry.id, entry) != entry:
                raise ReadError(
                    f"{where}: the entry {entry.id!r} is in another sheet too; remove or rename one"
                )
    if not entries:
        raise ReadError(f"{path}: found no sheets, expected one with questions and answers; save it again")
    return list(entries.values())


def _is_last_chance(entries: dict[str, Entry], name: str, names: list[str]) -> bool:
    """No sheet had a table: the last one is read all the same, for its error."""
    return not entries and name == names[-1]


def _broken(path: Path, error: BaseException) -> ReadError:
    return ReadError(f"{path}: not readable as a workbook ({str(error)[:120]}); save it as .xlsx again")


def _cells(book: CalamineWorkbook, name: str, path: Path) -> list[list[Any]]:
    try:
        return book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError) as error:
        raise _broken(path, error) from error


def _is_table(cells: list[list[Any]]) -> bool:
    first = next((row for row in cells if any(value not in ("", None) for value in row)), [])
    return {"question", "answer"} <= {column_of(str(value)) for value in first}


def _rows(cells: list[list[Any]], where: str) -> Iterator[Row]:
    return table_rows(([_shown(value) for value in row] for row in cells), where)


def _shown(value: Any) -> str:
    """The value as the sheet shows it: whole numbers without a point."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _check_extent(data: bytes, path: Path) -> None:
    """Refuses sheets whose corner cells span a huge area, which the reader would allocate whole."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if (
                not member.filename.lower().endswith((".xml", ".bin"))
                or "sheet" not in member.filename.lower()
            ):
                continue
            try:
                with archive.open(member) as file:
                    cells, rows, columns = _extent(file)
            except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
                raise _broken(path, error) from error
            if (
                cells > MAX_CELLS
                or rows > MAX_ROWS + 1
                or columns > MAX_COLUMNS
                or rows * columns > MAX_CELLS * 4
            ):
                raise ReadError(
                    f"{path}: found a sheet of {rows:,} rows and {columns:,} columns with {cells:,} cells or more, "
                    f"expected at most {MAX_ROWS:,} by {MAX_COLUMNS}, {MAX_CELLS:,} cells and "
                    f"{MAX_CELLS * 4:,} with blank ones; remove stray cells"
                )


def _extent(file: Any) -> tuple[int, int, int]:
    """Number of cells, largest row and column number among the cell references of a sheet's XML."""
    rows = cells = 0
    letters: set[bytes] = set()
    tail = b""
    while chunk := file.read(_CHUNK):
        found = _REFERENCE.findall(tail + chunk)
        tail = chunk[-_OVERLAP:]
        if found:
            letters.update(letter for letter, _ in found)
            cells += len(found)
            rows = max(rows, max(int(row) for _, row in found))
        if cells > MAX_CELLS:
            break
    return cells, rows, max((_column_number(letter) for letter in letters), default=0)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
