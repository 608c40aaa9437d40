"""The patterns with which :mod:`chatbot.guard.facts` finds numbers; all run on folded text."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MASTER", "fold"]


class _Fold(dict[int, str]):
    """Maps each character to one plain character: full-width forms, digits, blanks; lengths are kept."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = unicodedata.normalize("NFKC", char)
        if char.isspace() and char != "\n":
            folded = " "
        elif char.isdecimal():
            folded = str(unicodedata.decimal(char))
        elif char == "，" or len(folded) != 1 or folded.isdecimal():
            folded = char
        low = folded.lower()
        self[code] = low if len(low) == 1 else folded
        return self[code]


_FOLD = _Fold()


def fold(text: str) -> str:
    """The text in lower case with plain digits and blanks, character by character."""
    return text.translate(_FOLD)


HAN_NUMERALS = "零〇一二三四五六七八九十百千万萬两兩半"
_HAN_SMALL = "[一二三四五六七八九十]{1,3}"
_FIGURES = r"(?P<int>\d{1,3}(?:(?P<g>[., '’])\d{3})(?:(?P=g)\d{3})*(?!\d)|\d+)(?P<frac>[.,]\d+(?!\d))?"
_PART_OF_DAY = "上午|早上|早晨|凌晨|中午|下午|晚上|傍晚|午前|午後|朝|夜|夕方|오전|오후"

_LETTERS = "a-z\\u00df-\\u024f\\u0430-\\u045f\\uac00-\\ud7af"

MASTER = re.compile(
    rf"(?=[\d+.{_LETTERS}{HAN_NUMERALS}上早凌中下晚傍午朝夜夕])(?:"
    rf"(?P<fast>[{_LETTERS}]+(?=[ ,;)!?]|$))"
    r"|(?P<mask>(?:https?://|www\.)[^\s<>()\u3000-\u9fff\uff00-\uffef\uac00-\ud7af]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<list>(?:(?<=[\n ])|^)(?P<n>\d{1,2})[.)、](?=\s|[^\d\s]))"
    r"|(?P<iso>(?P<y>(?:19|20)\d\d)[-/.年]\s?(?P<m>\d{1,2})[-/.月]\s?(?P<d>\d{1,2})(?!\d)[日号號]?)"
    rf"|(?P<md>(?P<m2>\d{{1,2}}|{_HAN_SMALL})\s?(?:月|월)\s?(?P<d2>\d{{1,2}}|{_HAN_SMALL})\s?(?:日|号|號"
    rf"|일)(?![間间]))"
    r"|(?P<dmy>(?<![\d.,/])(?P<a>\d{1,2})(?P<sep>[./])(?P<b>\d{1,2})"
    r"(?:(?P=sep)(?P<y3>(?:19|20)\d\d)|\.(?!\d)|(?<=/\d)(?![\d/])|(?<=/\d\d)(?![\d/])))"
    rf"|(?P<clock>(?:(?P<half>{_PART_OF_DAY})\s?)?(?P<h>\d{{1,2}}):(?P<min>[0-5]\d)(?::[0-5]\d)?(?!\d))"
    rf"|(?P<hcjk>(?:(?P<half2>{_PART_OF_DAY})\s?)?(?P<h2>\d{{1,2}}|[一二三四五六七八九十两]{{1,3}})\s?"
    r"(?:点|點|时(?!间)|時(?!間)|시(?!간))(?:(?P<hh>半)|\s?(?P<min2>[0-5]?\d)\s?(?:分|분)(?!之))?钟?)"
    r"|(?P<phone>(?<![\w])\+\d[\d \-().]{5,}\d|(?<![\w.,])\d{2,4}(?:[- ]\d{2,4}){2,}(?![\d.,]\d|\d))"
    r"|(?P<code>(?<![a-z])[a-z]+(?:[-_][a-z]+)*[-_]?\d(?:[a-z\d_-]*[a-z\d])?)"
    rf"|(?P<num>{_FIGURES})"
    rf"|(?P<han>[{HAN_NUMERALS}]+)"
    rf"|(?P<word>[{_LETTERS}]+)"
    r")"
)
"""One number, or what must not be taken for one; the first alternative that fits wins."""

AGE_GROUP = re.compile(r"(?<![a-z])(?:under|over)(?P<age>[- ]\d{1,2}s)\b")
"""``under-16s``: a number that has grown into a word, in folded text."""

