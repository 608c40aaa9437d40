"""A served assistant with a scripted bot, as a process of its own: ``python -m tests.chatbot.channels.served``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import uvicorn

from chatbot.channels import BotLoader, configure_logging, create_app
from chatbot.channels import app as channels_app
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database, Tickets
from chatbot.turn import Message
from tests.fakes import FakeBot


@dataclass(frozen=True, slots=True)
class Server:
    """One process."""

    address: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def served(
    database_url: str,
    *,
    delay_s: float = 0.0,
    quick_s: float | None = None,
    lease_s: float = 15.0,
    **settings: Any,
) -> Iterator[Server]:
    """A process that serves ``database_url``; its bot answers ``echo: …`` after ``delay_s`` seconds.

    Args:
        quick_s: time instead for messages that begin with «quick»; those with «slow» take twenty times as long.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = json.dumps(
        {
            "url": database_url,
            "port": port,
            "delay_s": delay_s,
            "quick_s": delay_s if quick_s is None else quick_s,
            "lease_s": lease_s,
            "settings": settings,
        }
    )
    process = subprocess.Popen([sys.executable, "-m", "tests.chatbot.channels.served", options])
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while True:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not become ready"
            try:
                if httpx.get(f"{address}/readyz", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        yield Server(address, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def main(options: dict[str, Any]) -> None:
    """Serves until it is stopped."""
    configure_logging("ERROR")
    database = Database.open(options["url"])
    database.upgrade()
    conversations = Conversations(database)
    hold = threading.Event()

    def answer(message: Message) -> str:
        if message.text.startswith("quick"):
            hold.wait(options["quick_s"])
        else:
            hold.wait(options["delay_s"] * (20 if message.text.startswith("slow") else 1))
        return f"echo: {message.text}"

    channels_app.Tickets = partial(Tickets, lease_s=options["lease_s"])  # type: ignore[assignment,misc]
    bot = FakeBot(answer, history=conversations)
    app = create_app(BotLoader(lambda _report: bot), conversations, Settings(**options["settings"]))

    @app.get("/debug")
    async def debug() -> dict[str, int]:
        import asyncio

        return {
            "turns": len(app.state.turns),
            "tasks": len(asyncio.all_tasks()),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
        }

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options["port"],
        log_level="error",
        proxy_headers=False,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
