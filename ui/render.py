"""HTML of the chat page.  Every text that comes from people or entries is escaped here, once.

Texts are shown as they are: no Markdown, no HTML.  Only ``http`` and ``https``
addresses become links.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from chatbot.turn import Button, Source
from ui.texts import LANGUAGES, say

__all__ = [
    "Item",
    "answer",
    "boot",
    "error",
    "header",
    "note",
    "question",
    "text_html",
    "typing",
    "welcome",
]

_LINK = re.compile(r"https?://[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]+", re.ASCII | re.IGNORECASE)
_TRAILING = ".,:;!?'*[]"
"""Punctuation that ends the sentence around an address, not the address."""
_HIDDEN = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, and the bidi ones that could make a text read as another."""

_ICONS = {
    "person": '<path d="M4 13v-1a8 8 0 0 1 16 0v1"/><rect x="2.5" y="13" width="4.5" height="6" rx="2"/>'
    '<rect x="17" y="13" width="4.5" height="6" rx="2"/><path d="M19.5 19c0 2-2 2.5-5 2.5"/>',
    "new": '<path d="M12 4H7a3 3 0 0 0-3 3v10a3 3 0 0 0 3 3h10a3 3 0 0 0 3-3v-5"/>'
    '<path d="M18.4 3.6a1.7 1.7 0 0 1 2.4 2.4L13 13.8l-3.2.8.8-3.2z"/>',
    "like": '<path d="M7 10.5v9H4.5a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z'
    "M7 10.5 11 3.2a2.2 2.2 0 0 1 2.6 2.6L12.9 9h5.6"
    'a2 2 0 0 1 2 2.4l-1.2 6.4a2 2 0 0 1-2 1.7H7"/>',
    "dislike": '<path d="M17 13.5v-9h2.5a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1zM17 13.5 13 20.8a2.2 2.2 0 0 1-2.6-2.6'
    'l.7-3.2H5.5a2 2 0 0 1-2-2.4l1.2-6.4a2 2 0 0 1 2-1.7H17"/>',
    "book": '<path d="M5 4.5h5a2 2 0 0 1 2 2V20a2 2 0 0 0-2-1.5H5a1 1 0 0 1-1-1v-12a1 1 0 0 1 1-1z"/>'
    '<path d="M19 4.5h-5a2 2 0 0 0-2 2V20a2 2 0 0 1 2-1.5h5a1 1 0 0 0 1-1v-12a1 1 0 0 0-1-1z"/>',
    "chevron": '<path d="m9 6 6 6-6 6"/>',
    "alert": '<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.5M12 16.4v.1"/>',
    "check": '<circle cx="12" cy="12" r="9"/><path d="m8 12.4 2.7 2.7L16 9.6"/>',
}


_SHORT = {"zh": "中文", "en": "EN"}


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of the thread; the browser redraws it only when its HTML changed."""

    key: str
    html: str


def icon(name: str) -> str:
    """An icon as inline SVG, drawn in the colour of the text around it."""
    return f'<svg class="kf-icon" viewBox="0 0 24 24" aria-hidden="true">{_ICONS[name]}</svg>'


def text_html(text: str) -> str:
    """``text`` as HTML: everything escaped, addresses clickable, line breaks left to the style sheet."""
    text = _HIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    parts: list[str] = []
    place = 0
    for match in _LINK.finditer(text):
        address = match[0].rstrip(_TRAILING)
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(_TRAILING)
        if len(address) <= len("https://"):
            continue
        parts.append(escape(text[place : match.start()]))
        shown = escape(address)
        parts.append(f'<a href="{shown}" target="_blank" rel="noopener noreferrer nofollow">{shown}</a>')
        place = match.start() + len(address)
    parts.append(escape(text[place:]))
    return "".join(parts)


def _t(key: str, language: str, **fields: object) -> str:
    """A text of the page, escaped."""
    return escape(say(key, language, **fields))


def _time(moment: datetime | None) -> str:
    """The moment in UTC; the browser writes it in the visitor's own time."""
    if moment is None:
        return ""
    return f'<time datetime="{escape(moment.astimezone(UTC).isoformat(timespec="seconds"))}"></time>'


def _shown(text: str) -> str:
    """A short text of people or entries, escaped."""
    return escape(_HIDDEN.sub("", text))


def _avatar(company: str, small: bool = False) -> str:
    initial = escape(next((c for c in company if c.isalnum()), "K").upper())
    size = " kf-small" if small else ""
    return f'<span class="kf-avatar{size}" aria-hidden="true">{initial}</span>'


def _bubble(text: str, language: str) -> str:
    mark = f' lang="{escape(language)}"' if language else ""
    return f'<div class="kf-bubble" dir="auto"{mark}>{text_html(text)}</div>'


