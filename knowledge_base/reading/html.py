"""Web pages: headings, definition lists and ``<details>`` and the text below them.

Read as a stream of tags by libxml2, which needs neither a tree nor recursion.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lxml import etree

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import MAX_BLOCKS, MAX_TEXT, decode, read_bytes
from knowledge_base.reading.sections import TEXT, Block, entries_of_blocks

__all__ = ["read_html"]

_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6, "dt": 7, "summary": 7}
_ENDS = {"dl": 7, "details": 7}
"""Elements at whose end the questions in them are over."""
_SKIPPED = frozenset(
    (
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "nav",
        "footer",
        "select",
        "textarea",
        "iframe",
        "object",
    )
)
_BREAKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "caption",
        "dd",
        "details",
        "div",
        "dl",
        "fieldset",
        "figcaption",
        "figure",
        "form",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w-]{2,20})""", re.IGNORECASE)
_LONG_TAG = re.compile(rb"<[^<>]{65536,}")
_MAX_ATTRIBUTES = 10_000
_CHUNK = 1 << 16


def read_html(path: Path, rule: LanguageRule) -> list[Entry]:
    """Sections of a web page as entries; scripts, styles, navigation and footer are left out.

    Raises:
        ReadError: no text, or no web page.
    """
    data = _text(path).encode("utf-8", "replace")
    _check_tags(data, path)
    page = _Page()
    parser = etree.HTMLParser(target=page, encoding="utf-8", huge_tree=True, no_network=True)
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
        parser.close()
    except (etree.LxmlError, AssertionError) as error:
        raise ReadError(
            f"{path}: not readable as a web page ({str(error)[:120]}); save it as HTML again"
        ) from error
    return entries_of_blocks(page.blocks, path, rule, title=page.title)


def _check_tags(data: bytes, path: Path) -> None:
    """Refuses tags with endless attributes, which the parser would keep whole."""
    for tag in _LONG_TAG.finditer(data):
        if data.count(b"=", *tag.span()) > _MAX_ATTRIBUTES:
            raise ReadError(
                f"{path}: found a tag with more than {_MAX_ATTRIBUTES:,} attributes, expected a web page; "
                "save it as HTML again"
            )


def _text(path: Path) -> str:
    """The page in the encoding it states, else as any text file."""
    data = read_bytes(path, MAX_TEXT)
    stated = _CHARSET.search(data[:4096])
    if stated and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            name = stated.group(1).decode().lower()
            text = data.decode("gb18030" if name in ("gb2312", "gbk") else name)
        except (LookupError, ValueError):
            pass
        else:
            return decode(text.encode("utf-8", "replace"), path)
    return decode(data, path)


class _Page:
    """Takes the parser's events and keeps headings and paragraphs."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.title = ""
        self._text: list[str] = []
        self._level = TEXT
        self._skipping = ""
        self._nested = 0
        self._in_title = False

    def start(self, tag: str, _attributes: Any) -> None:
        if self._skipping:
            self._nested += tag == self._skipping
        elif tag in _SKIPPED:
            self._skipping, self._nested = tag, 1
        elif tag in _HEADINGS:
            self._flush()
            self._level = _HEADINGS[tag]
        elif tag == "title":
            self._in_title = True
        elif tag in _BREAKS and self._level == TEXT:
            self._flush()
            if tag == "li":
                self._text.append("- ")
        elif tag in _BREAKS:
            self._text.append(" ")

    def end(self, tag: str) -> None:
        if self._skipping:
            self._nested -= tag == self._skipping
            if not self._nested:
                self._skipping = ""
        elif tag in _HEADINGS:
            self._flush()
        elif tag == "title":
            self.title = self.title or " ".join("".join(self._text).split())
            self._text.clear()
            self._in_title = False
        elif tag in _BREAKS and self._level == TEXT:
            self._flush()
            if tag in _ENDS:
                self.blocks.append(Block(_ENDS[tag], ""))

    def data(self, text: str) -> None:
        if not self._skipping:
            self._text.append(text)

    def comment(self, _text: str) -> None:
        """Comments are no text."""

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text.clear()
        if text and text != "-" and len(self.blocks) <= MAX_BLOCKS:
            self.blocks.append(Block(self._level, text))
        self._level = TEXT
