from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.visitor import Visitor


def test_a_returning_browser_is_recognised() -> None:
    visitor = Visitor.recognise(None, "zh-CN")
    assert Visitor.recognise(visitor.stored(), "en-US") == visitor


@pytest.mark.parametrize(
    "forged", ["+49170555", "web-1", "web-" + "a" * 31, "web-" + "a" * 32 + "\n", "", None, 7]
)
def test_no_guessable_id_opens_a_conversation(forged: object) -> None:
    visitor = Visitor.recognise({"conversation": forged, "customer": forged, "language": "en"})
    assert visitor.conversation_id != forged
    assert len(visitor.conversation_id) == 36


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda s: st.dictionaries(st.text(), s) | st.lists(s))
)
def test_anything_stored_gives_a_usable_visitor(stored: object) -> None:
    assert Visitor.recognise(stored).language in ("zh", "en")


def test_a_new_conversation_keeps_customer_and_language() -> None:
    visitor = Visitor.recognise(None, "zh")
    fresh = visitor.anew()
    assert fresh.conversation_id != visitor.conversation_id
    assert (fresh.customer_id, fresh.language) == (visitor.customer_id, "zh")


def test_an_unknown_interface_language_changes_nothing() -> None:
    visitor = Visitor.recognise(None, "zh")
    assert visitor.speaking("xx") is visitor
    assert visitor.speaking("en").language == "en"
