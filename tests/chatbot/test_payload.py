"""Messages that name their intent, as buttons and menus send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.payload import Payload, read_payload


@pytest.mark.parametrize(
    ("message", "name", "text"),
    [
        ("/greet", "greet", "greet"),
        (" /get_started ", "get_started", "get started"),
        ("/start@kefu_bot ref42", "start", "start ref42"),
        ('/order_status{"order_number": "10423"}', "order_status", "order status 10423"),
        ('/inform{"items": ["cable", 3], "gift": true, "note": null}', "inform", "inform cable 3"),
        ("/faq_shipping", "faq_shipping", "shipping"),
        ("/faq/ask_returns", "faq", "ask returns"),
        ("/退货", "退货", "退货"),
        ("/greet{broken", "", ""),
        ("/greet{broken}", "greet", "greet {broken}"),
        ("/ hello", "", ""),
        ("/10", "", ""),
        ("either/or", "", ""),
        ("https://shop.example/page", "", ""),
        ("/products/cables/usb.html does not open", "", ""),
        ("", "", ""),
    ],
)
def test_a_payload_is_told_from_ordinary_text(message: str, name: str, text: str) -> None:
    assert read_payload(message) == (Payload(name, text) if name else None)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_and_a_payload_is_never_empty(text: str) -> None:
    for message in (text, f"/{text}", f"/greet{{{text}}}", f'/greet{{"a": {text}}}'):
        found = read_payload(message)
        assert found is None or (found.name and found.text)
