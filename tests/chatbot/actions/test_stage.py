"""A conversation about an order: what is asked, what is run, and what the customer is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk.events import (
    ActiveLoop,
    ConversationPaused,
    FollowupAction,
    Restarted,
    SlotSet,
    UserUtteranceReverted,
)

from chatbot.actions import Acted, ActionPlans, ActionStage, ActionTurn
from chatbot.actions.client import ActionError, ActionRejected, ActionResult
from chatbot.phrases import Phrases
from chatbot.turn import Action, Button, Decision, Intent, Message, Past, Route

SAMPLE = Path(__file__).parents[3] / "knowledge_base" / "sample"
STATUS = Intent("order_status", 0.95)
CANCEL = Intent("order_cancel", 0.95)
OTHER = Intent("faq_shipping", 0.9)
ANSWER = Decision(Action.VERBATIM)
DECLINE = Decision(Action.DECLINE)


class Server:
    """Answers by the action's name; keeps every call."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], ActionResult]] = {}

    def run(self, call: Mapping[str, Any]) -> ActionResult:
        self.calls.append(dict(call))
        answer = self.answers.get(call["next_action"])
        if answer is not None:
            return answer(self.calls[-1])
        slots = call["tracker"]["slots"]
        text = f"{call['next_action']} {slots['order_number']} {slots['email']}"
        return ActionResult([], [{"text": text}])

    @property
    def names(self) -> list[str]:
        return [call["next_action"] for call in self.calls]


class Talk:
    """One conversation; what each turn stores is what the next one reads, by a new stage each time."""

    def __init__(self, server: Server, now: float = 1000.0) -> None:
        self.server = server
        self.now = now
        self.stored: Mapping[str, Any] = {}
        self.past = Past()
        self.plans = ActionPlans.load(SAMPLE / "routes.yml")

    def say(
        self,
        text: str,
        intent: Intent = OTHER,
        *,
        decision: Decision = DECLINE,
        language: str = "en",
    ) -> Acted:
        stage = ActionStage(
            self.plans,
            self.server,  # type: ignore[arg-type]
            Phrases.load(SAMPLE / "phrases.yml", "Acme"),
            lambda _intent: Route.ANSWER,
            now=lambda: self.now,
        )
        turn = ActionTurn(Message(text, "c", "u"), text, language, intent, (), self.past, self.stored)
        acted = stage.act(turn, lambda: decision)
        if acted.state is not None:
            self.stored = acted.state
        if acted.text:
            self.past = replace(self.past, language=acted.language)
        return acted


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def talk(server: Server) -> Talk:
    return Talk(server)


def test_what_is_missing_is_asked_one_at_a_time_then_the_action_runs(talk: Talk, server: Server) -> None:
    assert "order number" in talk.say("where is my order?", STATUS).text
    asked = talk.say("10423")
    assert "e-mail" in asked.text
    assert "10423" in asked.text
    assert not server.calls
    done = talk.say("li.wei@example.com")
    assert done.text == "action_order_status 10423 li.wei@example.com"
    assert done.action is Action.CUSTOM
    call = server.calls[0]
    assert call["sender_id"] == "c"
    assert call["tracker"]["latest_message"]["text"] == "li.wei@example.com"
    assert call["tracker"]["latest_message"]["metadata"] == {"language": "en"}
    assert [event["name"] for event in call["tracker"]["events"] if event["event"] == "slot"] == [
        "email",
        "order_number",
    ]


def test_a_message_that_says_everything_needs_no_question(talk: Talk) -> None:
    acted = talk.say("where is 10423? li.wei@example.com", STATUS)
    assert acted.text == "action_order_status 10423 li.wei@example.com"


def test_what_was_told_before_is_not_asked_again(talk: Talk) -> None:
    talk.say("where is 10423? li.wei@example.com", STATUS)
    assert talk.say("and 10424?", STATUS).text == "action_order_status 10424 li.wei@example.com"


def test_an_action_that_changes_something_is_confirmed_when_nothing_was_asked(
    talk: Talk, server: Server
) -> None:
    talk.say("where is 10423? li.wei@example.com", STATUS)
    asked = talk.say("cancel it", CANCEL)
    assert "10423" in asked.text
    assert asked.buttons == (Button("Yes", "Yes"), Button("No", "No"))
    assert server.names == ["action_order_status"]
    assert talk.say("Yes").text == "action_cancel_order 10423 li.wei@example.com"


