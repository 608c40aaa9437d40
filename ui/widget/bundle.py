"""Puts the widget's parts together into the one script that websites load.

Nothing is compiled: the parts of ``src`` follow one another inside one function,
with the words and the style sheet before them.  The same sources give the same
bytes everywhere, so the ETag is the same on every server.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from chatbot import __version__
from ui.texts import LANGUAGES
from ui.widget.texts import WIDGET_TEXTS

__all__ = ["FOLDER", "Asset", "load_asset", "widget_script", "widget_style"]

FOLDER = Path(__file__).parent
_PARTS = ("text", "options", "store", "api", "conversation", "thread", "panel", "main")
"""In the order in which one uses another."""


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """A strong entity tag, quoted (RFC 9110, section 8.8.3)."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @cached_property
    def zipped(self) -> bytes:
        """The body in gzip, without the time of packing."""
        return gzip.compress(self.body, 9, mtime=0)


@cache
def widget_script() -> Asset:
    """``widget.js``."""
    texts = {key: [text[language] for language in LANGUAGES] for key, text in WIDGET_TEXTS.items()}
    constants = {
        "VERSION": __version__,
        "LANGUAGES": list(LANGUAGES),
        "TEXTS": texts,
        "STYLE": widget_style().body.decode("utf-8"),
    }
    lines = [
        f"/* Kefu {__version__}: chat widget. Apache-2.0. */",
        "(() => {",
        '"use strict";',
        # a page that loads the script again only gets back a widget that it has removed
        "if (window.Kefu) return void document.dispatchEvent(new CustomEvent('kefu:attach'));",
        *(f"const {name} = {_literal(value)};" for name, value in constants.items()),
        *(_squeeze((FOLDER / "src" / f"{part}.js").read_text(encoding="utf-8")) for part in _PARTS),
        "})();",
        "",
    ]
    return Asset("\n".join(lines).encode("utf-8"), "text/javascript; charset=utf-8")


@cache
def widget_style() -> Asset:
    """``widget.css``, for browsers that know no constructable style sheets."""
    style = (FOLDER / "src" / "widget.css").read_text(encoding="utf-8")
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    style = re.sub(r"\s*\n\s*", "\n", style).strip() + "\n"
    return Asset(style.encode("utf-8"), "text/css; charset=utf-8")


def load_asset(path: Path, media_type: str) -> Asset:
    """A file of the package as it is."""
    return Asset(path.read_bytes(), media_type)


def _squeeze(source: str) -> str:
    """Without indentation, empty lines and comments that have a line of their own."""
    source = re.sub(r"^\s*/\*\*.*?\*/\s*$", "", source, flags=re.DOTALL | re.MULTILINE)
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _literal(value: object) -> str:
    """``value`` in JavaScript; safe in a script of any page."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("</", "<\\/").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
