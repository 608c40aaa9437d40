"""The answer's language: the right script everywhere, no sentences of another language."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from chatbot.guard.form import sentences
from chatbot.guard.names import codes, links
from chatbot.guard.units import plain
from chatbot.guard.words import STOPWORDS
from chatbot.scripts import RANGES, SCRIPTS, foreign_letters, is_japanese

__all__ = ["foreign_script", "guess_language", "latin_rubble", "wrong_language", "wrong_sentence"]

_SPACELESS = frozenset({"zh", "ja", "th", "ko"})
_LATIN_RUN = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*(?:[ ,]+[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*)*")
_KANA = re.compile(f"[{RANGES['kana']}]")
_HAN = re.compile(f"[{RANGES['han']}]")
_UNITS_OF_TECHNIQUE = frozenset(
    [
        "mah",
        "wh",
        "gb",
        "mb",
        "tb",
        "ghz",
        "mhz",
        "hz",
        "db",
        "kg",
        "cm",
        "mm",
        "km",
        "ml",
        "lux",
        "dpi",
        "bar",
        "psi",
        "rpm",
        "kbps",
        "mbps",
        "iphone",
        "ipad",
        "app",
        "wifi",
        "email",
        "pro",
        "max",
        "mini",
    ]
)
_LATIN_FILLER = re.compile(r"\b(?:https?|www)\S*|\S+@\S+")


def foreign_script(answer: str, language: str, known: str, longest: int) -> tuple[str, int] | None:
    """The first run of a script that the language does not use.

    Names that stand in ``known`` and have at most ``longest`` characters are fine.
    Han characters that Japanese does not have count as foreign in Japanese.
    """
    for match in foreign_letters(language).finditer(answer):
        run = match[0]
        if run in "°µμΩ" or (len(run) <= longest and run in known):
            continue
        return run[:1], match.start()
    if language == "ja":
        for match in _HAN.finditer(answer):
            if not is_japanese(match[0]) and match[0] not in known:
                return match[0], match.start()
    return None


def latin_rubble(answer: str, language: str, known: str, translated: bool) -> tuple[str, int] | None:
    """Ordinary Latin words in a language of another script; names, codes and units are fine."""
    if language not in SCRIPTS:
        return None
    taken = [(t.start, t.end) for t in (*links(answer), *codes(answer))]
    lowered = known.lower()
    for match in _LATIN_RUN.finditer(answer):
        if any(start <= match.start() < end for start, end in taken):
            continue
        words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", match[0])
        plain_words = [w for w in words if w.islower() and len(w) > 2 and w not in _UNITS_OF_TECHNIQUE]
        common = [w for w in words if w.lower() in STOPWORDS["en"] and len(w) > 1 and w.lower() != "no"]
        if len(words) >= 4 and (len(common) >= 2 or len(plain_words) >= 3):
            return words[0], match.start()
        if plain_words and (translated or any(w not in lowered for w in plain_words)):
            return plain_words[0], match.start()
    return None


def wrong_sentence(answer: str, language: str) -> str | None:
    """The language of a whole sentence that is not in ``language``, if there is one."""
    for sentence in sentences(answer):
        if language == "ja":
            if len(_HAN.findall(sentence)) >= 7 and not _KANA.search(sentence):
                return "zh"
        elif language in STOPWORDS and (other := _other_language(sentence, language)):
            return other
    return None


@lru_cache(maxsize=1024)
def guess_language(text: str, default: str) -> str:
    """Language of a curated text by script and grammar words; ``default`` where they tell nothing.

    Quick and rough: whole sentences of known languages are told, single words are not.
    """
    counts: dict[str, float] = {name: len(re.findall(f"[{chars}]", text)) for name, chars in RANGES.items()}
    counts["latin"] = len(re.findall(r"[A-Za-zÀ-ɏ]", text)) / 3
    if counts["kana"] > 0.1 * (counts["han"] + counts["kana"]) and counts["kana"] >= 3:
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    if (counts[script] == 0 or script in SCRIPTS.get(default, "latin").split()) and script != "latin":
        return default
    if script != "latin":
        return next((language for language, used in SCRIPTS.items() if used == script), default)
    words = [plain(word) for word in re.findall(r"[^\W\d_]+", text)]
    votes = {name: sum(word in stop for word in words) for name, stop in STOPWORDS.items() if name != "ru"}
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] > 1.5 * votes.get(default, 0.0) else default


def _other_language(sentence: str, language: str) -> str | None:
    words = [plain(w) for w in re.findall(r"[^\W\d_]+", sentence)]
    if len(words) < 4:
        return None
    own = sum(word in STOPWORDS[language] for word in words)
    best, votes = None, 0
    for name, stop in STOPWORDS.items():
        count = sum(word in stop for word in words) if name != language else 0
        if count > votes:
            best, votes = name, count
    return best if votes >= 3 and votes >= 2 * own + 2 else None


def wrong_language(answer: str, language: str, known: str, language_of: Callable[[str], str]) -> str | None:
    """The dominant language when it is not ``language``; answers of a few words tell nothing."""
    text = _LATIN_FILLER.sub(" ", answer)
    if language in _SPACELESS:
        own = re.findall(f"[{''.join(RANGES[s] for s in SCRIPTS[language].split())}]", text)
        latin = re.findall(r"[^\W\d_]+", re.sub(r"[^\x00-\u024f]", " ", text))
        if own:
            if language == "ja" and len(own) >= 6 and not _KANA.search(text) and text.strip() not in known:
                return "zh"
            return None if len(own) >= 4 or len(latin) < 3 else _detected(text, language, language_of)
        return _detected(text, language, language_of) if len(latin) >= 3 else None
    words = [w for w in re.findall(r"[^\W\d_]{2,}", text) if not w.isupper()]
    if len(words) < 5:
        return None
    other = _detected(text, language, language_of)
    if other and language in STOPWORDS and len(words) < 12:
        own_share = sum(plain(w) in STOPWORDS[language] for w in words)
        return None if own_share >= 2 and own_share * 3 >= len(words) else other
    return other


def _detected(text: str, language: str, language_of: Callable[[str], str]) -> str | None:
    found = language_of(text)
    return found if found and found != language else None