@pytest.mark.parametrize("answer", ["No", "never mind", "不用了"])
def test_a_no_leaves_everything_as_it_is(talk: Talk, server: Server, answer: str) -> None:
    talk.say("cancel 10423, li.wei@example.com", CANCEL)
    assert "nothing was changed" in talk.say(answer).text
    assert not server.calls
    assert talk.say("Yes", Intent("affirm", 0.9), decision=ANSWER).text == ""


@pytest.mark.parametrize("answer", ["maybe", "cancel", "what?"])
def test_an_unclear_answer_never_runs_what_must_be_confirmed(talk: Talk, server: Server, answer: str) -> None:
    talk.say("cancel 10423, li.wei@example.com", CANCEL)
    assert "10423" in talk.say(answer).text
    assert not server.calls


def test_a_wish_to_cancel_that_needed_a_question_is_not_confirmed_once_more(talk: Talk) -> None:
    assert "cancel" in talk.say("cancel my order 10402", CANCEL).text
    assert talk.say("sofia.ruiz@example.com").text == "action_cancel_order 10402 sofia.ruiz@example.com"


def test_a_question_in_between_is_answered_and_the_number_is_still_taken(talk: Talk) -> None:
    talk.say("where is my order?", STATUS)
    assert talk.say("how long does delivery take?", decision=ANSWER).text == ""
    assert "e-mail" in talk.say("10423", Intent("order_status", 1.0)).text


def test_a_wish_for_a_person_ends_the_questions(talk: Talk) -> None:
    talk.say("where is my order?", STATUS)
    human = Intent("human", 0.95, Route.HAND_OVER)
    assert talk.say("I want a person", human, decision=Decision(Action.HAND_OVER)).text == ""
    assert talk.say("10423 is my lucky number", decision=ANSWER).text == ""


def test_another_action_takes_the_place_of_the_first(talk: Talk) -> None:
    talk.say("where is my order 10423?", STATUS)
    assert "cancel order 10423" in talk.say("cancel it instead", CANCEL).text


def test_a_bare_number_belongs_to_the_open_question_whatever_intent_it_looks_like(talk: Talk) -> None:
    talk.say("cancel my order", CANCEL)
    assert "cancel order 10423" in talk.say("10423", Intent("order_status", 1.0)).text


def test_an_answer_that_cannot_be_read_is_asked_for_again_then_a_person_is_offered(talk: Talk) -> None:
    talk.say("where is my order?", STATUS)
    assert "could not read" in talk.say("the blue one").text
    assert "could not read" in talk.say("blue!").text
    given_up = talk.say("well...")
    assert given_up.action is Action.DECLINE
    assert given_up.buttons[0].title == "Talk to a person"
    handed = talk.say("yes please", Intent("affirm", 0.9))
    assert handed.hand_over
    assert handed.action is Action.HAND_OVER


def test_the_customer_is_answered_in_the_language_begun_in(talk: Talk) -> None:
    assert "订单号" in talk.say("我的订单到哪了", STATUS, language="zh").text
    asked = talk.say("10423", language="en")
    assert (asked.language, "邮箱" in asked.text) == ("zh", True)
    assert talk.say("li.wei@example.com", language="id").language == "zh"


@pytest.mark.parametrize("language", ["zh", "en", "es", "ja", "de", "fr", "ko", "pt", "it", "ru", "vi"])
def test_a_server_that_is_down_is_said_and_a_person_is_offered(
    talk: Talk, server: Server, language: str
) -> None:
    def down(_call: dict[str, Any]) -> ActionResult:
        raise ActionError("down")

    server.answers["action_order_status"] = down
    acted = talk.say("10423 li.wei@example.com", STATUS, language=language)
    phrases = Phrases.load(SAMPLE / "phrases.yml", "Acme")
    assert acted.text == phrases.say("action_failed", language)
    assert (acted.notice, acted.action) == ("error", Action.DECLINE)
    assert acted.buttons[0].payload == phrases.say("action_person", language)
    del server.answers["action_order_status"]
    assert talk.say("where is my order?", STATUS, language=language).text.startswith(
        "action_order_status 10423"
    )


def test_a_rejected_action_leaves_the_message_to_the_knowledge_base(talk: Talk, server: Server) -> None:
    def rejects(_call: dict[str, Any]) -> ActionResult:
        raise ActionRejected("x")

    server.answers["action_order_status"] = rejects
    assert talk.say("10423 li.wei@example.com", STATUS).text == ""


