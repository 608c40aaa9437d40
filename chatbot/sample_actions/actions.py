"""``action_order_status`` and ``action_cancel_order``, as a company would write them for rasa-sdk.

They know nothing of Kefu: slots ``order_number`` and ``email`` come in, a text and
sometimes a button go out.  The customer's language is in the message's metadata.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionExecutionRejection

from chatbot.sample_actions.orders import Order, OrderBook, say
from chatbot.settings import load_settings

__all__ = ["ActionCancelOrder", "ActionOrderStatus"]

MAX_MISSES = 3
"""Pairs of number and e-mail that may be wrong in one conversation."""
MISSES = "order_misses"

Events = list[dict[str, Any]]


@lru_cache(maxsize=1)
def _book() -> OrderBook:
    return OrderBook(load_settings().data_dir / "sample_orders.db")


class _OrderAction(Action, ABC):  # type: ignore[misc]
    """Finds the order that both actions are about."""

    def __init__(self, book: OrderBook | None = None) -> None:
        self._book = book

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Finds the order and does with it what the action is for."""
        del domain
        number, email = tracker.get_slot("order_number"), tracker.get_slot("email")
        if not number or not email:
            raise ActionExecutionRejection(
                self.name(), f"{self.name()} needs the slots order_number and email"
            )
        language = str((tracker.latest_message.get("metadata") or {}).get("language") or "en")
        if int(tracker.get_slot(MISSES) or 0) > MAX_MISSES:
            dispatcher.utter_message(text=say("says", "too_often", language))
            return []
        order = (self._book or _book()).find(str(number), str(email))
        if order is None:
            return self._missed(dispatcher, tracker, language, str(number))
        self.act(dispatcher, order, language, str(number))
        return [SlotSet(MISSES, None)]

    @abstractmethod
    def name(self) -> str:
        """The name that routes and domains use."""

    @abstractmethod
    def act(self, dispatcher: CollectingDispatcher, order: Order, language: str, number: str) -> None:
        """Does what the action is for."""

    def _missed(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, language: str, number: str
    ) -> Events:
        """Asks for the e-mail again; a stranger who guesses is stopped and never learns which numbers exist."""
        misses = int(tracker.get_slot(MISSES) or 0) + 1
        if misses > MAX_MISSES:
            dispatcher.utter_message(text=say("says", "too_often", language))
            return [SlotSet(MISSES, misses), SlotSet("email", None)]
        dispatcher.utter_message(text=say("says", "unknown", language, number=number))
        return [SlotSet(MISSES, misses), SlotSet("email", None), SlotSet("requested_slot", "email")]


class ActionOrderStatus(_OrderAction):
    """Says where an order is."""

    def name(self) -> str:
        """The name that routes and domains use."""
        return "action_order_status"

    def act(self, dispatcher: CollectingDispatcher, order: Order, language: str, number: str) -> None:
        """Says it, and offers to cancel what can be cancelled."""
        buttons = []
        if order.cancellable:
            title, payload = (
                say("says", key, language, order, number) for key in ("cancel_button", "cancel_wish")
            )
            buttons = [{"title": title, "payload": payload}]
        dispatcher.utter_message(text=say("status", order.status, language, order, number), buttons=buttons)


class ActionCancelOrder(_OrderAction):
    """Cancels an order that has not been packed."""

    def name(self) -> str:
        """The name that routes and domains use."""
        return "action_cancel_order"

    def act(self, dispatcher: CollectingDispatcher, order: Order, language: str, number: str) -> None:
        """Cancels it, or says why it cannot be."""
        if (self._book or _book()).cancel(order):
            dispatcher.utter_message(text=say("says", "cancelled_now", language, order, number))
            return
        text = say("status", order.status, language, order, number)
        if order.status != "cancelled":
            text = f"{say('says', 'cannot_cancel', language)} {text}"
        dispatcher.utter_message(text=text)
