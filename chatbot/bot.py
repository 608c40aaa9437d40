"""The way of a message.  :meth:`Bot._answered` reads as the list of its stages."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial

from chatbot.actions import Acted, ActionStage, ActionTurn
from chatbot.decide import Decider
from chatbot.errors import BadRequestError
from chatbot.followup import Completion, FollowUp
from chatbot.intent import IntentClassifier
from chatbot.judge import AnswerJudge
from chatbot.kinds import Kinds
from chatbot.language import LanguageDetector
from chatbot.memory import Memory
from chatbot.payload import read_payload
from chatbot.phrases import Phrases
from chatbot.starters import suggest
from chatbot.turn import (
    Action,
    Button,
    Decision,
    Entry,
    Hit,
    Intent,
    Listener,
    Message,
    Past,
    Reply,
    Source,
    Trace,
    Turn,
)
from chatbot.warming import Warming
from chatbot.writer import Wording, Writer
from knowledge_base.embed import Embedder
from knowledge_base.normalise import clean, words
from knowledge_base.search import KnowledgeBase, Vectors

__all__ = ["Bot"]


@dataclass(frozen=True, slots=True)
class _Search:
    """A question as it was searched, and what was found."""

    question: str
    language: str
    vector: Vectors
    hits: list[Hit]


class Bot:
    """Answers messages.  Safe to call from many threads; one conversation at a time."""

    def __init__(
        self,
        *,
        knowledge: KnowledgeBase,
        language: LanguageDetector,
        intents: IntentClassifier,
        followup: FollowUp,
        judge: AnswerJudge,
        decider: Decider,
        writer: Writer,
        memory: Memory,
        phrases: Phrases,
        actions: ActionStage | None = None,
        max_message_chars: int = 2000,
    ) -> None:
        self.knowledge = knowledge
        self.phrases = phrases
        self._language = language
        self._intents = intents
        self._followup = followup
        self._judge = judge
        self._decider = decider
        self._writer = writer
        self._memory = memory
        self._kinds = Kinds(knowledge.embedder, self._questions)
        self._actions = actions
        self._warming = Warming()
        self._max_message_chars = max_message_chars

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        """Answers one message and stores both.

        The same message id of the same conversation is answered once: a second
        delivery gets the stored reply.

        Raises:
            BadRequestError: the message is too long, or its id was used for another text.
            StorageError: the exchange could not be stored; nothing was acknowledged.
        """
        self._check_length(message)
        stored = self._memory.find(message)
        if stored is not None:
            return stored
        with self._warming.turn():
            return self._answered(message, listener)

    def _answered(self, message: Message, listener: Listener | None) -> Reply:
        """The stages of a turn, one after the other."""
        watch = Stopwatch()
        past = self._understood(self._memory.recall(message))
        with watch("language"):
            text = clean(message.text)
            payload = read_payload(text)
            # What a button names says nothing of the language its customer speaks.
            language = self._language.detect(
                "" if payload else text, previous=past.language, interface=message.interface_language
            ).language
            text = payload.text if payload else text
        if not any(character.isalnum() for character in text):
            return self._memory.record(message, self._unreadable(language, text, watch))
        with watch("followup"):
            completion = Completion(text) if payload else self._followup.complete(text, past, language)
        if completion.certain:
            search = self._search(completion.question, language, watch)
        else:
            search = self._clearer(text, completion.question, language, watch)
        search = self._exchanged(search, completion, watch)
        question, language, vector, hits = search.question, search.language, search.vector, search.hits
        with watch("intent"):
            intent = self._intents.named(payload.name) if payload else None
            intent = intent or self._intents.classify(question, vector)

        @cache
        def decide() -> Decision:
            return self._decider.decide(
                question, language, intent, hits, lambda hit: self._judge.log_odds(question, hit)
            )

        acted = Acted()
        if self._actions is not None:
            with watch("action"):
                slots = self._memory.slots(message)
                turn = ActionTurn(message, text, language, intent, tuple(hits), past, slots)
                acted = self._actions.act(turn, decide)
            if acted.text:
                reply = self._acted(acted, intent, text, watch, listener)
                return self._memory.record(message, reply, slots=acted.state)
        with watch("decide"):
            decision = decide()
        with watch("generate"):
            wording = self._writer.word(decision, question, language, intent, listener)
        watch.note("first_token", wording.first_token_ms)
        reply = self._reply(decision, wording, language, intent, question, hits, watch)
        with watch("store"):
            return self._memory.record(message, reply, slots=acted.state)

    def _search(self, text: str, language: str, watch: Stopwatch) -> _Search:
        question = self.knowledge.decoded(text)
        if question != text:
            language = "zh"
        with watch("embed"):
            vector = self.knowledge.embed(question)
        with watch("retrieve"):
            hits = self.knowledge.search(question, language, vector=vector)
        return _Search(question, language, vector, hits)

    def _clearer(self, text: str, completed: str, language: str, watch: Stopwatch) -> _Search:
        """The search to go on with of a text that may lean on the one before it.

        The one that the knowledge base has more to say to tells what is meant.
        """
        alone = self._search(text, language, watch)
        if alone.hits and alone.hits[0].exact:
            return alone
        joined = self._search(completed, language, watch)
        return self._richer(alone, joined)

    def _richer(self, first: _Search, second: _Search) -> _Search:
        """The search that likelier found an answer; of equal ones the first."""
        return max(first, second, key=lambda search: self._decider.evidence(search.hits, search.language))

    def _exchanged(self, joined: _Search, completion: Completion, watch: Stopwatch) -> _Search:
        """The search to go on with of a text that names a thing in place of another.

        Where the text joined with the topic before it finds nothing that speaks of the thing, the
        earlier question is asked of the thing instead.
        """
        if not completion.exchanges or _speaks_of(completion.thing, joined):
            return joined
        likeliest = self._kinds.likeliest(completion.thing, completion.exchanges, joined.language)
        other = self._search(likeliest.question, joined.language, watch)
        again = completion.turn is not None and _says_again(completion.turn, joined)
        return other if again else self._richer(joined, other)

    def _questions(self, language: str) -> Iterator[str]:
        """The questions that the knowledge base has in a language."""
        return (entry.question for entry in self.knowledge.entries.values() if entry.language == language)

    def understand(self, text: str) -> tuple[Intent, ...]:
        """The intents of a text by itself, likeliest first; nothing is stored."""
        text = clean(text)
        payload = read_payload(text)
        named = self._intents.named(payload.name) if payload else None
        text = payload.text if payload else text
        if not any(character.isalnum() for character in text):
            return (Intent("unreadable", 1.0),)
        text = self.knowledge.decoded(text)
        ranking = self._intents.ranking(text, self.knowledge.embed(text))
        if named is None:
            return ranking
        return (named, *(intent for intent in ranking if intent.name != named.name))

    @property
    def model_id(self) -> str:
        """Identity of the trained intents and the encoder below them."""
        return self._intents.model_id

    def suggestions(self, language: str) -> list[str]:
        """First questions to offer in a language; none where no entry is written in it."""
        return suggest(self.knowledge.entries.values(), language)

    def warm_up(self, stopped: threading.Event) -> int:
        """Reads beforehand what answers will read again, while nobody waits for one.

        Returns:
            How many texts were read.
        """
        entries = list(self.knowledge.entries.values())
        worded = self._writer.warming(entries, self._decider.compose)
        judged = [partial(self._judge.warm, entry) for entry in _first_read(entries)]
        return sum(self._warming.run(steps, stopped) for steps in (worded, judged))

    @property
    def embedder(self) -> Embedder:
        """What turns texts into vectors and counts their tokens."""
        return self.knowledge.embedder

    def _understood(self, past: Past) -> Past:
        """Exchanges that a client tells have no language yet, nor is known which were small talk."""
        turns: list[Turn] = []
        for turn in past.turns:
            if not turn.language:
                before = turns[-1].language if turns else past.language
                language = self._language.detect(clean(turn.question), previous=before).language
                social = self._followup.is_social(turn.question, language)
                action = Action.SMALL_TALK.value if social else turn.action
                turn = replace(turn, language=language, action=action)
            turns.append(turn)
        return Past(tuple(turns), turns[-1].language if turns else past.language)

    def _check_length(self, message: Message) -> None:
        found = len(message.text)
        if found > self._max_message_chars:
            raise BadRequestError(
                f"the message has {found} characters; at most {self._max_message_chars} are read: shorten it",
                phrase="too_long",
                status=413,
            )

    def _unreadable(self, language: str, text: str, watch: Stopwatch) -> Reply:
        """The answer to a message without a single letter or digit."""
        intent = Intent("unreadable", 1.0)
        wording = Wording(self.phrases.say("empty", language), language)
        decision = Decision(Action.SMALL_TALK, (), "no letters or digits", 1.0)
        return self._reply(decision, wording, language, intent, text, [], watch)

    def _acted(
        self, acted: Acted, intent: Intent, text: str, watch: Stopwatch, listener: Listener | None
    ) -> Reply:
        """The reply that a custom action made."""
        if listener is not None:
            listener.on_text(acted.text)
        wording = Wording(acted.text, acted.language, notice=acted.notice)
        decision = Decision(acted.action, (), acted.reason, 1.0)
        reply = self._reply(decision, wording, acted.language, acted.intent or intent, text, [], watch)
        return replace(
            reply,
            buttons=acted.buttons,
            images=acted.images,
            attachments=acted.attachments,
            custom=acted.custom,
            hand_over=acted.hand_over,
        )

    def _reply(
        self,
        decision: Decision,
        wording: Wording,
        language: str,
        intent: Intent,
        question: str,
        hits: list[Hit],
        watch: Stopwatch,
    ) -> Reply:
        answered = decision.action in (Action.ANSWER, Action.VERBATIM)
        sources = tuple(_source(hit) for hit in (decision.hits if answered else ()))
        trace = Trace(
            id=uuid.uuid4().hex,
            language=language,
            intent=intent,
            question=question,
            decision=decision.action.value,
            reason=decision.reason,
            probability=round(decision.probability, 4),
            sources=sources or tuple(_source(hit) for hit in hits[:3]),
            guard=wording.guard,
            generator=wording.generator,
            timings_ms=watch.timings_ms(),
        )
        choice = decision.hits if decision.action is Action.CLARIFY else decision.offers
        buttons = tuple(Button(hit.entry.question, hit.entry.question) for hit in choice)
        return Reply(
            text=wording.text,
            language=wording.language,
            action=decision.action,
            trace=trace,
            buttons=buttons,
            sources=sources,
            hand_over=decision.action is Action.HAND_OVER,
            notice=wording.notice,
        )


_READ_BEFOREHAND = 160
"""Entries that the judge reads before anybody asks."""


def _first_read(entries: Sequence[Entry]) -> list[Entry]:
    """Those that the judge reads first: in the languages of most entries, which are asked most."""
    counts = Counter(entry.language for entry in entries)
    return sorted(entries, key=lambda entry: -counts[entry.language])[:_READ_BEFOREHAND]


def _speaks_of(thing: str, search: _Search) -> bool:
    """Does the best text found hold all words of ``thing``?"""
    if not search.hits:
        return False
    entry = search.hits[0].entry
    return set(words(thing)) <= set(words(" ".join((entry.question, *entry.variants, entry.answer))))


def _says_again(earlier: Turn, search: _Search) -> bool:
    """Is the best text found the one that was given then?"""
    if not search.hits:
        return False
    entry = search.hits[0].entry
    # told by a client, it has no ids, and may lack its first «yes»
    told = earlier.answer.strip().casefold()
    return entry.id in earlier.entry_ids or (bool(told) and entry.answer.casefold().endswith(told))


def _source(hit: Hit) -> Source:
    entry = hit.entry
    return Source(entry.id, round(hit.score, 4), entry.question, entry.answer, entry.language)


class Stopwatch:
    """Milliseconds of each stage of one turn."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            taken = (time.perf_counter() - start) * 1000
            self._stages[stage] = self._stages.get(stage, 0.0) + taken

    def note(self, stage: str, milliseconds: float | None) -> None:
        """Adds a time that was measured elsewhere."""
        if milliseconds is not None:
            self._stages[stage] = milliseconds

    def timings_ms(self) -> dict[str, float]:
        """All stages so far and their total."""
        total = (time.perf_counter() - self._start) * 1000
        return {name: round(value, 2) for name, value in {**self._stages, "total": total}.items()}
