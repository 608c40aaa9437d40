"""Calls of providers' APIs, and their access tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from chatbot.channels.messengers.protocol import Json, ProviderError
from chatbot.channels.retrying import retry_after_s

__all__ = ["Api", "Result", "TokenCache"]

_EARLY_S = 300.0
"""Tokens are renewed that long before they end."""


@dataclass(frozen=True, slots=True)
class Result:
    """An answer below 500 that is no 429."""

    status: int
    body: Json = field(repr=False)
    retry_after_s: float | None = None


class Api:
    """One provider's API.

    Args:
        url: base URL.
        timeout_s: time limit of a whole call, however slowly it is answered.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def get(self, path: str, params: Mapping[str, str]) -> Result:
        """GETs a path of the base URL; see :meth:`post`."""
        return await self._call("GET", path, params=params)

    async def post(
        self,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Result:
        """POSTs JSON to a path of the base URL, or to a whole URL.

        Raises:
            ProviderError: no answer, 429 or 5xx; worth another try.
        """
        return await self._call("POST", path, json=body, headers=headers, params=params)

    async def _call(self, method: str, path: str, **options: Any) -> Result:
        """One call.

        Raises:
            ProviderError: no answer, 429 or 5xx; worth another try.
        """
        url = path if "://" in path else f"{self.url}/{path.lstrip('/')}"
        if self._client is None:
            # made here: a client belongs to the event loop that uses it
            self._client = httpx.AsyncClient(timeout=self._timeout_s, follow_redirects=False)
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.request(method, url, **options)
        except TimeoutError:
            raise ProviderError(f"no answer within {self._timeout_s:g} s", retry=True) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderError(f"the call failed: {type(error).__name__}", retry=True) from None
        after = retry_after_s(response.headers)
        found = _object(response)
        if response.status_code == 429 or response.status_code >= 500:
            asked = found.get("parameters")
            if after is None and isinstance(asked, dict) and isinstance(asked.get("retry_after"), int):
                after = float(asked["retry_after"])  # Telegram
            raise ProviderError(f"answered {response.status_code}", retry=True, after_s=after)
        return Result(response.status_code, found, after)

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _object(response: httpx.Response) -> Json:
    try:
        value = response.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


class TokenCache:
    """An access token that is fetched once and again before it ends, by one call at a time.

    Args:
        fetch: gives a token and the seconds it is valid; raises ProviderError.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[tuple[str, float]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        """A token that is valid for some minutes yet.

        Raises:
            ProviderError: there is none.
        """
        async with self._lock:
            if self._clock() >= self._until:
                token, valid_s = await self._fetch()
                self._token = token
                self._until = self._clock() + max(valid_s - min(_EARLY_S, valid_s / 2), 1.0)
            return self._token

    def forget(self, token: str) -> None:
        """The provider does not take this token any more."""
        if token == self._token:
            self._until = 0.0
