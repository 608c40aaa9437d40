"""What runs beside the requests, from the application's start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from chatbot.channels.logs import describe

__all__ = ["Service", "running"]

log = structlog.get_logger(__name__)

_PAUSE_S = 5.0
_CANCEL_AGAIN_S = 10.0
"""After which a service that has not ended is cancelled once more, in seconds."""


class Service(Protocol):
    """Works in the background."""

    async def run(self) -> None:
        """Works until it is cancelled."""


@asynccontextmanager
async def running(services: Sequence[Service]) -> AsyncIterator[None]:
    """Runs services inside the block; one that fails is started again."""
    tasks = [asyncio.create_task(_kept_running(service)) for service in services]
    try:
        yield
    finally:
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)


async def _kept_running(service: Service) -> None:
    while True:
        try:
            await service.run()
        except Exception as error:
            log.error("a background service failed and is started again", **describe(error))
        await asyncio.sleep(_PAUSE_S)
