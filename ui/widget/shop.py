"""The sample page: a shop with the widget in its corner, in Chinese and English."""

from __future__ import annotations

import json
from html import escape
from string import Template
from typing import Any

from ui.texts import LANGUAGES
from ui.widget.bundle import FOLDER, Asset

__all__ = ["shop_pages"]

_DEMO = FOLDER / "demo"

_ART = {
    "earbuds": '<path d="M20 12a9 9 0 0 1 9 9v6a5 5 0 0 1-5 5v14a4 4 0 0 1-8 0V26a9 9 0 0 1 4-14z"/>'
    '<path d="M44 12a9 9 0 0 0-9 9v6a5 5 0 0 0 5 5v14a4 4 0 0 0 8 0V26a9 9 0 0 0-4-14z"/>',
    "headphones": '<path d="M10 38V32a22 22 0 0 1 44 0v6" fill="none"/>'
    '<rect x="7" y="35" width="12" height="19" rx="6"/><rect x="45" y="35" width="12" height="19" rx="6"/>',
    "watch": '<path d="M23 18l2-12h14l2 12M23 46l2 12h14l2-12"/><rect x="17" y="16" width="30" height="32" rx="9"/>'
    '<path d="M32 24v8l6 4" fill="none"/>',
    "battery": '<rect x="16" y="7" width="32" height="50" rx="7"/><path d="M34 19l-8 14h6l-2 11 8-14h-6z"/>'
    '<path d="M26 7V3M38 7V3"/>',
    "band": '<path d="M25 18l2-14h10l2 14M25 46l2 14h10l2-14"/><rect x="22" y="14" width="20" height="36" rx="10"/>'
    '<path d="M28 33h2l2-5 2 9 2-4" fill="none"/>',
    "magnet": '<rect x="15" y="6" width="34" height="52" rx="9"/><circle cx="32" cy="28" r="11" fill="none"/>'
    '<path d="M32 39v7" fill="none"/>',
}


def shop_pages() -> dict[str, Asset]:
    """The page by language."""
    texts: dict[str, dict[str, Any]] = json.loads((_DEMO / "texts.json").read_text(encoding="utf-8"))
    frame = Template((_DEMO / "shop.html").read_text(encoding="utf-8"))
    return {language: _page(frame, language, texts[language]) for language in LANGUAGES}


def _page(frame: Template, language: str, texts: dict[str, Any]) -> Asset:
    words = {key: escape(text) for key, text in texts.items() if isinstance(text, str)}
    current = {f"{code}_current": ' aria-current="true"' if code == language else "" for code in LANGUAGES}
    cards = "\n".join(_card(product, words["ask"]) for product in texts["products"])
    html = frame.substitute(words, lang=language, cards=cards, **current)
    return Asset(html.encode("utf-8"), "text/html; charset=utf-8")


def _card(product: dict[str, str], ask: str) -> str:
    name, facts, price, question = (escape(product[key]) for key in ("name", "facts", "price", "question"))
    return (
        f'<li><div class="art"><svg viewBox="0 0 64 64" aria-hidden="true">{_ART[product["art"]]}</svg></div>'
        f'<h3>{name}</h3><p>{facts}</p><div class="buy"><span class="price">{price}</span>'
        f'<button type="button" class="ask" data-ask="{question}" aria-label="{ask}: {name}">{ask}</button>'
        "</div></li>"
    )
