"""Do the numbers of one text stand in another?  And which numbers of a growing text may still change?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatbot.guard.facts import Fact
from chatbot.guard.notation import units_named
from chatbot.guard.number_words import number_words
from chatbot.guard.patterns import HAN_NUMERALS, LONG_SCRIPT, fold
from chatbot.guard.units import HALF_WORDS, WEEKDAY_PHRASES, WEEKDAYS, plain

__all__ = ["KnownFacts", "unsettled_from", "weekdays"]

_FREE = re.compile(
    r"free|gratis|grátis|gratuit|kostenlos|kostenfrei|ohne|without|\bsin\b|sans|\bno\b|免|无|無|бесплатн"
    r"|без|무료|senza|sem "
)
_AROUND_CLOCK = re.compile(
    r"24|around the clock|round the clock|rund um die uhr|全天候|二十四|día y noche|круглосуточно"
    r"|ununterbrochen|全天"
)
_NUMBERISH = re.compile(rf"\d+|[{HAN_NUMERALS}]+|(?:(?![\d_{HAN_NUMERALS}])\w)+")
_WEEKDAY = re.compile(
    r"(?<!\w)(?:"
    + "|".join(sorted((w for w in WEEKDAYS if w < "\u2e80"), key=len, reverse=True))
    + r")(?=(?:(?:vor|nach)?mittags?|morgens?|abends?|nachts?)?(?!\w))"
    + "|"
    + "|".join(w for w in WEEKDAYS if w >= "\u2e80")
)
_DAY_GROUPS = re.compile(WEEKDAY_PHRASES)


_NOON = re.compile(r"\b(?:noon|midday|mittags?|midi|mediodía|mezzogiorno|meio-dia)\b|正午|中午")
_COUNTED = frozenset({"count", "dom"})
"""Classes of what is counted or numbered; amounts, times and measures must agree in class."""
_SMALL = 12
_HAN_SMALL = {c: float(i) for i, c in enumerate("零一二三四五六七八九十")} | {
    "两": 2.0,
    "兩": 2.0,
    "双": 2.0,
    "倍": 2.0,
}
_TIMES = {
    "en": {
        "once": 1,
        "twice": 2,
        "thrice": 3,
        "double": 2,
        "triple": 3,
        "second": 2,
        "third": 3,
        "fourth": 4,
    },
    "de": {"doppelt": 2, "dritten": 3, "dritter": 3, "zweite": 2, "zweiten": 2, "erneut": 1},
    "es": {"doble": 2, "triple": 3, "segundo": 2, "segunda": 2, "tercer": 3, "tercero": 3, "tercera": 3},
    "fr": {"double": 2, "triple": 3, "deuxieme": 2, "seconde": 2, "second": 2, "troisieme": 3},
}
"""Other words for small numbers, by plain spelling."""


def small_numbers(folded: str, languages: Sequence[str]) -> frozenset[float]:
    """Numbers up to twelve that a text says in any word, ordinals and parts of German compounds included."""
    found = {_HAN_SMALL[c] for c in folded if c in _HAN_SMALL}
    for language in languages:
        known = {**number_words(language), **_TIMES.get(language, {})}
        heads = {word: value for word, value in known.items() if len(word) > 3} if language == "de" else {}
        for match in re.finditer(r"[^\W\d_]+", folded):
            word = plain(match[0])
            if (value := known.get(word)) is not None:
                found.add(float(value))
            found.update(float(value) for head, value in heads.items() if word.startswith(head))
    return frozenset(value for value in found if value <= _SMALL)


class KnownFacts:
    """The numbers that may be said, ready for many questions."""

    def __init__(self, found: Sequence[Fact], text: str, languages: Sequence[str] = ()) -> None:
        self._keys = frozenset().union(*(fact.keys for fact in found))
        self._raw = frozenset(v for fact in found for v in (*fact.values, *fact.spaced))
        self._untyped = frozenset(v for fact in found if not fact.keys for v in (*fact.values, *fact.spaced))
        self._implied: set[float] = set()
        self._days: set[float] = set()
        self._months: set[float] = set()
        for name, value in self._keys:
            if name == "clock" and value % 60 == 0:
                self._implied |= {value / 60, (value / 60 - 12) % 12 or 12.0}
            elif name == "date":
                self._days.add(value % 100)
                self._months.add(value // 100)
        lowered = fold(text)
        self._small = small_numbers(lowered, languages)
        if _NOON.search(lowered):
            self._keys |= {("clock", 720.0)}
            self._implied.add(12.0)
        self._named = units_named(lowered)
        self._free = bool(_FREE.search(lowered))
        self._around_clock = bool(_AROUND_CLOCK.search(lowered))

    def holds(self, fact: Fact) -> bool:
        """Whether the number stands among the known ones, in any notation.

        With a known unit on both sides the unit must be of the same class; with an
        unknown one the bare value is enough.
        """
        if fact.keys & self._keys or (0.0 in fact.values and self._free):
            return True
        if fact.values == {1.0} and fact.keys & self._named:
            return True
        if not fact.keys and not fact.values:
            return self._around_clock
        if fact.values & self._small and all(name in _COUNTED for name, _ in fact.keys):
            return True
        if self._around_clock and ("time", 86400.0) in fact.keys:
            return True
        for name, value in fact.keys:
            if (name == "dom" and value in self._days) or (name == "monthname" and value in self._months):
                return True
        if fact.spaced and self._raw.issuperset(fact.spaced):
            return True
        if fact.keys:
            return bool(fact.values & self._untyped)
        return bool(fact.values & (self._raw | self._implied | self._days | self._months))


def weekdays(text: str) -> dict[int, str]:
    """The days of the week that a text names, Monday = 0, with the word that names each."""
    return {WEEKDAYS[plain(m[0])]: m[0] for m in _WEEKDAY.finditer(plain(text))}


def groups_days(text: str) -> bool:
    """Whether a text speaks of groups of days (weekend, daily), which may be said as single days."""
    return bool(_DAY_GROUPS.search(fold(text)))


def unsettled_from(text: str, language: str, found: Sequence[Fact]) -> int:
    """Where the part of a growing text begins whose numbers may still change with what follows."""
    folded = fold(text)
    size = len(folded)
    limit = size
    for fact in reversed(found):
        if _settled(folded, fact.end, size):
            break
        limit = fact.start
    words = number_words(language)
    offset = max(0, size - 48)
    for match in _NUMBERISH.finditer(folded, offset):
        if match.start() >= limit:
            break
        token = match[0]
        numeral = token[0].isdigit() or token[0] in HAN_NUMERALS
        if not numeral and plain(token) not in words and plain(token) not in HALF_WORDS:
            continue
        if not _settled(folded, match.end(), size):
            return match.start()
    return limit


def _settled(folded: str, end: int, size: int) -> bool:
    rest = folded[end : end + 2].lstrip(" ")
    if rest[:1] in ("。", "！", "？", "；", "\n"):
        return True
    return size - end >= (10 if rest and LONG_SCRIPT.match(rest) else 30)
