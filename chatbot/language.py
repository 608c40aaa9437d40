"""Which language is the customer writing in?

Support messages are short, mixed and full of product codes, so one statistical
identifier is not enough.  The order is: take away what tells nothing (links,
codes, numbers, brand names), count scripts, let the script decide where it can,
and only among languages of one script weigh statistics (py3langid), word lists,
tell-tale letters and, when these disagree, a second identifier (langdetect).
The language used so far and the page's language are added as small prior
log-odds: they settle "ok" and "pro max?", never a whole sentence.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import regex

from chatbot.language_words import (
    CHINESE_FUNCTION,
    FUNCTION_WORDS,
    JAPANESE_WORDS,
    LETTER_HINTS,
    NEUTRAL_WORDS,
    TOPIC_WORDS,
)

__all__ = ["Detection", "LanguageDetector", "dominant_language"]

SCRIPT_LANGUAGES: dict[str, tuple[str, ...]] = {
    "han": ("zh", "ja"),
    "kana": ("ja",),
    "hangul": ("ko",),
    "cyrillic": ("ru", "uk", "bg", "sr", "be", "mk", "kk", "mn", "ky"),
    "thai": ("th",),
    "arabic": ("ar", "fa", "ur", "ug"),
    "hebrew": ("he", "yi"),
    "greek": ("el",),
    "devanagari": ("hi", "mr", "ne"),
    "bengali": ("bn", "as"),
    "tamil": ("ta",),
    "telugu": ("te",),
    "georgian": ("ka",),
    "armenian": ("hy",),
    "lao": ("lo",),
    "khmer": ("km",),
    "myanmar": ("my",),
    "ethiopic": ("am",),
}
"""Languages of every script but Latin; Latin has all the others."""

LETTERS_PER_WORD = {"han": 1.7, "kana": 2.5, "hangul": 2.5, "thai": 4.5, "lao": 4.5, "khmer": 4.5}

STATISTICS_WEIGHT = 1.0
STATISTICS_FLOOR = 1e-3
WORD_WEIGHT = 3.0
FOLDED_WORD_WEIGHT = 2.25
EXCLUSIVE_FACTOR = 2.0
"""A word that only one of the languages has tells more."""
HINT_WEIGHT = 1.5
VOTE_WEIGHT = 0.6
UNSURE_MARGIN = 1.0
VOTE_TRIALS = 3
PREVIOUS_LOG_ODDS = 2.5
INTERFACE_LOG_ODDS = 1.0
DEFAULT_LOG_ODDS = 0.3
OUTSIDE_PENALTY = 1.5
OUTSIDE_PENALTY_A_WORD = 1.5
OUTSIDE_PENALTY_A_SCRIPT = 6.0
"""Latin names and words are set into every language, Han or Cyrillic ones into none that is written in Latin."""
FUNCTION_UNITS = 1.5
"""How many words' weight one grammar word adds when two scripts compete."""

_NOISE = regex.compile(
    r"https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.[\w.]+"  # links and addresses
    r"|(?<![\p{L}\p{N}])[@#][\p{Latin}\p{N}_]+"  # handles and tags
    r"|(?<![\p{Latin}\p{N}])(?=[\p{Latin}-]*\p{N})[\p{Latin}\p{N}]+(?:-[\p{Latin}\p{N}]+)*"  # codes: TP-E200
    r"|(?<![\p{L}\p{N}])[A-Z]{1,4}-[A-Z]{1,4}(?![\p{L}])"
)
_SCRIPTS = {
    name: regex.compile(pattern)
    for name, pattern in {
        **{script: rf"\p{{{script.title()}}}" for script in SCRIPT_LANGUAGES if script != "kana"},
        "kana": r"[\p{Hiragana}\p{Katakana}ー]",
    }.items()
}
_NEUTRAL = frozenset(NEUTRAL_WORDS.split())
_LATIN_WORD = regex.compile(r"\p{Latin}[\p{Latin}\p{Mn}]*(?:['’-]\p{Latin}[\p{Latin}\p{Mn}]*)*")


