"""One generation led through the guard: pieces to the listener, a verdict at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from chatbot.errors import BusyError, EngineError
from chatbot.generate import Generation, Generator
from chatbot.guard import GuardedStream, check
from chatbot.prompt import Prompt
from chatbot.turn import GuardVerdict, Listener

__all__ = ["Pieces", "guarded"]


def guarded(
    generator: Generator,
    prompt: Prompt,
    pieces: Pieces,
    *,
    question: str,
    language: str,
    sources: tuple[str, ...],
    kind: Literal["answer", "translation"],
    language_of: Callable[[str], str],
) -> tuple[str, GuardVerdict | None]:
    """The text made and its verdict; no verdict when the engine gave nothing (``pieces.failed`` says why)."""
    pieces.stream = GuardedStream(
        question=question, language=language, sources=sources, kind=kind, language_of=language_of
    )
    try:
        made = generator.generate(prompt, on_piece=pieces)
    except BusyError:
        pieces.failed = "busy"
        return "", None
    except EngineError:
        pieces.failed = "failed"
        return "", None
    pieces.finish(made)
    text = made.text.strip()
    verdict = pieces.stream.refused or check(
        text,
        question=question,
        language=language,
        sources=sources,
        kind=kind,
        language_of=language_of,
        finished=made.finish == "stop",
    )
    return text, verdict


class Pieces:
    """Leads the engine's pieces through the guard to the listener and times the first one."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self.muted = False
        """Nothing goes out any more until :meth:`correct`."""
        self._start = time.perf_counter()
        self.stream: GuardedStream | None = None
        self.gap = ""
        """Blank or line break before the next sentence; goes out with its first piece."""
        self.first_ms: float | None = None
        self.failed = ""
        self._heard = False

    def __call__(self, piece: str) -> bool:
        """Takes the next piece; True stops the engine."""
        assert self.stream is not None
        if piece and self.first_ms is None:
            self.first_ms = (time.perf_counter() - self._start) * 1000
        self._release(self.stream.feed(piece))
        if self.is_cancelled():
            return True
        return self.stream.refused is not None

    def finish(self, made: Generation) -> None:
        """Releases the rest of a whole answer."""
        if made.finish == "stop" and self.stream is not None and self.stream.refused is None:
            self._release(self.stream.finish())

    def is_cancelled(self) -> bool:
        """Has the listener left?"""
        return self._listener is not None and self._listener.cancelled()

    def correct(self, text: str) -> None:
        """Gives the listener the text that counts, after a try that was refused."""
        if self._listener is not None:
            self._listener.on_text(("\n\n" if self._heard else "") + text)

    def _release(self, text: str) -> None:
        if text and self._listener is not None and not self.muted:
            self._listener.on_text(self.gap + text)
            self._heard = True
            self.gap = ""
