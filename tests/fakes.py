"""Stand-ins with the real interfaces."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from chatbot.errors import EngineError
from chatbot.generate.places import Abandoned, Places
from chatbot.generate.protocol import Finish, Generation, OnPiece
from chatbot.generate.run import Run, check_options
from chatbot.memory import History, Memory, NoHistory
from chatbot.phrases import Phrases
from chatbot.prompt import Prompt
from chatbot.turn import Action, Intent, Listener, Message, Reply, Trace
from tests.embedders import HashEmbedder

__all__ = ["FakeBot", "FakeGenerator"]


def _pieces(text: str) -> list[str]:
    """A word with the space before it; the "tokens" of the fake."""
    return [word if i == 0 else " " + word for i, word in enumerate(text.split(" "))]


class FakeGenerator:
    """A scripted generator that queues, stops and fails like a real one.

    Args:
        answer: the text to write, or a function of the prompt.
        choice: probability of each option, or a function of prompt and options;
            by default the option with which ``answer`` begins, else the first.
        error: raised by every call instead of an answer.
        delay_s: time each piece takes.
    """

    model_id = "fake"

    def __init__(
        self,
        answer: str | Callable[[Prompt], str] = "You can return it within 30 days.",
        *,
        choice: Sequence[float] | Callable[[Prompt, Sequence[str]], Sequence[float]] | None = None,
        error: Exception | None = None,
        delay_s: float = 0.0,
        slots: int = 2,
        queue: int = 16,
        max_tokens: int = 220,
        timeout_s: float = 30.0,
    ) -> None:
        self.prompts: list[Prompt] = []
        """Every prompt given to ``generate``, in order."""
        self.judged: list[Prompt] = []
        """Every prompt given to ``choose``."""
        self.warmed: list[Prompt] = []
        self._answer = answer
        self._choice = choice
        self._error = error
        self._delay_s = delay_s
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._places = Places(slots, queue)
        self._closing = threading.Event()

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        run = Run(on_piece, self._timeout_s, self._closing.is_set)
        count = 0
        finish: Finish = "stop"
        prompt_tokens = sum(len(m.content.split()) for m in prompt.messages)
        try:
            with self._places.place(run.deadline, run.poll):
                self.prompts.append(prompt)
                self._fail()
                count, finish = self._write(prompt, run, max_tokens or self._max_tokens)
        except Abandoned:
            run.poll()
        return run.result(finish, prompt_tokens=prompt_tokens, completion_tokens=count)

    def _write(self, prompt: Prompt, run: Run, limit: int) -> tuple[int, Finish]:
        pieces = _pieces(self._text(prompt))
        for count, piece in enumerate(pieces[:limit], start=1):
            time.sleep(self._delay_s)
            if run.piece(piece):
                return count, "stop"
        return min(len(pieces), limit), "stop" if len(pieces) <= limit else "length"

    def _text(self, prompt: Prompt) -> str:
        return self._answer(prompt) if callable(self._answer) else self._answer

    def choose(self, prompt: Prompt, options: Sequence[str]) -> list[float]:
        check_options(options)
        run = Run(None, self._timeout_s, self._closing.is_set)
        try:
            with self._places.place(run.deadline, run.poll):
                self.judged.append(prompt)
                self._fail()
                return [math.log(max(p, 1e-9)) for p in self._probabilities(prompt, options)]
        except Abandoned:
            raise EngineError("the generator was closed while it judged") from None

    def _probabilities(self, prompt: Prompt, options: Sequence[str]) -> Sequence[float]:
        if self._choice is None:
            text = self._text(prompt)
            best = next((option for option in options if text.startswith(option)), options[0])
            return [0.9 if option == best else 0.1 / len(options) for option in options]
        return self._choice(prompt, options) if callable(self._choice) else self._choice

    def warm(self, prompt: Prompt) -> bool:
        with self._places.place(math.inf, self._closing.is_set):
            self._fail()
            self.warmed.append(prompt)
        return True

    def _fail(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._closing.set()
        self._places.close()


class FakeBot:
    """A scripted bot that stores, streams, waits and fails like the real one.

    Args:
        answer: the text or the reply to give, or a function of the message.
        history: where exchanges are stored; nowhere by default.
        hold: when given, every turn waits for it before it answers.
        error: raised instead of an answer, after the text of ``answer`` if ``late``.
        delay_s: time before each piece of the answer.
    """

    def __init__(
        self,
        answer: str | Reply | Callable[[Message], str | Reply] = "You can return it within 30 days.",
        *,
        history: History | None = None,
        hold: threading.Event | None = None,
        error: Exception | None = None,
        late: bool = False,
        delay_s: float = 0.0,
    ) -> None:
        self.phrases = Phrases(
            {
                key: {"en": f"{key} in English", "zh": f"{key} in Chinese"}
                for key in ("error", "busy", "too_long", "empty", "rate_limited")
            },
            "Fake shop",
        )
        self.embedder = HashEmbedder()
        self.seen: list[Message] = []
        """Every message whose turn has begun, in order."""
        self.cancelled: list[Message] = []
        """Every message whose listener left before the end."""
        self._answer = answer
        self._memory = Memory(history or NoHistory())
        self._hold = hold
        self._error = error
        self._late = late
        self._delay_s = delay_s

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        """Answers one message."""
        self.seen.append(message)
        stored = self._memory.find(message)
        if stored is not None:
            return stored
        self._wait(message, listener)
        if self._error is not None and not self._late:
            raise self._error
        made = self._answer(message) if callable(self._answer) else self._answer
        reply = self.reply(made) if isinstance(made, str) else made
        for piece in _pieces(reply.text):
            time.sleep(self._delay_s)
            if listener is not None:
                listener.on_text(piece)
        if self._error is not None:
            raise self._error
        return self._memory.record(message, reply)

    model_id = "fake-model"

    def understand(self, text: str) -> tuple[Intent, ...]:
        """Two intents, whatever the text."""
        del text
        return Intent("faq", 0.9), Intent("greeting", 0.1)

    def suggestions(self, language: str) -> list[str]:
        """One question, in English only."""
        return ["How do I return it?"] if language == "en" else []

    def _wait(self, message: Message, listener: Listener | None) -> None:
        while self._hold is not None and not self._hold.wait(0.005):
            if listener is not None and listener.cancelled():
                self.cancelled.append(message)
                return

    @staticmethod
    def reply(text: str, **fields: object) -> Reply:
        """A reply in English with a trace of its own."""
        trace = Trace(uuid.uuid4().hex, "en", Intent("faq", 0.9), "", "answer", "", 0.9, (), "passed", "none")
        return Reply(text, "en", **{"action": Action.ANSWER, "trace": trace, **fields})  # type: ignore[arg-type]
