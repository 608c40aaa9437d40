"""What ``routes.yml`` says of custom actions: which intent runs which one, and what it needs to know first.

.. code-block:: yaml

    slots:
      order_number: {kind: number, pattern: '(?:TP)?\\d{5,10}', ask: {en: 'What is your order number?'}}
    intents:
      order_status:
        action: action_order_status
        slots: [order_number, email]
      order_cancel:
        action: action_cancel_order
        slots: {order_number: {ask: {en: 'Which order shall be cancelled?'}}, email: {}}
        confirm: {en: 'Shall I cancel order {order_number}?'}
    responses:
      utter_sorry: [{text: I'm sorry.}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import regex

from chatbot.actions.recognise import KINDS, Found, find_value
from chatbot.errors import SettingsError
from chatbot.phrases import read_mapping

__all__ = ["ActionPlan", "ActionPlans", "SlotPlan"]

Texts = Mapping[str, str]
"""Language to sentence."""


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """One thing an action needs to know."""

    name: str
    kind: str
    ask: Texts
    """The question, by language."""
    retry: Texts = field(default_factory=dict)
    """The question after an answer that could not be read; ``ask`` again where it is missing."""
    pattern: regex.Pattern[str] | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def find(self, text: str, requested: bool) -> Found | None:
        """The value in a message."""
        return find_value(self.kind, text, requested=requested, pattern=self.pattern, values=self.values)


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """What an intent runs."""

    intent: str
    action: str
    slots: tuple[SlotPlan, ...] = ()
    """Asked for in this order."""
    confirm: Texts = field(default_factory=dict)
    """Asked before the action runs on a message that needed no question."""

    def slot(self, name: str) -> SlotPlan | None:
        """The slot of a name."""
        return next((slot for slot in self.slots if slot.name == name), None)


@dataclass(frozen=True, slots=True)
class ActionPlans:
    """All custom actions of an installation."""

    by_intent: Mapping[str, ActionPlan] = field(default_factory=dict)
    responses: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Response name to its variations, as in a Rasa domain."""
    domain: Mapping[str, Any] = field(default_factory=dict)
    """What is sent to the action server as the assistant's domain."""

    @classmethod
    def load(cls, routes_path: Path, domain_path: Path | None = None) -> ActionPlans:
        """Reads the actions of ``routes.yml`` and, where given, a Rasa ``domain.yml``.

        Raises:
            SettingsError: a file cannot be read, or says something that cannot be meant.
        """
        routes = read_mapping(routes_path)
        shared = _mapping(routes.get("slots"), routes_path, "slots")
        plans: dict[str, ActionPlan] = {}
        for name, section in _mapping(routes.get("intents"), routes_path, "intents").items():
            if isinstance(section, Mapping) and "action" in section:
                plans[name] = _plan(name, section, shared, f"{routes_path}, intent {name}")
        domain = read_mapping(domain_path) if domain_path else {}
        responses = {
            **_responses(domain.get("responses"), domain_path or routes_path),
            **_responses(routes.get("responses"), routes_path),
        }
        return cls(plans, responses, _domain(plans, list(routes.get("intents") or {}), responses, domain))


def _plan(intent: str, section: Mapping[str, Any], shared: Mapping[str, Any], where: str) -> ActionPlan:
    action = section["action"]
    if not isinstance(action, str) or not action.strip():
        raise SettingsError(
            f"{where}: action is {action!r}; expected the name of an action, e.g. action_order_status"
        )
    given = section.get("slots") or {}
    if isinstance(given, list):
        given = {str(name): None for name in given}
    slots = tuple(
        _slot(str(name), own, shared.get(name), where)
        for name, own in _mapping(given, where, "slots").items()
    )
    return ActionPlan(intent, action.strip(), slots, _texts(section.get("confirm"), where, "confirm"))


def _slot(name: str, own: Any, shared: Any, where: str) -> SlotPlan:
    place = f"{where}, slot {name}"
    fields = {**_mapping(shared, place, "slot"), **_mapping(own, place, "slot")}
    kind = str(fields.get("kind", "pattern" if "pattern" in fields else "text"))
    if kind not in KINDS:
        raise SettingsError(f"{place}: kind is {kind!r}; expected one of {', '.join(KINDS)}")
    ask = _texts(fields.get("ask"), place, "ask")
    if not ask:
        raise SettingsError(
            f"{place} has no question under «ask»; give one for each language, at least in en"
        )
    return SlotPlan(
        name,
        kind,
        ask,
        _texts(fields.get("retry"), place, "retry"),
        _compiled(fields.get("pattern"), place),
        _choices(fields.get("values"), kind, place),
    )


def _compiled(pattern: Any, place: str) -> regex.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        return regex.compile(str(pattern), regex.IGNORECASE)
    except regex.error as error:
        raise SettingsError(
            f"{place}: pattern is not a regular expression ({error}); mend it in routes.yml"
        ) from error


def _choices(values: Any, kind: str, place: str) -> dict[str, tuple[str, ...]]:
    if isinstance(values, list):
        values = {str(value): [] for value in values}
    found = {str(k): tuple(map(str, v or ())) for k, v in _mapping(values, place, "values").items()}
    if kind == "choice" and not found:
        raise SettingsError(
            f"{place}: a choice needs «values»; expected a list, or each value with its words"
        )
    return found


def _texts(value: Any, place: str, name: str) -> dict[str, str]:
    if isinstance(value, str):
        return {"en": value}
    return {str(language): str(text) for language, text in _mapping(value, place, name).items()}


def _mapping(value: Any, place: object, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(f"{place}: {name} is {type(value).__name__}; expected a mapping")
    return value


def _responses(value: Any, path: Path) -> dict[str, Sequence[Mapping[str, Any]]]:
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for name, variations in _mapping(value, path, "responses").items():
        if not isinstance(variations, list) or not all(isinstance(one, Mapping) for one in variations):
            raise SettingsError(f"{path}: response {name} is not a list of mappings; expected «- text: …»")
        found[name] = variations
    return found


def _domain(
    plans: Mapping[str, ActionPlan],
    intents: list[str],
    responses: Mapping[str, Any],
    own: Mapping[str, Any],
) -> dict[str, Any]:
    """The domain in Rasa's form: the company's own if it gave one, else what is known here."""
    slots = {
        slot.name: {"type": "bool" if slot.kind == "yes_no" else "text", "influence_conversation": False}
        for plan in plans.values()
        for slot in plan.slots
    }
    made: dict[str, Any] = {
        "version": "3.1",
        "intents": intents,
        "entities": sorted(slots),
        "slots": slots,
        "responses": dict(responses),
        "actions": sorted({plan.action for plan in plans.values()}),
        "forms": {},
        "session_config": {"session_expiration_time": 60, "carry_over_slots_to_new_session": True},
        "e2e_actions": [],
    }
    merged: dict[str, Any] = {**made, **own}
    for name in ("slots", "responses"):
        if isinstance(own.get(name), Mapping):
            merged[name] = {**own[name], **made[name]}
    return merged