@dataclass(frozen=True, slots=True)
class Detection:
    """A language and how sure that is."""

    language: str
    confidence: float
    """0…1; a message without any word of a language has at most 0.5."""


class LanguageDetector:
    """Tells which of the configured languages a message is written in.

    Deterministic and safe to share between threads; typically well under 2 ms.

    Args:
        languages: primary BCP-47 subtags customers may write in.
        default: answer when nothing else tells.
        names: words of the house that belong to no language (brand and product names).
    """

    def __init__(self, languages: Sequence[str], default: str, names: Iterable[str] = ()) -> None:
        self._languages = tuple(dict.fromkeys([*languages, default]))
        self._default = default
        self._names = frozenset(word.casefold() for name in names for word in name.split())

    def detect(self, text: str, *, previous: str | None = None, interface: str | None = None) -> Detection:
        """Returns the message's language.

        Args:
            text: one message, any length, may be empty.
            previous: language of the conversation so far.
            interface: language of the page or client.
        """
        prior = dict.fromkeys(self._languages, 0.0)
        for language, log_odds in (
            (self._default, DEFAULT_LOG_ODDS),
            (_primary(interface), INTERFACE_LOG_ODDS),
            (_primary(previous), PREVIOUS_LOG_ODDS),
        ):
            if language in prior:
                prior[language] += log_odds
        evidence = _evidence(text, self._languages, self._names, prior)
        if not evidence.scores:
            fallback = next(
                (
                    language
                    for language in (_primary(previous), _primary(interface))
                    if language in self._languages
                ),
                self._default,
            )
            return Detection(fallback, 0.5 if fallback == _primary(previous) else 0.3)
        # A language that cannot be written this way stays possible for words it borrowed:
        # it scores a little below a language about which the message says nothing.
        scores = evidence.scores
        outside = _log_sum(scores.values()) - math.log(len(scores)) - evidence.penalty
        return _best(
            {language: scores.get(language, outside) + prior[language] for language in self._languages}
        )


def dominant_language(text: str, candidates: Sequence[str], names: Iterable[str] = ()) -> str | None:
    """Returns the language that most of ``text`` is written in, or ``None`` if nothing tells.

    A pure function of its arguments, without any prior: fit for judging an
    answer's language.

    Args:
        text: any text.
        candidates: primary BCP-47 subtags to choose from.
        names: words that belong to no language.
    """
    known = frozenset(word.casefold() for name in names for word in name.split())
    scores = _evidence(text, tuple(candidates), known, {}).scores
    return _best(scores).language if scores else None


def _primary(tag: str | None) -> str:
    return "" if tag is None else regex.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]


def _best(scores: Mapping[str, float]) -> Detection:
    """The language of the highest log score, with its softmax as confidence."""
    language = max(scores, key=lambda name: scores[name])
    total = sum(math.exp(score - scores[language]) for score in scores.values())
    return Detection(language, 1.0 / total)


