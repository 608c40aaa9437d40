"""``kefu serve``: chat page, widget, webhooks and API on one port."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading

import uvicorn
from threadpoolctl import threadpool_limits

from chatbot.assembly import SAMPLE_COMPANY, build_bot, open_database
from chatbot.bot import Bot
from chatbot.channels.app import create_app
from chatbot.channels.loader import BotLoader, Report
from chatbot.channels.logs import configure_logging
from chatbot.channels.sample_server import SampleServer, wants_sample_server
from chatbot.errors import SettingsError
from chatbot.settings import Settings
from chatbot.storage import Conversations
from knowledge_base.refresh import KnowledgeRefresher
from knowledge_base.store import EntryStore
from ui.training import build_router as build_training_router
from ui.widget import build_router as build_widget_router

__all__ = ["serve"]

_UNREAD_MS = 60_000
"""How long sent bytes may stay unread before the connection is given up, in milliseconds."""


def serve(settings: Settings) -> None:
    """Serves until it is stopped; models and index load beside the running server.

    Raises:
        SettingsError: the address cannot be listened on.
        StorageError: the database cannot be opened.
    """
    configure_logging(settings.log_level)
    listening = _listen(settings.host, settings.port)
    database = open_database(settings)
    conversations = Conversations(database)
    stopped = threading.Event()
    if wants_sample_server(settings):
        sample = SampleServer(settings)
        chosen = settings.actions.model_copy(update={"url": sample.url})
        settings = settings.model_copy(update={"actions": chosen})

    def build(report: Report) -> Bot:
        try:
            bot = build_bot(settings, database, report)
        finally:
            _collect_from_now_on()
        # Its products are small; many messages at once, each on all cores, wait for each other.
        threadpool_limits(1, user_api="blas")
        refresher = KnowledgeRefresher(
            EntryStore(database.engine), bot.knowledge, settings.data_dir / "index"
        )
        for name, work in (("warm-up", bot.warm_up), ("knowledge", refresher.run)):
            threading.Thread(target=work, args=(stopped,), name=name, daemon=True).start()
        return bot

    loader = BotLoader(build)
    loader.start()
    # Gradio takes seconds to import; meanwhile the models load.
    from ui.mount import mount_chat

    app = create_app(loader, conversations, settings)
    app.include_router(build_widget_router(settings.default_language))
    app.include_router(build_training_router(settings.runs_dir))
    mount_chat(app, loader, conversations, settings, company=_company)
    print(f"Kefu listens on http://{settings.host}:{settings.port}", flush=True)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            timeout_graceful_shutdown=5,
            server_header=False,
            ws_max_size=1_000_000,
            # Proxies and clients keep their connections for a minute; one that is closed in the very
            # moment it is used again is an error to them.
            timeout_keep_alive=75,
            # Whose word is believed is a setting of ours, see chatbot.channels.door.
            proxy_headers=False,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    stopped.set()


def _collect_from_now_on() -> None:
    """Turns the garbage collector on, for what is made from now on.

    Looking for garbage among a million objects that were only just imported costs a
    second of the start, and again a tenth of a second in the middle of somebody's answer.
    """
    gc.freeze()
    gc.enable()


def _company(language: str) -> str:
    """The sample company's name as a reader of ``language`` writes it."""
    return SAMPLE_COMPANY.get(language, SAMPLE_COMPANY["en"])


def _listen(host: str, port: int) -> socket.socket:
    """The socket that customers come in by; those that do not read what they asked for lose it after a while."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}); stop the other program or choose another "
            "port with `kefu serve --port`, KEFU_PORT"
        ) from error
    return listening