def test_slots_set_by_the_action_are_kept_and_sent_next_time(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult(
        [SlotSet("vip", True)], [{"text": "x"}]
    )
    talk.say("10423 li.wei@example.com", STATUS)
    talk.say("10424", STATUS)
    assert server.calls[-1]["tracker"]["slots"]["vip"] is True
    assert server.calls[-1]["tracker"]["latest_action_name"] == "action_order_status"


def test_an_action_may_ask_for_a_slot_itself(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult(
        [SlotSet("email", None), SlotSet("requested_slot", "email")],
        [{"text": "No such order. Your e-mail?"}],
    )
    assert talk.say("10423 li@example.com", STATUS).text == "No such order. Your e-mail?"
    del server.answers["action_order_status"]
    assert talk.say("li.wei@example.com").text == "action_order_status 10423 li.wei@example.com"


def test_following_actions_run_and_see_what_came_before(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult(
        [SlotSet("parcel", "P1"), FollowupAction("action_parcel")], [{"text": "first"}]
    )
    server.answers["action_parcel"] = lambda call: ActionResult(
        [], [{"text": call["tracker"]["slots"]["parcel"]}]
    )
    assert talk.say("10423 li.wei@example.com", STATUS).text == "first\n\nP1"
    assert server.names == ["action_order_status", "action_parcel"]


def test_actions_that_name_each_other_for_ever_are_stopped(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult(
        [FollowupAction("action_order_status")], [{"text": "again"}]
    )
    talk.say("10423 li.wei@example.com", STATUS)
    assert len(server.calls) == 5


def test_a_pause_hands_the_customer_over(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult([ConversationPaused()], [])
    acted = talk.say("10423 li.wei@example.com", STATUS)
    assert acted.hand_over
    assert acted.text


def test_a_message_taken_back_is_answered_from_the_knowledge_base(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult([UserUtteranceReverted()], [])
    assert talk.say("10423 li.wei@example.com", STATUS).text == ""
    assert not talk.stored.get("slots")


def test_a_restart_forgets_what_was_told(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult([Restarted()], [{"text": "x"}])
    talk.say("10423 li.wei@example.com", STATUS)
    assert talk.stored["slots"] == {}


def test_an_active_loop_gets_the_next_messages_until_it_ends(talk: Talk, server: Server) -> None:
    server.answers["action_order_status"] = lambda _call: ActionResult(
        [ActiveLoop("survey")], [{"text": "How was it?"}]
    )
    server.answers["survey"] = lambda _call: ActionResult([ActiveLoop(None)], [{"text": "Thank you."}])
    talk.say("10423 li.wei@example.com", STATUS)
    assert talk.say("it was great").text == "Thank you."
    assert server.calls[-1]["tracker"]["active_loop"] == {"name": "survey"}
    assert talk.say("great", decision=DECLINE).text == ""


def test_a_button_in_rasas_form_is_a_sure_intent_with_its_slots(talk: Talk, server: Server) -> None:
    talk.say("where is 10402? sofia.ruiz@example.com", STATUS, language="es")
    asked = talk.say('/order_cancel{"order_number": "10402", "evil": {"x": 1}}', language="en")
    assert (asked.language, "10402" in asked.text) == ("es", True)
    assert talk.say("sí").text == "action_cancel_order 10402 sofia.ruiz@example.com"
    assert "evil" not in server.calls[-1]["tracker"]["slots"]


@pytest.mark.parametrize("text", ["/unknown", "/order_cancel{broken", "/", "//", '/x{"a":1}'])
def test_a_broken_command_is_a_message_like_any_other(talk: Talk, text: str) -> None:
    assert talk.say(text, decision=ANSWER).text == ""


def test_an_unsure_wish_without_a_value_leaves_the_answer_to_the_knowledge_base(talk: Talk) -> None:
    unsure = Intent("order_status", 0.4)
    assert talk.say("tracking", unsure, decision=ANSWER).text == ""
    assert "order number" in talk.say("tracking", unsure, decision=DECLINE).text


def test_another_intent_starts_nothing_even_with_a_number(talk: Talk) -> None:
    assert talk.say("order 10423 arrived broken", Intent("faq_returns", 0.9), decision=ANSWER).text == ""
    assert talk.stored == {}


def test_an_old_question_is_forgotten_but_not_what_was_told(talk: Talk) -> None:
    talk.say("cancel 10423, li.wei@example.com", CANCEL)
    talk.now += 7200
    assert talk.say("yes", Intent("affirm", 0.9), decision=ANSWER).text == ""
    assert talk.say("where is it", STATUS).text == "action_order_status 10423 li.wei@example.com"
