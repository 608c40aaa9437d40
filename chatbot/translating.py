"""Curated answers in the customer's language, sentence by sentence.

A small model gets most sentences right and one in six wrong.  So each sentence
passes the guard by itself and is tried again by another prompt when it is
refused; a sentence that is refused every time stands in the original, marked as
such, and the rest of the answer still reads in the customer's language.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from chatbot.generate import Generator
from chatbot.guard import check
from chatbot.guarded import Pieces, guarded
from chatbot.localise import localise
from chatbot.prompt import translation_prompt
from chatbot.turn import Entry, GuardVerdict

__all__ = ["Translation", "translate"]

ATTEMPTS = 3
"""Prompts tried for one sentence."""
PATIENCE_S = 25.0
"""Seconds after which no further sentence is begun: who has read so far waits no longer for the rest."""
LEAST = 0.5
"""Share of an answer that must be translated for it to go out in part."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What came of it."""

    text: str
    verdict: GuardVerdict | None
    """None when the engine gave nothing."""
    kept: int = 0
    """Sentences that stand in the original."""


def translate(
    generator: Generator,
    entry: Entry,
    question: str,
    language: str,
    pieces: Pieces,
    *,
    original: Callable[[str], str],
    language_of: Callable[[str], str],
    patience_s: float = PATIENCE_S,
) -> Translation:
    """The entry's answer in ``language``.

    The first tries are streamed; from the first refusal on the rest is made
    unheard and the whole text is given at the end.

    Args:
        original: how a sentence that stays as it is stands in the text.
        patience_s: after so long what is left stays in the original, in seconds.
    """
    deadline = time.monotonic() + patience_s
    done: list[tuple[str, str]] = []
    reasons: list[str] = []
    whole, translated, kept = "", 0, 0
    for sentence, gap in split_sentences(entry.answer):
        pieces.gap = joint = _gap(whole, gap, language)
        readable = localise(sentence, entry.language, language)
        text, verdict = "", None
        for attempt in range(ATTEMPTS):
            if time.monotonic() > deadline:
                pieces.muted = True
                break
            prompt = translation_prompt(readable, entry.language, language, done[-3:], attempt)
            text, verdict = guarded(
                generator,
                prompt,
                pieces,
                question=question,
                language=language,
                sources=(sentence,),
                kind="translation",
                language_of=language_of,
            )
            if verdict is None or pieces.is_cancelled():
                return Translation("", None)
            if verdict.passed:
                break
            pieces.muted = True
        if verdict is not None and verdict.passed:
            done.append((readable, text))
            translated += len(sentence)
        else:
            reasons.extend(("no time left",) if verdict is None else verdict.reasons)
            text, kept = original(sentence), kept + 1
        whole += joint + text
    if kept:
        passed = translated >= LEAST * len(entry.answer)
        return _heard(Translation(whole, GuardVerdict(passed, tuple(dict.fromkeys(reasons))), kept), pieces)
    verdict = check(
        whole,
        question=question,
        language=language,
        sources=(entry.answer,),
        kind="translation",
        language_of=language_of,
    )
    return _heard(Translation(whole, verdict), pieces)


def _heard(made: Translation, pieces: Pieces) -> Translation:
    """Gives the listener the whole where the stream stopped half-way."""
    if pieces.muted and made.verdict is not None and made.verdict.passed:
        pieces.correct(made.text)
    return made


_SENTENCE = re.compile(r".*?(?:[。！？!?]+[”’」』）)]*|\.(?=\s+[^\s\d])|\n+|$)", re.DOTALL)
_SHORT = 12


def split_sentences(text: str) -> list[tuple[str, str]]:
    """The sentences of a text, each with the gap before it; very short ones stay with the next."""
    found: list[tuple[str, str]] = []
    held = ""
    for match in _SENTENCE.finditer(text):
        held += match.group()
        last = match.end() == len(text)
        if len(held.strip()) < _SHORT and not last:
            continue
        if held.strip():
            gap = held[: len(held) - len(held.lstrip())]
            if found and found[-1][0].endswith("\n"):
                gap = "\n" + gap
            found.append((held.strip(" "), gap))
        held = ""
    return [(sentence.strip(), gap) for sentence, gap in found]


def _gap(before: str, gap: str, language: str) -> str:
    """What stands between two translated sentences."""
    if not before:
        return ""
    if "\n" in gap:
        return "\n"
    return "" if language in ("zh", "ja", "th") else " "
