"""One spelling for texts that mean the same, and words for the lexical side.

Full-width forms, compatibility characters, traditional characters, letter case,
control and direction characters and runs of blanks are made even, so that they
never decide what is found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import opencc
import regex
import rjieba
from pypinyin import Style, lazy_pinyin

__all__ = ["PinyinDecoder", "clean", "cut", "normalise", "traditional", "words"]

_INVISIBLE = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}--[\n\t]]", regex.V1)
_BLANKS = regex.compile(r"\s+")
_TOKEN = regex.compile(
    r"[\p{Han}]+|[\p{Hiragana}\p{Katakana}ー]+|[\p{Thai}]+|[\p{Hangul}]+|[\p{L}\p{M}\p{N}]+"
)
_RUN = regex.compile(
    r"\p{Han}+|[\p{Katakana}ー]+|\p{Hiragana}+|\p{Thai}+|\p{Hangul}+|(?:(?![\p{Han}\p{Katakana}\p{Hiragana}"
    r"\p{Thai}\p{Hangul}])[\p{L}\p{M}\p{N}])+"
)
_HAN = regex.compile(r"\p{Han}")
_EDGE_PUNCTUATION = regex.compile(r"^[\s\p{P}\p{S}]+|[\s\p{P}\p{S}]+$")
_SPACELESS = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Thai}\p{Hangul}]")
_SYLLABLE = (
    r"(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?"
    r"(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai|uan|van|ai|ei|ao|ou|an|en|in|un|ia|ie|iu|ua|uo|ui|ue|ve|er|a|o|e|i|u|v)"
)
_PINYIN = regex.compile(rf"(?:{_SYLLABLE}[1-4]?[\s']*)+")


def clean(text: str) -> str:
    """The text without control, direction and unassigned characters, blanks made single.

    Everything a person can see stays as it is; lone surrogates are dropped.
    """
    return _BLANKS.sub(" ", _INVISIBLE.sub("", text)).strip()


@lru_cache(maxsize=1)
def _simplifier() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@lru_cache(maxsize=1)
def _traditionaliser() -> opencc.OpenCC:
    return opencc.OpenCC("s2t")


def traditional(text: str) -> str:
    """Simplified characters written as traditional ones."""
    return str(_traditionaliser().convert(text))


@lru_cache(maxsize=8192)
def normalise(text: str) -> str:
    """One spelling: NFKC, lower case, simplified characters, no invisible characters."""
    text = clean(unicodedata.normalize("NFKC", text)).casefold()
    if _HAN.search(text):
        text = str(_simplifier().convert(text))
    return text


def key(text: str) -> str:
    """The normalised text without punctuation at its ends: equal keys are the same question."""
    return str(_EDGE_PUNCTUATION.sub("", normalise(text)))


@lru_cache(maxsize=8192)
def words(text: str) -> tuple[str, ...]:
    """Words of a text for lexical matching, in order, repeated ones kept.

    Chinese is cut into dictionary words, longer words also into pairs of
    characters; scripts without blanks (kana, Thai, Hangul) into pairs of
    characters; other scripts at word boundaries, with a plain stem (the first
    six letters) beside long words so that inflected forms meet.
    """
    found: list[str] = []
    for token in _TOKEN.findall(normalise(text)):
        if _HAN.match(token):
            for word in rjieba.cut(token):
                found.append(word)
                if len(word) > 2:
                    found.extend(_pairs(word))
        elif _SPACELESS.match(token):
            found.extend(_pairs(token) if len(token) > 1 else [token])
        else:
            found.append(token)
            if len(token) > 6 and token.isalpha():
                found.append(token[:6] + "*")
    return tuple(found)


def cut(text: str) -> list[str]:
    """The words of a text in their order and spelling: Chinese by dictionary, other scripts at their borders."""
    found: list[str] = []
    for piece in _RUN.findall(text):
        found.extend(rjieba.cut(piece) if _HAN.match(piece) else [piece])
    return found


def _pairs(word: str) -> list[str]:
    return [word[i : i + 2] for i in range(len(word) - 1)]


class PinyinDecoder:
    """Turns pinyin typed without characters back into the knowledge base's own words.

    ``tuihuo`` becomes ``退货`` if the knowledge base speaks of 退货.  Only words
    that occur in ``texts`` are known, so nothing is guessed beyond them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts: dict[str, dict[str, int]] = {}
        for text in texts:
            for token in _TOKEN.findall(normalise(text)):
                if not _HAN.match(token):
                    continue
                for word in (*rjieba.cut(token), *token):
                    sound = "".join(lazy_pinyin(word, style=Style.NORMAL))
                    by_word = counts.setdefault(sound, {})
                    by_word[word] = by_word.get(word, 0) + (100 if len(word) > 1 else 1)
        self._words = {sound: max(by, key=lambda w: by[w]) for sound, by in counts.items()}
        self._longest = max(map(len, self._words), default=0)

    def decode(self, text: str) -> str | None:
        """The text in characters, or None if it does not read as pinyin of known words.

        Words of two characters or more must explain at least two fifths of the
        letters, so that sentences of other languages stay what they are.
        """
        plain = normalise(text)
        if _HAN.search(plain) or not _PINYIN.fullmatch(plain.strip(" ?!.,？！。，")):
            return None
        letters = "".join(c for c in plain if c.isalpha())
        best = self._segment(letters)
        if best is None or not any(len(word) > 1 for word in best):
            return None
        long = sum(len("".join(lazy_pinyin(word, style=Style.NORMAL))) for word in best if len(word) > 1)
        return "".join(best) if long >= 0.4 * len(letters) else None

    def _segment(self, letters: str) -> list[str] | None:
        """Fewest words that spell the letters, long ones first; None where no words do."""
        cost: list[float] = [0.0] + [float("inf")] * len(letters)
        back: list[tuple[int, str]] = [(0, "")] * (len(letters) + 1)
        for end in range(1, len(letters) + 1):
            for start in range(max(0, end - self._longest), end):
                word = self._words.get(letters[start:end])
                if word is None:
                    continue
                step = cost[start] + (1.0 if len(word) > 1 else 1.6)
                if step < cost[end]:
                    cost[end], back[end] = step, (start, word)
        if not letters or cost[-1] == float("inf"):
            return None
        found: list[str] = []
        position = len(letters)
        while position:
            position, word = back[position]
            found.append(word)
        return found[::-1]