FIGURES = re.compile(_FIGURES)
SPACED_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3})+")
GLUED_AMOUNT = re.compile(r"([a-z]+)\d+")
GLUED = re.compile(r"[a-z][a-z\d-]*")
MORNING = frozenset({"上午", "早上", "早晨", "凌晨", "午前", "朝", "오전"})
AFTER_AMPM = re.compile(
    r"\s?(?:(?P<am>a\.?\s?m\b\.?|de la mañana|du matin|(?:uhr )?(?:morgens|vormittags)\b|утра|da manhã|del "
    r"mattino)"
    r"|(?P<pm>p\.?\s?m\b\.?|de la tarde|de la noche|de l['’]après-midi|du soir|(?:uhr )?(?:nachmittags"
    r"|abends)\b"
    r"|вечера|da tarde|da noite|di sera|del pomeriggio))"
)
CLOCK_SUFFIX = re.compile(r"\s?(?:uhr|h|hrs?|horas|heures)(?![\w])")
HOUR_SUFFIX = re.compile(
    r"\s?(?:uhr(?:\s(?P<m1>[0-5]\d)(?!\d))?|o['’]clock|h(?:\s?(?P<m2>[0-5]\d)(?!\d))?(?![\w'’])|horas?\b"
    r"|hs\b|hrs\b"
    r"|heures?\b|ore\b|uur\b|часов\b|час\b)"
)
ONLY_CLOCK = re.compile(r"\s?(?:uhr|o['’]clock)")
_SPACED = r"(?:(?![\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])[^\W\d_])"
"""A letter of a script that puts blanks between words: «65W» of «65W充电» ends before the next script."""
NEXT_WORD = re.compile(
    rf"[ \-‑]?\(?(?P<one>{_SPACED}(?:{_SPACED}|\$)*|[%€$£₽℃])\)?(?:[ -](?P<two>{_SPACED}+))?"
)
ORDINAL = re.compile(r"(?:st|nd|rd|th|er|ère|ere|ème|eme|º|ª|e|x|k)(?![a-z\d])")
MONTH_AFTER = re.compile(r"(?:st|nd|rd|th|er|º|\.)?,?\s(?:of\s|de\s|del\s|d['’])?(?P<month>[^\W\d_]{3,12})")
DAY_AFTER_MONTH = re.compile(r"\.?\s(?:the\s)?(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?![\d:.,]\d|\d)")
MULTIPLIER = re.compile(
    r"\s?([十百千万萬亿億만천]+|(?:thousand|millions?|millones|mil|mille|tausend|millionen|тысяч[иа]?)\b)"
)
MORE_FIGURES = re.compile(r"(\d+)(千|百|천)?")
WORD_MULTIPLIER = re.compile(r" (thousand|mil|mille|tausend|millones|million)\b")
NEXT_PART = re.compile(r"[ \-‑]([^\W\d_]+)")
COMPOUND_DURATION = re.compile(r"(.+?)((?:jahr|monat|tag|woch|stund)ig\w*)")
HALF_OF = re.compile(r"[ \-](?:an? |of an? |de |d['’])?(?P<unit>[^\W\d_]+)")
DEFINITE = re.compile(
    r"(?:les|los|las|die|le|i|gli|os|as|the|both|alle|des|den|der|beiden|dos|ces|estos|estas|either of)\s$"
)
CONNECTOR = re.compile(
    r"\s*(?:[-–—~〜/、,×]|至|到|或|和|与|から|または|か|bis zu|up to|bis um|to|or|and|bis|oder|und|a|o|y|u"
    r"|à|ou|et|e|ed"
    r"|до|или|и|에서|부터|tot|en)?\s*(?:us\$|[$€£¥₩])?\s*"
)
BETWEEN_DAYS = re.compile(
    r"(?:\.|er|st|nd|rd|th|º|日)?\s*(?:[-–—~〜]|至|到|から|to|through|and|bis(?: zum)?|und|a|al|y|au|et|e|до|и)\s*"
    r"(?:the|dem|den|el|le|il|o)?\s*"
)
"""What stands between two days of the same month."""
DASH = re.compile(r"\s?[-–—~〜]\s?")
LONG_SCRIPT = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\u3000-\u30ff]")
"""Scripts without blanks between words, where a few characters say much."""
