"""What every generator is and gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chatbot.prompt import Prompt

__all__ = ["Finish", "Generation", "Generator", "OnPiece"]

Finish = Literal["stop", "length", "cancelled", "timeout"]
OnPiece = Callable[[str], bool]
"""Takes the next piece of text, whole characters only; returns True to stop.

It is also called with an empty piece while the request waits for a place or its
prompt is read, so that a customer who left can be noticed then too.
"""


@dataclass(frozen=True, slots=True)
class Generation:
    """One finished generation.

    Token counts are those of the model's own tokenizer; 0 where a server does
    not tell.  Times are in milliseconds from the call, waiting included.
    """

    text: str
    finish: Finish
    prompt_tokens: int
    cached_tokens: int
    """How many of the prompt's tokens were taken from a kept prefix."""
    completion_tokens: int
    first_token_ms: float
    """0 when no text came."""
    total_ms: float


class Generator(Protocol):
    """Words answers and judges texts.  Safe to call from several threads."""

    model_id: str

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        """Writes the assistant's answer to the prompt, greedily.

        Args:
            max_tokens: longest answer; by default the setting's.
            on_piece: receives the text as it is made and may stop it.

        Raises:
            BusyError: all places are taken and the queue is full.
            EngineError: the engine failed, or the time limit passed before any text.
        """

    def choose(self, prompt: Prompt, options: Sequence[str]) -> list[float]:
        """Natural-log probability of each option's first token as the next one.

        The prompt is read once and nothing is sampled.  An option outside what
        the engine reports gets the smallest log-probability it reported, an
        upper bound of the true one.

        Raises:
            ValueError: no options, an empty option, or two that begin with the
                same token.
            BusyError, EngineError: as for ``generate``.
        """

    def warm(self, prompt: Prompt) -> bool:
        """Reads the prompt so that later ones which start alike answer sooner.

        Not subject to the time limit of a generation.

        Returns:
            False: it was read but not kept, for there is no more room for such.

        Raises:
            BusyError, EngineError: as for ``generate``.
        """

    def close(self) -> None:
        """Stops what runs and frees the model; later calls raise EngineError."""
