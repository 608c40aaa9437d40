"""The widget as a visitor of somebody else's site meets it, in headless Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.fakes import LONG_EN
from tests.ui.widget.conftest import Kefu

pytestmark = pytest.mark.browser


def test_an_answer_streams_into_the_panel_under_a_strict_policy(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    v.shot("welcome")
    assert "How long does delivery take?" in v.page.locator(".welcome").inner_text()
    kefu.bot.delay = 0.05
    v.ask("How long do I have to return something?", wait=False)
    v.page.wait_for_selector(".growing")
    partial = v.page.locator(".growing").inner_text()
    assert LONG_EN.startswith(partial.strip())
    v.settled()
    assert v.said() == ["How long do I have to return something?", LONG_EN]
    v.page.click("summary")
    assert "You have 30 days from delivery." in v.page.locator(".sources").inner_text()
    v.shot("answer")
    assert not v.problems
