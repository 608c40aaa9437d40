"""Loads the bot beside the running server, so that the server answers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

import structlog

from chatbot.channels.logs import describe
from chatbot.errors import BusyError, KefuError
from chatbot.phrases import Phrases
from chatbot.turn import Intent, Listener, Message, Reply
from knowledge_base.embed import Embedder

__all__ = ["BotLoader", "BotProvider", "Readiness", "Report", "Responder", "ready"]

log = structlog.get_logger(__name__)

Report = Callable[[str, int, int], None]
"""Called while loading with (what is being done, done, in all)."""

MODELS, INDEX = "models", "index"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 60.0


class Responder(Protocol):
    """What a channel needs of a bot."""

    @property
    def phrases(self) -> Phrases:
        """The fixed sentences in the customer's language."""

    @property
    def embedder(self) -> Embedder:
        """What turns texts into vectors and counts their tokens."""

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        """Answers one message and stores both."""

    def understand(self, text: str) -> tuple[Intent, ...]:
        """The intents of a text, likeliest first; at least one."""

    @property
    def model_id(self) -> str:
        """Identity of the model that :meth:`understand` asks."""

    def suggestions(self, language: str) -> list[str]:
        """First questions to offer in a language."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far the loading has come."""

    status: Literal["ready", "loading", "failed"]
    missing: tuple[str, ...] = ()
    """What is not there yet: ``models``, ``index``, ``database``."""
    doing: str = ""
    done: int = 0
    total: int = 0
    error: str = field(default="", repr=False)
    """Kind of the error that stopped the loading; its text is in the log."""


class BotProvider(Protocol):
    """Gives the bot to channels and pages."""

    def __call__(self) -> Responder | None:
        """The bot, None while it is loading.

        Raises:
            KefuError: it could not be loaded; the text says why.
        """

    def start(self) -> None:
        """Begins to load; a second call changes nothing."""

    def close(self) -> None:
        """Ends the attempts to load."""

    def readiness(self) -> Readiness:
        """How far the loading has come."""


def ready(provider: BotProvider) -> Responder:
    """The bot.

    Raises:
        BusyError: it is still loading.
        KefuError: it could not be loaded.
    """
    bot = provider()
    if bot is None:
        raise BusyError("models and index are loading; send the message again in a moment", retry_after=5)
    return bot


B = TypeVar("B", bound=Responder)


class BotLoader(Generic[B]):
    """Builds the bot in a thread of its own; after a failure it tries again by itself.

    So a model that is pulled or a disk that is freed later needs no restart.

    Args:
        build: makes the bot and reports its steps.  The step ``ready`` says that
            the models are loaded; the knowledge base's index comes after it.
        first_pause_s: before the second attempt, in seconds; doubled each time up to a minute.
    """

    def __init__(self, build: Callable[[Report], B], *, first_pause_s: float = _FIRST_PAUSE_S) -> None:
        self._build = build
        self._pause_s = first_pause_s
        self._state = Readiness("loading", (MODELS, INDEX))
        self._bot: B | None = None
        self._error: KefuError | None = None
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def __call__(self) -> B | None:
        """The bot, None while it is loading.

        Raises:
            KefuError: the last attempt to load it failed.
        """
        if self._bot is None and self._error is not None:
            raise self._error
        return self._bot

    def start(self) -> None:
        """Begins to load; a second call changes nothing."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._load, name="load-bot", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Ends the attempts to load; one that is under way ends by itself."""
        self._closed.set()

    def readiness(self) -> Readiness:
        """How far the loading has come."""
        return self._state

    def _load(self) -> None:
        pause = self._pause_s
        while not self._closed.is_set():
            self._state = Readiness("loading", (MODELS, INDEX))
            try:
                self._bot = self._build(self._report)
            except Exception as error:
                self._failed(error)
            else:
                self._error = None
                self._state = Readiness("ready")
                log.info("bot loaded")
                return
            self._closed.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, KefuError):
            self._error = error
            log.error("bot could not be loaded", error=type(error).__name__, text=str(error))
        else:
            self._error = KefuError(
                f"loading stopped with {type(error).__name__}; see the log, run: kefu doctor"
            )
            log.error("bot could not be loaded", **describe(error))
        missing = self._state.missing or (MODELS, INDEX)
        self._state = Readiness("failed", missing, error=type(error).__name__)

    def _report(self, what: str, done: int, total: int) -> None:
        missing = (INDEX,) if what == "ready" or MODELS not in self._state.missing else (MODELS, INDEX)
        self._state = Readiness("loading", missing, INDEX if what == "ready" else what, done, total)
