"""Files to entries, by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.grouped import read_groups
from knowledge_base.reading.html import read_html
from knowledge_base.reading.language import LanguageRule, language_code, script_language
from knowledge_base.reading.markdown import read_markdown
from knowledge_base.reading.pdf import read_pdf
from knowledge_base.reading.plain import read_plain
from knowledge_base.reading.records import read_json, read_jsonl
from knowledge_base.reading.sheets import read_workbook
from knowledge_base.reading.tables import read_table
from knowledge_base.reading.word import read_word

__all__ = ["read_entries"]

Reader = Callable[[Path, LanguageRule], list[Entry]]

_READERS: dict[str, Reader] = {
    ".csv": read_table,
    ".docx": read_word,
    ".htm": read_html,
    ".html": read_html,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".markdown": read_markdown,
    ".md": read_markdown,
    ".pdf": read_pdf,
    ".tsv": read_table,
    ".txt": read_plain,
    ".xlsx": read_workbook,
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
