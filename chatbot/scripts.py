"""Which script a language is written in."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["RANGES", "SCRIPTS", "foreign_letters", "has_foreign_letters", "is_japanese"]

SCRIPTS: dict[str, str] = {
    "zh": "han",
    "ja": "han kana",
    "ko": "hangul",
    "ru": "cyrillic",
    "uk": "cyrillic",
    "bg": "cyrillic",
    "sr": "cyrillic latin",
    "ar": "arabic",
    "fa": "arabic",
    "he": "hebrew",
    "th": "thai",
    "el": "greek",
    "hi": "devanagari",
}
"""Scripts of the languages that are not written in Latin letters; Latin is everywhere for names."""

RANGES = {
    "han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々",
    "kana": "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff",
    "hangul": "\u1100-\u11ff\uac00-\ud7af",
    "cyrillic": "\u0400-\u04ff",
    "arabic": "\u0600-\u06ff",
    "hebrew": "\u0590-\u05ff",
    "thai": "\u0e00-\u0e7f",
    "greek": "\u0370-\u03ff",
    "devanagari": "\u0900-\u097f",
}
"""Character ranges of each script, as they stand in a regular expression's brackets."""


@lru_cache(maxsize=64)
def foreign_letters(language: str) -> re.Pattern[str]:
    """Matches runs of letters that ``language`` is not written in; Latin letters are never foreign."""
    allowed = SCRIPTS.get(language, "latin").split()
    ranges = "".join(chars for name, chars in RANGES.items() if name not in allowed)
    return re.compile(f"[{ranges}]+")


@lru_cache(maxsize=8192)
def is_japanese(char: str) -> bool:
    """Whether a Han character is in the Japanese character set (JIS); simplified forms are not."""
    try:
        char.encode("cp932")
    except UnicodeEncodeError:
        return False
    return True


_HAN = re.compile(f"[{RANGES['han']}]")


def has_foreign_letters(text: str, language: str) -> bool:
    """Does a text hold a letter that ``language`` is not written in?"""
    if foreign_letters(language).search(text):
        return True
    return language == "ja" and any(not is_japanese(char) for char in _HAN.findall(text))
