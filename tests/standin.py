"""A local HTTP server that stands in for somebody else's: records requests, answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "Received", "StandIn", "stand_in", "until"]


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    """With the query."""
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """One response; with ``never`` it is held until the server closes, else after ``delay_s`` seconds."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    never: bool = False
    delay_s: float = 0.0


class StandIn:
    """Answers from ``script`` first, one entry a request, then by the longest prefix in ``answers``."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: deque[Answer] = deque()
        self.answers: dict[str, Answer | Callable[[Received], Answer]] = {"/": Answer()}
        self.closing = threading.Event()
        self.url = ""

    def to(self, prefix: str) -> list[Received]:
        """The requests whose path begins so."""
        return [request for request in self.received if request.path.startswith(prefix)]

    def answer(self, request: Received) -> Answer:
        self.received.append(request)
        if self.script:
            return self.script.popleft()
        prefix = max((p for p in self.answers if request.path.startswith(p)), key=len)
        found = self.answers[prefix]
        return found if isinstance(found, Answer) else found(request)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A server on a free port of this machine."""
    state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = state.answer(Received(self.command, self.path, headers, body))
            if answer.never:
                state.closing.wait(60)
                self.close_connection = True
                return
            time.sleep(answer.delay_s)
            raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("content-length", str(len(raw)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815

        def log_message(self, *_args: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: object) -> None:
            """A client that left is no error here."""

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until it is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
