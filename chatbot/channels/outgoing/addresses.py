"""Which addresses may be connected to, and connections that go nowhere else.

A host name is resolved once, every address found is judged, and the connection
goes to one of those very addresses, so that a name that answers differently the
second time (DNS rebinding) gains nothing.  TLS still checks the name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import httpcore
import httpx

from chatbot.errors import BadRequestError

__all__ = ["AddressRefused", "Addresses", "check_url", "guarded_client", "is_public"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL = 2000
_names = ThreadPoolExecutor(8, thread_name_prefix="names")
"""Threads of its own: a name server that never answers must not hold up other work."""
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_INNER = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))
"""Azure's platform server, a public number that is inside of every machine there; special uses (RFC 6890)."""


class AddressRefused(Exception):
    """The host is none that may be connected to.  Its text names no address found, only why."""


def is_public(address: Address) -> bool:
    """Whether an address belongs to the open internet, also where IPv6 wraps an IPv4 address."""
    inner = _wrapped(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and (address.is_site_local or address.scope_id is not None):
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not any(address in network for network in _INNER)
    )


def _wrapped(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if any."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    low = int(address) & 0xFFFFFFFF
    if any(address in network for network in _NAT64) or 0xFFFF < int(address) < 1 << 32:
        return IPv4Address(low)
    return None


@dataclass(frozen=True, slots=True)
class Addresses:
    """The rule: public addresses, and private ones of the networks that the operator names."""

    allowed: tuple[Network, ...] = ()

    def is_allowed(self, address: Address) -> bool:
        """Whether the operator has named this private address."""
        inner = _wrapped(address)
        return any(each in network for network in self.allowed for each in (address, inner or address))

    def choose(self, found: Iterable[str], *, encrypted: bool) -> list[str]:
        """The addresses of a host that may be connected to: all of them, or none.

        Args:
            found: addresses that the name was resolved to.
            encrypted: plain http goes to allowed networks only.

        Raises:
            AddressRefused: one of them may not be connected to.
        """
        chosen: list[str] = []
        for text in found:
            try:
                address = ip_address(text)
            except ValueError:
                raise AddressRefused("the host has an address of an unknown kind") from None
            if not self.is_allowed(address):
                if not is_public(address):
                    raise AddressRefused("the host has a private, local or reserved address")
                if not encrypted:
                    raise AddressRefused("plain http to the open internet; expected https")
            chosen.append(text)
        if not chosen:
            raise AddressRefused("the host has no address")
        return chosen

    async def resolve(self, host: str, port: int, *, encrypted: bool) -> list[str]:
        """The addresses of a host that may be connected to.

        Raises:
            AddressRefused: there is none, or one of them may not be connected to.
        """
        try:
            infos = await asyncio.get_running_loop().run_in_executor(
                _names, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError):
            raise AddressRefused("the host's name cannot be resolved") from None
        return self.choose(dict.fromkeys(str(info[4][0]) for info in infos), encrypted=encrypted)


def check_url(url: str) -> str:
    """The URL, if it has the form that webhooks may have; where it leads is judged when it is called.

    Raises:
        BadRequestError: it has not.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise BadRequestError("the webhook's URL cannot be read; expected https://host/path") from None
    if len(url) > MAX_URL or any(character.isspace() or not character.isprintable() for character in url):
        raise BadRequestError(
            f"the webhook's URL is too long or has spaces; expected at most {MAX_URL} plain characters"
        )
    if parts.scheme not in ("https", "http"):
        raise BadRequestError(
            f"the webhook's URL begins with {parts.scheme or 'no scheme'!r}; expected https://"
        )
    if not host or port == 0:
        raise BadRequestError("the webhook's URL has no host or a port of 0; expected https://host/path")
    if parts.username is not None or parts.password is not None:
        raise BadRequestError("the webhook's URL has a user or password; expected none: requests are signed")
    if parts.fragment:
        raise BadRequestError("the webhook's URL has a #fragment, which is never sent; leave it out")
    return url


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to judged addresses only."""

    def __init__(self, addresses: Addresses, encrypted: bool) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._addresses = addresses
        self._encrypted = encrypted

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self._addresses.resolve(host, port, encrypted=self._encrypted)
        return await self._first(found, port, timeout, local_address, socket_options)

    async def _first(
        self,
        found: Sequence[str],
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that takes one."""
        last: Exception | None = None
        for address in found[:4]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        assert last is not None
        raise last

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del path, timeout, socket_options
        raise AddressRefused("a socket file")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx over guarded connections, each used once: a kept one would outlive its judgement."""

    def __init__(self, addresses: Addresses, encrypted: bool, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_keepalive_connections=0,
            http1=True,
            network_backend=_GuardedBackend(addresses, encrypted),
        )


def guarded_client(addresses: Addresses, timeout_s: float) -> httpx.AsyncClient:
    """A client that reaches allowed addresses only, follows no redirect and uses no proxy."""
    tls = ssl.create_default_context()
    return httpx.AsyncClient(
        mounts={
            "https://": _GuardedTransport(addresses, True, tls),
            "http://": _GuardedTransport(addresses, False, tls),
        },
        follow_redirects=False,
        trust_env=False,
        timeout=timeout_s,
    )
