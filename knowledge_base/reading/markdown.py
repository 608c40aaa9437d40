"""Markdown: headings and the text below them.

A reader of lines, linear in the file's size; a full parser takes seconds for a
megabyte and its inline tree is not needed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import read_text
from knowledge_base.reading.sections import TEXT, Block, entries_of_blocks

__all__ = ["read_markdown"]

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+")
_RULE = re.compile(r" {0,3}(?:\*[ \t]*){3,}$| {0,3}(?:_[ \t]*){3,}$")
_TABLE_RULE = frozenset(" \t:|-")
_INLINE = (
    ("![", re.compile(r"!\[([^\]\n]{0,500})\]\([^()\n]{0,2000}\)"), r"\1"),
    (
        "](",
        re.compile(r"\[([^\[\]\n]{1,500})\]\(<?([^()\s]{0,2000}?)>?(?:\s+\"[^\"\n]{0,500}\")?\)"),
        r"\1 (\2)",
    ),
    ("<", re.compile(r"<(https?://[^<>\s]{1,2000}|[^<>\s@]{1,200}@[^<>\s@]{1,200})>"), r"\1"),
    ("<", re.compile(r"</?[a-zA-Z][^<>]{0,500}>"), ""),
    ("**", re.compile(r"\*\*(?=\S)([^*\n]{1,1000})(?<=\S)\*\*"), r"\1"),
    ("__", re.compile(r"(?<!\w)__(?=\S)([^_\n]{1,1000})(?<=\S)__(?!\w)"), r"\1"),
    ("*", re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,1000})(?<=\S)\*(?!\*)"), r"\1"),
    ("_", re.compile(r"(?<!\w)_(?=\S)([^_\n]{1,1000})(?<=\S)_(?!\w)"), r"\1"),
    ("`", re.compile(r"`([^`\n]{1,1000})`"), r"\1"),
    ("\\", re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~])"), r"\1"),
)
"""Sign that must be there, pattern, what is left of it."""
_LONGEST = 10_000
"""Longer lines are no prose; they are taken as they are."""


def read_markdown(path: Path, rule: LanguageRule) -> list[Entry]:
    """Sections of a Markdown file as entries.

    Raises:
        ReadError: no text, or not a text file.
    """
    return entries_of_blocks(_blocks(read_text(path)), path, rule)


def _blocks(text: str) -> Iterator[Block]:
    paragraph: list[str] = []
    fence = ""
    for line in _without_front_matter(text):
        if fence:
            closes = line.strip().startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if closes else fence
            if not closes:
                yield Block(TEXT, line)
            continue
        if len(line) > _LONGEST:
            paragraph.append(line)
            continue
        if line[:1].isalpha():
            paragraph.append(line)
            continue
        opening = _FENCE.match(line)
        heading = _HEADING.match(line)
        underline = _UNDERLINE.match(line) if paragraph else None
        if underline and len(paragraph) == 1 and not _ITEM.match(paragraph[0]):
            yield Block(1 if underline.group(1)[0] == "=" else 2, plain(paragraph[0]))
            paragraph = []
            continue
        if opening or heading or not line.strip() or _RULE.match(line) or _UNDERLINE.match(line):
            yield from _paragraph(paragraph)
            paragraph = []
            fence = opening.group(1) if opening else ""
            if heading:
                yield Block(len(heading.group(1)), plain(heading.group(2) or ""))
            continue
        if paragraph and (_ITEM.match(line) or line.lstrip().startswith("|")):
            yield from _paragraph(paragraph)
            paragraph = []
        paragraph.append(line)
    yield from _paragraph(paragraph)


def _without_front_matter(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].strip() == "---":
        end = next((n for n, line in enumerate(lines[1:200], 1) if line.strip() in ("---", "...")), 0)
        return lines[end + 1 :] if end else lines
    return lines


def _paragraph(lines: list[str]) -> Iterator[Block]:
    if not lines or (len(lines) == 1 and "-" in lines[0] and _TABLE_RULE.issuperset(lines[0])):
        return
    text = " ".join([line.strip().lstrip(">").strip() for line in lines])
    if text.startswith("|"):
        text = " | ".join(cell.strip() for cell in text.strip("|").split("|"))
    yield Block(TEXT, plain(text))


def plain(text: str) -> str:
    """The text without Markdown's marks; links keep their address in brackets."""
    if len(text) <= _LONGEST:
        for sign, pattern, replacement in _INLINE:
            if sign in text:
                text = pattern.sub(replacement, text)
    return text.strip()
