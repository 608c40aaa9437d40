"""The widget as a visitor of somebody else's site meets it, in headless Chromium."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.ui.fakes import LONG_EN, LONG_ZH, XSS
from tests.ui.widget.conftest import Kefu, busy, refusal

pytestmark = pytest.mark.browser

RETURN = "How long do I have to return something?"
STORED = "JSON.parse(localStorage.getItem(Object.keys(localStorage).find((key) => /^kefu:(?!.*:pending:)/.test(key))))"


def eventually(found: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true value of ``found``."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return value


def stored(v: Any, kefu: Kefu) -> list[tuple[str, str]]:
    """Role and text of all that the server keeps of this browser's conversation."""
    conversation = v.page.evaluate(f"{STORED}.conversation")
    return [(message.role, message.text) for message in kefu.conversations.history(conversation)]


# ---- answers ----------------------------------------------------------------------------------------


def test_an_answer_streams_into_the_panel_under_a_strict_policy(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    v.shot("welcome")
    assert "How long does delivery take?" in v.page.locator(".welcome").inner_text()
    kefu.bot.delay = 0.05
    v.ask(RETURN, wait=False)
    v.page.wait_for_selector(".growing")
    partial = v.page.locator(".growing").inner_text()
    assert 0 < len(partial) < len(LONG_EN)
    assert LONG_EN.startswith(partial.strip())
    v.settled()
    assert v.said() == [RETURN, LONG_EN]
    assert not v.page.locator(".sources").is_visible()
    v.page.click("summary")
    assert "You have 30 days from delivery." in v.page.locator(".sources").inner_text()
    v.shot("answer")
    assert not v.problems


def test_nothing_is_asked_of_the_server_before_the_panel_is_opened(visit: Any, kefu: Kefu) -> None:
    v = visit()
    v.page.wait_for_timeout(300)
    assert [url for url in v.requests if url.startswith(kefu.url)] == [f"{kefu.url}/widget.js"]
    assert v.page.evaluate("localStorage.length + document.cookie.length") == 0


def test_a_first_question_is_sent_by_one_click(visit: Any) -> None:
    v = visit().open()
    v.page.click(f".welcome button:has-text('{RETURN}')")
    v.page.wait_for_selector("summary")
    assert v.said() == [RETURN, LONG_EN]


def test_quick_replies_are_sent_as_the_next_message_and_go_then(visit: Any) -> None:
    v = visit(width=390, height=844).open()
    v.ask("which one?")
    v.shot("phone-quick-replies")
    assert v.page.locator(".chips button").count() == 2
    v.page.click(".chips button >> nth=1")
    eventually(lambda: v.page.locator(".mine").count() == 2)
    v.settled()
    assert v.said()[2] == "Which payment methods do you accept?"
    assert v.page.locator(".chips").count() == 0


def test_an_enter_that_ends_an_input_method_composition_does_not_send(visit: Any) -> None:
    v = visit("", "zh-CN").open()
    v.page.fill(".composer textarea", "tuihuo")
    v.page.locator(".composer textarea").dispatch_event(
        "keydown", {"key": "Enter", "isComposing": True, "bubbles": True}
    )
    v.page.press(".composer textarea", "Shift+Enter")
    v.page.wait_for_timeout(150)
    assert v.page.locator(".mine").count() == 0
    assert v.page.input_value(".composer textarea") == "tuihuo\n"


def test_a_message_too_long_is_counted_and_not_sent(visit: Any) -> None:
    v = visit().open()
    v.ask("x" * 2001, wait=False)
    assert v.page.locator(".hint .bad").inner_text() == "2001 / 2000"
    assert v.page.locator(".mine").count() == 0
    v.page.fill(".composer textarea", "short")
    assert v.page.locator(".hint .bad").inner_text() == ""


# ---- reload, tabs ---------------------------------------------------------------------------------


def test_conversation_open_panel_and_draft_survive_a_reload(visit: Any) -> None:
    v = visit().open()
    v.ask(RETURN)
    v.page.fill(".composer textarea", "half a sen")
    v.page.reload()
    v.page.wait_for_selector("summary")
    assert v.said() == [RETURN, LONG_EN]
    assert v.page.input_value(".composer textarea") == "half a sen"


def test_a_reload_in_the_middle_of_an_answer_loses_and_doubles_nothing(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    kefu.bot.delay = 0.06
    v.ask(RETURN, wait=False)
    v.page.wait_for_selector(".growing")
    v.page.reload()
    v.page.wait_for_selector("summary")
    v.settled()
    assert v.said() == [RETURN, LONG_EN]
    assert stored(v, kefu) == [("user", RETURN), ("bot", LONG_EN)]


def test_two_tabs_show_one_conversation(visit: Any, kefu: Kefu) -> None:
    a = visit().open()
    b = visit(context=a.context).open()
    a.ask(RETURN)
    b.page.wait_for_selector("summary")
    assert b.said() == [RETURN, LONG_EN]
    b.ask("And what about the weather?")
    eventually(lambda: len(a.said()) == 4)
    assert a.said() == b.said()
    assert len(stored(a, kefu)) == 4


def test_first_messages_of_two_tabs_at_once_go_into_one_conversation(visit: Any, kefu: Kefu) -> None:
    a = visit().open()
    b = visit(context=a.context).open()
    a.ask("from a", wait=False)
    b.page.fill(".composer textarea", "from b")

    def sent() -> bool:  # while the other tab is being answered, what is written here waits in the box
        b.page.press(".composer textarea", "Enter")
        return b.page.input_value(".composer textarea") == ""

    eventually(sent)
    eventually(lambda: len(a.said()) == 4 and len(b.said()) == 4)
    assert {text for role, text in stored(a, kefu) if role == "user"} == {"from a", "from b"}


def test_an_answer_goes_on_in_the_other_tab_when_its_own_is_closed(visit: Any, kefu: Kefu) -> None:
    a = visit().open()
    b = visit(context=a.context).open()
    kefu.bot.delay = 0.06
    a.ask(RETURN, wait=False)
    a.page.wait_for_selector(".growing")
    b.page.wait_for_selector(".mine")
    a.page.close()
    b.page.wait_for_selector("summary")
    b.settled()
    assert b.said() == [RETURN, LONG_EN]
    assert stored(b, kefu) == [("user", RETURN), ("bot", LONG_EN)]


def test_a_new_conversation_begins_empty_and_in_every_tab(visit: Any) -> None:
    a = visit().open()
    a.ask(RETURN)
    b = visit(context=a.context).open()
    b.page.wait_for_selector("summary")
    a.page.click(".tool.fresh")
    a.shot("new")
    a.page.click(".sheet .primary")
    a.page.wait_for_selector(".welcome")
    b.page.wait_for_selector(".welcome")
    assert a.said() == []


@pytest.mark.parametrize(("storage", "kept"), [("session", True), ("none", False)])
def test_storage_of_the_tab_or_none(visit: Any, kefu: Kefu, storage: str, kept: bool) -> None:
    v = visit(kefu.page(lang="en", data_storage=storage)).open()
    v.ask(RETURN)
    assert v.page.evaluate("Object.keys(localStorage).length") == 0
    v.page.reload()
    v.page.wait_for_selector(".status[data-state=ready]")
    v.page.wait_for_selector("summary" if kept else ".welcome")
    assert len(v.said()) == (2 if kept else 0)


# ---- trouble ----------------------------------------------------------------------------------------


def test_a_broken_stream_is_taken_up_where_it_ended(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    kefu.weather.cut_after = 6
    v.ask(RETURN, wait=False)
    v.page.wait_for_selector(".banner:not(.good)")
    assert "Connection lost" in v.page.locator(".banner").inner_text()
    v.shot("lost")
    v.page.wait_for_selector("summary")
    assert v.said() == [RETURN, LONG_EN]
    first, second = kefu.weather.calls("/api/chat")
    assert "last-event-id" not in first
    assert second["last-event-id"]
    assert stored(v, kefu) == [("user", RETURN), ("bot", LONG_EN)]
    assert "Back online" in v.page.locator(".banner.good").inner_text()


def test_without_network_the_message_waits_and_is_sent_once(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    kefu.weather.down = True
    v.ask(RETURN, wait=False)
    v.page.wait_for_selector(".status[data-state=offline]")
    v.shot("offline")
    v.page.wait_for_timeout(1500)
    kefu.weather.down = False
    v.page.wait_for_selector("summary")
    v.settled()
    assert stored(v, kefu) == [("user", RETURN), ("bot", LONG_EN)]


def test_a_panel_opened_without_network_recovers_by_itself(visit: Any, kefu: Kefu) -> None:
    v = visit()
    kefu.weather.down = True
    v.page.click(".launch")
    v.page.wait_for_selector(".status[data-state=offline]")
    kefu.weather.down = False
    v.page.wait_for_selector(".status[data-state=ready]")
    assert RETURN in v.page.locator(".welcome").inner_text()


def test_a_busy_server_is_asked_again_after_its_pause(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    kefu.weather.answers = [busy(2), busy(1, status=429)]
    v.ask(RETURN, wait=False)
    v.page.wait_for_selector(".note:has-text('very busy')")
    v.shot("busy")
    v.page.wait_for_selector("summary")
    assert len(kefu.weather.calls("/api/chat")) == 3
    assert stored(v, kefu) == [("user", RETURN), ("bot", LONG_EN)]


def test_a_failed_message_says_so_stays_over_a_reload_and_can_be_repeated(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    kefu.weather.answers = [refusal(500, "Our kitchen is on fire.")]
    v.ask(RETURN, wait=False)
    v.page.wait_for_selector(".note.bad")
    assert "Our kitchen is on fire." in v.page.locator(".note.bad").inner_text()
    v.shot("error")
    v.page.reload()
    v.page.wait_for_selector(".note.bad")
    v.page.click(".note.bad button")
    v.page.wait_for_selector("summary")
    assert v.said() == [RETURN, LONG_EN]
    assert v.page.locator(".note.bad").count() == 0


def test_an_error_of_the_engine_is_told_without_a_stack(visit: Any) -> None:
    v = visit().open()
    v.ask("boom", wait=False)
    v.page.wait_for_selector(".note.bad")
    assert "error in English" in v.page.locator(".note.bad").inner_text()


def test_an_expired_token_begins_anew_with_the_same_message(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    v.ask(RETURN)
    before = v.page.evaluate(f"{STORED}.conversation")
    kefu.weather.answers = [refusal(401)]
    v.ask("which one?", wait=False)
    v.page.wait_for_selector(".chips")
    assert "expired" in v.page.locator(".note").inner_text()
    assert v.said()[0] == "which one?"
    assert v.page.evaluate(f"{STORED}.conversation") != before


def test_a_token_that_the_server_no_longer_takes_is_dropped_at_once(visit: Any) -> None:
    v = visit().open()
    v.ask(RETURN)
    v.page.evaluate(
        "for (const key of Object.keys(localStorage)) if (!key.includes(':pending:')) localStorage.setItem(key, "
        "JSON.stringify({...JSON.parse(localStorage.getItem(key)), token: 'nonsense'}))"
    )
    v.page.reload()
    v.page.wait_for_selector(".note:has-text('expired')")
    v.ask(RETURN)
    assert v.said() == [RETURN, LONG_EN]


def test_damaged_storage_is_as_good_as_none(visit: Any) -> None:
    v = visit().open()
    v.ask(RETURN)
    for damage in ("{broken", "[1]", '"text"', '{"pending": 7}', "null"):
        v.page.evaluate(
            "(d) => { for (const key of Object.keys(localStorage)) localStorage.setItem(key, d) }", damage
        )
        v.page.reload()
        v.page.wait_for_selector(".status[data-state=ready]")
    v.ask(RETURN)
    assert v.said() == [RETURN, LONG_EN]
    assert not v.problems


def test_a_site_that_may_not_call_the_server_is_told_why(visit: Any, kefu: Kefu) -> None:
    warnings: list[str] = []
    v = visit()
    v.page.on("console", lambda message: warnings.append(message.text))
    v.page.route("**/api/**", lambda route: route.abort())
    v.page.click(".launch")
    v.page.wait_for_selector(".status[data-state=failed]")
    assert any("KEFU_CORS_ORIGINS" in text and kefu.shop in text for text in warnings)
    assert "isn’t available" in v.page.locator(".note").inner_text()


# ---- feedback, a person -----------------------------------------------------------------------------


def test_a_rating_with_reasons_is_stored_and_shown_again(visit: Any, kefu: Kefu) -> None:
    v = visit("", "zh-CN", 390, 844).open()
    v.ask("多久可以退货")
    v.page.click(".rate [data-value=dislike]")
    conversation = v.page.evaluate(f"{STORED}.conversation")
    eventually(lambda: kefu.conversations.history(conversation)[1].feedback == "dislike")
    v.page.click(".why [data-value=wrong]")
    v.page.fill(".why input", "少了运费")
    v.shot("phone-zh-rating")
    v.page.click(".why .primary")
    v.page.wait_for_selector(".thanks:has-text('感谢')")
    assert kefu.conversations.history(conversation)[1].feedback == "dislike"
    v.page.reload()
    v.page.wait_for_selector(".rate [data-value=dislike][aria-pressed=true]")
    v.page.click(".rate [data-value=like]")
    eventually(lambda: kefu.conversations.history(conversation)[1].feedback == "like")


def test_a_rating_that_is_not_stored_is_taken_back(visit: Any) -> None:
    v = visit().open()
    v.ask(RETURN)
    v.page.route("**/api/feedback", lambda route: route.abort())
    v.page.click(".rate [data-value=like]")
    v.page.wait_for_selector(".thanks:has-text('wasn’t saved')")
    assert v.page.locator(".rate [aria-pressed=true]").count() == 0


def test_a_request_for_a_person_is_stored_and_confirmed(visit: Any) -> None:
    v = visit().open()
    v.ask("What is the weather like?")
    v.page.click(".chips button:has-text('Talk to a person')")
    v.shot("person")
    v.page.fill(".sheet textarea", "call 555 0100")
    v.page.click(".sheet .primary")
    v.page.wait_for_selector(".note.good")
    assert "recorded" in v.page.locator(".note.good").inner_text()
    v.page.reload()
    v.page.wait_for_selector(".note.good")


def test_a_request_for_a_person_that_failed_is_not_confirmed(visit: Any) -> None:
    v = visit().open()
    v.page.route("**/api/hand-over", lambda route: route.abort())
    v.page.click(".tool.person, .tool.ask")
    v.page.fill(".sheet textarea", "call 555 0100")
    v.page.click(".sheet .primary")
    v.page.wait_for_selector(".sheet .notice")
    assert v.page.input_value(".sheet textarea") == "call 555 0100"
    assert v.page.locator(".note.good").count() == 0


# ---- hostile texts ----------------------------------------------------------------------------------


def test_no_text_becomes_markup(visit: Any, kefu: Kefu) -> None:
    v = visit(
        kefu.page(lang="en", data_title=XSS, data_greeting=XSS, data_questions=f"{XSS}|xss"), bypass_csp=True
    )
    v.open()
    v.page.click(".welcome button >> nth=1")
    v.page.wait_for_selector("summary")
    v.page.click("summary")
    v.ask(f"{XSS} javascript:alert(1) xss")
    v.page.reload()
    v.page.wait_for_selector("summary")
    v.page.wait_for_timeout(200)
    assert XSS in v.page.locator(".sources").first.text_content()
    assert v.page.evaluate("window.hacked") is None
    assert v.page.locator("kefu-widget img").count() == 0
    assert v.page.locator("kefu-widget a[href^='javascript']").count() == 0


def test_links_are_web_and_mail_only_and_give_nothing_away(visit: Any) -> None:
    v = visit().open()
    v.ask("see javascript:alert(1) https://a.example/x(y)?b=1. mail me@shop.example, data:text/html,x")
    links = v.page.locator(".mine a")
    assert [link.get_attribute("href") for link in links.all()] == [
        "https://a.example/x(y)?b=1",
        "mailto:me@shop.example",
    ]
    assert all("noopener" in (link.get_attribute("rel") or "") for link in links.all())


@pytest.mark.parametrize("width", [320, 1280])
def test_long_words_and_right_to_left_text_stay_inside(visit: Any, width: int) -> None:
    v = visit(width=width, height=700).open()
    v.ask("x" * 400 + " https://a.example/" + "y" * 300 + " " + "很长的中文没有空格" * 30)
    v.ask("مرحبا، كم يستغرق التوصيل؟")
    wide = v.page.evaluate(
        "(() => { const box = document.querySelector('kefu-widget').shadowRoot.querySelector('.thread');"
        " return box.scrollWidth - box.clientWidth; })()"
    )
    assert wide == 0
    direction = v.page.locator(".mine .bubble").last.evaluate("(node) => getComputedStyle(node).direction")
    assert direction == "rtl"
    v.shot(f"long-{width}")


# ---- keyboard, screen readers -----------------------------------------------------------------------


def test_keyboard_alone_opens_asks_goes_round_and_closes(visit: Any) -> None:
    v = visit()
    v.page.keyboard.press("Tab")
    v.page.keyboard.press("Tab")
    assert v.focused().startswith("launch")
    v.page.keyboard.press("Enter")
    v.page.wait_for_selector(".status[data-state=ready]")
    assert v.focused() == "TEXTAREA"
    v.page.keyboard.type(RETURN)
    v.page.keyboard.press("Enter")
    v.page.wait_for_selector("summary")
    seen = []
    for _ in range(16):
        v.page.keyboard.press("Tab")
        seen.append(v.focused())
    assert "page-button" not in seen
    assert {"SUMMARY", "TEXTAREA", "thread"} <= set(seen)
    assert seen.count("TEXTAREA") >= 1
    v.page.keyboard.press("Escape")
    assert not v.page.locator(".panel").is_visible()
    assert v.focused().startswith("launch")


def test_escape_closes_a_question_first_and_gives_the_focus_back(visit: Any) -> None:
    v = visit().open()
    v.page.click(".tool.ask")
    assert v.focused() == "TEXTAREA"
    for _ in range(6):
        v.page.keyboard.press("Tab")
        assert v.page.evaluate(
            "document.querySelector('kefu-widget').shadowRoot.activeElement.closest('.sheet') !== null"
        )
    v.page.keyboard.press("Escape")
    assert v.page.locator(".sheet").count() == 0
    assert v.page.locator(".panel").is_visible()
    assert v.focused().startswith("tool ask")


def test_the_pages_own_shortcuts_do_not_hear_what_is_typed(visit: Any) -> None:
    v = visit().open()
    v.page.evaluate("document.addEventListener('keydown', (event) => { window.heard = event.key; })")
    v.page.press(".composer textarea", "s")
    assert v.page.evaluate("window.heard") is None


def test_an_answer_is_read_aloud_once_and_whole(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    v.page.evaluate(
        "(() => { const root = document.querySelector('kefu-widget').shadowRoot; window.read = [];"
        " new MutationObserver(() => window.read.push(root.querySelector('[aria-live=polite]').textContent))"
        ".observe(root.querySelector('[aria-live=polite]'), {childList: true, characterData: true, subtree: true}); })()"
    )
    kefu.bot.delay = 0.04
    v.ask(RETURN)
    assert [text for text in v.page.evaluate("window.read") if text] == [LONG_EN]
    assert v.page.locator(".thread").get_attribute("aria-live") == "off"


@pytest.mark.parametrize(("locale", "dark"), [("en-US", False), ("zh-CN", True)])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(visit: Any, kefu: Kefu, axe: str, locale: str, dark: bool, width: int) -> None:
    v = visit("", locale, width, 844, dark)
    assert v.faults(axe) == []
    v.open()
    assert v.faults(axe) == []
    v.ask("多久可以退货" if locale == "zh-CN" else RETURN)
    v.page.click("summary")
    v.page.click(".rate [data-value=dislike]")
    v.page.click(".why [data-value=wrong]")
    assert v.faults(axe) == []
    v.ask("which one?")
    assert v.faults(axe) == []
    v.ask("weather")
    kefu.weather.answers = [refusal(500)]
    v.ask(RETURN, wait=False)
    v.page.wait_for_selector(".note.bad")
    assert v.faults(axe) == []
    v.page.click(".tool.ask")
    assert v.faults(axe) == []
    v.page.click(".sheet .primary")
    v.page.wait_for_selector(".note.good")
    v.page.fill(".composer textarea", "x" * 2001)
    assert v.faults(axe) == []


def test_reduced_motion_is_respected(visit: Any) -> None:
    v = visit(reduced_motion="reduce").open()
    assert v.page.locator(".panel").evaluate("(node) => getComputedStyle(node).animationName") == "none"


# ---- looks ------------------------------------------------------------------------------------------


def test_a_phone_gets_the_whole_screen_and_the_page_stands_still(visit: Any) -> None:
    v = visit("", "zh-CN", 390, 844).open()
    whole = {"x": 0, "y": 0, "width": 390, "height": 844}
    eventually(lambda: v.page.locator(".panel").bounding_box() == whole)  # it slides in
    assert v.page.locator(".panel").get_attribute("aria-modal") == "true"
    assert v.page.evaluate("getComputedStyle(document.documentElement).overflow") == "hidden"
    assert not v.page.locator(".launch").is_visible()
    v.shot("phone-zh-welcome")
    v.page.set_viewport_size({"width": 390, "height": 430})  # what a keyboard leaves
    eventually(lambda: v.page.locator(".panel").bounding_box()["height"] == 430)
    assert v.page.locator(".composer").is_visible()
    v.shot("phone-zh-keyboard")
    v.page.click(".tool.close")
    assert v.page.evaluate("getComputedStyle(document.documentElement).overflow") == "visible"
    assert v.page.locator(".launch").is_visible()


@pytest.mark.parametrize(
    ("query", "locale", "expected"),
    [
        ({"lang": "zh-Hant-TW"}, "en-US", "zh"),
        ({"lang": "en"}, "zh-CN", "en"),
        ({}, "zh-CN", "zh"),
        ({"lang": "fr"}, "zh-CN", "zh"),
        ({"lang": "fr"}, "fr-FR", "en"),
        ({"lang": "en", "data_language": "zh"}, "en-US", "zh"),
    ],
)
def test_language_of_the_tag_then_the_page_then_the_browser(
    visit: Any, kefu: Kefu, query: dict[str, str], locale: str, expected: str
) -> None:
    v = visit(kefu.page(**query), locale)
    label = v.page.locator(".launch").get_attribute("aria-label")
    assert label == {"zh": "打开在线客服", "en": "Open the chat"}[expected]


def test_the_interface_follows_a_change_of_the_pages_language(visit: Any) -> None:
    v = visit().open()
    v.ask(RETURN)
    v.page.fill(".composer textarea", "草稿")
    v.page.evaluate("document.documentElement.lang = 'zh-CN'")
    v.page.wait_for_selector(".status:has-text('在线')")
    assert v.said() == [RETURN, LONG_EN]
    assert v.page.input_value(".composer textarea") == "草稿"


def test_chinese_in_dark(visit: Any) -> None:
    v = visit("", "zh-CN", dark=True).open()
    v.shot("zh-dark-welcome")
    v.ask("多久可以退货")
    assert v.said()[1] == LONG_ZH
    v.page.click("summary")
    v.shot("zh-dark-answer")


def test_theme_position_launcher_text_and_offsets_of_the_tag(visit: Any, kefu: Kefu) -> None:
    url = kefu.page(
        lang="en", data_theme="dark", data_position="left", data_label="Questions?", data_offset_x="40",
        data_offset_y="60", data_title="Harbour desk", data_title_zh="港口", data_person="false",
        data_sources="false", data_feedback="false", data_privacy="https://shop.example/privacy",
    )  # fmt: skip
    v = visit(url)
    box = v.page.locator(".launch").bounding_box()
    assert (box["x"], box["y"] + box["height"]) == (40, 760)
    assert v.page.locator(".launch").inner_text() == "Questions?"
    v.open()
    assert v.page.locator(".root").get_attribute("data-theme") == "dark"
    assert v.page.locator("h2").inner_text() == "Harbour desk"
    v.ask("What is the weather?")
    assert v.page.locator(".tool.ask, .chips, summary, .rate").count() == 0
    assert v.page.locator(".hint a").get_attribute("href") == "https://shop.example/privacy"
    v.shot("options")


@pytest.mark.parametrize("accent", ["#ffd400", "#0a7d5a", "rebeccapurple", "#777777", "#000"])
@pytest.mark.parametrize("dark", [False, True])
def test_every_accent_colour_stays_readable(
    visit: Any, kefu: Kefu, axe: str, accent: str, dark: bool
) -> None:
    v = visit(kefu.page(lang="en", data_accent=accent), dark=dark).open()
    v.ask("which one https://a.example/ ?")
    assert v.faults(axe) == []
    if accent == "#ffd400":
        v.shot(f"accent-{'dark' if dark else 'light'}")


@pytest.mark.parametrize("accent", ["url(https://evil.example)", "red; background: blue", "nonsense"])
def test_what_is_no_colour_is_left_out(visit: Any, kefu: Kefu, accent: str) -> None:
    v = visit(kefu.page(lang="en", data_accent=accent)).open()
    assert (
        v.page.locator(".launch").evaluate("(node) => getComputedStyle(node).backgroundColor")
        == "rgb(26, 86, 196)"
    )


def test_the_pages_styles_do_not_reach_in(visit: Any) -> None:
    v = visit(bypass_csp=True).open()
    v.page.add_style_tag(
        content="* { color: red !important; font-size: 40px !important } kefu-widget, section, div { display: none } html { font-size: 62.5% }"
    )
    assert v.page.locator(".who h2").evaluate("(node) => getComputedStyle(node).fontSize") == "15.5px"
    assert v.page.locator(".who h2").evaluate("(node) => getComputedStyle(node).color") == "rgb(24, 33, 47)"
    assert v.page.locator(".panel").is_visible()


# ---- what the page may call -------------------------------------------------------------------------


def test_included_twice_it_is_there_once(visit: Any, kefu: Kefu) -> None:
    v = visit(kefu.page(lang="en", times="2"))
    assert v.page.locator("kefu-widget").count() == 1
    v.open()
    assert not v.problems


def test_a_widget_that_the_page_has_removed_comes_back_with_the_script(visit: Any) -> None:
    v = visit()
    v.page.evaluate("document.querySelector('kefu-widget').remove()")
    v.page.evaluate("document.dispatchEvent(new CustomEvent('kefu:attach'))")
    assert v.page.locator("kefu-widget").count() == 1


def test_calls_and_events(visit: Any) -> None:
    v = visit()
    v.page.evaluate(
        "window.log = []; for (const name of ['open', 'close', 'message', 'answer'])"
        " Kefu.on(name, (detail) => log.push([name, detail.text || ''])); null"
    )
    reply = v.page.evaluate("Kefu.send('weather')")
    assert reply["action"] == "decline"
    assert v.page.locator(".panel").is_visible()
    v.page.evaluate("Kefu.toggle(); Kefu.toggle(); Kefu.close(); Kefu.close(); Kefu.open(); Kefu.open()")
    names = [name for name, _ in v.page.evaluate("log")]
    assert names == ["open", "message", "answer", "close", "open", "close", "open"]
    assert v.page.evaluate("log[1][1]") == "weather"


def test_messages_sent_at_once_are_answered_in_order(visit: Any, kefu: Kefu) -> None:
    v = visit()
    v.page.evaluate(
        "Promise.all([Kefu.send('one weather'), Kefu.send('two weather'), Kefu.send('three weather')])"
    )
    assert [text for role, text in stored(v, kefu) if role == "user"] == [
        "one weather",
        "two weather",
        "three weather",
    ]


def test_wrong_calls_are_refused_with_a_reason(visit: Any) -> None:
    v = visit()
    for value in ("''", "'  '", "null", "{}", "7"):
        words = v.page.evaluate(f"Kefu.send({value}).catch((error) => String(error))")
        assert words == "TypeError: Kefu.send expects a text that is not empty"
    assert "2000 characters" in v.page.evaluate("Kefu.send('x'.repeat(2001)).catch((error) => String(error))")
    assert "function" in v.page.evaluate(
        "(() => { try { Kefu.on('open', 7) } catch (error) { return String(error) } })()"
    )
    assert not v.page.locator(".panel").is_visible()


def test_an_ended_subscription_and_a_failing_handler_do_no_harm(visit: Any) -> None:
    v = visit()
    v.page.evaluate(
        "window.count = 0; window.end = Kefu.on('open', () => count++);"
        " Kefu.on('open', () => { throw new Error('of the page') }); Kefu.open(); end(); Kefu.close(); Kefu.open()"
    )
    assert v.page.evaluate("count") == 1
    v.page.wait_for_selector(".status[data-state=ready]")


def test_open_at_once_on_wide_pages_and_with_the_pages_own_button(visit: Any, kefu: Kefu) -> None:
    url = kefu.page(lang="en", data_open="true", data_launcher="false")
    wide, phone = visit(url), visit(url, width=390, height=844)
    wide.page.wait_for_selector(".status[data-state=ready]")
    assert wide.focused() == "BODY"
    assert wide.page.locator(".launch").count() == 0
    assert not phone.page.locator(".panel").is_visible()
    wide.page.click(".tool.close")
    wide.page.reload()
    wide.page.wait_for_timeout(200)
    assert not wide.page.locator(".panel").is_visible()


def test_answers_that_come_while_it_is_closed_are_counted(visit: Any, kefu: Kefu) -> None:
    v = visit().open()
    kefu.bot.delay = 0.03
    v.ask(RETURN, wait=False)
    v.page.keyboard.press("Escape")
    v.page.wait_for_selector(".badge:not([hidden])")
    assert v.page.locator(".badge").inner_text() == "1"
    v.shot("unread")
    v.page.click(".launch")
    assert not v.page.locator(".badge").is_visible()


# ---- the sample page --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "dark", "width"), [("en-US", False, 1280), ("zh-CN", True, 1280), ("zh-CN", False, 390)]
)
def test_the_sample_shop(visit: Any, kefu: Kefu, axe: str, locale: str, dark: bool, width: int) -> None:
    v = visit(f"{kefu.url}/widget-demo", locale, width, 844, dark)
    v.shot(f"demo-{locale[:2]}-{width}")
    assert v.page.locator("html").get_attribute("lang") == locale[:2]
    assert v.faults(axe) == []
    v.page.locator(".ask").first.click()
    v.page.wait_for_selector("summary")
    v.shot(f"demo-{locale[:2]}-{width}-answer")
    assert not v.problems