def _log_sum(scores: Iterable[float]) -> float:
    values = list(scores)
    highest = max(values)
    return highest + math.log(sum(math.exp(value - highest) for value in values))


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a message itself tells."""

    scores: Mapping[str, float]
    """Log scores of the languages it may be in; empty when it holds no word of any."""
    penalty: float = OUTSIDE_PENALTY
    """How far all other languages fall behind one about which it says nothing."""


def _evidence(
    text: str, languages: tuple[str, ...], names: frozenset[str], prior: Mapping[str, float]
) -> _Evidence:
    """What the text tells by its script and its words.

    ``prior`` only decides whether the second identifier has to be asked.
    """
    cleaned = _NOISE.sub(" ", unicodedata.normalize("NFKC", text))
    words = [word for word in _latin_words(cleaned) if word.casefold() not in _NEUTRAL | names]
    counts = {} if cleaned.isascii() else _script_counts(cleaned)
    script = _leading_script(counts, words, cleaned)
    if script is None:
        return _Evidence({})
    if script == "latin":
        return _weigh_latin(" ".join(words), words, _latin_languages(languages), prior)
    if script in {"han", "kana"}:
        scores = _weigh_han(cleaned, counts.get("kana", 0))
        scores = {language: score for language, score in scores.items() if language in languages}
    else:
        possible = tuple(language for language in SCRIPT_LANGUAGES[script] if language in languages)
        scores = dict.fromkeys(possible, 8.0) if len(possible) < 2 else _statistics(cleaned, possible)
    return _Evidence(scores, OUTSIDE_PENALTY_A_SCRIPT)


def _latin_words(text: str) -> list[str]:
    return [match.group().replace("’", "'") for match in _LATIN_WORD.finditer(text)]


def _script_counts(text: str) -> dict[str, int]:
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    return {name: count for name, count in counts.items() if count}


def _leading_script(counts: Mapping[str, int], words: Sequence[str], text: str) -> str | None:
    """The script the message is built in.

    Foreign nouns are set into a sentence of one's own language far more often
    than the reverse, so grammar words weigh more than nouns, and a tie goes to
    the script that is not Latin.
    """
    units = {name: count / LETTERS_PER_WORD.get(name, 5.0) for name, count in counts.items()}
    if "kana" in units:
        units["kana"] += units.pop("han", 0.0) + FUNCTION_UNITS
        if set(_SCRIPTS["kana"].findall(text)) == {"の"} and CHINESE_FUNCTION & set(text):
            units["han"] = units.pop("kana")
    if "han" in units:
        units["han"] += FUNCTION_UNITS * sum(character in CHINESE_FUNCTION for character in text)
    if words:
        grammar = _grammar_words()
        hits = sum(word.casefold() in grammar for word in words)
        units["latin"] = len(words) + FUNCTION_UNITS * hits - 0.5
    if not units:
        return None
    return max(units, key=lambda name: (units[name], name != "latin"))


@lru_cache(maxsize=1)
def _grammar_words() -> frozenset[str]:
    return frozenset(word for words in FUNCTION_WORDS.values() for word in words.split() if len(word) > 1)


@lru_cache(maxsize=64)
def _latin_languages(languages: tuple[str, ...]) -> tuple[str, ...]:
    elsewhere = {name for names in SCRIPT_LANGUAGES.values() for name in names}
    return tuple(language for language in languages if language not in elsewhere)


def _weigh_han(text: str, kana: int) -> dict[str, float]:
    """Log scores of Chinese and Japanese for a text of Han characters and kana."""
    characters = set(text)
    if kana:
        only_no = set(_SCRIPTS["kana"].findall(text)) == {"の"}
        if not (only_no and (CHINESE_FUNCTION & characters or _foreign_to(characters, "shift_jis"))):
            return {"ja": 8.0, "zh": 0.0}
    words = [word for word in JAPANESE_WORDS.split() if word in text]
    rest = characters.difference(*words)
    chinese = 1.8 + 3.0 * len(_foreign_to(rest, "shift_jis")) + 2.0 * len(rest & CHINESE_FUNCTION)
    japanese = 3.0 * len(_foreign_to(_foreign_to(rest, "gb2312"), "big5")) + 3.0 * len(words)
    return {"zh": min(chinese, 8.0), "ja": 1.0 + min(japanese, 8.0)}


def _foreign_to(characters: Iterable[str], charset: str) -> set[str]:
    """The Han characters that a national character set has no place for.

    JIS X 0208 lacks the simplified forms that Japanese does not write; GB 2312 and
    Big5 lack the forms that only Japanese writes.
    """
    return {
        character
        for character in characters
        if _SCRIPTS["han"].match(character) and not _in(character, charset)
    }


@lru_cache(maxsize=4096)
def _in(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _weigh_latin(
    text: str, words: Sequence[str], languages: tuple[str, ...], prior: Mapping[str, float]
) -> _Evidence:
    """Log scores of the languages written in Latin letters."""
    table = _word_table(languages)
    known = [row for word in words if (row := _look_up(word.casefold(), table))]
    penalty = OUTSIDE_PENALTY + OUTSIDE_PENALTY_A_WORD * max(0, len(known) - 1)
    if len(languages) < 2:
        return _Evidence(dict.fromkeys(languages, 4.0), penalty)
    statistics = _statistics(text.casefold(), languages)
    scores = {
        language: STATISTICS_WEIGHT * statistics.get(language, math.log(STATISTICS_FLOOR))
        for language in languages
    }
    for row in known:
        for language, weight in row.items():
            scores[language] += weight
    letters = set(text.casefold())
    for language in languages:
        if letters & set(LETTER_HINTS.get(language, "")):
            scores[language] += HINT_WEIGHT
    ranked = sorted((scores[language] + prior.get(language, 0.0) for language in languages), reverse=True)
    if not known and ranked[0] - ranked[1] < UNSURE_MARGIN:
        vote = _second_opinion(text.casefold(), languages)
        if vote in scores:
            scores[vote] += VOTE_WEIGHT
    return _Evidence(scores, penalty)


def _look_up(word: str, table: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """Weights of a word; a compound with apostrophe or hyphen counts by its parts if unknown."""
    if word in table:
        return table[word]
    best: dict[str, float] = {}
    for part in regex.split(r"['-]", word):
        for language, weight in table.get(part, {}).items():
            best[language] = max(best.get(language, 0.0), weight)
    return best


@lru_cache(maxsize=16)
def _word_table(languages: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Word → language → weight.  Written without its accents a word weighs less."""
    table: dict[str, dict[str, float]] = {}
    for language in languages:
        words = (FUNCTION_WORDS.get(language, "") + " " + TOPIC_WORDS.get(language, "")).split()
        for word in words:
            folded = _fold(word)
            if folded != word:
                row = table.setdefault(folded, {})
                row[language] = max(row.get(language, 0.0), FOLDED_WORD_WEIGHT)
            table.setdefault(word, {})[language] = WORD_WEIGHT if len(word) > 1 else WORD_WEIGHT / 2
    for row in table.values():
        exact = [language for language, weight in row.items() if weight == WORD_WEIGHT]
        alone = exact if len(exact) == 1 else list(row) if len(row) == 1 else []
        for language in alone:
            row[language] *= EXCLUSIVE_FACTOR
    return table


