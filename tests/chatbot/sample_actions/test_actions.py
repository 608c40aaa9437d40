"""The sample company's orders and its two actions, run as rasa-sdk runs them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import ActionExecutionRejection

from chatbot.sample_actions.actions import ActionCancelOrder, ActionOrderStatus
from chatbot.sample_actions.orders import SAMPLE, OrderBook, say

LANGUAGES = ("zh", "en", "es", "ja", "de", "fr")
ROWS = yaml.safe_load((SAMPLE / "orders.yml").read_text(encoding="utf-8"))


@pytest.fixture
def book(tmp_path: Path) -> OrderBook:
    return OrderBook(tmp_path / "orders.db")


def run(
    action: Any, slots: dict[str, Any], language: str = "en"
) -> tuple[str, list[dict[str, Any]], list[Any]]:
    """Text, events and buttons."""
    dispatcher = CollectingDispatcher()
    latest = {"text": "", "metadata": {"language": language}}
    events = action.run(dispatcher, Tracker("s", slots, latest, [], False, None, {}, None), {})
    return dispatcher.messages[0]["text"], events, dispatcher.messages[0]["buttons"]


def test_there_are_some_forty_orders_of_every_kind_with_numbers_of_their_own() -> None:
    assert len(ROWS) >= 40
    assert len({row["number"][-5:] for row in ROWS}) == len(ROWS)
    assert {"shipped", "late", "cancelled", "return_received", "paid", "delivered"} <= {
        row["status"] for row in ROWS
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["number"])
def test_every_order_is_told_in_every_language(book: OrderBook, row: dict[str, Any]) -> None:
    for language in LANGUAGES:
        text, _, _ = run(
            ActionOrderStatus(book), {"order_number": row["number"], "email": row["email"]}, language
        )
        assert row["number"] in text
        assert "{" not in text


@pytest.mark.parametrize("number", ["10423", "TP2611010423", "tp2611010423", "2611010423"])
def test_order_10423_is_found_by_each_way_to_write_its_number(book: OrderBook, number: str) -> None:
    text, events, _ = run(ActionOrderStatus(book), {"order_number": number, "email": "Li.Wei@Example.com"})
    assert "SF1415926535897" in text
    assert number in text
    assert [event["name"] for event in events] == ["order_misses"]


@pytest.mark.parametrize(
    "slots",
    [
        {"order_number": "10423", "email": "stranger@example.com"},
        {"order_number": "99999", "email": "li.wei@example.com"},
        {"order_number": "TP9999910423", "email": "li.wei@example.com"},
    ],
)
def test_a_stranger_learns_nothing_not_even_which_numbers_there_are(
    book: OrderBook, slots: dict[str, Any]
) -> None:
    text, events, _ = run(ActionOrderStatus(book), slots)
    assert text == say("says", "unknown", "en", number=slots["order_number"])
    assert {event["name"]: event["value"] for event in events} == {
        "order_misses": 1,
        "email": None,
        "requested_slot": "email",
    }


def test_guessing_is_ended(book: OrderBook) -> None:
    right = {"order_number": "10423", "email": "li.wei@example.com"}
    text, _, _ = run(ActionOrderStatus(book), {**right, "email": "x@example.com", "order_misses": 3})
    assert text == say("says", "too_often", "en")
    assert run(ActionOrderStatus(book), {**right, "order_misses": 4})[0] == text


def test_without_its_slots_an_action_is_not_for_this_message(book: OrderBook) -> None:
    with pytest.raises(ActionExecutionRejection):
        run(ActionOrderStatus(book), {"order_number": "10423", "email": None})


def test_what_can_be_cancelled_is_offered_and_cancelled_once(book: OrderBook) -> None:
    slots = {"order_number": "10402", "email": "sofia.ruiz@example.com"}
    _, _, buttons = run(ActionOrderStatus(book), slots, "es")
    assert buttons == [{"title": "Cancelar este pedido", "payload": "Cancela el pedido 10402"}]
    text, _, _ = run(ActionCancelOrder(book), slots, "es")
    assert "queda cancelado" in text
    assert "se canceló" in run(ActionCancelOrder(book), slots, "es")[0]
    text, _, buttons = run(ActionOrderStatus(OrderBook(book._path)), slots, "es")
    assert ("se canceló" in text, buttons) == (True, [])


@pytest.mark.parametrize("number", ["10404", "10423", "10408", "10414"])
def test_what_has_been_packed_is_not_cancelled(book: OrderBook, number: str) -> None:
    row = next(row for row in ROWS if row["number"].endswith(number))
    text, _, _ = run(ActionCancelOrder(book), {"order_number": number, "email": row["email"]})
    assert text.startswith("I'm sorry, this order can no longer be cancelled.")


def test_of_many_who_cancel_at_once_one_does(book: OrderBook) -> None:
    order = book.find("10401", "chen.jie@example.com")
    assert order is not None

    def cancels() -> Iterator[bool]:
        with ThreadPoolExecutor(8) as pool:
            yield from pool.map(lambda _: book.cancel(order), range(16))

    assert sum(cancels()) == 1


def test_a_language_that_is_not_there_is_answered_in_english(book: OrderBook) -> None:
    text, _, _ = run(ActionOrderStatus(book), {"order_number": "10423", "email": "li.wei@example.com"}, "ko")
    assert text.startswith("Order 10423")
