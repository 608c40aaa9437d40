"""Delivers events in the background, in as many processes as there are."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from datetime import timedelta

import httpx
import structlog

from chatbot.channel_settings import WebhookSettings
from chatbot.channels.logs import describe
from chatbot.channels.outgoing.addresses import Addresses, guarded_client
from chatbot.channels.outgoing.deliver import Outcome, deliver
from chatbot.errors import StorageError
from chatbot.storage.outbox import Due, Outbox

__all__ = ["WebhookWorker"]

log = structlog.get_logger(__name__)

_POLL_S = 1.0
_PURGE_EVERY_S = 3600.0
_AT_ONCE_EACH = 2
"""Deliveries to one endpoint at the same time: one that never answers holds up only itself."""
_LONGEST_PAUSE_S = 86400.0


class WebhookWorker:
    """Takes events that are due, one lease each, and sends them.

    Args:
        poll_s: how often it looks for new events, in seconds.
    """

    def __init__(self, outbox: Outbox, settings: WebhookSettings, *, poll_s: float = _POLL_S) -> None:
        self._outbox = outbox
        self._settings = settings
        self._poll_s = poll_s
        self._lease = timedelta(seconds=2 * settings.timeout_s + 10)
        self._running: dict[asyncio.Task[None], str] = {}
        self._purged = -_PURGE_EVERY_S

    async def run(self) -> None:
        """Works until it is cancelled; what was not finished is taken up again when its lease ends."""
        async with self._client() as client:
            try:
                while True:
                    try:
                        took = await self._take(client)
                        await self._purge()
                    except StorageError as error:
                        log.error("webhooks wait for the database", text=str(error))
                        took = 0
                    if not took:
                        await self._pause()
            finally:
                await self._stop()

    async def deliver_once(self, event_id: str) -> None:
        """Makes one attempt for an event, if no other process has it; it is not repeated."""
        async with self._client() as client:
            for due in await asyncio.to_thread(self._outbox.claim, 1, self._lease, event_id=event_id):
                outcome = await deliver(client, due, self._settings.timeout_s)
                if outcome.delivered:
                    self._outbox.finish(due, outcome.status)
                else:
                    self._outbox.fail(due, outcome.error, outcome.status, None)

    def _client(self) -> httpx.AsyncClient:
        return guarded_client(Addresses(self._settings.allowed_networks), self._settings.timeout_s)

    async def _take(self, client: httpx.AsyncClient) -> int:
        """Starts as many deliveries as there are places for."""
        free = self._settings.workers - len(self._running)
        if free <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return 1
        load = Counter(self._running.values())
        busy = [endpoint for endpoint, count in load.items() if count >= _AT_ONCE_EACH]
        asked = time.monotonic()
        due = await asyncio.to_thread(self._outbox.claim, free, self._lease, busy)
        for one in due:
            if load[one.endpoint_id] >= _AT_ONCE_EACH:
                await asyncio.to_thread(self._outbox.release, one)
                continue
            load[one.endpoint_id] += 1
            task = asyncio.create_task(self._attempt(client, one, asked))
            self._running[task] = one.endpoint_id
            task.add_done_callback(self._running.pop)
        return len(due)

    async def _pause(self) -> None:
        """Waits for the next look, or for a place that is free again."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(self._poll_s)

    async def _attempt(self, client: httpx.AsyncClient, due: Due, taken: float) -> None:
        if time.monotonic() - taken > self._lease.total_seconds() - self._settings.timeout_s:
            return  # this process stood still; another may have it by now
        try:
            outcome = await deliver(client, due, self._settings.timeout_s)
            await asyncio.to_thread(self._note, due, outcome)
        except StorageError as error:
            log.error("a delivery could not be noted", text=str(error))
        except Exception as error:
            log.error("a delivery failed", **describe(error))

    def _note(self, due: Due, outcome: Outcome) -> None:
        if outcome.delivered:
            self._outbox.finish(due, outcome.status)
            return
        log.warning(
            "webhook not delivered",
            endpoint=due.endpoint_id,
            event_id=due.event_id,
            attempt=due.attempt,
            error=outcome.error,
        )
        if outcome.gone:
            self._outbox.fail(due, outcome.error, outcome.status, None)
            self._outbox.set_enabled(due.endpoint_id, False, outcome.error)
            return
        self._outbox.fail(due, outcome.error, outcome.status, self._pause_before_next(due, outcome))

    def _pause_before_next(self, due: Due, outcome: Outcome) -> timedelta | None:
        """How long to wait; None after the last attempt."""
        pauses = self._settings.pauses_s
        if due.attempt > len(pauses):
            return None
        pause = pauses[due.attempt - 1] * random.uniform(0.9, 1.1)
        asked = min(outcome.retry_after_s or 0.0, _LONGEST_PAUSE_S)
        return timedelta(seconds=max(pause, asked))

    async def _purge(self) -> None:
        if time.monotonic() - self._purged < _PURGE_EVERY_S:
            return
        self._purged = time.monotonic()
        await asyncio.to_thread(self._outbox.purge, timedelta(days=self._settings.keep_days))

    async def _stop(self) -> None:
        """Gives attempts under way a moment to be noted."""
        running = list(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=2.0)
        for task in late:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*late, return_exceptions=True)
