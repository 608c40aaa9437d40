from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from chatbot.turn import Button, Source
from tests.ui.fakes import XSS
from ui import render

ALLOWED = {
    *("a", "article", "b", "button", "circle", "details", "dialog", "div", "form", "h1", "h2", "h3", "h4"),
    *("header", "i", "input", "label", "li", "menu", "noscript", "ol", "p", "path", "rect", "section"),
    *("small", "span", "summary", "svg", "textarea", "time", "ul"),
}


class Reader(HTMLParser):
    """Collects what a browser would see: tags, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cf", "Cs")), max_size=200))
def test_a_text_is_shown_as_it_was_written(text: str) -> None:
    assert Reader(render.text_html(text)).text == text


@given(st.text(alphabet="<>\"'&=/ abonerrisc:javt`{}$()[]*_#\\\n", max_size=120))
def test_no_text_makes_a_tag_or_an_attribute(text: str) -> None:
    source = Source("e", 0.9, text, text, "en")
    items = [
        render.answer(
            "k", text, company=text, interface="en", language=text, message_id=text, sources=[source],
            buttons=[Button(text, text)],
        ),
        render.question("k", text, "zh", None),
        render.welcome(text, "en", [text]),
        render.error(text, "en", retry=text),
        render.note("k", text),
        render.typing(text, "en", text),
    ]  # fmt: skip
    for html in [item.html for item in items] + [render.header(text, "en", "ready"), render.boot(text, "zh")]:
        seen = Reader(html)
        assert set(seen.tags) <= ALLOWED
        assert not [name for name, _ in seen.attributes if name.startswith("on")]
        addresses = [value or "" for name, value in seen.attributes if name in ("href", "src")]
        assert all(address.startswith(("http://", "https://")) for address in addresses)


def test_an_image_tag_in_a_message_is_text() -> None:
    assert "<img" not in render.question("k", XSS, "en", None).html
    assert XSS in Reader(render.question("k", XSS, "en", None).html).text


def _links(text: str) -> list[str]:
    return [value or "" for name, value in Reader(render.text_html(text)).attributes if name == "href"]


def test_only_web_addresses_become_links_without_the_punctuation_around_them() -> None:
    assert _links("见 https://shop.example/returns，谢谢") == ["https://shop.example/returns"]
    assert _links("(see https://shop.example/a_(b)).") == ["https://shop.example/a_(b)"]
    assert _links("https://a.example/?q=1&r=2!") == ["https://a.example/?q=1&r=2"]
    assert _links("HTTP://A.example/x") == ["HTTP://A.example/x"]
    assert _links("javascript:alert(1) data:text/html,x ftp://x.example //y.example https://") == []
    assert _links('https://a.example/"onmouseover=alert(1)') == ["https://a.example/"]


def test_characters_that_turn_the_reading_direction_are_taken_out() -> None:
    assert Reader(render.text_html("a\u202eb\u2066c\x00d\x1be")).text == "abcde"


def test_times_are_given_in_utc_for_the_browser_to_localise() -> None:
    html = render.question("k", "hi", "en", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)).html
    assert 'datetime="2026-01-02T03:04:05+00:00"' in html


def test_a_rating_given_before_is_shown_pressed() -> None:
    item = render.answer("m", "hi", company="C", interface="en", message_id="m", rated="dislike")
    assert 'data-do="dislike" data-id="m" aria-pressed="true"' in item.html
    assert 'data-do="like" data-id="m" aria-pressed="false"' in item.html
