"""What the generator says before the guard has its say: for figures that tell the model from its keeper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chatbot.generate import Generation, Generator, OnPiece
from chatbot.prompt import Prompt

__all__ = ["Overheard"]


@dataclass
class Overheard:
    """A generator that notes the first wording of each text, whole, also where the guard stops it.

    What the guard refuses is tried again by other prompts; these are passed on
    and not noted.  One conversation at a time.
    """

    inner: Generator
    said: dict[str, str] = field(default_factory=dict)
    """The first wording of each text that was asked for."""
    refused: set[str] = field(default_factory=set)
    """Those whose first wording the guard stopped or had made again."""

    def __post_init__(self) -> None:
        self.model_id = self.inner.model_id

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        """As the generator's; what the guard stops is said to its end the first time."""
        asked = prompt.messages[-1].content
        if asked in self.said:
            self.refused.add(asked)
            return self.inner.generate(prompt, max_tokens=max_tokens, on_piece=on_piece)

        def listen(piece: str) -> bool:
            if on_piece is not None and asked not in self.refused and on_piece(piece):
                self.refused.add(asked)
            return False

        made = self.inner.generate(prompt, max_tokens=max_tokens, on_piece=listen)
        self.said[asked] = made.text.strip()
        return made

    def choose(self, prompt: Prompt, options: Sequence[str]) -> list[float]:
        """As the generator's."""
        return self.inner.choose(prompt, options)

    def warm(self, prompt: Prompt) -> bool:
        """As the generator's."""
        return self.inner.warm(prompt)

    def close(self) -> None:
        """As the generator's."""
        self.inner.close()

    def take(self, language: str) -> tuple[str, int, int]:
        """All first wordings as one text, how many there are, and how many were refused; then all is forgotten."""
        gap = "" if language in ("zh", "ja", "th") else " "
        found = gap.join(self.said.values()), len(self.said), len(self.refused)
        self.said.clear()
        self.refused.clear()
        return found
