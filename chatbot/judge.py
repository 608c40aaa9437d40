"""Does this entry answer this very question?  Log-odds from the answer judge.

The judge is a small model of its own (see :mod:`chatbot.models.probe`), so it
works the same whichever generator words the answers, and without one.
"""

from __future__ import annotations

from chatbot.errors import BusyError, EngineError
from chatbot.generate import Generator
from chatbot.prompt import judge_prompt
from chatbot.turn import Entry, Hit

__all__ = ["AnswerJudge"]


class AnswerJudge:
    """Asks the judge model; None everywhere when there is none or it is busy."""

    def __init__(self, engine: Generator | None) -> None:
        self._engine = engine

    def log_odds(self, question: str, hit: Hit) -> float | None:
        """Natural log-odds that the hit's entry answers ``question``; None when nobody can tell."""
        if self._engine is None:
            return None
        prompt = judge_prompt(hit.entry.question, hit.entry.answer, question)
        try:
            yes, no = self._engine.choose(prompt, ("Yes", "No"))
        except (BusyError, EngineError):
            return None
        return yes - no

    def warm(self, entry: Entry) -> bool:
        """Reads an entry beforehand, so that judging it reads the question alone.

        Returns:
            False: there is no room for more, or no judge.

        Raises:
            BusyError, EngineError: as the engine's.
        """
        return self._engine is not None and self._engine.warm(judge_prompt(entry.question, entry.answer, ""))
