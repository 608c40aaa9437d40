"""Words the decision: curated text, a composed answer, or one of the fixed sentences.

A composed answer streams through the guard.  Whatever goes wrong - the engine
is busy, slow, broken, or its wording refused - the customer gets the curated
text, so a generated answer is never worse than the curated one.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from chatbot.errors import BusyError, EngineError
from chatbot.generate import Generation, Generator
from chatbot.guard import GuardedStream, check
from chatbot.phrases import Phrases, Routes, name_in
from chatbot.prompt import Prompt, answer_prompt, translation_prompt
from chatbot.turn import Action, Decision, Entry, GuardVerdict, Intent, Listener

__all__ = ["Wording", "Writer"]

Notice = Literal["", "busy", "error", "curated_language"]

_KEPT_TRANSLATIONS = 4096
_CALM_S = 2.0
"""Seconds without a turn before warming goes on."""


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
        self._last_turn = 0.0

    def word(
        self,
        decision: Decision,
        question: str,
        language: str,
        intent: Intent,
        listener: Listener | None = None,
    ) -> Wording:
        """The wording of ``decision`` in ``language``.

        Pieces that have passed the guard go to ``listener`` as they are made; a
        wording that is refused half-way is followed by the curated text.
        """
        self._last_turn = time.monotonic()
        wording = self._word(decision, question, language, intent, listener)
        self._last_turn = time.monotonic()
        if listener is not None and wording.guard == "not needed":
            listener.on_text(wording.text)
        return wording

    def warm_up(self, entries: Iterable[Entry], stopped: threading.Event) -> int:
        """Reads instruction and entry for the entries given, so that their answers start sooner.

        Runs beside the service and steps back while customers are being answered.

        Returns:
            How many were read before it was stopped or failed.
        """
        if self._generator is None:
            return 0
        done = 0
        for entry in entries:
            while time.monotonic() - self._last_turn < _CALM_S:
                if stopped.wait(_CALM_S):
                    return done
            if stopped.is_set():
                return done
            try:
                self._generator.warm(answer_prompt(entry.question, entry.answer, "", entry.language))
            except (BusyError, EngineError):
                return done
            done += 1
        return done

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
            return self._translate(entry, question, language, listener)
        prompt = answer_prompt(entry.question, entry.answer, question, language)
        sources = (entry.question, entry.answer)
        watch = _FirstPiece(listener)
        text, verdict = self._guarded(prompt, watch, question, language, sources, "answer")
        return self._outcome(entry, language, text, verdict, watch)

    def _translate(self, entry: Entry, question: str, language: str, listener: Listener | None) -> Wording:
        """The entry's answer in the customer's language, sentence by sentence.

        The first try is streamed; where the guard refuses a sentence, a second
        one with a stricter prompt is made unheard.
        """
        watch = _FirstPiece(listener)
        text, verdict = self._sentence_by_sentence(entry, question, language, watch, stricter=False)
        if verdict is not None and not verdict.passed and not watch.is_cancelled():
            second = _FirstPiece(None)
            text, again = self._sentence_by_sentence(entry, question, language, second, stricter=True)
            if again is not None and again.passed:
                verdict = again
                watch.correct(text)
        if verdict is not None and verdict.passed:
            self._keep(entry, language, text)
        return self._outcome(entry, language, text, verdict, watch)

    def _sentence_by_sentence(
        self, entry: Entry, question: str, language: str, watch: _FirstPiece, *, stricter: bool
    ) -> tuple[str, GuardVerdict | None]:
        """One whole translation and its verdict; it ends at the first sentence that is refused."""
        done: list[tuple[str, str]] = []
        whole = ""
        for sentence, gap in _sentences(entry.answer):
            prompt = translation_prompt(sentence, entry.language, language, done, stricter=stricter)
            watch.gap = _gap(whole, gap, language)
            space = watch.gap
            text, verdict = self._guarded(prompt, watch, question, language, (sentence,), "translation")
            if verdict is None or not verdict.passed:
                return whole, verdict
            whole += space + text
            done.append((sentence, text))
        return whole, check(
            whole,
            question=question,
            language=language,
            sources=(entry.answer,),
            kind="translation",
            language_of=self._language_of,
        )

    def _outcome(
        self, entry: Entry, language: str, text: str, verdict: GuardVerdict | None, watch: _FirstPiece
    ) -> Wording:
        """The wording if it passed, else the curated text."""
        assert self._generator is not None
        model = self._generator.model_id
        if verdict is not None and verdict.passed:
            return Wording(text, language, "passed", model, "", watch.first_ms)
        if verdict is None:
            notice = {"notice": "busy"} if watch.failed == "busy" else {}
            curated = self._curated(entry, language, guard=f"not needed: generator {watch.failed}", **notice)
        else:
            curated = self._curated(entry, language, guard=str(verdict), generator=model)
        watch.correct(curated.text)
        return curated

    def _guarded(
        self,
        prompt: Prompt,
        watch: _FirstPiece,
        question: str,
        language: str,
        sources: tuple[str, ...],
        kind: Literal["answer", "translation"],
    ) -> tuple[str, GuardVerdict | None]:
        """One generation led through the guard; no verdict when the engine gave nothing."""
        assert self._generator is not None
        watch.stream = GuardedStream(
            question=question, language=language, sources=sources, kind=kind, language_of=self._language_of
        )
        try:
            made = self._generator.generate(prompt, on_piece=watch)
        except BusyError:
            watch.failed = "busy"
            return "", None
        except EngineError:
            watch.failed = "failed"
            return "", None
        watch.finish(made)
        text = made.text.strip()
        verdict = watch.stream.refused or check(
            text,
            question=question,
            language=language,
            sources=sources,
            kind=kind,
            language_of=self._language_of,
            finished=made.finish == "stop",
        )
        return text, verdict

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

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
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
        if text and self._listener is not None:
            self._listener.on_text(self.gap + text)
            self._heard = True
            self.gap = ""


_SENTENCE = re.compile(r".*?(?:[。！？!?]+[”’」』）)]*|\.(?=\s+[^\s\d])|\n+|$)", re.DOTALL)
_SHORT = 12


def _sentences(text: str) -> list[tuple[str, str]]:
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
