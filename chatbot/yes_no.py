"""A leading «yes» or «no» answers the entry's own question, not every question that finds the entry.

"Do you have a shop in Paris?" rightly finds "Yes, we run three shops: …" under "Do you have
shops?", but the yes would be a lie.  Where a question names a place or a company that the
entry does not, its answer goes out without that word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from chatbot.followup import places
from chatbot.guard.names import brands
from chatbot.guard.units import plain
from chatbot.turn import Entry
from knowledge_base.normalise import cut, key

__all__ = ["without_unasked_yes"]

_YES_NO: Mapping[str, str] = {
    "zh": "可以的?|有的?|能的?|会的?|是的|支持|不可以|不能|不行|没有|不会|不支持",
    "en": "yes|no",
    "es": "sí|no",
    "ja": "はい|いいえ|いえ",
    "de": "ja|nein",
    "fr": "oui|non|si",
    "pt": "sim|não",
    "it": "sì|no",
    "ko": "네|예|아니요|아니오",
    "ru": "да|нет",
    "vi": "có|không|vâng|dạ",
    "th": "ใช่|ได้|ไม่",
    "ar": "نعم|لا",
    "id": "ya|tidak",
    "nl": "ja|nee",
    "tr": "evet|hayır",
    "pl": "tak|nie",
}
_OPENINGS = {
    language: re.compile(rf"\s*(?:{words})\s*[,，、،.。!！:：;；]\s*(?=\w)", re.IGNORECASE)
    for language, words in _YES_NO.items()
}
_NUMBER = re.compile(r"\s*no\.\s*\d", re.IGNORECASE)
"""«No. 5 Queen Street» says no to nothing."""
_STILL_YES = re.compile(
    r"of course|certainly|sure|naturally|claro|por supuesto|desde luego|natürlich|selbstverständlich|gerne"
    r"|bien sûr|tout à fait|évidemment|当然|没问题|もちろん|certo|конечно|물론",
    re.IGNORECASE,
)
_LEAST = 12
"""Letters that must be left of an answer's first sentence; a Chinese or Japanese character counts three."""
_SENTENCE = re.compile(r"[.。!！?？\n]")
_WIDE = re.compile(
    r"\b(?:abroad|overseas|worldwide|international\w*|countr(?:y|ies)|everywhere|europe\w*|eu|pa[ií]s(?:es)?|mundo"
    r"|extranjero|ausland|weltweit|länder\w*|pays|étranger|monde|partout)\b|国|海外|全球|世界|地区|各地",
    re.IGNORECASE,
)
"""Words that may speak of every place."""
_SAME_PLACE = (
    "uk|united kingdom|britain|great britain|england|reino unido|royaume-uni|großbritannien|英国|イギリス",
    "us|usa|the us|united states|america|estados unidos|ee.uu|états-unis|vereinigte staaten|美国|アメリカ",
    "australia|australien|australie|澳洲|澳大利亚|オーストラリア",
    "cologne|köln|colonia",
    "munich|münchen|múnich",
    "china|mainland|国内|大陆|内地|中国|中国大陆",
)
_GROUPS = [frozenset(plain(name) for name in group.split("|")) for group in _SAME_PLACE]


def without_unasked_yes(entry: Entry, question: str, language: str) -> Entry:
    """The entry as it may answer ``question``: without its first yes or no where that is not what was asked.

    An entry that is to be given word for word stays as it is, and so does one in another
    language, whose names are written otherwise.
    """
    if entry.verbatim or entry.language != language or language not in _OPENINGS:
        return entry
    opening = _OPENINGS[language].match(entry.answer)
    if opening is None or _NUMBER.match(entry.answer):
        return entry
    rest = entry.answer[opening.end() :]
    if not _says_enough(rest) or not _names_more(question, entry):
        return entry
    return replace(entry, answer=_capital(rest))


def _says_enough(rest: str) -> bool:
    """Is what follows the yes a statement of its own, and no yes in other words?"""
    first = _SENTENCE.split(rest, maxsplit=1)[0]
    length = sum(3 if ord(letter) > 0x2E80 else 1 for letter in first if letter.isalnum())
    return length >= _LEAST and _STILL_YES.match(first) is None


def _capital(text: str) -> str:
    """The text with a capital, unless its first word is a link or has capitals of its own."""
    word = text.split(maxsplit=1)[0]
    lower = word.islower() and not word.startswith(("http", "www."))
    return text[0].upper() + text[1:] if lower else text


def _names_more(question: str, entry: Entry) -> bool:
    """Does the question name a place or company that the entry does not?"""
    asked = (entry.question, *entry.variants)
    if key(question) in {key(text) for text in asked}:
        return False
    known = " ".join((*asked, entry.answer))
    companies = {token.key for token in brands(known)}
    if any(token.key not in companies for token in brands(question) if _is_word(token.text, question)):
        return True
    if _WIDE.search(known):
        return False
    held = set(_places_in(known))
    return any(not held & _same(name) for name in _places_in(question))


def _places_in(text: str) -> Iterator[str]:
    for found in places().finditer(text):
        if _is_word(found.group(), text):
            yield plain(found.group())


def _same(place: str) -> frozenset[str]:
    return next((group for group in _GROUPS if place in group), frozenset({place}))


def _is_word(name: str, text: str) -> bool:
    """Does it stand in the text as one word, or several?  Without blanks, 西安 also stands in 东西安全."""
    if not any(ord(letter) > 0x2E80 for letter in name):
        return True
    edges, place = {0, len(text)}, 0
    for word in cut(text):
        place = text.index(word, place)
        edges |= {place, place + len(word)}
        place += len(word)
    starts = (found.start() for found in re.finditer(re.escape(name), text))
    return any({start, start + len(name)} <= edges for start in starts)
