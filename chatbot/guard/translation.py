"""Is a translation whole?  Numbers, links and codes of the original, its length, its negations."""

from __future__ import annotations

import re

from chatbot.guard.facts import facts
from chatbot.guard.form import sentences, weight
from chatbot.guard.names import codes, links, squash
from chatbot.guard.patterns import fold
from chatbot.guard.support import KnownFacts
from chatbot.guard.words import NEGATION, NEGATION_LOOSE, NOT_NEGATION

__all__ = ["MAX_LENGTH_RATIO", "MIN_LENGTH_RATIO", "missing", "negation_lost", "reshaped"]

MIN_LENGTH_RATIO = 0.55
MIN_CHINESE_RATIO = 0.42
"""The same for a translation into Chinese, which says most with least."""
MAX_LENGTH_RATIO = 1.9
"""Bounds of a translation's weighted length against the original's."""

_CHINESE = re.compile(r"^[^ぁ-ゟァ-ヿ]*[一-鿿][^ぁ-ゟァ-ヿ]*$", re.DOTALL)


def missing(translation: str, source: str, language: str, source_language: str) -> list[str]:
    """What the original has and its translation lacks, as reasons."""
    found = []
    said = KnownFacts(facts(translation, language), translation, (language,))
    for fact in facts(source, source_language):
        # «养1只猫» is «a cat» elsewhere
        if fact.strong and not fact.is_single and not said.holds(fact):
            found.append(f"lost:{fact.token.strip()}")
    keys = {token.key for token in links(translation)}
    found.extend(f"lost:{token.text}" for token in links(source) if token.key not in keys)
    taken = [(t.start, t.end) for t in links(source)]
    squashed = squash(translation)
    for token in codes(source):
        if not any(start <= token.start < end for start, end in taken) and token.key not in squashed:
            found.append(f"lost:{token.text}")
    return found


def reshaped(translation: str, source: str) -> str | None:
    """Whether the translation has lost or gained more than wording may change."""
    said, given = weight(_without_links(translation)), weight(_without_links(source))
    least = MIN_CHINESE_RATIO if _CHINESE.search(translation) else MIN_LENGTH_RATIO
    if given >= 8 and said < least * given:
        return "short"
    if said > MAX_LENGTH_RATIO * given + 8:
        return "long"
    mine, theirs = len(sentences(translation)), len(sentences(source))
    if mine > 2 * theirs + 1 or theirs > 2 * mine + 1:
        return "sentences"
    return None


def _without_links(text: str) -> str:
    return re.sub(r"(?:https?://|www\.)[\x21-\x7e]+|[\w.+-]+@[\w.-]+", "", text, flags=re.ASCII)


def negation_lost(translation: str, source: str, language: str, source_language: str) -> bool:
    """Whether the original denies something and the translation nothing at all."""
    strict, loose = NEGATION.get(source_language), NEGATION_LOOSE.get(language)
    if strict is None or loose is None:
        return False
    low = fold(source)
    if source_language in NOT_NEGATION:
        low = NOT_NEGATION[source_language].sub(" ", low)
    return bool(strict.search(low)) and not loose.search(fold(translation))
