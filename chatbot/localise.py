"""Amounts and times of a sentence in the notation of the language it will be translated into.

A small model that translates turns ``20元`` into dollars, ``3万`` into three
hundred thousand and ``9 pm`` into nine in the morning.  What can be converted by
rule is converted before it reads the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["localise"]

_NAMES: dict[str, dict[str, str]] = {
    "zh": {"CNY": "元", "USD": "美元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元"},
    "ja": {"CNY": "元", "USD": "ドル", "EUR": "ユーロ", "GBP": "ポンド", "JPY": "円"},
    "ko": {"CNY": "위안", "USD": "달러", "EUR": "유로", "GBP": "파운드", "JPY": "엔"},
    "ru": {"CNY": "юаней", "USD": "долларов", "EUR": "евро", "GBP": "фунтов", "JPY": "иен"},
    "es": {"CNY": "yuanes", "JPY": "yenes"},
    "fr": {"CNY": "yuans", "JPY": "yens"},
    "pt": {"CNY": "yuans", "JPY": "ienes"},
    "de": {"CNY": "Yuan", "JPY": "Yen"},
}
"""What follows an amount; a currency that is not named keeps its sign, and so do languages
that are not listed, but for the two below."""
_ELSEWHERE = {"CNY": "yuan", "JPY": "yen"}

_SIGNS = {"元": "CNY", "円": "JPY", "$": "USD", "€": "EUR", "£": "GBP"}
_FIGURES = r"\d[\d.,]*\d|\d"
_BEFORE = re.compile(rf"(?<![A-Za-z])([$€£])\s?({_FIGURES})")
_BEHIND = re.compile(rf"({_FIGURES})\s?(元|円|€|£)")

_TEN_THOUSANDS = re.compile(r"(\d+(?:\.\d+)?)[万萬]")

_HALVES = {
    "凌晨": 0,
    "早上": 0,
    "早晨": 0,
    "上午": 0,
    "中午": 1,
    "下午": 12,
    "傍晚": 12,
    "晚上": 12,
    "午前": 0,
    "午後": 12,
}
_CLOCK_HAN = re.compile(
    rf"({'|'.join(_HALVES)})(\d{{1,2}})(?:[点點時](?![間间])(?:(半)|(\d{{1,2}})分)?|[:：](\d\d))"
)
_HOUR = r"(\d{1,2})(?::(\d\d))?"
_HALF_DAY = r"\s?([ap])(?:m\b|\.m\.)"
_RANGE = re.compile(rf"\b{_HOUR}(\s?(?:to|and|until|-|–|—)\s?){_HOUR}{_HALF_DAY}", re.IGNORECASE)
_CLOCK = re.compile(rf"\b{_HOUR}{_HALF_DAY}", re.IGNORECASE)


def localise(sentence: str, source_language: str, language: str) -> str:
    """``sentence`` with amounts and times as ``language`` writes them.

    Only what has one meaning is changed; the sentence stays in its language.
    """
    text = _TEN_THOUSANDS.sub(lambda m: f"{round(float(m[1]) * 10_000)}", sentence)
    if source_language in ("zh", "ja") and language not in ("zh", "ja"):
        text = _CLOCK_HAN.sub(_han_time, text)
    if source_language == "en":
        text = _CLOCK.sub(_time, _RANGE.sub(_range, text))
    name = _namer(language)
    text = _BEFORE.sub(lambda m: name(m[2], m[1]) or m[0], text)
    return _BEHIND.sub(lambda m: name(m[1], m[2]) or m[0], text)


def _namer(language: str) -> Callable[[str, str], str]:
    """Gives an amount with its currency's name; empty where the sign is understood."""
    names = {**_ELSEWHERE, **_NAMES.get(language, {})}
    blank = "" if language in ("zh", "ja", "ko") else " "

    def named(figures: str, sign: str) -> str:
        name = names.get(_SIGNS[sign])
        return f"{figures}{blank}{name}" if name else ""

    return named


def _han_time(match: re.Match[str]) -> str:
    half, hour = match[1], int(match[2])
    if hour > 24:
        return match[0]
    if half == "中午":
        hour += 12 if hour < 6 else 0
    elif _HALVES[half] and hour < 12:
        hour += 12
    minutes = "30" if match[3] else (match[4] or match[5] or "00").zfill(2)
    return f" {hour}:{minutes} "


def _clock(hour: str, minutes: str | None, half: str) -> str | None:
    number = int(hour)
    if not 1 <= number <= 12:
        return None
    number = number % 12 + (12 if half.lower() == "p" else 0)
    return f"{number}:{minutes or '00'}"


def _time(match: re.Match[str]) -> str:
    return _clock(match[1], match[2], match[3]) or match[0]


def _range(match: re.Match[str]) -> str:
    """``9 to 11 am`` and ``8–10:30 pm``: the first hour has the second one's half of the day."""
    first = _clock(match[1], match[2], match[6])
    second = _clock(match[4], match[5], match[6])
    if first is None or second is None or int(match[1]) % 12 >= int(match[4]) % 12:
        return match[0]
    return f"{first}{match[3]}{second}"
