"""Values and units as they are written: figures with separators, Chinese numerals, times of day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from chatbot.guard import patterns as p
from chatbot.guard.units import MAX_CJK_UNIT, MULTIPLIERS, UNITS, plain

__all__ = ["Key", "han_value", "minutes", "readings", "typed", "unit_at", "units_named"]

Key = tuple[str, float]
"""Class of a unit and a value in the class's base unit."""

_HAN_DIGIT = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}


def han_value(text: str) -> float | None:
    """Value of Chinese numerals (``二十五`` → 25), None if they are none."""
    if all(c in _HAN_DIGIT for c in text):
        return float(int("".join(str(_HAN_DIGIT[c]) for c in text)))
    total = section = digit = 0.0
    for char in text:
        if char in _HAN_DIGIT:
            digit = _HAN_DIGIT[char]
        elif char in "万萬":
            total, section, digit = total + (section + digit or 1) * 10_000, 0.0, 0.0
        elif char in MULTIPLIERS:
            section += (digit or 1) * MULTIPLIERS[char]
            digit = 0.0
        else:
            return None
    return total + section + digit


def readings(whole: str, separator: str | None, fraction: str | None) -> frozenset[float]:
    """All values that figures with separators may mean: ``1.000`` is 1000 or 1."""
    digits = float(re.sub(r"\D", "", whole))
    if fraction is not None:
        value = float(f"{int(digits)}.{fraction[1:]}")
        if separator is None and len(fraction) == 4 and len(whole) <= 3 and whole != "0":
            return frozenset({value, float(f"{int(digits)}{fraction[1:]}")})
        return frozenset({value})
    if separator is not None and separator in ".," and whole.count(separator) == 1:
        decimal = float(whole.replace(",", "."))
        return frozenset({decimal} if whole.startswith("0") else {digits, decimal})
    return frozenset({digits})


def typed(values: Iterable[float], unit: str) -> frozenset[Key]:
    """Typed readings of values in a unit of :data:`UNITS`."""
    name, factor = UNITS[unit]
    if name == "zhe":
        return frozenset(("pct", part) for v in values for part in (100 - v * (10 if v < 10 else 1), v * 10))
    if unit == "キロ":  # of weight or of way
        return frozenset(
            (kind, round(v * per, 4)) for v in values for kind, per in (("mass", 1e3), ("length", 1e6))
        )
    return frozenset((name, round(v * factor, 4)) for v in values)


_CJK_UNITS = [(word, unit) for word, unit in UNITS.items() if ord(word[0]) > 0x2E80]
_SINGLY = re.compile(r"[每毎一1１/按各]")


def units_named(text: str) -> frozenset[Key]:
    """One of each unit that a folded text names, with or without a number: «per night» is «1泊あたり» elsewhere.

    A unit of a single Chinese character counts only behind «each», «one» or a stroke, for
    most such characters mean something else, too.
    """
    words = [plain(word) for word in re.findall(r"[^\W\d_]+", text)]
    named = {UNITS[word] for word in words if word in UNITS and len(word) > 1}
    named |= {UNITS[two] for two in map(" ".join, pairwise(words)) if two in UNITS}
    for word, unit in _CJK_UNITS:
        place = text.find(word)
        while place >= 0:
            if len(word) > 1 or _SINGLY.match(text[place - 1 : place] if place else ""):
                named.add(unit)
                break
            place = text.find(word, place + 1)
    return frozenset((unit.name, round(unit.factor, 4)) for unit in named)


def unit_at(text: str, position: int) -> tuple[str, int] | None:
    """The known unit that follows a number, as its table spelling, and where it ends."""
    start = position + (text[position : position + 1] == " ")
    if text[start : start + 1] in {"+", "多", "余", "餘"}:
        start += 1
    if p.LONG_SCRIPT.match(text, start):
        for length in range(MAX_CJK_UNIT, 0, -1):
            word = text[start : start + length]
            if len(word) == length and word in UNITS:
                return word, start + length
        return None
    match = p.NEXT_WORD.match(text, position)
    if match is None:
        return None
    one, two = plain(match["one"]), match["two"]
    if two is not None and f"{one} {plain(two)}" in UNITS:
        return f"{one} {plain(two)}", match.end("two")
    if one not in UNITS or (len(one) == 1 and text[match.end("one") : match.end("one") + 1] in {"'", "’"}):
        return None
    return one, match.end("one")


def minutes(hour: float, minute: float, before: str | None, after: re.Match[str] | None) -> set[Key]:
    """A time of day as minutes since midnight, with what says morning or afternoon."""
    is_am = before in p.MORNING or (after is not None and after["am"] is not None)
    is_pm = (before is not None and not is_am) or (after is not None and after["pm"] is not None)
    if (before in ("夜", "晚上") or is_am) and hour == 12:
        hour = 0
    elif is_pm and hour < (11 if before == "中午" else 12):
        hour += 12
    return {("clock", (hour * 60 + minute) % 1440)}
