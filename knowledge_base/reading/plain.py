"""Plain text: Q:/A: pairs, or lines that look like headings with text below."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import read_text
from knowledge_base.reading.sections import TEXT, Block, entries_of_blocks

__all__ = ["blocks_of_lines", "read_plain"]

_Q = re.compile(
    r"\s*(?:Q|Question|问题|问|問|質問|P|Pregunta|Frage|F)\s*\d{0,5}\s*[:：.、]\s*(\S.*)", re.IGNORECASE
)
_A = re.compile(
    r"\s*(?:A|Answer|答案|回答|答|R|Respuesta|Antwort)\s*\d{0,5}\s*[:：.、]\s*(.*)", re.IGNORECASE
)
_NUMBERED = re.compile(r"\s*(?:\d{1,3}(?:\.\d{1,3}){0,3}[.、)]?|[一二三四五六七八九十]{1,3}、)\s*\S")
_END = tuple(".。!！;；,，:：")
_LONGEST_HEADING = 120


def read_plain(path: Path, rule: LanguageRule) -> list[Entry]:
    """Questions and answers of a text file as entries.

    Raises:
        ReadError: no text, or not a text file.
    """
    return entries_of_blocks(blocks_of_lines(read_text(path).splitlines()), path, rule)


def blocks_of_lines(lines: Sequence[str]) -> Iterator[Block]:
    """Headings and paragraphs of lines, by Q:/A: where the lines have both."""
    if any(map(_Q.match, lines)) and any(map(_A.match, lines)):
        return _pairs(lines)
    return _headed(lines)


def _pairs(lines: Sequence[str]) -> Iterator[Block]:
    asking = False
    for line in lines:
        question = _Q.match(line)
        answer = _A.match(line)
        if question:
            yield Block(1, question.group(1))
            asking = True
        elif answer and asking:
            yield Block(TEXT, answer.group(1))
        elif line.strip():
            yield Block(TEXT, line)


def _headed(lines: Sequence[str]) -> Iterator[Block]:
    """A short line is a heading if it asks, or stands alone before text without a full stop."""
    for number, line in enumerate(lines):
        text = line.strip()
        if not text:
            continue
        before = lines[number - 1].strip() if number else ""
        after = lines[number + 1].strip() if number + 1 < len(lines) else ""
        short = len(text) <= _LONGEST_HEADING
        asks = short and text.endswith(("?", "？")) and not before.endswith((",", "，"))
        alone = short and not before and not text.endswith(_END) and not text.startswith(("-", "*", "•"))
        if asks or (alone and after == "" and _NUMBERED.match(text)) or (alone and _underlined(after)):
            yield Block(1, text.lstrip("#").strip())
        elif not _underlined(text):
            yield Block(TEXT, text)


def _underlined(line: str) -> bool:
    return len(line) >= 3 and not line.strip("=-~")
