"""Documents to entries: headings become questions, the text below them answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.language import LanguageRule, script_language
from knowledge_base.reading.limits import MAX_BLOCKS
from knowledge_base.reading.rows import stable_id

__all__ = ["TEXT", "Block", "entries_of_blocks"]

TEXT = 0
"""Level of a paragraph."""
MAX_ANSWER = 1_500
"""Longer sections are split at paragraphs; in characters."""
MAX_QUESTION = 300

_QUESTION = re.compile(
    r"[?？]\s*$|^(?:how|what|why|when|where|who|which|can|do|does|is|are)\b|^¿", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[。！？；])|(?<=[.!?;])\s+")
_BLANKS = re.compile(r"[ \t\u00a0\u3000\r\f\v]{2,}|[\t\u00a0\u3000\r\f\v]")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 and below it 2, 3 …) or a paragraph (:data:`TEXT`).

    A heading without text ends the sections of its level and below.
    """

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class _Section:
    path: tuple[str, ...]
    """Headings from the outermost to the section's own; empty before the first heading."""
    paragraphs: list[str]


def entries_of_blocks(
    blocks: Iterable[Block], path: Path, rule: LanguageRule, title: str = ""
) -> list[Entry]:
    """One entry a section, several for a long one.

    Args:
        title: question of the text before the first heading; the file's name if empty.

    Raises:
        ReadError: there is no text at all, or too much.
    """
    sections = [section for section in _sections(_few(blocks, path)) if section.paragraphs]
    if not sections:
        raise ReadError(f"{path}: found no text, expected headings with text below; give a file with text")
    outer = _document_title(sections)
    sample = " ".join(" ".join((*s.path, *s.paragraphs))[:400] for s in sections[:10])
    language = rule.of("", sample)
    entries: list[Entry] = []
    for section in sections:
        question = _question(section, outer, title or path.stem)
        body = "\n".join(section.paragraphs)
        own = language if rule.given else _language(question, body, language, rule)
        category = next((part for part in section.path[:-1] if part != outer), "")[:255]
        for number, answer in enumerate(_split(section.paragraphs), 1):
            asked = question if number == 1 else f"{question} ({number})"
            id_ = stable_id(own, f"{path.name}\n{asked}")
            entries.append(Entry(id_, id_, own, asked, answer, category=category))
    return list({entry.id: entry for entry in entries}.values())


def _few(blocks: Iterable[Block], path: Path) -> Iterator[Block]:
    for number, block in enumerate(blocks):
        if number == MAX_BLOCKS:
            raise ReadError(
                f"{path}: found more than {MAX_BLOCKS:,} headings and paragraphs; expected at most that: "
                "split the file"
            )
        yield block


def _sections(blocks: Iterable[Block]) -> list[_Section]:
    """Sections in their order; the same headings a second time go on with the first section."""
    found: dict[tuple[str, ...], _Section] = {}
    open_: list[tuple[int, str]] = []
    for block in blocks:
        text = _BLANKS.sub(" ", block.text).strip()
        if block.level == TEXT:
            if text:
                path = tuple(heading for _, heading in open_)
                found.setdefault(path, _Section(path, [])).paragraphs.append(text)
            continue
        while open_ and open_[-1][0] >= block.level:
            open_.pop()
        if text:
            open_.append((block.level, " ".join(text.split())[:MAX_QUESTION]))
    return list(found.values())


def _document_title(sections: list[_Section]) -> str:
    """The outermost heading if the whole document stands under it; it says nothing about a section."""
    tops = {section.path[0] for section in sections if section.path}
    return tops.pop() if len(tops) == 1 and any(len(section.path) > 1 for section in sections) else ""


def _question(section: _Section, outer: str, title: str) -> str:
    """The heading; joined with those above it unless it is a question by itself."""
    if not section.path:
        return title[:MAX_QUESTION]
    own = section.path[-1]
    if _QUESTION.search(own):
        return own
    above = [part for part in section.path[:-1] if part != outer and not _QUESTION.search(part)]
    return " – ".join((*above, own))[-MAX_QUESTION:].lstrip()


_OTHER_SCRIPTS = frozenset({"ja", "ko", "zh", "th", "ar", "ru"})


def _language(question: str, body: str, document: str, rule: LanguageRule) -> str:
    """The document's language, unless the section is written in another script."""
    here = script_language(f"{question} {body[:300]}")
    if here != document and (here in _OTHER_SCRIPTS or document in _OTHER_SCRIPTS):
        return rule.of(question, body)
    return document


def _split(paragraphs: list[str]) -> Iterator[str]:
    """Paragraphs put together to pieces of at most :data:`MAX_ANSWER` characters."""
    piece: list[str] = []
    size = 0
    for paragraph in _short_enough(paragraphs):
        if piece and size + len(paragraph) > MAX_ANSWER:
            yield "\n".join(piece)
            piece, size = [], 0
        piece.append(paragraph)
        size += len(paragraph) + 1
    if piece:
        yield "\n".join(piece)


def _short_enough(paragraphs: list[str]) -> Iterator[str]:
    """Paragraphs, with those that are too long cut after sentences, at worst anywhere."""
    for paragraph in paragraphs:
        if len(paragraph) <= MAX_ANSWER:
            yield paragraph
            continue
        part = ""
        for sentence in _SENTENCE.split(paragraph):
            if part and len(part) + len(sentence) > MAX_ANSWER:
                yield part
                part = ""
            part = f"{part} {sentence}".strip() if sentence[:1].isascii() else part + sentence
            if len(part) > MAX_ANSWER:
                *whole, part = (part[at : at + MAX_ANSWER] for at in range(0, len(part), MAX_ANSWER))
                yield from filter(None, map(str.strip, whole))
        if part:
            yield part
