"""A leading «yes» or «no» answers the entry's own question, not every question that finds the entry.

"Do you have a shop in Paris?" rightly finds "Yes, we run three shops: …" under "Do you have
shops?", but the yes would be a lie.  Where a question names what the entry does not, its
answer goes out without that word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from chatbot.followup import places
from chatbot.guard.names import brands, capitals
from chatbot.guard.units import plain
from chatbot.turn import Entry
from knowledge_base.normalise import key

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


def without_unasked_yes(entry: Entry, question: str, language: str) -> Entry:
    """The entry as it may answer ``question``: without its first yes or no where that is not what was asked.

    An entry that is to be given word for word stays as it is, and so does one in another
    language, whose names are written otherwise.
    """
    if entry.verbatim or entry.language != language or language not in _OPENINGS:
        return entry
    opening = _OPENINGS[language].match(entry.answer)
    if opening is None or not _names_more(question, entry, language):
        return entry
    rest = entry.answer[opening.end() :]
    return replace(entry, answer=rest[0].upper() + rest[1:])


def _names_more(question: str, entry: Entry, language: str) -> bool:
    """Does the question name a place, company or other name that the entry does not?"""
    asked = (entry.question, *entry.variants)
    if key(question) in {key(text) for text in asked}:
        return False
    known = " ".join((*asked, entry.answer))
    held, companies = plain(known), {token.key for token in brands(known)}
    if any(token.key not in companies for token in brands(question)):
        return True
    names = [found.group() for found in places().finditer(question)]
    names += [token.text for token in capitals(question, german=language == "de")]
    return any(plain(name) not in held for name in names)
