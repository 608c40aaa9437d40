"""Word documents: docx, read as a stream, so memory does not grow with the file."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import MAX_BLOCKS, check_zip, read_bytes
from knowledge_base.reading.plain import blocks_of_lines
from knowledge_base.reading.sections import TEXT, Block, entries_of_blocks

__all__ = ["read_word"]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"(?:heading|标题|überschrift|título|titre|見出し)\s*(\d)", re.IGNORECASE)


def read_word(path: Path, rule: LanguageRule) -> list[Entry]:
    """Sections of a Word document as entries; a document without headings is read as plain text.

    Raises:
        ReadError: broken, encrypted, too large or without text.
    """
    data = read_bytes(path)
    check_zip(data, path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "word/document.xml" not in names:
                raise ReadError(f"{path}: found no Word document in the container; save it as .docx again")
            levels = _heading_levels(archive) if "word/styles.xml" in names else {}
            with archive.open("word/document.xml") as file:
                # one more than the limit, so that it is refused as every document is
                blocks = list(islice(_blocks(file, levels), MAX_BLOCKS + 1))
    except (etree.LxmlError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReadError(
            f"{path}: not readable as a Word document ({str(error)[:120]}); save it as .docx again"
        ) from error
    if not any(block.level for block in blocks):
        blocks = list(blocks_of_lines([block.text for block in blocks]))
    return entries_of_blocks(blocks, path, rule)


def _elements(file: Any, *tags: str) -> Iterator[Any]:
    """Elements as they end; each is emptied once it was used."""
    for _event, element in etree.iterparse(
        file, events=("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False
    ):
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _heading_levels(archive: zipfile.ZipFile) -> dict[str, int]:
    """Style id → heading level, by outline level or by the style's name."""
    levels: dict[str, int] = {}
    with archive.open("word/styles.xml") as file:
        for style in _elements(file, f"{_W}style"):
            id_ = style.get(f"{_W}styleId", "")
            name = style.find(f"{_W}name")
            named = name.get(f"{_W}val", "") if name is not None else ""
            outline = style.find(f"{_W}pPr/{_W}outlineLvl")
            match = _HEADING.match(named)
            if outline is not None and outline.get(f"{_W}val", "").isdecimal():
                levels[id_] = int(outline.get(f"{_W}val")) + 1
            elif match:
                levels[id_] = int(match.group(1))
            elif named.lower() == "title":
                levels[id_] = 1
    return {id_: level for id_, level in levels.items() if 1 <= level <= 9}


def _blocks(file: Any, levels: dict[str, int]) -> Iterator[Block]:
    for paragraph in _elements(file, f"{_W}p"):
        text = "".join(_pieces(paragraph))
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            yield Block(TEXT, text)
            continue
        style = properties.find(f"{_W}pStyle")
        level = levels.get(style.get(f"{_W}val", ""), TEXT) if style is not None else TEXT
        outline = properties.find(f"{_W}outlineLvl")
        if outline is not None and outline.get(f"{_W}val", "") in tuple("012345678"):
            level = int(outline.get(f"{_W}val")) + 1
        listed = properties.find(f"{_W}numPr") is not None and level == TEXT
        yield Block(level, f"- {text}" if listed and text.strip() else text)


def _pieces(paragraph: Any) -> Iterator[str]:
    for element in paragraph.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr"):
        yield (element.text or "") if element.tag == f"{_W}t" else " "
