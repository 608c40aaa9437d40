"""JSON: one object a line, or a list of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.grouped import entries_of_groups
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import read_text
from knowledge_base.reading.rows import Row, column_of, entries_of_rows

__all__ = ["read_json", "read_jsonl"]


def read_jsonl(path: Path, rule: LanguageRule) -> list[Entry]:
    """One JSON object a line; keys are the columns of a table.

    Raises:
        ReadError: names the line.
    """
    return entries_of_rows(_lines(path), str(path), rule, unit="line")


def read_json(path: Path, rule: LanguageRule) -> list[Entry]:
    """A list of objects, bare or under ``entries``; also a list of groups as in YAML.

    Raises:
        ReadError: names the item.
    """
    content = _parse(read_text(path), str(path))
    if isinstance(content, dict) and isinstance(content.get("entries"), list):
        content = content["entries"]
    if not isinstance(content, list):
        raise ReadError(f"{path}: found {type(content).__name__} at the top, expected a list of objects")
    if content and isinstance(content[0], dict) and isinstance(content[0].get("entries"), dict):
        return entries_of_groups(content, str(path))
    rows = ((number, _named(item, f"{path}, item {number}")) for number, item in enumerate(content, 1))
    return entries_of_rows(rows, str(path), rule, unit="item")


def _lines(path: Path) -> Iterator[Row]:
    # Only these end a line in JSON lines; str.splitlines would also cut inside texts.
    for number, line in enumerate(read_text(path).replace("\r\n", "\n").split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            yield number, _named(_parse(line, where), where)


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = "" if ", line" in where else f", line {error.lineno}"
        raise ReadError(
            f"{where}{line}: found no valid JSON ({error.msg} at column {error.colno}); "
            "expected an object with question and answer"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ReadError(
            f"{where}: the JSON is nested too deep or has a number too long; simplify it"
        ) from error


def _named(item: Any, where: str) -> dict[str, Any]:
    """The object with its keys as column names."""
    if not isinstance(item, dict):
        raise ReadError(f"{where}: found {type(item).__name__}, expected an object with question and answer")
    named: dict[str, Any] = {}
    for key, value in item.items():
        name = column_of(key)
        if name is None:
            continue
        if name in named:
            raise ReadError(f"{where}: found two keys that mean `{name}`, expected one; remove one")
        named[name] = value
    for name in ("question", "answer"):
        if name not in named:
            keys = ", ".join(repr(key[:30]) for key in list(item)[:12]) or "none"
            raise ReadError(
                f"{where}: found the keys {keys}, expected `{name}` (问题, 答案) among them; add it"
            )
    return named
