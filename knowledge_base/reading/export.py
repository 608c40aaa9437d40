"""Entries to files that read back as the same entries."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from knowledge_base.entry import Entry
from knowledge_base.errors import KnowledgeError
from knowledge_base.reading.formulas import guarded
from knowledge_base.reading.rows import COLUMNS
from knowledge_base.whole_file import whole_file

__all__ = ["write_entries"]

_KINDS = (".csv", ".json", ".jsonl", ".tsv", ".yaml", ".yml")


def write_entries(path: Path, entries: Sequence[Entry]) -> None:
    """Writes entries by the ending of the name; the file appears whole or not at all.

    In csv and tsv, cells that a spreadsheet would take for a formula get a
    leading apostrophe, which reading takes off again.

    Raises:
        KnowledgeError: the ending is unknown, or the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise KnowledgeError(
            f"{path}: files ending in {kind!r} are not written; expected one of {', '.join(_KINDS)}"
        )
    if kind in (".csv", ".tsv"):
        data = "\ufeff" + _table(entries, "\t" if kind == ".tsv" else ",")
    elif kind == ".jsonl":
        data = "".join(json.dumps(_record(entry), ensure_ascii=False) + "\n" for entry in entries)
    elif kind == ".json":
        data = json.dumps([_record(entry) for entry in entries], ensure_ascii=False, indent=1) + "\n"
    else:
        data = _yaml(entries, path)
    try:
        with whole_file(path) as part:
            part.write_text(data, encoding="utf-8", newline="")
    except OSError as error:
        raise KnowledgeError(
            f"{path}: cannot be written ({error.strerror}); check folder and permissions"
        ) from error


def _record(entry: Entry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in COLUMNS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _table(entries: Sequence[Entry], delimiter: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([guarded(_cell(value)) for value in _record(entry).values()])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, list):
        return str(value)
    joined = "\n".join(value)
    plain = joined.splitlines() == value and "|" not in joined and not joined.startswith("[")
    return joined if plain else json.dumps(value, ensure_ascii=False)


def _yaml(entries: Sequence[Entry], path: Path) -> str:
    """Groups of entries; what a group's entries share must be the same in each."""
    groups: dict[str, dict[str, Any]] = {}
    for entry in entries:
        shared = {
            "group": entry.group,
            "category": entry.category,
            "tags": list(entry.tags),
            "products": list(entry.products),
            "verbatim": entry.verbatim,
        }
        group = groups.setdefault(entry.group, {**shared, "entries": {}})
        differs = any(group[name] != value for name, value in shared.items())
        if differs or entry.id != f"{entry.group}.{entry.language}" or entry.language in group["entries"]:
            raise KnowledgeError(
                f"{path}: the entry {entry.id!r} does not fit into groups (its id is not group.language, or "
                "category, tags, products or verbatim differ within the group); export as csv or jsonl"
            )
        group["entries"][entry.language] = {
            "question": entry.question,
            "answer": entry.answer,
            "variants": list(entry.variants),
        }
    dumped: str = yaml.dump(
        list(groups.values()), Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False, width=110
    )
    return dumped