def _fold(word: str) -> str:
    plain = word.replace("ı", "i").replace("ł", "l").replace("đ", "d").replace("ß", "ss")
    return "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c))


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _statistics(text: str, languages: tuple[str, ...]) -> dict[str, float]:
    """py3langid's log probabilities, renormalised over ``languages`` and floored."""
    ranked = {name: p for name, p in _identifier().rank(text) if name in languages}
    total = sum(ranked.values()) or 1.0
    return {
        language: math.log(max(ranked.get(language, 0.0) / total, STATISTICS_FLOOR)) for language in languages
    }


@lru_cache(maxsize=16)
def _voter(languages: tuple[str, ...]) -> Any:
    """A langdetect factory with the profiles of ``languages`` alone, seeded."""
    from langdetect import PROFILES_DIRECTORY, DetectorFactory

    DetectorFactory.seed = 0
    paths = [Path(PROFILES_DIRECTORY) / language for language in languages]
    factory = DetectorFactory()
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in paths if path.is_file()])
    return factory


def _second_opinion(text: str, languages: tuple[str, ...]) -> str | None:
    """langdetect's first choice among ``languages``; ``None`` when it has none."""
    from langdetect.lang_detect_exception import LangDetectException

    detector = _voter(languages).create()
    detector.n_trial = VOTE_TRIALS
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return None