def header(company: str, language: str, state: str) -> str:
    """The top bar: who answers, how it is, and the page's own actions."""
    choices = "".join(
        f'<button type="button" data-do="language" data-value="{code}" lang="{code}" title="{name}"'
        f' aria-pressed="{str(code == language).lower()}">{_SHORT[code]}</button>'
        for code, name in LANGUAGES.items()
    )
    status = _t(f"status_{state}", language)
    more = _t("status_more", language) if state == "ready" else ""
    return (
        f'<header class="kf-head" lang="{language}">{_avatar(company)}'
        f'<div class="kf-who"><h1>{escape(company)} <small>{_t("role", language)}</small></h1>'
        f'<p class="kf-status" data-state="{escape(state)}" data-offline="{_t("status_offline", language)}">'
        f'<span>{status}<span class="kf-more">{more}</span></span></p></div>'
        f'<div class="kf-tools"><button type="button" class="kf-tool kf-person" data-do="ask-person"'
        f' title="{_t("person", language)}">{icon("person")}<span>{_t("person", language)}</span></button>'
        f'<button type="button" class="kf-tool" data-do="ask-fresh" title="{_t("new", language)}">'
        f'{icon("new")}<span class="kf-sr">{_t("new", language)}</span></button>'
        f'<div class="kf-lang" role="group" aria-label="{_t("language", language)}">{choices}</div>'
        "</div></header>"
        f'<div class="kf-banner" role="status" hidden data-offline="{_t("offline", language)}"'
        f' data-online="{_t("online", language)}"></div>'
        f"{_dialogs(language)}"
    )


def _dialogs(language: str) -> str:
    def words(key: str) -> str:
        return _t(key, language)

    return (
        f'<dialog class="kf-dialog" data-dialog="person" lang="{language}"'
        f' aria-label="{words("person_title")}">'
        f'<form method="dialog"><h2>{words("person_title")}</h2><p>{words("person_text")}</p>'
        f'<label>{words("person_note")}<textarea rows="2" maxlength="500"></textarea></label>'
        f'<menu><button type="button" data-do="close">{words("cancel")}</button>'
        f'<button type="button" class="kf-primary" data-do="person">{words("person_send")}</button>'
        "</menu></form></dialog>"
        f'<dialog class="kf-dialog" data-dialog="fresh" aria-label="{words("new")}" lang="{language}">'
        f'<form method="dialog"><h2>{words("new")}</h2><p>{words("new_confirm")}</p>'
        f'<menu><button type="button" data-do="close">{words("cancel")}</button>'
        f'<button type="button" class="kf-primary" data-do="fresh">{words("new")}</button>'
        "</menu></form></dialog>"
    )


def welcome(company: str, language: str, starters: Sequence[str]) -> Item:
    """What stands on an empty page: a greeting and first questions to pick from."""
    questions = "".join(
        f'<li><button type="button" data-do="pick" data-text="{escape(text)}">'
        f'<span dir="auto">{_shown(text)}</span>'
        f"{icon('chevron')}</button></li>"
        for text in starters
    )
    listed = f"<h3>{_t('starters', language)}</h3><ul>{questions}</ul>" if questions else ""
    return Item(
        "welcome",
        f'<section class="kf-welcome" lang="{language}">{_avatar(company)}'
        f"<h2>{_t('hello', language)}</h2>"
        f"<p>{_t('intro', language, company=company)}</p>{listed}</section>",
    )


def question(key: str, text: str, language: str, moment: datetime | None) -> Item:
    """A customer's message; ``language`` is the interface's."""
    return Item(
        key,
        f'<article class="kf-msg kf-mine"><span class="kf-sr">{_t("you", language)}: </span>'
        f'<div class="kf-body">{_bubble(text, "")}<div class="kf-foot">{_time(moment)}</div></div></article>',
    )


def typing(company: str, language: str, text: str = "") -> Item:
    """The answer in the making: three dots, then the text as far as it has come."""
    dots = (
        f'<div class="kf-bubble kf-dots" role="status" aria-label="{_t("typing", language)}">'
        "<i></i><i></i><i></i></div>"
    )
    inside = f'<div class="kf-bubble kf-growing" dir="auto">{text_html(text)}</div>' if text else dots
    return Item(
        "typing",
        f'<article class="kf-msg kf-bot" aria-busy="true">{_avatar(company, small=True)}'
        f'<div class="kf-body">{inside}</div></article>',
    )


