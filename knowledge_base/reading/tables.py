"""Tables as text: csv and tsv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.formulas import unguarded
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import MAX_CELLS, MAX_COLUMNS, MAX_LINE, MAX_ROWS, read_text
from knowledge_base.reading.rows import Row, column_of, columns, entries_of_rows

__all__ = ["read_table", "table_rows"]

_DELIMITERS = ",;\t|"


def read_table(path: Path, rule: LanguageRule) -> list[Entry]:
    """A table whose first row names the columns; the delimiter is told from that row.

    Raises:
        ReadError: names the row.
    """
    text = read_text(path)
    delimiter = _delimiter(text, path)
    cells = csv.reader(_lines(text, path), delimiter=delimiter, strict=True)
    return entries_of_rows(table_rows(_checked(cells, path), str(path)), str(path), rule)


def table_rows(cells: Iterator[list[str]], where: str) -> Iterator[Row]:
    """Rows by column name; the first row that is not blank names the columns.

    Raises:
        ReadError: a column is missing, or the table is too wide or too large.
    """
    names: list[str | None] | None = None
    taken: list[tuple[int, str]] = []
    count = 0
    for number, row in enumerate(cells, 1):
        if number > 2 * MAX_ROWS:
            raise ReadError(
                f"{where}: found more than {2 * MAX_ROWS:,} rows, blank ones included; split the file"
            )
        if not row:
            continue
        count += len(row)
        if len(row) > MAX_COLUMNS or count > MAX_CELLS:
            found = f"{len(row)} columns" if len(row) > MAX_COLUMNS else f"more than {MAX_CELLS:,} cells"
            raise ReadError(
                f"{where}, row {number}: found {found}, expected at most {MAX_COLUMNS} columns "
                f"and {MAX_CELLS:,} cells; remove columns without use or split the file"
            )
        if not any(map(str.strip, row)):
            continue
        if names is None:
            names = columns(row, f"{where}, row {number}")
            taken = [(place, name) for place, name in enumerate(names) if name is not None]
            continue
        yield number, {name: unguarded(row[place]) for place, name in taken if place < len(row)}


def _delimiter(text: str, path: Path) -> str:
    """The delimiter that finds most known columns in the first line, then most columns."""
    line = next(line for line in text[:100_000].splitlines() if line.strip())[:10_000]

    def worth(delimiter: str) -> tuple[int, int]:
        try:
            headers = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            return (0, 0)
        return (len({column_of(header) for header in headers} - {None}), len(headers))

    if path.suffix.lower() == ".tsv" and worth("\t")[0]:
        return "\t"
    return max(_DELIMITERS, key=worth)


def _lines(text: str, path: Path) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if len(line) > MAX_LINE:
            raise ReadError(
                f"{path}, line {number}: found {len(line):,} characters in one line, expected at most "
                f"{MAX_LINE:,}; check quotation marks and delimiter"
            )
        yield line


def _checked(cells: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    number = 0
    try:
        for row in cells:
            number += 1
            yield row
    except csv.Error as error:
        raise ReadError(
            f"{path}, row {number + 1}: found a quotation mark that does not fit ({error}); "
            "expected cells with quotation marks to be quoted whole and inner ones doubled"
        ) from error
