"""The chat page as a part of the web application."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.routing import Mount

from chatbot.channels.turns import TurnQueue
from chatbot.settings import Settings
from chatbot.storage import Conversations
from ui.chat import Chat, Screen, ServingBot
from ui.shell import PageShell
from ui.texts import say

__all__ = ["build_page", "mount_chat"]

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
_AT_ONCE = 32
"""Answers that are followed at the same time; further visitors wait in line."""
_WAITING = 256

_SYSTEM_FONTS = (
    "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "PingFang SC", "Hiragino Sans GB",
    "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif",
)  # fmt: skip

_THREAD = (
    '<div class="kf-scroll">'
    '<div class="kf-list" role="log" aria-live="polite" aria-relevant="additions"></div></div>'
    '<button type="button" class="kf-jump" data-do="jump" hidden><svg class="kf-icon" viewBox="0 0 24 24"'
    ' aria-hidden="true"><path d="M12 5v14m-6-6 6 6 6-6"/></svg></button>'
)
_EVENTS = "/* sends 'pick' 'rate' 'person' 'fresh' 'language' 'resume' */"


def mount_chat(
    app: FastAPI,
    bot_provider: Callable[[], ServingBot | None],
    conversations: Conversations,
    settings: Settings,
    *,
    company: Callable[[str], str] | str = "",
    path: str = "/",
) -> FastAPI:
    """Mounts the chat page.  Mount it last: at ``/`` it answers every address that nothing else does.

    Args:
        bot_provider: the bot, None while models and index are loading; may raise
            when they cannot be loaded, which the page shows as "not available".
        company: name shown to customers, or a function from language to name;
            the settings' name goes first.
    """
    name = settings.company or company or "Kefu"
    named: Callable[[str], str] = name if callable(name) else lambda _language: str(name)
    turns = getattr(app.state, "turns", None)
    if turns is None:
        turns = TurnQueue(settings.workers, settings.waiting)
    chat = Chat(
        bot_provider,
        conversations,
        named,
        settings.max_message_chars,
        settings.default_language,
        turns.submit,
    )
    app = gr.mount_gradio_app(
        app,
        build_page(chat),
        path,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        enable_monitoring=False,
        max_file_size=1,
        theme=gr.themes.Base(font=_SYSTEM_FONTS, font_mono=("ui-monospace", "monospace")),
    )
    place = next(route for route in reversed(app.router.routes) if isinstance(route, Mount))
    place.app = PageShell(
        place.app,
        style=(_FOLDER / "chat.css").read_text(encoding="utf-8"),
        script=(_FOLDER / "chat.js").read_text(encoding="utf-8"),
        company=named,
        default_language=settings.default_language,
    )
    return app


def build_page(chat: Chat) -> gr.Blocks:
    """The page and its events."""
    with gr.Blocks(title="", analytics_enabled=False, fill_height=True, fill_width=True) as page:
        memory = gr.BrowserState(None, storage_key="kefu-chat", secret="kefu-chat")
        header = gr.HTML(
            "", elem_id="kf-header", apply_default_css=False, padding=False,
            js_on_load="window.kefu.header(element, trigger, props, watch)",
        )  # fmt: skip
        thread = gr.HTML(
            {}, html_template=_THREAD, elem_id="kf-thread", apply_default_css=False, padding=False,
            js_on_load=f"window.kefu.thread(element, trigger, props, watch) {_EVENTS}",
        )  # fmt: skip
        with gr.Row(elem_id="kf-composer"):
            box = gr.Textbox(
                elem_id="kf-box", show_label=False, container=False, lines=1, max_lines=6, label="…",
                interactive=False, autoscroll=False,
                html_attributes=gr.InputHTMLAttributes(enterkeyhint="send"),
            )  # fmt: skip
            stop = gr.Button("…", elem_id="kf-stop", min_width=0)
            send = gr.Button("…", elem_id="kf-send", min_width=0)
        clock = gr.Timer(2.0, active=False)
        wiring = _Wiring(chat, memory, [memory, header, thread, box, send, stop, clock])
        wiring.connect(page, thread, box, send, stop, clock)
    page.queue(default_concurrency_limit=_AT_ONCE, max_size=_WAITING, api_open=False)
    return page


class _Wiring:
    """Leads events of the page's parts to :class:`Chat` and its screens back to them."""

    def __init__(self, chat: Chat, memory: gr.BrowserState, outputs: list[Any]) -> None:
        self._chat = chat
        self._memory = memory
        self._outputs = outputs

    def connect(self, page: gr.Blocks, thread: Any, box: Any, send: Any, stop: Any, clock: Any) -> None:
        """Connects every event."""
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        shown = {**quiet, "inputs": self._memory, "outputs": self._outputs}
        page.load(self.open, **shown)
        thread.resume(self.open, **shown)
        clock.tick(self.open, **shown)
        gr.on(
            [box.submit, send.click], self.send, inputs=[self._memory, box], outputs=self._outputs,
            trigger_mode="once", **quiet,
        )  # fmt: skip
        thread.pick(self.pick, trigger_mode="once", **shown)
        thread.person(self.person, **shown)
        thread.fresh(self.fresh, **shown)
        thread.language(self.language, **shown)
        thread.rate(self.rate, inputs=self._memory, outputs=None, **quiet)
        stop.click(self.stop, inputs=self._memory, outputs=None, **quiet)

    def open(self, stored: Any, request: gr.Request) -> Iterator[list[Any]]:
        for screen in self._chat.open(self._visitor(stored, request)):
            yield _values(screen)

    def send(self, stored: Any, text: str | None, request: gr.Request) -> Iterator[list[Any]]:
        for screen in self._chat.send(self._visitor(stored, request), text or ""):
            yield _values(screen)

    def pick(self, stored: Any, event: gr.EventData, request: gr.Request) -> Iterator[list[Any]]:
        yield from self.send(stored, _field(event, "text"), request)

    def person(self, stored: Any, event: gr.EventData, request: gr.Request) -> list[Any]:
        return _values(self._chat.person(self._visitor(stored, request), _field(event, "note")))

    def fresh(self, stored: Any, request: gr.Request) -> list[Any]:
        return _values(self._chat.fresh(self._visitor(stored, request)))

    def language(self, stored: Any, event: gr.EventData, request: gr.Request) -> Iterator[list[Any]]:
        visitor = self._visitor(stored, request).speaking(_field(event, "language"))
        for screen in self._chat.open(visitor):
            yield _values(screen)

    def rate(self, stored: Any, event: gr.EventData, request: gr.Request) -> None:
        failed = self._chat.rate(
            self._visitor(stored, request),
            _field(event, "id"),
            _field(event, "value"),
            _field(event, "reason"),
        )
        if failed:
            gr.Warning(failed, duration=6, title="")

    def stop(self, stored: Any, request: gr.Request) -> None:
        self._chat.stop(self._visitor(stored, request))

    def _visitor(self, stored: Any, request: gr.Request) -> Any:
        return self._chat.visitor(stored, request.headers.get("accept-language", ""))


def _field(event: gr.EventData, name: str) -> str:
    """A text of the event's data; anything else that a client may send counts as empty."""
    data = event._data if isinstance(event._data, dict) else {}
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _values(screen: Screen) -> list[Any]:
    """A screen as values of memory, header, thread, box, send, stop and clock."""
    language = screen.visitor.language
    usable = screen.state == "ready"
    hint = say(
        "placeholder" if usable or screen.state == "failed" else f"placeholder_{screen.state}", language
    )
    box: dict[str, Any] = {"interactive": usable, "placeholder": hint, "label": say("placeholder", language)}
    if screen.draft is not None:
        box["value"] = screen.draft
    return [
        screen.visitor.stored(),
        screen.header(),
        screen.thread(),
        gr.update(**box),
        gr.update(value=say("send", language), interactive=usable),
        gr.update(value=say("stop", language)),
        gr.Timer(2.0, active=screen.state in ("starting", "failed")),
    ]
