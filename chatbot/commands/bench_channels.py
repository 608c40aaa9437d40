"""Speed of the channels: many conversations at once, and what the way over the network adds."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn

from chatbot.assembly import Parts
from chatbot.bot import Bot
from chatbot.channels import BotLoader, create_app
from chatbot.channels.loader import Responder
from chatbot.door_settings import LimitSettings
from chatbot.memory import Memory
from chatbot.phrases import Phrases
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from chatbot.turn import Action, Intent, Listener, Message, Reply, Trace
from knowledge_base.entry import Entry
from knowledge_base.search import KnowledgeBase

__all__ = ["Load", "batch_rate", "first_byte_ms", "overhead_ms", "questions", "suggestions", "talk", "typed"]

WEBHOOK = "/webhooks/rest/webhook"
_ENCODED_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Load:
    """What came of many conversations at once."""

    messages: int
    errors: int
    p95_ms: float
    per_second: float


def suggestions(entries: Sequence[Entry]) -> list[str]:
    """Questions as a click on a suggestion sends them: the base has them letter by letter."""
    return [entry.question for entry in entries if entry.verbatim]


def questions(entries: Sequence[Entry]) -> list[str]:
    """Questions that are answered from the knowledge base alone, as they are typed."""
    return [typed(text) for text in suggestions(entries)]


def typed(text: str) -> str:
    """The same question in letters that the base does not have, so that it has to be encoded."""
    return text.rstrip("?？!！") + "!"


def batch_rate(parts: Parts, texts: Sequence[str]) -> float:
    """Questions a second that the bare encoder takes in batches of 32."""
    parts.embedder.encode_queries(texts[:_ENCODED_TOGETHER])
    start = time.perf_counter()
    for first in range(0, len(texts), _ENCODED_TOGETHER):
        parts.embedder.encode_queries(texts[first : first + _ENCODED_TOGETHER])
    return len(texts) / (time.perf_counter() - start)


def talk(address: str, texts: Sequence[str], *, conversations: int = 50, messages: int = 6) -> Load:
    """Lets conversations talk side by side; each sends its next message when the last one is answered.

    Args:
        address: of a served assistant.
        texts: what they ask, each conversation from another place on.
    """
    took: list[float] = []
    errors = 0

    async def conversation(client: httpx.AsyncClient, number: int) -> None:
        nonlocal errors
        for turn in range(messages):
            text = texts[(number * messages + turn) % len(texts)]
            start = time.perf_counter()
            try:
                response = await client.post(WEBHOOK, json={"sender": f"load-{number}", "message": text})
                errors += not (response.status_code == 200 and response.json())
            except httpx.HTTPError:
                errors += 1
            took.append((time.perf_counter() - start) * 1000)

    async def everybody() -> None:
        limits = httpx.Limits(max_connections=conversations)
        async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:
            await asyncio.gather(*(conversation(client, number) for number in range(conversations)))

    start = time.perf_counter()
    asyncio.run(everybody())
    seconds = time.perf_counter() - start
    p95 = statistics.quantiles(took, n=20)[-1]
    return Load(len(took), errors, round(p95), round(len(took) / seconds, 1))


def overhead_ms(parts: Parts, entries: Sequence[Entry], texts: Sequence[str]) -> float:
    """Median time that a request takes beyond ``Bot.respond`` itself, in ms."""
    with _database() as database:
        conversations = Conversations(database)
        bot = parts.bot(KnowledgeBase.in_memory(entries, parts.embedder), Memory(conversations))
        timed = _Timed(bot)
        with _in_process(cast(Responder, timed), conversations) as port:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            added = []
            for number, text in enumerate(texts):
                start = time.perf_counter()
                _post(client, WEBHOOK, f"one-{number % 8}", text).read()
                total = (time.perf_counter() - start) * 1000
                added.append(total - timed.took_ms[-1])
            client.close()
    return round(statistics.median(added[3:]), 2)


def first_byte_ms(parts: Parts, rounds: int) -> float:
    """Median time from a piece that the bot gives out to its arrival at the client, in ms."""
    speaker = _Speaker(parts.phrases)
    with _database() as database, _in_process(cast(Responder, speaker), Conversations(database)) as port:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        took = []
        for number in range(rounds):
            response = _post(client, WEBHOOK + "?stream=true", f"stream-{number}", "hello")
            response.readline()
            took.append((time.perf_counter() - speaker.spoke) * 1000)
            response.read()
        client.close()
    return round(statistics.median(took), 2)


@dataclass
class _Timed:
    """A bot whose own time is measured."""

    bot: Bot
    took_ms: list[float] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bot, name)

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        """The bot's answer."""
        start = time.perf_counter()
        try:
            return self.bot.respond(message, listener)
        finally:
            self.took_ms.append((time.perf_counter() - start) * 1000)


@dataclass
class _Speaker:
    """Says a word, then takes its time for the rest, as a generator does."""

    phrases: Phrases
    spoke: float = 0.0

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        """A word at once, the rest a tenth of a second later."""
        del message
        time.sleep(0.02)
        self.spoke = time.perf_counter()
        if listener is not None:
            listener.on_text("word")
        time.sleep(0.1)
        trace = Trace("bench", "en", Intent("bench", 1.0), "", "answer", "", 1.0, (), "passed", "none")
        return Reply("word", "en", Action.ANSWER, trace)


@contextmanager
def _database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{Path(folder) / 'kefu.db'}")
        database.upgrade()
        try:
            yield database
        finally:
            database.dispose()


@contextmanager
def _in_process(bot: Responder, conversations: Conversations) -> Iterator[int]:
    """The whole application in a thread of this process; gives its port."""
    loader = BotLoader(lambda _report: bot)
    unlimited = LimitSettings(per_address="", per_conversation="", per_key="")
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(loader, conversations, Settings(data_dir=Path(folder), limits=unlimited))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", proxy_headers=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        _until(lambda: server.started and loader() is not None)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the application did not start within 60 s")
        time.sleep(0.01)


def _post(client: http.client.HTTPConnection, path: str, sender: str, text: str) -> http.client.HTTPResponse:
    client.request("POST", path, json.dumps({"sender": sender, "message": text}))
    return client.getresponse()
