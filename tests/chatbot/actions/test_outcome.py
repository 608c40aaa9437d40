"""Events and responses of an action server become slots and parts of a reply."""

from __future__ import annotations

from typing import Any

import pytest
from rasa_sdk.events import (
    ActionReverted,
    ActiveLoop,
    AllSlotsReset,
    BotUttered,
    ConversationPaused,
    FollowupAction,
    Restarted,
    SlotSet,
    UserUtteranceReverted,
)
from rasa_sdk.executor import CollectingDispatcher

from chatbot.actions.outcome import Said, apply_events, fill, read_responses
from chatbot.actions.state import ActionState
from chatbot.turn import Attachment, Button

STATE = ActionState(slots={"a": 1}, loop="form")


def said(*responses: dict[str, Any], known: Any = None, language: str = "en", **slots: Any) -> Said:
    return read_responses(responses, known or {}, slots, language)


def test_slots_are_set_and_reset_in_order() -> None:
    effects = apply_events(STATE, [SlotSet("b", 2), AllSlotsReset(), SlotSet("c", 3)], STATE)
    assert effects.state.slots == {"c": 3}


def test_a_restart_forgets_everything() -> None:
    assert apply_events(STATE, [Restarted()], STATE).state == ActionState()


def test_a_loop_is_opened_and_closed() -> None:
    assert apply_events(ActionState(), [ActiveLoop("order_form")], ActionState()).state.loop == "order_form"
    assert apply_events(STATE, [ActiveLoop(None)], STATE).state.loop == ""


def test_a_following_action_and_a_pause_are_told() -> None:
    effects = apply_events(STATE, [FollowupAction("action_b"), ConversationPaused()], STATE)
    assert (effects.followup, effects.paused) == ("action_b", True)


def test_taking_back_the_customers_message_brings_back_what_was_before_it() -> None:
    before = ActionState(slots={"old": True})
    effects = apply_events(STATE, [SlotSet("b", 2), UserUtteranceReverted()], before)
    assert effects.rewound
    assert effects.state == before


def test_taking_back_the_action_undoes_its_slots() -> None:
    assert apply_events(STATE, [SlotSet("b", 2), ActionReverted()], STATE).state == STATE


def test_a_bot_event_is_said() -> None:
    assert apply_events(STATE, [BotUttered("hello")], STATE).said.texts == ("hello",)


@pytest.mark.parametrize(
    "event", [{}, {"event": None}, {"event": "nonsense"}, {"event": "slot"}, {"event": "reminder"}]
)
def test_an_event_that_means_nothing_here_changes_nothing(event: dict[str, Any]) -> None:
    assert apply_events(STATE, [event], STATE).state == STATE


def test_all_that_a_dispatcher_can_say_is_read() -> None:
    dispatcher = CollectingDispatcher()
    dispatcher.utter_message(text="Hello", buttons=[{"title": "Yes", "payload": "/affirm"}, {"title": "No"}])
    dispatcher.utter_message(image="https://shop.example/a.png")
    dispatcher.utter_message(attachment="https://shop.example/a.pdf")
    dispatcher.utter_message(attachment={"type": "video", "payload": {"src": "https://shop.example/v.mp4"}})
    dispatcher.utter_message(json_message={"type": "card"})
    dispatcher.utter_message(elements=[{"title": "One"}])
    found = said(*dispatcher.messages)
    assert found.texts == ("Hello",)
    assert found.buttons == (Button("Yes", "/affirm"), Button("No", "No"))
    assert found.images == ("https://shop.example/a.png",)
    assert found.attachments == (
        Attachment("file", {"src": "https://shop.example/a.pdf"}),
        Attachment("video", {"src": "https://shop.example/v.mp4"}),
    )
    assert found.custom == ({"type": "card"}, {"type": "elements", "elements": [{"title": "One"}]})


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example/x", "x", 5, None, "http://["]
)
def test_addresses_that_are_not_of_the_web_are_left_out(address: object) -> None:
    found = said({"image": address, "attachment": {"type": "image", "payload": {"src": address}}})
    assert not found


def test_a_named_response_is_looked_up_and_filled_in() -> None:
    known = {
        "utter_hi": [{"text": "Hi {name}, {order}!", "translation": {"zh": "{name}，您好"}, "buttons": []}]
    }
    response = {"response": "utter_hi", "template": "utter_hi", "text": None, "order": "10423"}
    assert said(response, known=known, name="Ann").texts == ("Hi Ann, 10423!",)
    assert said(response, known=known, language="zh", name="安").texts == ("安，您好",)


def test_a_response_that_is_not_known_says_nothing() -> None:
    assert not said({"response": "utter_nowhere"})


def test_only_what_is_known_is_filled_in_and_nothing_is_run() -> None:
    assert fill("{a} {b} {a.__class__} {}", {"a": "x"}) == "x {b} {a.__class__} {}"


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"text": 5},
        {"text": " "},
        {"buttons": "x"},
        {"buttons": [None, {}, {"title": 3}]},
        {"custom": []},
        {"attachment": []},
    ],
)
def test_a_response_of_another_form_says_nothing(response: dict[str, Any]) -> None:
    assert not said(response)


def test_no_end_of_buttons_is_cut() -> None:
    assert len(said({"text": "x", "buttons": [{"title": str(n)} for n in range(500)]}).buttons) == 20
