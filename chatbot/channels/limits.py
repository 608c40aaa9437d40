"""How often one key, one address and one conversation may come.

Counting and its rules are those of the ``limits`` package, so that any of its
storages can be named; in memory it counts by :class:`WindowMemory`.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import deque
from typing import Any, Literal

import structlog
from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError
from limits.storage import MovingWindowSupport, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from chatbot.door_settings import LimitSettings
from chatbot.errors import BusyError, SettingsError

__all__ = ["Kind", "RateLimitedError", "RateLimits", "WindowMemory", "network_of"]

log = structlog.get_logger(__name__)

Kind = Literal["key", "address", "conversation"]

_MEMORY = "kefu-memory"
_SWEEP_S = 10.0


class RateLimitedError(BusyError):
    """Too many requests in too short a time."""

    status = 429
    phrase = "rate_limited"


class WindowMemory(Storage, MovingWindowSupport):
    """Moving windows in memory; what is past is forgotten, so strangers cannot fill it.

    The package's own memory keeps an empty list of every key that ever came.
    """

    STORAGE_SCHEME = [_MEMORY]  # noqa: RUF012

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **_: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._lock = threading.Lock()
        self._times: dict[str, tuple[deque[float], float]] = {}
        self._swept = time.monotonic()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def __len__(self) -> int:
        """Windows that are kept."""
        return len(self._times)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Notes ``amount`` requests if at most ``limit`` lie in the last ``expiry`` seconds then."""
        now = time.time()
        with self._lock:
            self._sweep(now)
            times, _ = self._times.setdefault(key, (deque(), float(expiry)))
            _drop_until(times, now - expiry)
            if len(times) + amount > limit:
                return False
            times.extend([now] * amount)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest request of the window came, in seconds since 1970, and how many there are."""
        del limit
        now = time.time()
        with self._lock:
            times, _ = self._times.get(key, (deque[float](), 0.0))
            _drop_until(times, now - expiry)
            return (times[0] if times else now), len(times)

    def _sweep(self, now: float) -> None:
        if time.monotonic() - self._swept < _SWEEP_S:
            return
        self._swept = time.monotonic()
        past = [key for key, (times, expiry) in self._times.items() if not times or times[-1] < now - expiry]
        for key in past:
            del self._times[key]

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Not for moving windows."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Requests noted under a key."""
        return len(self._times.get(key, ((), 0))[0])

    def get_expiry(self, key: str) -> float:
        """When the newest request leaves its window, in seconds since 1970."""
        times, expiry = self._times.get(key, (deque[float](), 0.0))
        return times[-1] + expiry if times else time.time()

    def check(self) -> bool:
        """It is always there."""
        return True

    def reset(self) -> int:
        """Forgets everything."""
        with self._lock:
            count = len(self._times)
            self._times.clear()
        return count

    def clear(self, key: str) -> None:
        """Forgets one key."""
        with self._lock:
            self._times.pop(key, None)


class RateLimits:
    """Counts requests and refuses those above the limits.

    A storage that cannot be reached refuses nobody: customers are worth more than counts.

    Raises:
        SettingsError: the storage's address cannot be used.
    """

    def __init__(self, settings: LimitSettings) -> None:
        self.remote = settings.storage != "memory://"
        """Counting takes a round trip to another machine: not to be done on the event loop."""
        self._items: dict[Kind, list[RateLimitItem]] = {
            "key": _parsed(settings.per_key),
            "address": _parsed(settings.per_address),
            "conversation": _parsed(settings.per_conversation),
        }
        try:
            storage = storage_from_string(
                settings.storage if self.remote else f"{_MEMORY}://", wrap_exceptions=True
            )
            self._windows = MovingWindowRateLimiter(storage)
        except (ConfigurationError, NotImplementedError, ValueError) as error:
            raise SettingsError(
                f"KEFU_LIMITS__STORAGE cannot be used ({type(error).__name__}); expected memory:// or "
                "redis://host:port with kefu[redis] installed"
            ) from error

    def hit(self, kind: Kind, identity: str) -> None:
        """Counts one request.

        Raises:
            RateLimitedError: it is one too many; ``retry_after`` tells when there is room again.
        """
        for item in self._items[kind]:
            try:
                allowed = self._windows.hit(item, kind, identity)
                reset = 0.0 if allowed else self._windows.get_window_stats(item, kind, identity).reset_time
            except Exception as error:
                log.warning("requests could not be counted", error=type(error).__name__)
                return
            if not allowed:
                raise RateLimitedError(
                    f"more than {item.amount} requests of one {kind} in {item.get_expiry()} s; "
                    "send fewer, or come back after the time in Retry-After",
                    retry_after=max(1.0, reset - time.time()),
                )


def network_of(host: str) -> str | None:
    """What is counted as one address; None for those of this machine itself.

    A whole /64 of IPv6 belongs to one customer (RFC 6177), so it is counted as one.
    """
    try:
        address = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _parsed(text: str) -> list[RateLimitItem]:
    return list(parse_many(text)) if text else []


def _drop_until(times: deque[float], oldest: float) -> None:
    while times and times[0] <= oldest:
        times.popleft()
