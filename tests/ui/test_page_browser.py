"""The page as a customer meets it, in headless Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from chatbot.storage import Conversations, Database
from tests.ui.conftest import Site, Visit, serve
from tests.ui.fakes import LONG_EN, LONG_ZH, XSS, FakeBot

pytestmark = pytest.mark.browser


def test_greets_with_first_questions_in_the_browsers_language(visit: Any) -> None:
    english, chinese = visit("en-US"), visit("zh-CN")
    assert "How long does delivery take?" in english.page.locator(".kf-welcome").inner_text()
    assert "国内快递几天能到？" in chinese.page.locator(".kf-welcome").inner_text()
    assert chinese.page.locator("html").get_attribute("lang") == "zh"
    assert "潮峰数码" in chinese.page.title()
    english.shot("desktop-en-empty")
    chinese.shot("desktop-zh-empty")


def test_answer_streams_and_ends_with_sources_and_clickable_link(visit: Any) -> None:
    v = visit()
    v.ask("How long do I have to return something?", wait=False)
    v.page.wait_for_selector(".kf-growing")
    partial = v.page.locator(".kf-growing").inner_text()
    v.shot("desktop-en-answering")
    v.settled()
    assert v.last_answer() == LONG_EN
    assert LONG_EN.startswith(partial.strip())
    link = v.page.locator(".kf-bot .kf-bubble a")
    assert link.get_attribute("href") == "https://shop.tidepeak.example/returns"
    assert "noopener" in (link.get_attribute("rel") or "")
    source = v.page.locator(".kf-sources li")
    assert not source.is_visible()
    v.page.click(".kf-sources summary")
    assert "You have 30 days from delivery." in source.inner_text()
    v.shot("desktop-en-answer")
    assert not v.problems


def test_the_conversation_stays_over_a_reload(visit: Any) -> None:
    v = visit()
    v.ask("How long do I have to return something?")
    v.page.reload()
    v.page.wait_for_selector(".kf-bot .kf-bubble")
    assert v.last_answer() == LONG_EN


def test_another_visitor_sees_nothing_of_it(visit: Any) -> None:
    visit().ask("my zebra question about a return")
    other = visit()
    assert other.page.locator(".kf-welcome").is_visible()
    assert "zebra" not in other.page.content()


def test_new_conversation_begins_empty(visit: Any) -> None:
    v = visit()
    v.ask("How long do I have to return something?")
    v.page.click('.kf-tools [data-do="ask-fresh"]')
    v.shot("desktop-en-new")
    v.page.click('.kf-dialog [data-do="fresh"]')
    v.page.wait_for_selector(".kf-welcome")
    v.page.reload()
    v.page.wait_for_selector(".kf-welcome")
    assert v.page.locator(".kf-mine").count() == 0


def test_shift_enter_makes_a_new_line_and_enter_sends(visit: Any) -> None:
    v = visit()
    v.type("first")
    v.page.press("#kf-box textarea", "Shift+Enter")
    v.page.keyboard.type("second")
    assert v.page.input_value("#kf-box textarea") == "first\nsecond"
    v.page.keyboard.press("Enter")
    v.page.wait_for_selector(".kf-mine .kf-bubble")
    assert v.page.locator(".kf-mine .kf-bubble").inner_text() == "first\nsecond"
    v.settled()
    assert v.page.input_value("#kf-box textarea") == ""


def test_input_is_closed_while_answering_and_stop_ends_the_generation(visit: Any, site: Any) -> None:
    v = visit()
    site.bot.delay = 0.15
    site.bot.cancelled.clear()
    v.ask("How long do I have to return something?", wait=False)
    v.page.wait_for_selector(".kf-growing")
    v.page.wait_for_selector("#kf-box textarea:disabled")
    assert not v.page.locator("#kf-send").is_visible()
    v.page.click("#kf-stop")
    v.settled()
    assert site.bot.cancelled.is_set()
    assert "Stopped" in v.page.locator(".kf-bot .kf-foot").inner_text()
    assert len(v.last_answer()) < len(LONG_EN)
    assert v.page.locator("#kf-box textarea").is_enabled()
    v.shot("desktop-en-stopped")


def test_closing_the_page_cancels_the_answer(visit: Any, site: Any) -> None:
    v = visit()
    site.bot.delay = 0.4
    site.bot.cancelled.clear()
    v.ask("How long do I have to return something?", wait=False)
    v.page.wait_for_selector(".kf-growing")
    v.page.close()
    assert site.bot.cancelled.wait(12)


def test_quick_replies_are_sent_as_the_next_message(visit: Any) -> None:
    v = visit("en-US", 360, 740)
    v.ask("which one?")
    v.shot("phone-en-quick-replies")
    v.page.click(".kf-chips button >> nth=1")
    v.page.wait_for_function("document.querySelectorAll('.kf-mine').length === 2")
    v.settled()
    assert "Which payment methods" in v.page.locator(".kf-mine .kf-bubble").last.inner_text()
    assert v.page.locator(".kf-chips").count() == 0


def test_a_first_question_is_sent_by_one_click(visit: Any) -> None:
    v = visit("zh-CN")
    v.page.click(".kf-welcome li button >> nth=1")
    v.page.wait_for_selector(".kf-mine")
    v.settled()
    assert v.last_answer() == LONG_ZH


def test_rating_with_a_reason_is_stored(visit: Any, site: Any) -> None:
    v = visit("zh-CN", 360, 740, dark=True)
    v.ask("多久可以退货")
    v.page.click('[data-do="dislike"]')
    v.page.click('.kf-why [data-value="wrong"]')
    v.page.fill(".kf-why input", "少了运费")
    v.shot("phone-zh-dark-rating")
    v.page.click('.kf-why [type="submit"]')
    assert v.page.locator(".kf-thanks").is_visible()
    message_id = v.page.locator('[data-do="dislike"]').get_attribute("data-id")
    rated = _eventually(lambda: _feedback(site, message_id))
    assert rated == ("dislike", "wrong; 少了运费")
    v.page.reload()
    v.page.wait_for_selector('[data-do="dislike"][aria-pressed="true"]')


def test_a_request_for_a_person_is_recorded_and_confirmed(visit: Any, site: Any) -> None:
    v = visit("zh-CN")
    v.page.click('.kf-tools [data-do="ask-person"]')
    v.page.fill(".kf-dialog textarea", "请打 13800000000")
    v.shot("desktop-zh-person")
    v.page.click('.kf-dialog [data-do="person"]')
    v.page.wait_for_selector(".kf-line-note.kf-good")
    v.shot("desktop-zh-person-done")
    assert ("请打 13800000000",) in _rows(site, "SELECT reason FROM hand_overs")


def test_an_unanswerable_question_offers_a_person(visit: Any) -> None:
    v = visit("zh-CN", 360, 740)
    v.ask("明天天气怎么样")
    v.shot("phone-zh-decline")
    v.page.click(".kf-chip-person")
    assert v.page.locator('[data-dialog="person"]').is_visible()
    v.shot("phone-zh-person")


def test_the_interface_switches_language_and_keeps_it(visit: Any) -> None:
    v = visit("en-US")
    v.page.click('[data-do="language"][data-value="zh"]')
    v.page.wait_for_selector('html[lang="zh"]')
    assert "有什么可以帮您" in v.page.locator(".kf-welcome").inner_text()
    assert v.page.get_attribute("#kf-box textarea", "placeholder") == "请输入您的问题…"
    v.page.reload()
    v.page.wait_for_selector(".kf-welcome")
    assert "有什么可以帮您" in v.page.locator(".kf-welcome").inner_text()


@pytest.mark.parametrize("where", ["message", "entry"])
def test_html_and_markdown_stay_text(visit: Any, where: str) -> None:
    v = visit()
    v.ask(f"{XSS} **hi** [x](javascript:alert(1))" if where == "message" else "tell me about xss")
    if where == "entry":
        v.page.click(".kf-sources summary")
        assert XSS in v.page.locator(".kf-sources li").inner_text()
        assert XSS in v.last_answer()
    else:
        assert XSS in v.page.locator(".kf-mine .kf-bubble").inner_text()
    assert "**" in v.page.locator(".kf-list").inner_text()
    v.page.reload()
    v.page.wait_for_selector(".kf-bot .kf-bubble")
    v.page.wait_for_timeout(300)
    assert v.page.evaluate("window.hacked") is None
    assert v.page.locator(".kf-list img, .kf-list strong, .kf-list a[href^=javascript]").count() == 0


def test_an_engine_failure_is_said_and_can_be_tried_again(visit: Any, site: Any) -> None:
    v = visit()
    v.ask("boom please")
    assert "wasn’t answered" in v.page.locator(".kf-error").inner_text()
    v.shot("desktop-en-error")
    asked = len(site.bot.asked)
    v.page.click('.kf-error [data-do="pick"]')
    _eventually(lambda: len(site.bot.asked) > asked or None)


def test_busy_says_when_to_come_back(visit: Any) -> None:
    v = visit("zh-CN", 360, 740)
    v.ask("busy 吗")
    assert "7 秒" in v.page.locator(".kf-error").inner_text()
    v.shot("phone-zh-busy")


def test_an_over_long_message_is_kept_and_counted(visit: Any) -> None:
    v = visit()
    v.type("x" * 2001)
    assert v.page.locator(".kf-count").inner_text() == "2,001 / 2,000"
    v.page.press("#kf-box textarea", "Enter")
    v.page.wait_for_selector(".kf-error")
    assert "2,001 characters" in v.page.locator(".kf-error").inner_text()
    assert len(v.page.input_value("#kf-box textarea")) == 2001
    v.shot("desktop-en-too-long")


def test_a_starting_assistant_says_so_and_opens_by_itself(visit: Any, site: Any) -> None:
    site_visit = visit("zh-CN")
    site.ready = False
    site_visit.page.reload()
    site_visit.page.wait_for_selector('body[data-kf="starting"]')
    assert "正在启动" in site_visit.page.locator(".kf-list").inner_text()
    site_visit.page.wait_for_selector("#kf-box textarea:disabled")
    site_visit.shot("desktop-zh-starting")
    site.ready = True
    site_visit.page.wait_for_selector('body[data-kf="ready"]')
    assert site_visit.page.locator("#kf-box textarea").is_enabled()


def test_an_assistant_that_cannot_start_says_so(visit: Any, site: Any) -> None:
    v = visit()
    site.broken = True
    v.page.reload()
    v.page.wait_for_selector('body[data-kf="failed"]')
    assert "isn’t available" in v.page.locator(".kf-list").inner_text()


def test_a_lost_connection_is_shown_and_mended(visit: Any) -> None:
    v = visit()
    v.context.set_offline(True)
    v.page.wait_for_selector(".kf-banner:not([hidden])")
    assert "Connection lost" in v.page.locator(".kf-banner").inner_text()
    v.shot("desktop-en-offline")
    v.context.set_offline(False)
    v.page.wait_for_selector(".kf-banner.kf-good")
    v.settled()


def test_a_restarted_server_is_found_again_with_the_conversation(chromium: Any, tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'chat.db'}")
    database.upgrade()
    conversations = Conversations(database)
    first = Site(FakeBot(conversations), conversations)
    thread = serve(first)
    assert first.server is not None
    v = Visit(chromium.new_context(locale="en-US"), first.url)
    v.ask("How long do I have to return something?")
    first.server.should_exit = True
    v.page.evaluate("window.dispatchEvent(new Event('offline'))")
    thread.join(15)
    v.page.wait_for_selector(".kf-banner:not([hidden])")
    second = Site(FakeBot(conversations), conversations)
    again = serve(second, port=int(first.url.rstrip("/").rsplit(":", 1)[1]))
    v.page.wait_for_selector("body:not(.kf-offline)[data-kf='ready']")
    v.page.wait_for_timeout(1500)
    v.ask("which one?")
    assert v.page.locator(".kf-mine").count() == 2
    assert v.last_answer() == "Which of these do you mean?"
    v.shot("desktop-en-restarted")
    v.context.close()
    assert second.server is not None
    second.server.should_exit = True
    again.join(15)
    database.dispose()


def test_nothing_is_loaded_from_elsewhere(visit: Any, site: Any) -> None:
    v = visit()
    v.ask("How long do I have to return something?")
    outside = [url for url in v.requests if not url.startswith((site.url, "data:", "blob:"))]
    assert outside == []
    assert "gradio" not in v.page.locator("body").inner_text().lower()


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_nothing_is_wider_than_the_screen(visit: Any, locale: str) -> None:
    v = visit(locale)
    v.ask("W" * 300)
    v.page.click('[data-do="dislike"]')
    for width in (320, 360, 768, 1280):
        v.page.set_viewport_size({"width": width, "height": 700})
        assert v.page.evaluate("document.documentElement.scrollWidth") <= width
        too_wide = v.page.evaluate(
            "[...document.querySelectorAll('.kf-head *, .kf-list *, #kf-composer *')].filter(e =>"
            " !e.closest('.kf-sr') && e.getBoundingClientRect().right > innerWidth + 1).length"
        )
        assert too_wide == 0, f"{too_wide} parts reach beyond {width} px"


def test_first_paint_comes_before_the_framework(chromium: Any, site: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/assets/*.js", lambda route: route.abort())
    page.goto(site.url)
    assert "Tidepeak" in page.locator("#kf-boot").inner_text()
    context.close()


def _feedback(site: Any, message_id: str) -> tuple[str, str] | None:
    rows = _rows(
        site, f"SELECT value, reason FROM feedback WHERE message_id = '{message_id}' AND reason != ''"
    )
    return rows[0] if rows else None


def _rows(site: Any, query: str) -> list[tuple[Any, ...]]:
    from sqlalchemy import text

    with site.conversations._database.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def _eventually(found: Any, seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (value := found()) is not None:
            return value
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds} s")
