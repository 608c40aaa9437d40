"""The action stage of a turn: ask for what an action needs, run it, and make its outcome a reply.

One message goes through :meth:`ActionStage.act`.  It either belongs to a custom
action (the wish for one, or the answer to a question about one) or the turn goes
on as if there were none.  The state it gives is stored with the exchange, so a
reload or another process goes on where the customer was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import regex
import structlog

from chatbot.actions.client import ActionError, ActionRejected, ActionServer
from chatbot.actions.outcome import Said, apply_events, fill, read_responses
from chatbot.actions.plan import ActionPlan, ActionPlans, SlotPlan
from chatbot.actions.recognise import plain, says_stop, yes_or_no
from chatbot.actions.state import CONFIRM, ActionState
from chatbot.actions.wire import Spoken, action_call
from chatbot.phrases import Phrases
from chatbot.turn import Action, Attachment, Button, Decision, Hit, Intent, Message, Past, Route

__all__ = ["Acted", "ActionStage", "ActionTurn"]

log = structlog.get_logger(__name__)

MAX_ACTIONS = 5
"""Actions that may follow one another in a turn."""
MAX_TRIES = 2
"""Answers that cannot be read before a person is offered."""
SURE = 0.6
"""Calibrated probability of the intent from which it starts its action with no value at hand."""
LIKELY = 0.3
"""The same when the message holds a value that the action needs, or the knowledge base has no answer."""

_COMMAND = regex.compile(r"/([\p{L}\p{N}_.-]{1,64})\s*(\{.*\})?\s*", regex.DOTALL)
_WORDS = regex.compile(r"\p{L}{2,}")


@dataclass(frozen=True, slots=True)
class ActionTurn:
    """What the stage may know of a message."""

    message: Message
    text: str
    language: str
    intent: Intent
    hits: tuple[Hit, ...]
    past: Past
    stored: Mapping[str, Any]
    """The state that the last turn left."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What the stage did.  Without ``text`` the turn goes on as if there were no actions."""

    state: Mapping[str, Any] | None = None
    """To be stored with the exchange; None leaves what is stored."""
    text: str = ""
    language: str = ""
    action: Action = Action.CUSTOM
    reason: str = ""
    intent: Intent | None = None
    buttons: tuple[Button, ...] = ()
    images: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    custom: tuple[Mapping[str, Any], ...] = ()
    hand_over: bool = False
    notice: Literal["", "error"] = ""


@dataclass(frozen=True, slots=True)
class _Command:
    """``/intent{"slot": "value"}``, the payload of a button in Rasa's own form."""

    intent: str
    slots: Mapping[str, Any]


