"""One generation while it runs: its text, its clock and whether it is still wanted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from chatbot.errors import EngineError
from chatbot.generate.protocol import Finish, Generation, OnPiece

__all__ = ["Run", "check_options", "option_logprobs"]


class Run:
    """Collects pieces, calls ``on_piece`` and says when to stop.

    Engines call :meth:`piece` for text and :meth:`poll` between two steps; both
    return True once the generation must stop.  An exception of ``on_piece``
    stops it too and is raised again by :meth:`result`.
    """

    def __init__(
        self,
        on_piece: OnPiece | None,
        timeout_s: float = math.inf,
        closing: Callable[[], bool] | None = None,
    ) -> None:
        self.started = time.monotonic()
        self.deadline = self.started + timeout_s
        self.stopped: Finish | None = None
        self._on_piece = on_piece
        self._closing = closing
        self._pieces: list[str] = []
        self._first: float | None = None
        self._failure: BaseException | None = None

    def piece(self, text: str) -> bool:
        """Takes text; an engine never passes half a character."""
        if text and self.stopped is None:
            if self._first is None:
                self._first = time.monotonic()
            self._pieces.append(text)
        return self._ask(text)

    def poll(self) -> bool:
        """Looks whether the generation is still wanted and in time."""
        return self._ask("")

    def _ask(self, text: str) -> bool:
        if self.stopped is not None:
            return True
        try:
            if self._on_piece is not None and self._on_piece(text):
                self.stopped = "cancelled"
        except BaseException as error:  # re-raised by result(): engines call from foreign threads
            self._failure = error
            self.stopped = "cancelled"
        if self.stopped is None and self._closing is not None and self._closing():
            self.stopped = "cancelled"
        if self.stopped is None and time.monotonic() >= self.deadline:
            self.stopped = "timeout"
        return self.stopped is not None

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    def raise_failure(self) -> None:
        """Raises what ``on_piece`` raised, if it did."""
        if self._failure is not None:
            raise self._failure

    def result(
        self, finish: Finish, *, prompt_tokens: int = 0, cached_tokens: int = 0, completion_tokens: int = 0
    ) -> Generation:
        """The finished generation; a stop by the caller or the clock wins over ``finish``.

        Raises:
            EngineError: the time limit passed before any text came.
        """
        self.raise_failure()
        finish = self.stopped or finish
        if finish == "timeout" and not self._pieces:
            raise EngineError(
                f"no text came within the time limit of {self.deadline - self.started:.0f} s; "
                "raise KEFU_GENERATOR__TIMEOUT_S, shorten the prompt or use a smaller model"
            )
        now = time.monotonic()
        return Generation(
            text=self.text,
            finish=finish,
            prompt_tokens=prompt_tokens,
            cached_tokens=cached_tokens,
            completion_tokens=completion_tokens,
            first_token_ms=(self._first - self.started) * 1000 if self._first is not None else 0.0,
            total_ms=(now - self.started) * 1000,
        )


def check_options(options: Sequence[str]) -> None:
    """Refuses what cannot be chosen from, before any work is done."""
    if not options or not all(options) or len(set(options)) != len(options):
        raise ValueError(f"expected different, non-empty options; found {len(options)}, some empty or alike")


def option_logprobs(top: Sequence[tuple[bytes, float]], options: Sequence[str]) -> list[float]:
    """Log-probability of each option's first token, from the likeliest tokens.

    Tokenizers split greedily, so the first token of an option is the longest
    reported token that the option begins with.  A token with which two options
    begin tells nothing and is passed over.

    Args:
        top: UTF-8 bytes and natural-log probability of the likeliest tokens.
        options: texts, each of which begins differently.

    Returns:
        One value an option; the smallest reported for an option not among them.
    """
    wanted = [option.encode() for option in options]
    floor = min((value for _, value in top), default=-math.inf)
    values: list[float] = []
    for option in wanted:
        longest, value = 0, floor
        for token, logprob in top:
            shared = sum(other.startswith(token) for other in wanted) > 1
            if len(token) > longest and option.startswith(token) and not shared:
                longest, value = len(token), logprob
        values.append(value)
    return values
