"""Does an answer claim more than its source, or its contrary?  For answers in the source's own language.

Content words are compared by their beginnings, Chinese and Japanese by pairs of
characters.  Everything here is a cheap approximation that refuses only clear
cases; whether the source answers the question at all is judged elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from chatbot.guard.facts import facts
from chatbot.guard.form import sentences
from chatbot.guard.names import squash
from chatbot.guard.notation import Key
from chatbot.guard.patterns import fold
from chatbot.guard.units import plain
from chatbot.guard.words import (
    ASSENT,
    CONDITION,
    DENIAL,
    FREE,
    NEGATION,
    NOT_NEGATION,
    POLITE_CJK,
    STOPWORDS,
    STRICT_CONDITION,
)

__all__ = ["contradicts", "drops_condition", "misplaced", "unsupported"]

_WORD = re.compile(r"[^\W\d_][^\W_]*")
"""A word, or a name that holds figures (``P5``)."""
_HAN_RUN = re.compile(
    r"第\d+|[a-zà-ɏ]+-?\d+[a-z\d]*|[\u3400-\u9fff々]+|[\u30a1-\u30faー]+|[\uac00-\ud7af]+|[a-zà-ɏ]{2,}"
)
_PAIRED = frozenset({"zh", "ja", "ko"})
_CLAUSE = re.compile(r"[;:，；：。！？!?\n（）()]|,\s|\.\s|、(?=.{12})|\s[-–—]\s")
_TIME_LIMIT = re.compile(
    r"\b(?:within|until|before|after|once|up to|innerhalb|binnen|spätestens|hasta|antes|dentro|después"
    r"|dans les|jusqu\w*"
    r"|avant|après|entro|prima|dopo|até|depois|до|после)\b|\b(?:bis|vor|nach|ab) (?:zu[mr]? )?(?:de[mrn] "
    r")?(?:\d|erhalt"
    r"|ablauf|ende|lieferung|abreise|abfahrt)|以内|之前|之后|(?<=[日天月年时時周间間点號号])(?:内|前|后"
    r"|後|起)|まで|以降|超过"
)


@dataclass(frozen=True, slots=True)
class _Known:
    """What sources say, by the beginnings of their words."""

    whole: frozenset[str]
    stems: frozenset[str]
    long: tuple[str, ...]


def _stem(word: str) -> str:
    """Beginning of a word that its inflected forms share."""
    if len(word) <= 4:
        return word[:3]
    return word[:4] if len(word) <= 7 else word[:5]


@lru_cache(maxsize=2048)
def units(text: str, language: str) -> tuple[str, ...]:
    """Content of a text: words that are no grammar, or pairs of characters."""
    if language in _PAIRED:
        bare = POLITE_CJK.sub(" ", fold(text))
        found: list[str] = []
        for run in _HAN_RUN.findall(bare):
            if run.isascii() or len(run) == 1 or run[-1].isdigit():
                found.append(run)
            else:
                found.extend(run[i : i + 2] for i in range(len(run) - 1))
        return tuple(found)
    stop = STOPWORDS.get(language, frozenset())
    words = (plain(word) for word in _WORD.findall(text))
    return tuple(word for word in words if (len(word) > 2 or word[-1].isdigit()) and word not in stop)


@lru_cache(maxsize=1024)
def _known(text: str, language: str) -> _Known:
    if language in _PAIRED:
        plain_text = fold(text)
        pairs = {run[i : i + 2] for run in _HAN_RUN.findall(plain_text) for i in range(len(run) - 1)}
        return _Known(frozenset(pairs | set(_HAN_RUN.findall(plain_text))), frozenset(plain_text), ())
    words = frozenset(plain(word) for word in _WORD.findall(text))
    stems = {
        word[:size]
        for word in words
        for size in (3, 4, 5)
        if len(word) >= size and (size > 3 or len(word) <= 6)
    }
    return _Known(words, frozenset(stems), tuple(word for word in words if len(word) >= 5))


def _match(unit: str, known: _Known, language: str) -> float:
    """1 when the known text has the unit, ½ when it has both characters of a pair, else 0."""
    if unit in known.whole:
        return 1.0
    if unit[-1].isdigit():
        return 0.0
    if language in _PAIRED:
        if len(unit) == 1:
            return 1.0 if unit in known.stems else 0.0
        return 0.5 if known.stems.issuperset(unit) else 0.0
    if _stem(unit) in known.stems:
        return 1.0
    if len(unit) >= 5 and any(word in unit or unit in word for word in known.long):
        return 1.0
    return 0.0


def _share(said: Sequence[str], known: _Known, language: str) -> float:
    return sum(_match(unit, known, language) for unit in said) / len(said) if said else 1.0


def unsupported(answer: str, source: str, question: str, language: str) -> str | None:
    """Why an answer seems to say what its source does not, or None.

    Bounds were chosen on the even half of ``tests/chatbot/guard_cases.jsonl``.
    """
    if FREE.search(fold(answer)) and not (FREE.search(fold(source)) or _INCLUDED.search(fold(source))):
        return "free"
    said = units(answer, language)
    known, asked = _known(source, language), _known(f"{source}\n{question}", language)
    if len(said) >= 3:
        if _share(said, asked, language) < WHOLE_BOUND:
            return "whole"
        if _share(said, known, language) < SOURCE_BOUND:
            return "question"
    for sentence in sentences(answer):
        part = units(sentence, language)
        if len(part) >= 4 and _share(part, asked, language) < SENTENCE_BOUND:
            return "sentence"
    return None


_INCLUDED = re.compile(
    r"(?<!\d)0(?![\d.,])|includ|inclu|inbegriffen|inklusive|包含|不收|免|無償|込み|付き|without|sin |sans "
    r"|ohne |no |paid by us|we pay|承担"
)
WHOLE_BOUND = 0.5
SOURCE_BOUND = 0.34
SENTENCE_BOUND = 0.34


def _negated(text: str, language: str) -> bool:
    low = fold(text)
    if language in NOT_NEGATION:
        low = NOT_NEGATION[language].sub(" ", low)
    return bool(NEGATION[language].search(low))


def _clauses(text: str) -> list[str]:
    return [part for part in (p.strip() for p in _CLAUSE.split(text)) if part]


def _best(said: Sequence[str], parts: Iterable[str], language: str) -> tuple[float, str]:
    best, text = 0.0, ""
    for part in parts:
        share = _share(said, _known(part, language), language)
        if share > best:
            best, text = share, part
    return best, text


def _polarity(sentence: str, said: Sequence[str], language: str) -> bool | None:
    """Whether the part of a source sentence that speaks of ``said`` is negated; None if unclear."""
    parts = _clauses(sentence)
    flags = {_negated(part, language) for part in parts}
    if len(flags) == 1:
        return flags.pop()
    share, part = _best(said, parts, language)
    return _negated(part, language) if share >= 0.75 else None


def contradicts(answer: str, source: str, question: str, language: str) -> bool:
    """Whether a clause of the answer affirms what its source denies, or the other way round."""
    if language not in NEGATION:
        return False
    known = [s for s in sentences(source) if not s.endswith(("?", "？"))]
    strict = STRICT_CONDITION.get(language)
    for sentence in sentences(answer):
        low = fold(sentence)
        if sentence.endswith(("?", "？")) or _TIME_LIMIT.search(low) or (strict and strict.search(low)):
            continue
        denied = _negated(sentence, language)
        for clause in _clauses(sentence):
            said = units(clause, language)
            if len(said) < 2:
                continue
            share, match = _best(said, known, language)
            if (
                share < 0.75
                or (strict and strict.search(fold(match)))
                or (_TIME_LIMIT.search(fold(match)) and denied)
            ):
                continue
            truth = _polarity(match, said, language)
            if truth is True and not denied:
                return True
            if (
                truth is False
                and _negated(clause, language)
                and len(said) >= 3
                and not _negated(source, language)
            ):
                return True
    return _affirms_denied(answer, known, language) or _assent(answer, known, question, language)


def _affirms_denied(answer: str, known: Sequence[str], language: str) -> bool:
    """Whether a sentence says all that a denied clause of the source says, but without the denial."""
    strict, flat = STRICT_CONDITION.get(language), squash("\n".join(known))
    clauses = [(clause, _negated(clause, language)) for sentence in known for clause in _clauses(sentence)]
    for clause, negated in clauses:
        said = units(NEGATION[language].sub(" ", fold(clause)), language) if negated else ()
        if len(said) < 2 or (strict and strict.search(fold(clause))) or _TIME_LIMIT.search(fold(clause)):
            continue
        if any(
            _share(said, _known(other, language), language) >= 0.75 for other, flag in clauses if not flag
        ):
            continue
        for sentence in sentences(answer):
            if _negated(sentence, language) or (strict and strict.search(fold(sentence))):
                continue
            if squash(sentence) not in flat and _share(said, _known(sentence, language), language) >= 0.8:
                return True
    return False


def _assent(answer: str, known: Sequence[str], question: str, language: str) -> bool:
    """A flat yes where the sentence asked about says no, or a flat no where the source denies nothing."""
    first = (sentences(answer) or ("",))[0]
    low = fold(first)
    assent, denial = ASSENT.get(language), DENIAL.get(language)
    said = units(f"{question} {first}", language)
    if not said:
        return False
    if assent and assent.search(low) and not _negated(answer, language):
        asked = units(question, language) or said
        share, match = _best(asked, known, language)
        truth = _polarity(match, asked, language) if share >= 0.5 else None
        return truth is True and not _limits(answer, language)
    if denial and denial.search(low):
        return not any(_negated(s, language) or _limits(s, language) for s in known)
    return False


def _limits(text: str, language: str) -> bool:
    pattern = STRICT_CONDITION.get(language)
    return bool(pattern and pattern.search(fold(text)))


def drops_condition(answer: str, source: str, question: str, language: str) -> bool:
    """Whether a flat yes leaves out the condition that its source sentence sets."""
    assent, loose = ASSENT.get(language), CONDITION.get(language)
    if assent is None or loose is None or not assent.search(fold(answer)) or loose.search(fold(answer)):
        return False
    said = units(f"{question} {answer}", language)
    known = [s for s in sentences(source) if not s.endswith(("?", "？"))]
    _, match = _best(said, known, language)
    return _limits(match, language)


def misplaced(answer: str, source: str, question: str, language: str) -> str | None:
    """A number that its source gives for something else: "express costs $8" where 8 is the standard fee.

    Told by the words that only one of two passages of the source has: the
    passage with the number, and one with another number of the same class.
    Passages are sentences first, then the parts between commas.
    """
    topic = _known("\n".join(s for s in sentences(source) if s.endswith(("?", "？"))), language)
    flat = squash(source)
    levels = [_passages(_PASSAGE.split(source), language), _passages(_NUMBER_CLAUSE.split(source), language)]
    for passage in _PASSAGE.split(answer):
        for clause in _NUMBER_CLAUSE.split(passage):
            if squash(clause) in flat:
                continue
            for token, keys in _amounts(clause, language):
                texts = (clause, passage, question)
                if any(_elsewhere(texts, keys, level, topic, language) for level in levels):
                    return token
    return None


def _amounts(text: str, language: str) -> list[tuple[str, frozenset[Key]]]:
    """Numbers with their units, and "free" as an amount of nothing."""
    found = [(fact.token, fact.keys) for fact in facts(text, language) if fact.keys]
    free = FREE.search(fold(text))
    return [*found, (free[0], frozenset({("free", 0.0)}))] if free else found


def _passages(parts: Iterable[str], language: str) -> list[tuple[_Known, frozenset[Key]]]:
    return [
        (_known(part, language), frozenset(key for _, keys in _amounts(part, language) for key in keys))
        for part in parts
        if part.strip()
    ]


def _elsewhere(
    texts: Sequence[str],
    keys: frozenset[Key],
    passages: Sequence[tuple[_Known, frozenset[Key]]],
    topic: _Known,
    language: str,
) -> bool:
    """Whether an amount stands in one passage only and the texts speak of another with a like amount."""
    money = {"free", "usd", "eur", "gbp", "cny", "jpy"}
    names = {name for name, _ in keys}
    names |= money if "free" in names else set()
    own = [known for known, held in passages if keys & held]
    others = [known for known, held in passages if not keys & held and names & {name for name, _ in held}]
    return len(own) == 1 and any(_belongs(texts, own[0], other, topic, language) for other in others)


_PASSAGE = re.compile(r"[;；。！？!?\n]|\.\s")
_NUMBER_CLAUSE = re.compile(r"[;，；。！？!?\n（）()、]|,\s|\.\s")


def _belongs(texts: Sequence[str], own: _Known, other: _Known, topic: _Known, language: str) -> bool:
    """Whether all texts speak of ``other`` and none of ``own``; words of the topic tell nothing."""
    theirs = 0
    for text in texts:
        content = units(FREE.sub(" ", fold(text)), language)
        said = [unit for unit in content if _match(unit, topic, language) < 1]
        if any(_match(u, own, language) == 1 > _match(u, other, language) for u in said):
            return False
        theirs += sum(_match(u, other, language) == 1 > _match(u, own, language) for u in said)
    return theirs > 0
