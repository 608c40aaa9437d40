"""The values that pass between the stages of one turn.  All frozen, no behaviour.

``Message`` comes from a channel, ``Reply`` goes back to it.  In between, every
stage takes and returns the small types of this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from knowledge_base.entry import Entry, Hit

__all__ = [
    "Action",
    "Attachment",
    "Button",
    "Decision",
    "Entry",
    "GuardVerdict",
    "Hit",
    "Intent",
    "Listener",
    "Message",
    "Past",
    "Reply",
    "Route",
    "Source",
    "Trace",
    "Turn",
]


@dataclass(frozen=True, slots=True)
class Message:
    """What a customer sent, as a channel hands it over."""

    text: str
    conversation_id: str
    customer_id: str
    channel: str = "api"
    message_id: str | None = None
    """The sender's own id of this message; the same id is answered once."""
    interface_language: str | None = None
    """Language of the page or client, a tie-break for the language stage."""
    past: Past | None = None
    """Earlier exchanges as the sender tells them, for channels whose clients keep the conversation
    themselves; None: as the history knows them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of the same conversation."""

    question: str
    answer: str
    language: str
    action: str
    """Value of the :class:`Action` taken."""
    entry_ids: tuple[str, ...] = ()
    searched: str = ""
    """The question made whole, as it was searched; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Past:
    """What this turn may know of the conversation, oldest turn first."""

    turns: tuple[Turn, ...] = ()
    language: str | None = None
    """Language the customer has used so far, if any."""


class Route(StrEnum):
    """What an intent leads to.  Configured per intent in ``routes.yml``."""

    ANSWER = "answer"
    SMALL_TALK = "small_talk"
    RECOMMEND = "recommend"
    HAND_OVER = "hand_over"
    """To a person at once, whatever the knowledge base says."""
    ANSWER_OR_HAND_OVER = "answer_or_hand_over"
    """Answered if the knowledge base can, else handed to a person: complaints."""
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Intent:
    """What the customer wants."""

    name: str
    confidence: float
    """Calibrated probability, 0…1."""
    route: Route = Route.ANSWER
    route_confidence: float = field(default=0.0, compare=False)
    """Calibrated probability that some intent of this route is meant; 0 where it was not measured."""


class Action(StrEnum):
    """What the bot does with this turn."""

    ANSWER = "answer"
    """Word an answer from the sources; the generator may be used."""
    VERBATIM = "verbatim"
    """Give the entry's own text."""
    CLARIFY = "clarify"
    """Two close candidates: ask which one is meant, by buttons."""
    SMALL_TALK = "small_talk"
    RECOMMEND = "recommend"
    HAND_OVER = "hand_over"
    CUSTOM = "custom"
    """A custom action of the company's action server answered, or a question for what it needs is asked."""
    DECLINE = "decline"
    """Nothing known answers this question: say so and offer a person."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, with what, and why."""

    action: Action
    hits: tuple[Hit, ...] = ()
    """The sources of the answer, best first; for CLARIFY the candidates."""
    reason: str = ""
    """One short technical clause for the trace, never shown to customers."""
    probability: float = 1.0
    """Calibrated probability that the first hit answers this very question."""
    offers: tuple[Hit, ...] = ()
    """For DECLINE: known questions that come close, which the customer may have meant."""


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """May this wording go out?"""

    passed: bool
    reasons: tuple[str, ...] = ()
    """Which checks failed, e.g. ``number:30``, ``language:zh``."""

    def __str__(self) -> str:
        return "passed" if self.passed else "refused: " + ", ".join(self.reasons)


@dataclass(frozen=True, slots=True)
class Button:
    title: str
    payload: str
    """What is sent as the customer's next message when it is clicked."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, a video or the like that is shown or offered beside the text."""

    type: str
    """``image``, ``video``, ``audio``, ``file`` or what else the widget knows."""
    payload: Mapping[str, Any]
    """``src`` is its address; more keys (``title``, ``alt``) are passed on as they are."""


@dataclass(frozen=True, slots=True)
class Source:
    entry_id: str
    score: float
    question: str
    answer: str
    language: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Why this answer: kept with the message, shown in the console and by ``kefu ask``."""

    id: str
    language: str
    intent: Intent
    question: str
    """The question as it was searched, after a follow-up was made whole."""
    decision: str
    reason: str
    probability: float
    sources: tuple[Source, ...]
    guard: str
    """``not needed``, ``passed`` or ``refused: …``."""
    generator: str
    """Id of the model that worded the answer, or ``none``."""
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the customer.  Actions are fields, never text."""

    text: str
    language: str
    action: Action
    trace: Trace
    message_id: str = ""
    """Id of the stored answer; feedback refers to it."""
    buttons: tuple[Button, ...] = ()
    images: tuple[str, ...] = ()
    """Addresses of pictures, ``https:`` or ``http:``."""
    attachments: tuple[Attachment, ...] = ()
    custom: tuple[Mapping[str, Any], ...] = ()
    """Payloads for the client itself (rich cards, say), as JSON objects; one item each."""
    sources: tuple[Source, ...] = ()
    recommendations: tuple[str, ...] = ()
    hand_over: bool = False
    notice: Literal["", "busy", "error", "curated_language"] = ""
    """Set when the answer is a lesser one, so that pages can say so honestly."""


class Listener(Protocol):
    """Who follows a turn while it is made: a stream to a browser, a webhook, a test."""

    def on_text(self, piece: str) -> None:
        """Takes the next piece of the answer; it has passed the guard so far."""

    def cancelled(self) -> bool:
        """True once nobody waits for the answer any more; generation then stops."""
