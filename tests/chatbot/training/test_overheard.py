"""What the generator says before the guard is noted whole, also where the guard stops it."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.generate import Generation, OnPiece
from chatbot.prompt import ChatMessage, Prompt
from chatbot.training.overheard import Overheard


class Says:
    """Gives its words one by one until it is stopped."""

    model_id = "says"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        del prompt, max_tokens
        said = ""
        for word in self.answers.pop(0).split():
            said += word + " "
            if on_piece is not None and on_piece(word + " "):
                break
        return Generation(said, "stop", 0, 0, 0, 0.0, 0.0)

    def choose(self, prompt: Prompt, options: Sequence[str]) -> list[float]:
        del prompt
        return [0.0 for _ in options]

    def warm(self, prompt: Prompt) -> None:
        del prompt

    def close(self) -> None:
        pass


def asked(text: str) -> Prompt:
    return Prompt((ChatMessage("user", text),), "en")


def test_the_first_wording_is_whole_though_the_guard_stops_it() -> None:
    heard = Overheard(Says("ten days and more", "five days"))
    pieces: list[str] = []

    def guard(piece: str) -> bool:
        pieces.append(piece)
        return piece == "days "

    heard.generate(asked("a"), on_piece=guard)
    assert pieces == ["ten ", "days "], "the guard hears no more than it would have"
    heard.generate(asked("a"), on_piece=guard)
    assert heard.take("en") == ("ten days and more", 1, 1)
    assert heard.take("en") == ("", 0, 0)


def test_texts_are_joined_as_their_language_does() -> None:
    heard = Overheard(Says("一", "二", "one", "two"))
    for text in ("a", "b"):
        heard.generate(asked(text))
    assert heard.take("zh") == ("一二", 2, 0)
    for text in ("a", "b"):
        heard.generate(asked(text))
    assert heard.take("en")[0] == "one two"


def test_it_is_the_generator_in_all_else() -> None:
    heard = Overheard(Says())
    assert heard.model_id == "says"
    assert heard.choose(asked("a"), ["x", "y"]) == [0.0, 0.0]
