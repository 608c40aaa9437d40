"""Reads the numbers of a text as facts: amounts, times, dates, durations, in many notations.

``1,000``, ``1.000``, ``１０００`` and ``1千`` are one number; ``18:00``, ``6 pm``, ``18 Uhr`` and
``下午6点`` one time; ``31 January``, ``1月31日`` and ``31.01.`` one date.  What can be read in two
ways keeps both readings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from chatbot.guard import patterns as p
from chatbot.guard.notation import Key, han_value, minutes, readings, typed, unit_at
from chatbot.guard.number_words import number_words
from chatbot.guard.units import (
    CURRENCY_PREFIXES,
    DURATIONS,
    HALF_WORDS,
    MONTHS,
    MULTIPLIERS,
    UNITS,
    plain,
)

__all__ = ["Fact", "Key", "facts", "read_facts"]

_COMPOUND_ENDS = ("ig", "ige", "igen", "iges", "iger")
_NEEDS_UNIT = frozenset({"sei", "neuf", "neuve", "due", "twice"})
_HAN_IDIOMS = frozenset({"千万", "百万", "万千", "万万", "万一", "十一", "百十", "千百", "百千"})
_CLASSIFIER_WORDS = frozenset("度家点點類类色本分层座名社円元块刀寸升米兆")


@dataclass(frozen=True, slots=True)
class Fact:
    """One number of a text with all readings of its value and unit."""

    token: str
    start: int
    end: int
    values: frozenset[float]
    keys: frozenset[Key] = frozenset()
    """Typed readings: (class of unit, value in the class's base unit); empty if the unit is unknown."""
    strong: bool = True
    """Written in figures or with a known unit, so that a translation has to keep it."""
    spaced: tuple[float, ...] = ()
    """Values of the parts when blanks or slashes may separate numbers instead of joining one."""

    @property
    def is_single(self) -> bool:
        """One of something that is counted: other languages say «a» or «each»."""
        return self.values == {1.0} and all(name == "count" for name, _ in self.keys)


class _Scan:
    """Goes through one text once and collects its facts.

    Every handler takes a match of :data:`patterns.MASTER` and returns where to go on.
    """

    def __init__(self, text: str, language: str) -> None:
        self.raw = text
        self.text = p.AGE_GROUP.sub(lambda m: m[0].replace("-", " ")[:-1] + " ", p.fold(text))
        self.words = number_words(language)
        self.first = _first_words(language)
        self.language = language
        self.facts: list[Fact] = []
        self.listed = 0

    def run(self) -> list[Fact]:
        position = 0
        while match := p.MASTER.search(self.text, position):
            position = max(getattr(self, f"_{match.lastgroup}")(match), position + 1)
        return _propagate(self.facts, self.text)

    def _add(
        self,
        start: int,
        end: int,
        values: Iterable[float] = (),
        keys: Iterable[Key] = (),
        strong: bool = True,
        spaced: tuple[float, ...] = (),
    ) -> int:
        self.facts.append(
            Fact(self.raw[start:end], start, end, frozenset(values), frozenset(keys), strong, spaced)
        )
        return end

    def _mask(self, match: re.Match[str]) -> int:
        return match.end()

    def _list(self, match: re.Match[str]) -> int:
        number = int(match["n"])
        line = self.text.rfind("\n", 0, match.start()) + 1
        if number in (1, self.listed + 1) and not self.text[line : match.start()].strip():
            self.listed = number
            return match.end()
        return self._number(match.start("n"), *self._figures(match.start("n")))

    def _date(self, match: re.Match[str], year: str | None, month: float, day: float) -> int:
        if not (1 <= month <= 12 and 1 <= day <= 31):
            numbers = tuple(float(n) for n in re.findall(r"\d+", match[0]))
            return self._add(match.start(), match.end(), numbers[-1:], spaced=numbers)
        keys = {("date", month * 100 + day)}
        return self._add(match.start(), match.end(), {float(year)} if year else (), keys)

    def _iso(self, match: re.Match[str]) -> int:
        return self._date(match, match["y"], float(match["m"]), float(match["d"]))

    def _md(self, match: re.Match[str]) -> int:
        month, day = (float(t) if t.isdigit() else han_value(t) or 0 for t in (match["m2"], match["d2"]))
        return self._date(match, None, month, day)

    def _dmy(self, match: re.Match[str]) -> int:
        """``31.01.``, ``31/1/2026``, but also ``3/6`` and ``24/7``: the parts stay a reading of their own."""
        a, b, dotted = float(match["a"]), float(match["b"]), match["sep"] == "."
        if not dotted and (a, b) == (24, 7):
            return self._add(match.start(), match.end())
        no_date = not (1 <= a <= 31 and 1 <= b <= 12) or p.HOUR_SUFFIX.match(self.text, match.end())
        if dotted and match["y3"] is None and no_date:
            return self._number(match.start(), *self._figures(match.start()))
        keys = {("date", m * 100 + d) for d, m in ((a, b), (b, a)) if 1 <= m <= 12 and 1 <= d <= 31}
        parts = (a, b) if match["y3"] is None else (a, b, float(match["y3"]))
        values = {float(f"{match['a']}.{match['b']}")} if dotted and match["y3"] is None else set()
        return self._add(match.start(), match.end(), values, keys, spaced=parts)

    def _clock(self, match: re.Match[str]) -> int:
        after = p.AFTER_AMPM.match(self.text, match.end())
        suffix = after or p.CLOCK_SUFFIX.match(self.text, match.end())
        keys = minutes(float(match["h"]), float(match["min"]), match["half"], after)
        values = {float(match["h"])} if match["min"] == "00" else set()
        return self._add(match.start("h"), suffix.end() if suffix else match.end(), values, keys)

    def _hcjk(self, match: re.Match[str]) -> int:
        written, before = match["h2"], match["half2"]
        hour = float(written) if written.isdigit() else han_value(written) or 99
        if hour > 30 or (before is None and not written.isdigit() and match["hh"] is None and hour < 4):
            return match.end("h2")
        minute = 30.0 if match["hh"] else float(match["min2"] or 0)
        keys = minutes(hour, minute, before, None)
        if before is None and hour <= 12:
            keys |= {("clock", (value + 720) % 1440) for _, value in keys}
        return self._add(match.start("h2"), match.end(), set() if minute else {hour}, keys)

    def _phone(self, match: re.Match[str]) -> int:
        digits = re.sub(r"\D", "", match[0])
        plain_number = len(digits) < 7 or p.SPACED_THOUSANDS.fullmatch(match[0])
        if plain_number and not match[0].startswith("+"):
            return self._number(match.start(), *self._figures(match.start()))
        parts = tuple(float(n) for n in re.findall(r"\d+", match[0]))
        return self._add(
            match.start(), match.end(), {float(digits)}, {("phone", float(digits))}, spaced=parts
        )

    def _code(self, match: re.Match[str]) -> int:
        amount = p.GLUED_AMOUNT.fullmatch(match[0])
        if amount and amount[1] in CURRENCY_PREFIXES:
            start = match.start() + len(amount[1])
            return self._number(start, *self._figures(start))
        return match.end()

    def _num(self, match: re.Match[str]) -> int:
        return self._number(match.start(), *self._figures(match.start()))

    def _figures(self, start: int) -> tuple[int, frozenset[float], tuple[float, ...]]:
        """The figures at ``start``: where they end, their values, and their parts if blanks join them."""
        match = p.FIGURES.match(self.text, start)
        assert match is not None
        values = readings(match["int"], match["g"], match["frac"])
        spaced = tuple(map(float, match["int"].split(" "))) if match["g"] == " " else ()
        end = match.end()
        rest = p.MULTIPLIER.match(self.text, end)
        if rest is None or (rest[1] == "千" and self.text[rest.end() : rest.end() + 1] in ("克", "米", "瓦")):
            return end, values, spaced
        factor, extra, end = 1.0, 0.0, rest.end()
        for part in [plain(rest[1])] if plain(rest[1]) in MULTIPLIERS else rest[1]:
            factor *= MULTIPLIERS[part]
        if factor >= 1000 and p.LONG_SCRIPT.match(rest[1]) and (more := p.MORE_FIGURES.match(self.text, end)):
            extra, end = float(more[1]) * MULTIPLIERS.get(more[2], 1.0), more.end()
        return end, frozenset(v * factor + extra for v in values), spaced

    def _number(self, start: int, end: int, values: frozenset[float], spaced: tuple[float, ...]) -> int:
        """Figures in their surroundings: a date, a time, an amount, a quantity or a bare number."""
        value = next(iter(values)) if len(values) == 1 else 0.0
        whole = value == int(value)
        if whole and 1 <= value <= 31 and (month := self._month_after(end)):
            return self._add(start, month[1], (), {("date", month[0] * 100 + value)})
        if value <= 24 and whole and (after := p.AFTER_AMPM.match(self.text, end)):
            return self._add(start, after.end(), {value}, minutes(value, 0, None, after))
        currency = self._currency_before(start)
        if (
            currency is None
            and len(values) == 1
            and value <= 24
            and (hours := p.HOUR_SUFFIX.match(self.text, end))
        ):
            return self._hours(start, end, value, hours)
        if currency is not None:
            keys = frozenset((name, round(v, 4)) for name in currency for v in values)
            return self._add(start, end, values, keys, spaced=spaced)
        if value <= 12 and whole and self.text[end : end + 1] in ("月", "월"):
            return self._add(start, end + 1, {value}, {("monthname", value)})
        unit = unit_at(self.text, end)
        if unit is None:
            glued = p.GLUED.match(self.text, end)
            if glued and not p.ORDINAL.match(self.text, end):
                return glued.end()
            return self._add(start, end, values, spaced=spaced)
        keys = typed(values, unit[0])
        if UNITS[unit[0]] == ("month", 12) and all(1900 <= v <= 2100 for v in values):
            keys = frozenset()
        if unit[0] in ("日", "일"):
            keys |= {("dom", v) for v in values}
        return self._add(start, unit[1], values, keys | (typed(spaced[-1:], unit[0])), spaced=spaced)

    def _hours(self, start: int, end: int, hour: float, match: re.Match[str]) -> int:
        """``18 Uhr`` is a time, ``18 h`` may be a time or a duration."""
        whole = int(hour)
        minute = next((float(m) for m in (match["m1"], match["m2"]) if m), None)
        if minute is None:
            minute = round((hour - whole) * 100, 2)
        keys: set[Key] = {("clock", (whole * 60 + minute) % 1440)}
        if match["m2"] is None and not p.ONLY_CLOCK.match(self.text, end):
            keys.add(("time", hour * 3600))
        return self._add(start, match.end(), {hour}, keys)

    def _month_after(self, end: int) -> tuple[int, int] | None:
        match = p.MONTH_AFTER.match(self.text, end)
        if match and match["month"] in ("may", "march") and self.raw[match.start("month")].islower():
            return None  # «under 10 may swim»
        month = MONTHS.get(plain(match["month"])) if match else None
        return (month, match.end()) if match and month else None

    def _currency_before(self, start: int) -> tuple[str, ...] | None:
        before = self.text[max(0, start - 6) : start].rstrip(" ")
        for length in (4, 3, 2, 1):
            prefix = before[-length:]
            if len(prefix) == length and (found := CURRENCY_PREFIXES.get(prefix)):
                glued = (
                    prefix[0].isascii() and prefix[0].isalpha() and before[-length - 1 : -length].isalpha()
                )
                return None if glued else found
        return None

    def _han(self, match: re.Match[str]) -> int:
        """Chinese numerals count only before a unit; in words such as 二维码 or 十分 they are no numbers."""
        written, end, start = match[0], match.end(), match.start()
        unit = unit_at(self.text, end)
        if "半" in written:
            if unit is None or UNITS[unit[0]].name not in DURATIONS:
                return end
            return self._halves(start, unit[1], unit[0])
        if written == "零" and self.text[end : end + 1] in tuple("件食售钱錢花部配星"):
            return end  # parts, snacks, retail, change
        value, before = han_value(written), self.text[max(0, start - 3) : start]
        if (
            value is None
            or before[-1:] in ("几", "数", "第", "上", "周", "週")
            or before[-2:] in ("星期", "礼拜")
        ):
            return end
        if before == "百分之":
            return self._add(start, end, {value}, {("pct", value)})
        if self.text[end : end + 1] == "月" and value <= 12:
            return self._add(start, end + 1, {value}, {("monthname", value)})
        if unit is None or (unit[0] in _CLASSIFIER_WORDS and value < 4) or unit[0] == "分":
            spelled = (
                len(written) > 1 and written not in _HAN_IDIOMS and not set("十百千万萬").isdisjoint(written)
            )
            return self._add(start, end, {value}, strong=False) if unit is None and spelled else end
        name = UNITS[unit[0]].name
        if value == 1 and (
            name == "count" or before[-1:] in tuple("前后後同某当當每") or self._part_of_day(unit)
        ):
            return unit[1]
        values = about if (about := _about(written)) else {value}
        return self._add(start, unit[1], values, typed(values, unit[0]), strong=name != "count")

    def _part_of_day(self, unit: tuple[str, int]) -> bool:
        return unit[0] in ("日", "天") and self.text[unit[1] : unit[1] + 1] in (
            "中",
            "前",
            "后",
            "後",
            "到",
            "般",
        )

    def _halves(self, start: int, end: int, unit: str) -> int:
        """Half an hour, one and a half hours …: all are readings of a half."""
        name, factor = UNITS[unit]
        keys = {(name, round((n + 0.5) * factor, 4)) for n in range(12)}
        return self._add(start, end, (), keys | ({("time", 43200.0)} if name == "day" else set()))

    def _word(self, match: re.Match[str]) -> int:
        end, start = match.end(), match.start()
        word = plain(match[0])
        if word not in self.first and self.language != "ko" and not word.endswith(_COMPOUND_ENDS):
            return end
        if word in HALF_WORDS:
            return self._half_word(start, end)
        if word in MONTHS and word != "march":
            if self.language == "en" and (found := p.DAY_AFTER_MONTH.match(self.text, end)):
                return self._add(start, found.end(), (), {("date", MONTHS[word] * 100 + float(found["day"]))})
            if len(word) > 4:
                return self._add(start, end, (), {("monthname", float(MONTHS[word]))}, strong=False)
        if not self.words:
            return end
        value, stop = self._korean(match) if self.language == "ko" else self._spelled(match)
        return end if value is None else self._spelled_fact(start, stop, value, word)

    def _spelled_fact(self, start: int, stop: int, value: float, word: str) -> int:
        """A spelled-out number: of a date, with a unit, or alone; "one" only before a unit of time."""
        if word == "fortnight":
            return self._add(start, stop, (), {("day", 14.0)}, strong=False)
        unit = unit_at(self.text, stop)
        if unit is None:
            if month := self._month_after(stop):
                return self._add(start, month[1], (), {("date", month[0] * 100 + value)})
            both = value == 2 and p.DEFINITE.search(self.text, max(0, start - 8), start)
            if both or value == 1 or word in _NEEDS_UNIT or self.language == "ko":
                return stop
            return self._add(start, stop, {value}, strong=False)
        known = UNITS[unit[0]]
        if value == 1 and (known.name not in DURATIONS or known == ("day", 1)):
            return stop
        if known.name == "count":
            return self._add(start, stop, {value}, strong=False)
        return self._add(start, unit[1], {value}, typed({value}, unit[0]), strong=value > 1)

    def _korean(self, match: re.Match[str]) -> tuple[float | None, int]:
        """Native Korean numerals, glued to their unit or not; they count only before a unit."""
        for length in (2, 1):
            value = self.words.get(match[0][:length])
            stop = match.start() + length
            if value is not None and unit_at(self.text, stop) is not None:
                return float(value), stop
        return None, match.end()

    def _spelled(self, match: re.Match[str]) -> tuple[float | None, int]:
        """The longest spelled-out number that begins at a word, and where it ends."""
        first, end = plain(match[0]), match.end()
        compound = p.COMPOUND_DURATION.fullmatch(first)
        if compound and compound[1] in self.words:
            return float(self.words[compound[1]]), end - len(compound[2])
        value = self.words.get(first)
        found = (None if value is None else float(value), end)
        parts, longer = first, _beginning_with(self.language, first)
        while longer and (following := p.NEXT_PART.match(self.text, end)):
            parts, end = f"{parts} {plain(following[1])}", following.end()
            longer = tuple(word for word in longer if word.startswith(parts))
            if parts in longer:
                found = (float(self.words[parts]), end)
        multiplier = p.WORD_MULTIPLIER.match(self.text, found[1])
        if found[0] is not None and multiplier:
            return found[0] * MULTIPLIERS[plain(multiplier[1])], multiplier.end()
        return found

    _fast = _word

    def _half_word(self, start: int, end: int) -> int:
        match = p.HALF_OF.match(self.text, end)
        unit = plain(match["unit"]) if match else ""
        if match and unit in UNITS and UNITS[unit].name in DURATIONS:
            return self._halves(start, match.end(), unit)
        return end


def _about(written: str) -> set[float]:
    """Both values of a vague number such as 两三 (two or three); empty for any other."""
    if len(written) != 2 or any(c not in "一二两三四五六七八九" for c in written):
        return set()
    return {value for c in written if (value := han_value(c)) is not None}


@lru_cache(maxsize=64)
def _first_words(language: str) -> frozenset[str]:
    """Folded words at which a number or a month may begin, plain spelling."""
    return frozenset(word.split()[0] for word in number_words(language)) | HALF_WORDS | frozenset(MONTHS)


@lru_cache(maxsize=4096)
def _beginning_with(language: str, first: str) -> tuple[str, ...]:
    return tuple(word for word in number_words(language) if word.startswith(first + " "))


def _propagate(found: list[Fact], text: str) -> list[Fact]:
    """Gives the numbers of a range or list the unit that stands once: ``2–4 days``, ``$20–30``."""
    for i in range(len(found) - 2, -1, -1):
        left, right = found[i], found[i + 1]
        if left.keys or not right.keys:
            continue
        days = [int(value) // 100 for name, value in right.keys if name == "date"]
        if (
            len(days) == 1
            and not left.spaced
            and all(1 <= v <= 31 and v == int(v) for v in left.values)
            and p.BETWEEN_DAYS.fullmatch(text, left.end, right.start)
        ):
            found[i] = replace(left, keys=frozenset(("date", days[0] * 100 + v) for v in left.values))
            continue
        if not p.CONNECTOR.fullmatch(text, left.end, right.start):
            continue
        hours = all(v <= 24 and v == int(v) for v in left.values)
        keys = {(name, round(v * factor, 4)) for name, factor in _factors(right) for v in left.values}
        if hours and any(name == "clock" for name, _ in right.keys):
            keys |= {("clock", (v * 60 + shift) % 1440) for v in left.values for shift in (0, 720)}
        found[i] = replace(left, keys=frozenset(keys))
    for i in range(1, len(found)):
        left, right = found[i - 1], found[i]
        month = [int(value) // 100 for name, value in left.keys if name == "date"]
        day = [value for name, value in right.keys if name == "dom"]
        if len(month) == 1 and len(day) == 1 and p.BETWEEN_DAYS.fullmatch(text, left.end, right.start):
            found[i] = replace(right, keys=right.keys | {("date", month[0] * 100 + day[0])})
            continue
        money = {name for name, _ in left.keys}
        if right.keys or not money or not money <= {"usd", "eur", "gbp", "cny", "jpy"}:
            continue
        if p.DASH.fullmatch(text, left.end, right.start):
            found[i] = replace(right, keys=frozenset((name, v) for name in money for v in right.values))
    return found


def _factors(fact: Fact) -> set[tuple[str, float]]:
    """Unit classes of a fact with the factor between its written value and its key."""
    return {
        (name, value / written)
        for name, value in fact.keys
        for written in fact.values
        if written and name not in ("clock", "date", "dom", "phone")
    }


def read_facts(text: str, language: str) -> tuple[Fact, ...]:
    """The numbers of a text in order of appearance.

    Args:
        text: any text.
        language: primary subtag; decides which spelled-out numbers are known.
    """
    return tuple(_Scan(text, language).run())


facts = lru_cache(maxsize=1024)(read_facts)
"""As :func:`read_facts`, kept for texts that come again."""
