"""Lets an answer out piece by piece while it is made, as far as nothing in it can still turn out wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from chatbot.guard.checking import Kind, allowed, check, hard_violations
from chatbot.guard.facts import read_facts
from chatbot.guard.support import unsettled_from
from chatbot.turn import GuardVerdict

__all__ = ["GuardedStream"]

_OPEN_TAIL = re.compile(r"[^\s\u2e80-\uffef]+$|【[^】\n]{0,14}$|\n\s*$")
"""An unfinished word, link, code or gap at the end; Chinese, Japanese and Korean characters are whole."""


class GuardedStream:
    """Holds back what may still change and everything after a violation.

    The released pieces together are always a prefix of the answer.  If the whole
    answer passes :func:`check`, they are the whole answer after :meth:`finish`.

    Args: as :func:`check`.
    """

    def __init__(
        self,
        *,
        question: str,
        language: str,
        sources: Sequence[str],
        kind: Kind,
        language_of: Callable[[str], str],
    ) -> None:
        self.refused: GuardVerdict | None = None
        """Set as soon as the answer cannot go out; nothing is released from then on."""
        self._arguments = (question, language, tuple(sources), kind, language_of)
        self._known = allowed(question, language, sources, kind)
        self._text = ""
        self._released = 0

    def feed(self, piece: str) -> str:
        """Takes the next piece of the answer and gives the text that may be shown now."""
        if self.refused is not None:
            return ""
        self._text += piece
        text = self._text
        found = read_facts(text, self._known.language)
        safe = min(self._held_from(), unsettled_from(text, self._known.language, found))
        if safe <= self._released:
            return ""
        settled = [fact for fact in found if fact.end <= safe]
        for violation in hard_violations(text[:safe], self._known, settled):
            self.refused = GuardVerdict(False, (violation.reason,))
            return ""
        return self._release(safe)

    def finish(self) -> str:
        """The rest of the answer, once it is whole and has passed every check."""
        if self.refused is not None:
            return ""
        question, language, sources, kind, language_of = self._arguments
        verdict = check(
            self._text,
            question=question,
            language=language,
            sources=sources,
            kind=kind,
            language_of=language_of,
        )
        if not verdict.passed:
            self.refused = verdict
            return ""
        return self._release(len(self._text))

    def _release(self, end: int) -> str:
        piece, self._released = self._text[self._released : end], end
        return piece

    def _held_from(self) -> int:
        """Where the unfinished word, link, code or markup at the end begins."""
        match = _OPEN_TAIL.search(self._text)
        return match.start() if match else len(self._text)
