"""Groups of entries in YAML: one meaning in several languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError

__all__ = ["read_groups"]


def read_groups(path: Path) -> list[Entry]:
    """Reads a list of groups; an entry's id is ``group.language``.

    Raises:
        ReadError: names file and group, what was found and what was expected.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place is not None else ""
        raise ReadError(f"{path}{where}: not readable as YAML ({type(error).__name__}); mend the file") from error
    if not isinstance(content, list):
        raise ReadError(f"{path}: found {type(content).__name__} at the top, expected a list of groups")
    entries: list[Entry] = []
    for number, group in enumerate(content, 1):
        entries.extend(_entries(group, f"{path}, group {number}"))
    return entries


def _entries(group: Any, where: str) -> list[Entry]:
    if not isinstance(group, dict) or not isinstance(group.get("entries"), dict):
        raise ReadError(f"{where}: expected a mapping with `group` and `entries` by language")
    name = _text(group, "group", where)
    where = f"{where} ({name})"
    found = []
    for language, item in group["entries"].items():
        if not isinstance(item, dict):
            raise ReadError(f"{where}, {language}: found {type(item).__name__}, expected question and answer")
        found.append(
            Entry(
                id=f"{name}.{language}",
                group=name,
                language=str(language),
                question=_text(item, "question", f"{where}, {language}"),
                answer=_text(item, "answer", f"{where}, {language}"),
                variants=_texts(item, "variants", f"{where}, {language}"),
                category=str(group.get("category", "")),
                tags=_texts(group, "tags", where),
                products=_texts(group, "products", where),
                verbatim=bool(group.get("verbatim", False)),
            )
        )
    return found


def _text(item: dict[str, Any], name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ReadError(f"{where}: `{name}` is {type(value).__name__}, expected a text; quote it if it holds a colon")
    return value.strip()


def _texts(item: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = item.get(name) or []
    if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
        raise ReadError(f"{where}: `{name}` is not a list of texts; quote texts that hold a colon")
    return tuple(str(v).strip() for v in value)
