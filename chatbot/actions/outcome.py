"""What an action server sends back becomes slots and parts of a reply."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import structlog

from chatbot.actions.state import ActionState
from chatbot.turn import Attachment, Button

__all__ = ["Effects", "Said", "apply_events", "fill", "read_responses"]

log = structlog.get_logger(__name__)

MAX_TEXT = 8000
"""Characters of one text that are kept."""
MAX_PARTS = 20
"""Buttons, images, attachments and payloads of a reply that are kept, each."""
_NO_EFFECT = frozenset(
    {
        "action",
        "action_execution_rejected",
        "agent",
        "entities",
        "export",
        "form_validation",
        "loop_interrupted",
        "resume",
        "session_ended",
        "session_started",
        "user",
        "user_featurization",
    }
)
_ABSENT = frozenset({"reminder", "cancel_reminder"})


@dataclass(frozen=True, slots=True)
class Said:
    """The parts of a reply that actions have made so far."""

    texts: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    images: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    custom: tuple[Mapping[str, Any], ...] = ()

    def __add__(self, other: Said) -> Said:
        return Said(
            self.texts + other.texts,
            (self.buttons + other.buttons)[:MAX_PARTS],
            (self.images + other.images)[:MAX_PARTS],
            (self.attachments + other.attachments)[:MAX_PARTS],
            (self.custom + other.custom)[:MAX_PARTS],
        )

    def __bool__(self) -> bool:
        return bool(self.texts or self.buttons or self.images or self.attachments or self.custom)


@dataclass(frozen=True, slots=True)
class Effects:
    """What the events of one action changed."""

    state: ActionState
    followup: str = ""
    """Action to run next."""
    rewound: bool = False
    """The customer's message counts as not said: the assistant answers it in another way."""
    paused: bool = False
    """The bot shall be silent from here on: a person takes over."""
    said: Said = Said()


def apply_events(state: ActionState, events: Iterable[Mapping[str, Any]], before: ActionState) -> Effects:
    """Applies events in their order, as Rasa's tracker does.

    Args:
        state: as the action found it.
        before: as it was before the customer's message, for «rewind».
    """
    at_start = state
    effects = Effects(state)
    for event in events:
        effects = _applied(effects, event, at_start, before)
    return effects


def _applied(
    effects: Effects, event: Mapping[str, Any], at_start: ActionState, before: ActionState
) -> Effects:
    state, kind = effects.state, event.get("event")
    match kind:
        case "slot":
            return replace(effects, state=_slot_set(state, event))
        case "reset_slots":
            return replace(effects, state=replace(state, slots={}))
        case "restart":
            return Effects(ActionState(), said=effects.said)
        case "active_loop" | "form":
            name = event.get("name")
            return replace(effects, state=replace(state, loop=name if isinstance(name, str) else ""))
        case "followup":
            return replace(effects, followup=str(event.get("name") or ""))
        case "rewind":
            return replace(effects, state=before, rewound=True)
        case "undo":
            return replace(effects, state=at_start, said=Said(), followup="")
        case "pause":
            return replace(effects, paused=True)
        case "bot":
            data = event.get("data")
            said = _said({**(data if isinstance(data, Mapping) else {}), "text": event.get("text")})
            return replace(effects, said=effects.said + said)
    if kind in _ABSENT:
        log.warning("the action server wants a reminder, which this assistant does not keep", event_kind=kind)
    elif kind not in _NO_EFFECT:
        log.warning("the action server sent an event of an unknown kind; it is left out")
    return effects


def _slot_set(state: ActionState, event: Mapping[str, Any]) -> ActionState:
    name, value = event.get("name"), event.get("value")
    if not isinstance(name, str) or not name:
        return state
    if name == "requested_slot":
        return replace(state, requested=value if isinstance(value, str) else "")
    return replace(state, slots={**state.slots, name: value})


def read_responses(
    responses: Iterable[Mapping[str, Any]],
    known: Mapping[str, Sequence[Mapping[str, Any]]],
    slots: Mapping[str, Any],
    language: str,
) -> Said:
    """The parts of a reply in an action's responses.

    Args:
        known: response name to its variations; a response may name one instead of having a text.
        slots: fill the ``{name}`` of such texts, together with the response's own fields.
        language: picks a translation, where a variation has some.
    """
    said = Said()
    for response in responses:
        name = response.get("response") or response.get("template")
        if isinstance(name, str) and name and not response.get("text"):
            said += _looked_up(name, response, known, slots, language)
            response = {**response, "text": None}
        said += _said(response)
    return said


def _looked_up(
    name: str,
    response: Mapping[str, Any],
    known: Mapping[str, Sequence[Mapping[str, Any]]],
    slots: Mapping[str, Any],
    language: str,
) -> Said:
    variations = known.get(name)
    if not variations:
        log.warning("the action server names a response that is not known", response=name)
        return Said()
    chosen = random.Random(name).choice(list(variations))
    translations = chosen.get("translation")
    translated = translations.get(language) if isinstance(translations, Mapping) else None
    if isinstance(translated, Mapping):
        chosen = {**chosen, **translated}
    elif isinstance(translated, str):
        chosen = {**chosen, "text": translated}
    fields = {**slots, **response}
    text = chosen.get("text")
    return _said({**chosen, "text": fill(text, fields) if isinstance(text, str) else None})


def fill(text: str, fields: Mapping[str, Any]) -> str:
    """The text with each ``{name}`` that is known filled in; others stay as they are."""
    for name, value in fields.items():
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            text = text.replace("{" + name + "}", str(value))
    return text


def _said(response: Mapping[str, Any]) -> Said:
    text = response.get("text")
    return Said(
        (text.strip()[:MAX_TEXT],) if isinstance(text, str) and text.strip() else (),
        tuple(_buttons(response.get("buttons")))[:MAX_PARTS],
        tuple(image for image in [_address(response.get("image"))] if image),
        tuple(_attachments(response.get("attachment")))[:MAX_PARTS],
        tuple(_payloads(response))[:MAX_PARTS],
    )


def _buttons(value: Any) -> Iterable[Button]:
    for button in value if isinstance(value, list) else ():
        if isinstance(button, Mapping) and isinstance(button.get("title"), str) and button["title"].strip():
            payload = button.get("payload")
            title = button["title"].strip()
            yield Button(title, payload if isinstance(payload, str) and payload.strip() else title)


def _attachments(value: Any) -> Iterable[Attachment]:
    """A string is a file's address; an object is ``{type, payload: {src}}`` as Rasa's widget has it."""
    if isinstance(value, str) and (address := _address(value)):
        yield Attachment("file", {"src": address})
    elif isinstance(value, Mapping):
        payload = value.get("payload")
        kind = value.get("type")
        if isinstance(payload, Mapping) and isinstance(kind, str) and _address(payload.get("src")):
            yield Attachment(kind, dict(payload))


def _payloads(response: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    custom = response.get("custom")
    if isinstance(custom, Mapping) and custom:
        yield dict(custom)
    elements = response.get("elements")
    if isinstance(elements, list) and elements:
        yield {
            "type": "elements",
            "elements": [dict(element) for element in elements if isinstance(element, Mapping)],
        }


def _address(value: Any) -> str:
    """An address of http or https; empty for anything else, ``javascript:`` above all."""
    if not isinstance(value, str):
        return ""
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return ""
    return value.strip() if parts.scheme in ("http", "https") and parts.netloc else ""
