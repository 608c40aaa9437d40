"""What is known of a conversation between two of its messages, as stored by ``Conversations``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["CONFIRM", "ActionState"]

CONFIRM = "?confirm"
"""Stands in ``requested`` while the customer is asked whether the action shall really run."""

FORM_LIFETIME_S = 3600.0
"""A question that was left unanswered this long is forgotten; what was told already is kept."""


@dataclass(frozen=True, slots=True)
class ActionState:
    """Slots and the question that is open."""

    slots: Mapping[str, Any] = field(default_factory=dict)
    active: str = ""
    """Intent whose action is being prepared; empty for none."""
    requested: str = ""
    """Slot that was asked for, or :data:`CONFIRM`."""
    tries: int = 0
    """Answers to that question that could not be read."""
    asked: bool = False
    """Has anything been asked since the action was wished for?"""
    loop: str = ""
    """Action that the server has made the active loop: it gets the next message."""
    person: bool = False
    """Was a person offered with the last answer?"""
    last_action: str = ""
    at: float = 0.0
    """When it was stored, in seconds since 1970."""

    @classmethod
    def read(cls, body: Mapping[str, Any], now: float) -> ActionState:
        """The state of :meth:`as_json`; a form that is too old is dropped."""
        known = {name: body[name] for name in cls.__dataclass_fields__ if name in body}
        state = cls(**known)
        if now - state.at > FORM_LIFETIME_S:
            return cls(slots=state.slots, last_action=state.last_action)
        return state

    def as_json(self, now: float) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "slots": dict(self.slots), "at": now}
