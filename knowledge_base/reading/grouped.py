"""Groups of entries in YAML: one meaning in several languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.language import LanguageRule, language_code
from knowledge_base.reading.limits import MAX_CELLS, MAX_ROWS, MAX_YAML, read_text
from knowledge_base.reading.rows import check_count, checked

__all__ = ["entries_of_groups", "read_groups"]

_MAX_DEPTH = 50


def read_groups(path: Path, _rule: LanguageRule | None = None) -> list[Entry]:
    """Reads a list of groups; an entry's id is ``group.language``.

    Raises:
        ReadError: names file and group, what was found and what was expected.
    """
    text = read_text(path, MAX_YAML)
    try:
        _check_depth(text, path)
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place is not None else ""
        if "nesting depth" in str(error):  # newer libyaml stops by itself, while it looks ahead
            raise _too_deep(path, place.line + 1 if place is not None else 1) from error
        raise ReadError(
            f"{path}{where}: not readable as YAML ({type(error).__name__}); mend the file"
        ) from error
    if not isinstance(content, list):
        raise ReadError(f"{path}: found {type(content).__name__} at the top, expected a list of groups")
    return entries_of_groups(content, str(path))


def entries_of_groups(content: list[Any], path: str) -> list[Entry]:
    """Entries of parsed groups.

    Raises:
        ReadError: names the group.
    """
    entries: dict[str, Entry] = {}
    texts = 0
    for number, group in enumerate(content, 1):
        where = f"{path}, group {number}"
        for entry in _entries(group, where):
            if entry.id in entries:
                raise ReadError(
                    f"{where}: found {entry.id!r} a second time, expected once; rename or remove one"
                )
            entries[entry.id] = entry
            texts += 2 + len(entry.variants) + len(entry.tags) + len(entry.products)
        if texts > MAX_CELLS:
            raise ReadError(f"{where}: found more than {MAX_CELLS:,} texts up to here; split the file")
        if len(entries) > MAX_ROWS:
            raise ReadError(
                f"{where}: found more than {MAX_ROWS:,} entries; expected at most that: split the file"
            )
    if not entries:
        raise ReadError(f"{path}: found no entries, expected at least one group")
    return list(entries.values())


def _check_depth(text: str, path: Path) -> None:
    """Refuses deep nesting, which the loader would follow into a stack overflow.

    Nesting takes an indicator for each level, so few indicators need no look.
    """
    if text.count("[") + text.count("{") < _MAX_DEPTH and not _deep_blocks(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise _too_deep(path, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_deep(path: Path, line: int) -> ReadError:
    return ReadError(f"{path}, line {line}: found more than {_MAX_DEPTH} levels, expected a list of groups")


def _deep_blocks(text: str) -> bool:
    return "- " * _MAX_DEPTH in text or "\n" + " " * _MAX_DEPTH in text or "? " * _MAX_DEPTH in text


def _entries(group: Any, where: str) -> list[Entry]:
    if not isinstance(group, dict) or not isinstance(group.get("entries"), dict):
        raise ReadError(f"{where}: expected a mapping with `group` and `entries` by language")
    name = _text(group, "group", where)
    where = f"{where} ({name[:60]})"
    if len(name) > 240:
        raise ReadError(f"{where}: `group` has {len(name)} characters, expected at most 240; shorten it")
    found = []
    for language, item in group["entries"].items():
        if not isinstance(item, dict):
            raise ReadError(f"{where}, {language}: found {type(item).__name__}, expected question and answer")
        code = language_code(str(language), where)
        found.append(
            Entry(
                id=f"{name}.{code}",
                group=name,
                language=code,
                question=_text(item, "question", f"{where}, {code}"),
                answer=_text(item, "answer", f"{where}, {code}"),
                variants=_texts(item, "variants", f"{where}, {code}"),
                category=checked(str(group.get("category") or ""), "category", where),
                tags=_texts(group, "tags", where),
                products=_texts(group, "products", where),
                verbatim=_flag(group, where),
            )
        )
    return found


def _flag(group: dict[str, Any], where: str) -> bool:
    value = group.get("verbatim", False)
    if not isinstance(value, bool):
        raise ReadError(f"{where}: `verbatim` is {type(value).__name__}, expected true or false")
    return value


def _text(item: dict[str, Any], name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ReadError(
            f"{where}: `{name}` is {type(value).__name__}, expected a text; quote it if it holds a colon"
        )
    return checked(value, name, where)


def _texts(item: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = item.get(name) or []
    if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
        raise ReadError(f"{where}: `{name}` is not a list of texts; quote texts that hold a colon")
    check_count(value, name, where)
    return tuple(checked(str(v), name, where) for v in value)
