"""Files to entries, by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.grouped import read_groups
from knowledge_base.reading.language import LanguageRule, language_code, script_language
from knowledge_base.reading.records import read_json, read_jsonl

__all__ = ["read_entries"]

Reader = Callable[[Path, LanguageRule], list[Entry]]

_READERS: dict[str, Reader] = {
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".yaml": read_groups,
    ".yml": read_groups,
}


def read_entries(
    path: Path, *, language: str | None = None, detect: Callable[[str], str] = script_language
) -> list[Entry]:
    """All entries of a file, at least one; ids are unique in it.

    Args:
        path: csv, tsv, xlsx, jsonl, json, yml, md, html, docx, pdf or txt.
        language: of entries whose language the file does not tell.
        detect: tells the language of a text where ``language`` is not given.

    Raises:
        ReadError: the file cannot be read; names place, finding and remedy.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        found = f"files ending in {path.suffix!r}" if path.suffix else "files without an ending"
        raise ReadError(f"{path}: {found} are not read; expected one of {', '.join(sorted(_READERS))}")
    given = language_code(language, "--language") if language else None
    return reader(path, LanguageRule(given, detect))
