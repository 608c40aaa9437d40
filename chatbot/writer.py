"""Words the decision: curated text, a composed answer, or one of the fixed sentences.

A composed answer streams through the guard.  Whatever goes wrong - the engine
is busy, slow, broken, or its wording refused - the customer gets the curated
text, so a generated answer is never worse than the curated one.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from chatbot.decide import Compose, worth_composing
from chatbot.generate import Generator
from chatbot.guarded import Pieces, guarded
from chatbot.phrases import Phrases, Routes, name_in
from chatbot.prompt import answer_prompt, translation_prompt
from chatbot.translating import translate
from chatbot.turn import Action, Decision, Entry, GuardVerdict, Intent, Listener
from chatbot.yes_no import without_unasked_yes

__all__ = ["Wording", "Writer"]

Notice = Literal["", "busy", "error", "curated_language"]

_KEPT_TRANSLATIONS = 4096
_WARMED = 24
"""Long entries that are read beforehand."""
_SOURCES = 2
"""Languages, those of most entries, from which translations are read beforehand."""


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
        wording = self._word(decision, question, language, intent, listener)
        if listener is not None and wording.guard == "not needed":
            listener.on_text(wording.text)
        return wording

    def warming(self, entries: Sequence[Entry], compose: Compose) -> list[Callable[[], bool]]:
        """Steps that read what later answers begin with, so that their first words come sooner.

        Args:
            entries: of the knowledge base.
            compose: what is worded anew.
        """
        if self._generator is None or compose == "none":
            return []
        long = [entry for entry in entries if worth_composing(entry)][:_WARMED] if compose == "long" else []
        prompts = [
            *(translation_prompt("", source, target) for source, target in _directions(entries)),
            *(answer_prompt(entry.question, entry.answer, "", entry.language) for entry in long),
        ]
        return [partial(self._generator.warm, prompt) for prompt in prompts]

    def _word(
        self, decision: Decision, question: str, language: str, intent: Intent, listener: Listener | None
    ) -> Wording:
        match decision.action:
            case Action.ANSWER:
                return self._compose(decision.hits[0].entry, question, language, listener)
            case Action.VERBATIM:
                return self._curated(
                    without_unasked_yes(decision.hits[0].entry, question, language), language
                )
            case Action.CLARIFY:
                return Wording(self._phrases.say("clarify", language), language)
            case Action.DECLINE:
                return self._decline(question, language, intent, bool(decision.offers))
            case Action.HAND_OVER:
                reply = self._routes.reply(intent.name, language, question)
                return Wording(reply or self._phrases.say("handed_over", language), language)
            case _:
                reply = self._routes.reply(intent.name, language, question)
                return Wording(reply or self._phrases.say("welcome", language), language)

    def _decline(self, question: str, language: str, intent: Intent, offers: bool) -> Wording:
        """Says that nothing is known; small remarks that are out of scope have their own reply."""
        reply = self._routes.reply(intent.name, language, question) if intent.confidence >= 0.8 else None
        text = reply or self._phrases.say("no_answer", language)
        return Wording(f"{text}\n{self._phrases.say('or_these', language)}" if offers else text, language)

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
        watch = Pieces(listener)
        text, verdict = guarded(
            self._generator,
            prompt,
            watch,
            question=question,
            language=language,
            sources=sources,
            kind="answer",
            language_of=self._language_of,
        )
        curated = without_unasked_yes(entry, question, language)
        return self._outcome(curated, language, text, verdict, watch)

    def _translate(self, entry: Entry, question: str, language: str, listener: Listener | None) -> Wording:
        """The entry's answer in the customer's language; kept, for the next customer may ask it too."""
        assert self._generator is not None
        watch = Pieces(listener)
        made = translate(
            self._generator,
            entry,
            question,
            language,
            watch,
            original=lambda sentence: self._phrases.say(
                "original_sentence", language, language=name_in(entry.language, language), sentence=sentence
            ),
            language_of=self._language_of,
        )
        wording = self._outcome(entry, language, made.text, made.verdict, watch)
        if made.kept and wording.text == made.text:
            assert made.verdict is not None
            fate = "passed but for sentences in the original: " + ", ".join(made.verdict.reasons)
            return replace(wording, guard=fate, notice="curated_language")
        if wording.guard == "passed":
            self._keep(entry, language, made.text)
        return wording

    def _outcome(
        self, entry: Entry, language: str, text: str, verdict: GuardVerdict | None, watch: Pieces
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

    def _kept(self, entry: Entry, language: str) -> str | None:
        with self._lock:
            return self._translations.get((entry.answer, language))

    def _keep(self, entry: Entry, language: str, text: str) -> None:
        with self._lock:
            self._translations[entry.answer, language] = text
            while len(self._translations) > _KEPT_TRANSLATIONS:
                self._translations.popitem(last=False)


def _directions(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """From which language into which other of the knowledge base's an entry may have to be translated."""
    written = {(entry.group, entry.language) for entry in entries}
    free = [entry for entry in entries if not entry.verbatim]
    counts = Counter(entry.language for entry in entries)
    sources = [language for language, _ in counts.most_common(_SOURCES)]
    return [
        (source, target)
        for target in counts
        for source in sources
        if source != target
        and any(entry.language == source and (entry.group, target) not in written for entry in free)
    ]
