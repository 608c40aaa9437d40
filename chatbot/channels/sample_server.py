"""The sample company's action server in a thread of this process, on a port of its own.

It lives and dies with the process and listens on this machine only.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from chatbot.channels.action_server import ActionFunction, Executors, build_router
from chatbot.channels.logs import describe
from chatbot.settings import Settings

__all__ = ["SampleServer", "create_sample_app", "wants_sample_server"]

log = structlog.get_logger(__name__)

HOST = "127.0.0.1"


def wants_sample_server(settings: Settings) -> bool:
    """Does this installation use the sample company's orders?"""
    chosen = settings.actions
    return chosen.sample and not chosen.url and settings.routes_path is None


def create_sample_app(orders_path: Path) -> FastAPI:
    """The sample company's actions as an action server.

    Args:
        orders_path: SQLite file of the cancelled orders.
    """

    def load() -> Mapping[str, ActionFunction]:
        from chatbot.sample_actions.actions import ActionCancelOrder, ActionOrderStatus
        from chatbot.sample_actions.orders import OrderBook

        book = OrderBook(orders_path)
        return {action.name(): action.run for action in (ActionOrderStatus(book), ActionCancelOrder(book))}

    app = FastAPI(openapi_url=None)
    app.include_router(build_router(Executors(load)))
    return app


class SampleServer:
    """Serves until the process ends or :meth:`stop`.

    Args:
        port: preferred one; where it is taken, a free one.
    """

    def __init__(self, settings: Settings) -> None:
        self._socket = _listen(settings.actions.sample_port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}/webhook"
        config = uvicorn.Config(
            create_sample_app(settings.data_dir / "sample_orders.db"),
            log_config=None,
            log_level="error",
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="sample-actions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except Exception as error:
            log.error("the sample company's action server has ended", **describe(error))


def _listen(port: int) -> socket.socket:
    for chosen in (port, 0):
        taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((HOST, chosen))
            # Before the first call comes in, so that another process finds the port taken.
            taken.listen(128)
        except OSError:
            taken.close()
            if not chosen:
                raise
            continue
        return taken
    raise AssertionError("a free port is always found")