def answer(
    key: str,
    text: str,
    *,
    company: str,
    interface: str,
    language: str = "",
    message_id: str = "",
    moment: datetime | None = None,
    sources: Sequence[Source] = (),
    buttons: Sequence[Button] = (),
    notice: str = "",
    offer_person: bool = False,
    rated: str = "",
    stopped: bool = False,
) -> Item:
    """An answer with its sources, feedback and quick replies.

    Args:
        interface: language of the labels.
        language: language of ``text``.
        rated: ``like``, ``dislike`` or empty, as the customer rated it before.
        offer_person: puts a "talk to a person" button under the answer.
    """
    foot = [_time(moment)]
    if stopped:
        foot.append(f"<span>{_t('stopped', interface)}</span>")
    if message_id:
        foot.append(_rating(message_id, interface, rated))
    chips = [
        f'<button type="button" data-do="pick" data-text="{escape(button.payload)}" dir="auto">'
        f"{_shown(button.title)}</button>"
        for button in buttons
    ]
    if offer_person:
        chips.append(
            f'<button type="button" class="kf-chip-person" data-do="ask-person">{icon("person")}'
            f"{_t('person', interface)}</button>"
        )
    row = f'<div class="kf-chips">{"".join(chips)}</div>' if chips else ""
    warning = f'<p class="kf-notice">{_t(f"notice_{notice}", interface)}</p>' if notice in _NOTICES else ""
    return Item(
        key,
        f'<article class="kf-msg kf-bot">{_avatar(company, small=True)}'
        f'<span class="kf-sr">{_t("role", interface)}: </span>'
        f'<div class="kf-body">{warning}{_bubble(text, language)}{_sources(sources, interface)}'
        f'{row}<div class="kf-foot">{"".join(foot)}</div>{_why(message_id, interface) if message_id else ""}'
        "</div></article>",
    )


_NOTICES = ("busy", "error")


def _sources(sources: Sequence[Source], interface: str) -> str:
    if not sources:
        return ""
    listed = "".join(
        f'<li lang="{escape(source.language)}"><h4 dir="auto">{text_html(source.question)}</h4>'
        f'<p dir="auto">{text_html(source.answer)}</p></li>'
        for source in sources
    )
    count = f" · {len(sources)}" if len(sources) > 1 else ""
    return (
        f'<details class="kf-sources"><summary>{icon("book")}{_t("sources", interface)}{count}'
        f"{icon('chevron')}</summary><ol>{listed}</ol></details>"
    )


def _rating(message_id: str, interface: str, rated: str) -> str:
    buttons = "".join(
        f'<button type="button" data-do="{value}" data-id="{escape(message_id)}"'
        f' aria-pressed="{str(rated == value).lower()}"'
        f' title="{_t(label, interface)}">{icon(value)}'
        f'<span class="kf-sr">{_t(label, interface)}</span></button>'
        for value, label in (("like", "helpful"), ("dislike", "unhelpful"))
    )
    thanks = "" if rated else " hidden"
    return (
        f'<span class="kf-rate" role="group">{buttons}</span>'
        f'<span class="kf-thanks" role="status"{thanks}>{_t("thanks", interface)}</span>'
    )


def _why(message_id: str, interface: str) -> str:
    reasons = "".join(
        f'<button type="button" data-do="why" data-value="{key.removeprefix("why_")}" aria-pressed="false">'
        f"{_t(key, interface)}</button>"
        for key in ("why_off", "why_wrong", "why_unclear", "why_incomplete")
    )
    return (
        f'<form class="kf-why" hidden data-id="{escape(message_id)}"><p>{_t("why", interface)}</p>'
        f'<div class="kf-reasons">{reasons}</div>'
        f'<div class="kf-line"><input type="text" maxlength="500" placeholder="{_t("why_more", interface)}"'
        f' aria-label="{_t("why_more", interface)}">'
        f'<button type="submit" class="kf-primary">{_t("submit", interface)}</button></div></form>'
    )


def error(text: str, language: str, retry: str = "") -> Item:
    """A message that could not be answered, with a button to send ``retry`` again."""
    again = (
        f'<button type="button" data-do="pick" data-text="{escape(retry)}">{_t("retry", language)}</button>'
        if retry
        else ""
    )
    return Item(
        "error",
        f'<div class="kf-line-note kf-error" role="alert">{icon("alert")}<span>{escape(text)}</span>'
        f"{again}</div>",
    )


def note(key: str, text: str, good: bool = False) -> Item:
    """A line of the page itself between the messages."""
    kind, sign = (" kf-good", "check") if good else ("", "alert")
    return Item(
        key,
        f'<div class="kf-line-note{kind}" role="status">{icon(sign)}<span>{escape(text)}</span></div>',
    )


def boot(company: str, language: str) -> str:
    """What is painted before the page's own code has arrived: the same bar and a quiet placeholder."""
    return (
        f'<div id="kf-boot" lang="{language}"><div class="kf-card"><div class="kf-head">{_avatar(company)}'
        f'<div class="kf-who"><b class="kf-name">{escape(company)} <small>{_t("role", language)}</small></b>'
        f'<p class="kf-status" data-state="starting"><span>{_t("loading", language)}</span></p></div></div>'
        '<div class="kf-bones"><i></i><i></i><i></i></div></div>'
        f"<noscript><p>{_t('no_script', language)}</p></noscript></div>"
    )