class ActionStage:
    """Runs the custom actions of an installation.

    Args:
        plans: which intent runs what.
        server: where actions run.
        phrases: the fixed sentences.
        route: gives an intent's route, to tell a change of subject.
        now: seconds since 1970.
    """

    def __init__(
        self,
        plans: ActionPlans,
        server: ActionServer,
        phrases: Phrases,
        route: Callable[[str], Route],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._plans = plans
        self._server = server
        self._phrases = phrases
        self._route = route
        self._now = now

    def act(self, turn: ActionTurn, decide: Callable[[], Decision]) -> Acted:
        """Answers the message if it belongs to an action.

        Args:
            decide: what the turn would do without actions; asked only where it matters.
        """
        before = ActionState.read(turn.stored, self._now())
        turn, command = self._read_command(turn)
        run = _Run(self, turn, before, decide)
        acted = run.act(command)
        after = None if run.state == before else run.state.as_json(self._now())
        return replace(acted, state=after)

    def _read_command(self, turn: ActionTurn) -> tuple[ActionTurn, _Command | None]:
        """A button's payload counts as a sure intent, in the language spoken so far."""
        match = _COMMAND.fullmatch(turn.text)
        if match is None:
            return turn, None
        try:
            slots = json.loads(match[2]) if match[2] else {}
        except (ValueError, RecursionError):
            slots = {}
        intent = Intent(match[1], 1.0, self._route(match[1]))
        language = turn.past.language or turn.message.interface_language or turn.language
        turn = replace(turn, intent=intent, language=language)
        return turn, _Command(match[1], slots if isinstance(slots, dict) else {})


class _Run:
    """One message on its way through the stage."""

    def __init__(
        self, stage: ActionStage, turn: ActionTurn, before: ActionState, decide: Callable[[], Decision]
    ) -> None:
        self._stage = stage
        self._plans = stage._plans
        self._turn = turn
        self._before = before
        self._decide = decide
        self._entities: list[dict[str, Any]] = []
        self.state = replace(before, person=False)

    def act(self, command: _Command | None) -> Acted:
        """Chooses between the open question, a new wish and nothing."""
        if self._before.person and self._agrees():
            return self._hand_over("the customer wants the person who was offered")
        plan = self._plans.by_intent.get(self._before.active)
        wished = self._wished(command)
        if plan is not None and (wished is None or wished.intent == plan.intent):
            return self._go_on(plan)
        if wished is not None:
            return self._begin(wished)
        if self._before.loop:
            return self._in_loop()
        return Acted()

    # -- which action is it about ------------------------------------------------

    def _wished(self, command: _Command | None) -> ActionPlan | None:
        """The action that the message asks for, None if it asks for none."""
        intent = self._turn.intent
        plan = self._plans.by_intent.get(intent.name)
        if plan is None:
            return None
        if command is not None:
            self._take(plan, command.slots)
            return plan
        # A bare number reads like a wish for some action; one that must be confirmed is never meant by it.
        deliberate = bool(plan.confirm) and intent.confidence >= SURE
        if self._before.active and not deliberate and self._answers_open_question():
            return None
        if self._has_value(plan):
            return plan if intent.confidence >= LIKELY else None
        if intent.confidence >= SURE:
            exact = bool(self._turn.hits) and self._turn.hits[0].exact
            return None if exact and intent.confidence < 1.0 else plan
        if intent.confidence >= LIKELY and self._decide().action is Action.DECLINE:
            return plan
        return None

    def _has_value(self, plan: ActionPlan) -> bool:
        return any(slot.find(self._turn.text, False) for slot in plan.slots if slot.kind != "choice")

    def _answers_open_question(self) -> bool:
        """Is the message little more than the value that was asked for?"""
        plan = self._plans.by_intent.get(self._before.active)
        slot = plan.slot(self._before.requested) if plan else None
        if slot is None:
            return self._before.requested == CONFIRM and yes_or_no(self._turn.text) is not None
        return slot.kind not in ("text", "pattern") and slot.find(self._turn.text, True) is not None

    def _agrees(self) -> bool:
        return yes_or_no(self._turn.text) is True or (
            self._turn.intent.name == "affirm" and self._turn.intent.confidence >= SURE
        )

    # -- filling the form ----------------------------------------------------------

    def _begin(self, plan: ActionPlan) -> Acted:
        self._set(active=plan.intent, requested="", tries=0, asked=False, loop="")
        self._find_values(plan)
        return self._next(plan)

    def _go_on(self, plan: ActionPlan) -> Acted:
        """The message after a question."""
        text = self._turn.text
        if says_stop(text, confirming=self._before.requested == CONFIRM):
            return self._dropped(plan)
        answer = yes_or_no(text)
        if self._before.requested == CONFIRM:
            if answer is None and self._turn.intent.confidence >= SURE:
                answer = {"affirm": True, "deny": False}.get(self._turn.intent.name)
            if answer is not None:
                return self._run(plan) if answer else self._dropped(plan)
        elif answer is False:
            slot = plan.slot(self._before.requested)
            if slot is None or slot.kind != "yes_no":
                return self._dropped(plan)
        if self._find_values(plan):
            return self._next(plan)
        if self._other_subject():
            return Acted()
        return self._ask_again(plan)

    def _other_subject(self) -> bool:
        """Does the message ask for something that can be answered, rather than for what was asked?"""
        intent = self._turn.intent
        if intent.name == self._before.active and intent.confidence >= LIKELY:
            return False
        if intent.confidence >= SURE and intent.route in (Route.HAND_OVER, Route.ANSWER_OR_HAND_OVER):
            self._set(active="", requested="", tries=0)
            return True
        return self._decide().action in (Action.ANSWER, Action.VERBATIM, Action.HAND_OVER, Action.RECOMMEND)

    def _next(self, plan: ActionPlan) -> Acted:
        """Asks for the first slot that has no value, or runs the action."""
        for slot in plan.slots:
            if self.state.slots.get(slot.name) is None:
                self._set(requested=slot.name, tries=0, asked=True)
                return self._question(slot, slot.ask, f"asks for {slot.name}")
        if plan.confirm and not self.state.asked:
            self._set(requested=CONFIRM, tries=0, asked=True)
            return self._confirmation(plan)
        return self._run(plan)

    def _confirmation(self, plan: ActionPlan) -> Acted:
        text = fill(self._in_language(plan.confirm), self.state.slots)
        return self._reply(text, f"asks whether to run {plan.action}", buttons=self._yes_no_buttons())

    def _ask_again(self, plan: ActionPlan) -> Acted:
        tries = self.state.tries + 1
        if tries > MAX_TRIES:
            self._set(active="", requested="", tries=0)
            return self._offer_person("action_unread", f"gave up on {plan.action}")
        self._set(tries=tries)
        slot = plan.slot(self.state.requested)
        if slot is None:
            return self._confirmation(plan) if self.state.requested == CONFIRM else self._next(plan)
        return self._question(slot, slot.retry or slot.ask, f"asks for {slot.name} again")

    def _question(self, slot: SlotPlan, texts: Mapping[str, str], reason: str) -> Acted:
        buttons: tuple[Button, ...] = ()
        if slot.kind == "choice":
            buttons = tuple(
                Button(words[0] if words else value, value) for value, words in slot.values.items()
            )
        elif slot.kind == "yes_no":
            buttons = self._yes_no_buttons()
        return self._reply(fill(self._in_language(texts), self.state.slots), reason, buttons=buttons)

    def _find_values(self, plan: ActionPlan) -> bool:
        """Takes over every value that the message holds; was there one?"""
        found: dict[str, Any] = {}
        for slot in plan.slots:
            requested = slot.name == self._before.requested and self._before.active == plan.intent
            value = slot.find(self._turn.text, requested)
            if value is None:
                continue
            found[slot.name] = value.value
            self._entities.append(
                {"entity": slot.name, "value": value.value, "start": value.start, "end": value.end}
            )
        self._take(plan, found)
        return bool(found)

    def _take(self, plan: ActionPlan, values: Mapping[str, Any]) -> None:
        """Keeps the values of slots that the action has, if they are plain ones."""
        kept = {
            name: value
            for name, value in values.items()
            if plan.slot(name) is not None and isinstance(value, (str, int, float, bool))
        }
        if kept:
            self._set(slots={**self.state.slots, **kept})

    # -- running actions -------------------------------------------------------------

    def _in_loop(self) -> Acted:
        """The active loop of the action server gets the message, unless it is about something else."""
        if says_stop(self._turn.text):
            self._set(loop="")
            return self._reply(self._say("action_dropped"), "the customer left the loop")
        if self._other_subject():
            return Acted()
        return self._call(self._before.loop, None)

    def _run(self, plan: ActionPlan) -> Acted:
        self._set(active="", requested="", tries=0, asked=False)
        acted = self._call(plan.action, plan)
        for slot in plan.slots:
            if slot.kind == "yes_no" and slot.name in self.state.slots:
                self._set(slots={k: v for k, v in self.state.slots.items() if k != slot.name})
        return acted

    def _call(self, action: str, plan: ActionPlan | None) -> Acted:
        """Runs an action and those it names as following."""
        said, paused = Said(), False
        events: list[dict[str, Any]] = []
        names: list[str] = []
        try:
            for _ in range(MAX_ACTIONS):
                names.append(action)
                result = self._stage._server.run(self._body(action, events))
                effects = apply_events(self.state, result.events, self._before)
                self.state = replace(effects.state, last_action=action)
                events += result.events
                paused = paused or effects.paused
                said = said + effects.said + self._read(result.responses)
                if effects.rewound and not said:
                    return Acted()
                action = effects.followup
                if action.startswith("utter_"):
                    said, action = said + self._read([{"response": action}]), ""
                if action in _HAND_OVER_NAMES:
                    paused, action = True, ""
                if action in ("", "action_listen"):
                    break
        except ActionRejected:
            return Acted()
        except ActionError as error:
            log.error("action failed", action=action, error=type(error).__name__, text=str(error))
            if not said:
                return self._offer_person("action_failed", f"{action} failed", notice="error")
        return self._outcome(said, paused, plan, ", ".join(names))

    def _outcome(self, said: Said, paused: bool, plan: ActionPlan | None, names: str) -> Acted:
        if self.state.requested and plan is not None:
            return self._asked_by_server(said, plan, names)
        if paused and not said.texts:
            said = said + Said((self._say("handed_over"),))
        if not said:
            said = Said((self._say("action_done"),))
        acted = self._reply("\n\n".join(said.texts), f"ran {names}", buttons=said.buttons)
        return replace(
            acted,
            images=said.images,
            attachments=said.attachments,
            custom=said.custom,
            hand_over=paused,
            action=Action.HAND_OVER if paused else Action.CUSTOM,
        )

    def _asked_by_server(self, said: Said, plan: ActionPlan, names: str) -> Acted:
        """The action itself asks for a slot (``requested_slot``), as Rasa's forms do."""
        slot = plan.slot(self.state.requested)
        if slot is None:
            self._set(requested="")
            return self._outcome(said, False, plan, names)
        self._set(active=plan.intent, tries=0, asked=True, slots={**self.state.slots, slot.name: None})
        if said.texts:
            acted = self._reply(
                "\n\n".join(said.texts), f"ran {names}, asks for {slot.name}", buttons=said.buttons
            )
        else:
            acted = self._question(slot, slot.ask, f"ran {names}, asks for {slot.name}")
        return replace(acted, images=said.images, attachments=said.attachments, custom=said.custom)

    def _body(self, action: str, events: list[dict[str, Any]]) -> dict[str, Any]:
        turn = self._turn
        spoken = Spoken(turn.message, turn.text, self._language(), turn.intent, self._entities, turn.past)
        names = {slot.name for plan in self._plans.by_intent.values() for slot in plan.slots}
        slots = {**dict.fromkeys(sorted(names)), **self.state.slots}
        return action_call(
            action,
            spoken,
            slots,
            loop=self.state.loop,
            last_action=self.state.last_action,
            events=events,
        )

    def _read(self, responses: list[dict[str, Any]]) -> Said:
        return read_responses(responses, self._plans.responses, self.state.slots, self._language())

    # -- saying it ---------------------------------------------------------------------

    def _dropped(self, plan: ActionPlan) -> Acted:
        self._set(active="", requested="", tries=0, asked=False)
        return self._reply(self._say("action_dropped"), f"the customer dropped {plan.action}")

    def _hand_over(self, reason: str) -> Acted:
        self._set(active="", requested="", tries=0)
        acted = self._reply(self._say("handed_over"), reason)
        return replace(acted, action=Action.HAND_OVER, hand_over=True)

    def _offer_person(self, phrase: str, reason: str, notice: Literal["", "error"] = "") -> Acted:
        self._set(person=True, requested="")
        button = Button(self._say("action_person"), self._say("action_person"))
        acted = self._reply(self._say(phrase), reason, buttons=(button,))
        return replace(acted, action=Action.DECLINE, notice=notice)

    def _yes_no_buttons(self) -> tuple[Button, ...]:
        return tuple(Button(self._say(key), self._say(key)) for key in ("action_yes", "action_no"))

    def _reply(self, text: str, reason: str, *, buttons: tuple[Button, ...] = ()) -> Acted:
        return Acted(
            text=text, language=self._language(), reason=reason, intent=self._turn.intent, buttons=buttons
        )

    def _say(self, key: str) -> str:
        return self._stage._phrases.say(key, self._language())

    def _in_language(self, texts: Mapping[str, str]) -> str:
        return texts.get(self._language()) or texts.get("en") or next(iter(texts.values()))

    def _language(self) -> str:
        """The customer's; a bare number or address says nothing of it, so the one before is kept."""
        rest = plain(self._turn.text)
        for entity in sorted(self._entities, key=lambda found: -int(found["start"])):
            rest = rest[: entity["start"]] + " " + rest[entity["end"] :]
        if self._turn.past.language and not _WORDS.search(rest):
            return self._turn.past.language
        return self._turn.language

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)


_HAND_OVER_NAMES = frozenset({"action_kefu_handover", "action_handover", "action_human_handoff"})
