"""Decide: intent and hits become what the bot does.  Pure apart from asking the judge.

Whether the knowledge found answers this very question is a probability.  It
comes from the search alone where that is sure, and from the judge, which reads
entry and question, where it is not; so a clear question costs no model pass.
All bounds are calibrated and come with the model (``answerability.json``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

from chatbot.errors import ModelError
from chatbot.turn import Action, Decision, Entry, Hit, Intent, Route

__all__ = ["READ", "Answerability", "Compose", "Decider", "Judge", "features", "worth_composing"]

READ = 3
"""Hits of a question that the judge may read before it is declined."""

Compose = Literal["translations", "long", "none"]

Judge = Callable[[Hit], float | None]
"""Log-odds that the hit's text answers the question; None when no judge is at hand."""


@dataclass(frozen=True, slots=True)
class Answerability:
    """Calibrated: how likely the best hit answers the question.

    Two logistic models over the signals of the search, one with the judge's
    log-odds and one without, and the bounds between which the judge is asked.
    """

    quick: Mapping[str, float]
    """Weights without the judge, by the names of :func:`features`."""
    judged: Mapping[str, float]
    """Weights with the judge: the same and ``judge``."""
    sure_yes: float
    """Quick probability from which the answer goes out unread."""
    sure_no: float
    """Quick probability below which the question is declined unread."""
    threshold: float
    """Judged probability from which the answer goes out."""
    threshold_quick: float
    """The same when there is no judge."""
    by_language: Mapping[str, float] = field(default_factory=dict)
    """Judged thresholds of single languages, where calibration found another one."""
    topic: float = 1.0
    """Similarity to an entry's question from which a question is about the entry's topic."""

    @classmethod
    def shipped(cls) -> Answerability:
        """The calibration that comes with the default models."""
        text = files("chatbot").joinpath("answerability.json").read_text(encoding="utf-8")
        return cls(**json.loads(text))

    @classmethod
    def load(cls, path: Path) -> Answerability:
        """One that was fitted for another encoder.

        Raises:
            ModelError: the file is missing or holds something else.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(
                f"{path} is no calibration of the decision ({type(error).__name__}); delete its folder, or run "
                "`kefu train calibrate`"
            ) from error

    def quick_probability(self, hits: Sequence[Hit], language: str) -> float:
        """Probability from the search alone."""
        if hits[0].exact:
            return 1.0
        return _logistic(self.quick, features(hits, language))

    def judged_probability(self, hits: Sequence[Hit], language: str, log_odds: float) -> float:
        """Probability from the search and the judge."""
        return self.judged_chance({**features(hits, language), "judge": log_odds})

    def judged_chance(self, values: Mapping[str, float]) -> float:
        """Probability from signals by name, the judge's among them."""
        return _logistic(self.judged, values)

    def bound(self, language: str) -> float:
        """The judged threshold of a language."""
        return self.by_language.get(language, self.threshold)


def features(hits: Sequence[Hit], language: str) -> dict[str, float]:
    """The signals of the search that the calibration weighs, for the first of ``hits``."""
    best = hits[0]
    second = hits[1].dense if len(hits) > 1 else best.dense - 0.1
    score = _logit(best.score)
    lead = score - _logit(hits[1].score) if len(hits) > 1 else 3.0
    return {
        "bias": 1.0,
        "question": best.question_similarity,
        "dense": best.dense,
        "lexical": best.lexical,
        "margin": best.dense - second,
        "cross": float(best.entry.language != language),
        "score": score,
        "lead": max(-_FAR_APART, min(_FAR_APART, lead)),
    }


_FAR_APART = 6.0
"""Difference of two scores' logits from which more says no more."""


def _logit(probability: float) -> float:
    held = min(max(probability, 1e-4), 1.0 - 1e-4)
    return math.log(held / (1.0 - held))


