"""Words the decision: curated text, a composed answer, or one of the fixed sentences.

A composed answer streams through the guard.  Whatever goes wrong - the engine
is busy, slow, broken, or its wording refused - the customer gets the curated
text, so a generated answer is never worse than the curated one.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from chatbot.errors import BusyError, EngineError
from chatbot.generate import Generation, Generator
from chatbot.guard import GuardedStream, check
from chatbot.phrases import Phrases, Routes, name_in
from chatbot.prompt import Prompt, answer_prompt, translation_prompt
from chatbot.turn import Action, Decision, Entry, Intent, Listener

__all__ = ["Wording", "Writer"]

Notice = Literal["", "busy", "error", "curated_language"]

_KEPT_TRANSLATIONS = 4096


@dataclass(frozen=True, slots=True)
class Wording:
    """The text of a reply and how it came about."""

    text: str
    language: str
    guard: str = "not needed"
    generator: str = "none"
    notice: Notice = ""
    first_token_ms: float | None = None


class Writer:
    """Turns a decision into words.

    Args:
        generator: None when it is switched off.
        language_of: dominant language of a text, for the guard.
    """

    def __init__(
        self,
        generator: Generator | None,
        phrases: Phrases,
        routes: Routes,
        language_of: Callable[[str], str],
    ) -> None:
        self._generator = generator
        self._phrases = phrases
        self._routes = routes
        self._language_of = language_of
        self._translations: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def word(
        self, decision: Decision, question: str, language: str, intent: Intent, listener: Listener | None = None
    ) -> Wording:
        """The wording of ``decision`` in ``language``.

        Pieces that have passed the guard go to ``listener`` as they are made; a
        wording that is refused half-way is followed by the curated text.
        """
        wording = self._word(decision, question, language, intent, listener)
        if listener is not None and wording.guard != "passed":
            listener.on_text(wording.text)
        return wording

    def _word(
        self, decision: Decision, question: str, language: str, intent: Intent, listener: Listener | None
    ) -> Wording:
        match decision.action:
            case Action.ANSWER:
                return self._compose(decision.hits[0].entry, question, language, listener)
            case Action.VERBATIM:
                return self._curated(decision.hits[0].entry, language)
            case Action.CLARIFY:
                return Wording(self._phrases.say("clarify", language), language)
            case Action.DECLINE:
                return self._decline(question, language, intent)
            case Action.HAND_OVER:
                reply = self._routes.reply(intent.name, language, question)
                return Wording(reply or self._phrases.say("handed_over", language), language)
            case _:
                reply = self._routes.reply(intent.name, language, question)
                return Wording(reply or self._phrases.say("welcome", language), language)

    def _decline(self, question: str, language: str, intent: Intent) -> Wording:
        """Says that nothing is known; small remarks that are out of scope have their own reply."""
        reply = self._routes.reply(intent.name, language, question) if intent.confidence >= 0.8 else None
        return Wording(reply or self._phrases.say("no_answer", language), language)

    def _curated(self, entry: Entry, language: str, **fate: str) -> Wording:
        """The entry's own text, with a line before it when it is in another language."""
        guard, generator = fate.get("guard", "not needed"), fate.get("generator", "none")
        notice: Notice = "busy" if fate.get("notice") == "busy" else ""
        if entry.language == language:
            return Wording(entry.answer, language, guard, generator, notice)
        line = self._phrases.say("curated_language", language, language=name_in(entry.language, language))
        return Wording(f"{line}\n\n{entry.answer}", entry.language, guard, generator, "curated_language")

    def _compose(self, entry: Entry, question: str, language: str, listener: Listener | None) -> Wording:
        if self._generator is None:
            return self._curated(entry, language)
        translated = entry.language != language
        kept = self._kept(entry, language) if translated else None
        if kept is not None:
            if listener is not None:
                listener.on_text(kept)
            return Wording(kept, language, "passed", "kept translation")
        if translated:
            prompt = translation_prompt(entry.answer, entry.language, language)
        else:
            prompt = answer_prompt(entry.question, entry.answer, question, language)
        return self._generate(entry, prompt, question, language, listener)

    def _generate(
        self, entry: Entry, prompt: Prompt, question: str, language: str, listener: Listener | None
    ) -> Wording:
        assert self._generator is not None
        translated = entry.language != language
        sources = (entry.answer,) if translated else (entry.question, entry.answer)
        kind: Literal["answer", "translation"] = "translation" if translated else "answer"
        stream = GuardedStream(
            question=question, language=language, sources=sources, kind=kind, language_of=self._language_of
        )
        watch = _FirstPiece(stream, listener)
        model = self._generator.model_id
        try:
            made = self._generator.generate(prompt, on_piece=watch)
        except BusyError:
            return self._curated(entry, language, guard="not needed: generator busy", notice="busy")
        except EngineError:
            return self._curated(entry, language, guard="not needed: generator failed", generator=model)
        watch.finish(made)
        verdict = stream.refused or check(
            made.text.strip(),
            question=question,
            language=language,
            sources=sources,
            kind=kind,
            language_of=self._language_of,
            finished=made.finish == "stop",
        )
        if not verdict.passed:
            return self._curated(entry, language, guard=str(verdict), generator=model)
        text = made.text.strip()
        if translated:
            self._keep(entry, language, text)
        return Wording(text, language, "passed", model, "", watch.first_ms)

    def _kept(self, entry: Entry, language: str) -> str | None:
        with self._lock:
            return self._translations.get((entry.answer, language))

    def _keep(self, entry: Entry, language: str, text: str) -> None:
        with self._lock:
            self._translations[entry.answer, language] = text
            while len(self._translations) > _KEPT_TRANSLATIONS:
                self._translations.popitem(last=False)


class _FirstPiece:
    """Leads the engine's pieces through the guard to the listener and times the first one."""

    def __init__(self, stream: GuardedStream, listener: Listener | None) -> None:
        self._stream = stream
        self._listener = listener
        self._start = time.perf_counter()
        self.first_ms: float | None = None

    def __call__(self, piece: str) -> bool:
        """Takes the next piece; True stops the engine."""
        if piece and self.first_ms is None:
            self.first_ms = (time.perf_counter() - self._start) * 1000
        safe = self._stream.feed(piece)
        if self._listener is not None:
            if safe:
                self._listener.on_text(safe)
            if self._listener.cancelled():
                return True
        return self._stream.refused is not None

    def finish(self, made: Generation) -> None:
        """Releases the rest of a whole answer."""
        if made.finish == "stop" and self._stream.refused is None:
            rest = self._stream.finish()
            if rest and self._listener is not None:
                self._listener.on_text(rest)