def _logistic(weights: Mapping[str, float], values: Mapping[str, float]) -> float:
    total = sum(weights.get(name, 0.0) * value for name, value in values.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


_CLEAR = 0.9
"""Probability from which no other entry is read."""


class Decider:
    """Chooses the action of a turn.

    Args:
        answerability: the calibration.
        route_confidence: probability of the intent, or of all intents of its
            route, from which a route that is not «answer» is followed.
        clarify_margin: two hits whose scores are closer than this are offered
            as buttons when the question is short.
        compose: what the generator may word: ``translations`` of entries that
            are missing in the customer's language, ``long`` entries as well, or
            ``none``.  A small model that is not tuned to a company picks the
            wrong row of a long answer now and then, and no guard can see that.
    """

    def __init__(
        self,
        answerability: Answerability,
        *,
        route_confidence: float = 0.75,
        clarify_margin: float = 0.06,
        compose: Compose = "translations",
    ) -> None:
        self._answerability = answerability
        self._route_confidence = route_confidence
        self._clarify_margin = clarify_margin
        self._compose = compose

    def decide(
        self, question: str, language: str, intent: Intent, hits: Sequence[Hit], judge: Judge
    ) -> Decision:
        """What to do with this turn.

        Args:
            question: as it was searched.
            language: the customer's.
            hits: best first.
            judge: asked of :data:`READ` hits at most, only where the search alone is unsure.
        """
        sure = max(intent.confidence, intent.route_confidence) >= self._route_confidence
        followed = intent.route is not Route.ANSWER and sure
        if followed and intent.route is Route.HAND_OVER:
            return Decision(Action.HAND_OVER, (), f"intent {intent.name}", intent.confidence)
        quick = self.evidence(hits, language)
        if followed and intent.route is Route.SMALL_TALK and quick < self._answerability.threshold_quick:
            return Decision(Action.SMALL_TALK, (), f"intent {intent.name}", intent.confidence)
        decision = self._from_knowledge(question, language, hits, quick, judge)
        if decision.action is Action.DECLINE:
            decision = self._which_one(question, language, hits, decision)
        if followed and decision.action is Action.DECLINE:
            return self._instead(intent, decision)
        return decision

    @property
    def compose(self) -> Compose:
        """What the generator may word."""
        return self._compose

    def evidence(self, hits: Sequence[Hit], language: str) -> float:
        """How likely the search alone thinks it that the first of ``hits`` answers; 0 for none."""
        return self._answerability.quick_probability(hits, language) if hits else 0.0

    def _which_one(self, question: str, language: str, hits: Sequence[Hit], declined: Decision) -> Decision:
        """What is known of the topic becomes buttons: a word or two name no more than a topic,
        and beside a question that is declined they may be what was meant."""
        near = tuple(hit for hit in hits[:READ] if hit.question_similarity >= self._answerability.topic)
        if near and _is_short(question):
            return Decision(Action.CLARIFY, near, f"a topic only, {declined.reason}", declined.probability)
        return replace(declined, offers=tuple(hit for hit in near if hit.entry.language == language))

    @staticmethod
    def _instead(intent: Intent, declined: Decision) -> Decision:
        """What an intent has to offer where the knowledge base has nothing."""
        reason = f"intent {intent.name}, {declined.reason}"
        if intent.route is Route.ANSWER_OR_HAND_OVER:
            return Decision(Action.HAND_OVER, (), reason, intent.confidence)
        if intent.route is Route.SMALL_TALK:
            return Decision(Action.SMALL_TALK, (), reason, intent.confidence)
        return declined

    def _from_knowledge(
        self, question: str, language: str, hits: Sequence[Hit], quick: float, judge: Judge
    ) -> Decision:
        """Answer, ask back or decline, by what the search found."""
        if not hits:
            return Decision(Action.DECLINE, (), "nothing found", 0.0)
        if self._is_ambiguous(question, hits):
            return Decision(Action.CLARIFY, tuple(hits[:3]), "short question, close candidates", quick)
        if hits[0].exact or quick >= self._answerability.sure_yes:
            return self._answer(hits, language, quick, "search is sure")
        if quick < self._answerability.sure_no:
            return Decision(Action.DECLINE, tuple(hits[:1]), "search is sure that nothing fits", quick)
        return self._judged(language, hits, quick, judge)

    def _judged(self, language: str, hits: Sequence[Hit], quick: float, judge: Judge) -> Decision:
        """Reads the best hits, until one is sure to answer, and takes the one that answers best."""
        best, order = 0.0, list(hits)
        for number, hit in enumerate(hits[:READ]):
            if number and hits[0].score - hit.score > 0.5:
                break
            log_odds = judge(hit)
            if log_odds is None:
                passed = quick >= self._answerability.threshold_quick
                if passed:
                    return self._answer(hits, language, quick, "search alone, no judge")
                return Decision(Action.DECLINE, tuple(hits[:1]), "search alone, no judge", quick)
            read = [hit, *(other for other in hits if other is not hit)]
            probability = self._answerability.judged_probability(read, language, log_odds)
            if probability > best:
                best, order = probability, read
            if best >= _CLEAR:
                break
        if best >= self._answerability.bound(language):
            return self._answer(order, language, best, "judge says the text answers it")
        return Decision(Action.DECLINE, tuple(hits[:1]), "judge says no text answers it", best)

    def _is_ambiguous(self, question: str, hits: Sequence[Hit]) -> bool:
        if len(hits) < 2 or hits[0].exact or not _is_short(question):
            return False
        return hits[0].score - hits[1].score < self._clarify_margin and hits[1].score > 0.5

    def _answer(self, hits: Sequence[Hit], language: str, probability: float, reason: str) -> Decision:
        entry = hits[0].entry
        if entry.language != language:
            composed = self._compose != "none" and not entry.verbatim
        else:
            composed = self._compose == "long" and _pays(hits[0])
        action = Action.ANSWER if composed else Action.VERBATIM
        return Decision(action, tuple(hits[:1]), reason, probability)


def _is_short(question: str) -> bool:
    """Up to six characters in scripts without blanks, up to two words elsewhere."""
    if any(ord(character) > 0x2E80 for character in question):
        return len(question) <= 6
    return len(question.split()) <= 2


_LONG = 240.0
"""Length of an answer, in Latin letters (a Chinese character counts 2.5), from which
an answer to the point is worth the tokens; below it the curated text is one."""


def worth_composing(entry: Entry) -> bool:
    """May this entry be worded anew, and is it long enough for that to help?"""
    length = sum(2.5 if ord(character) > 0x2E80 else 1.0 for character in entry.answer)
    return not entry.verbatim and length > _LONG


def _pays(hit: Hit) -> bool:
    """Is a wording of its own worth it: a long text, and not its own question asked?"""
    return worth_composing(hit.entry) and not hit.exact and hit.question_similarity < 0.95
