"""Webhooks reach no inner host, whatever the URL looks like and however names answer."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from chatbot.channels.outgoing.addresses import (
    Addresses,
    AddressRefused,
    check_url,
    guarded_client,
    is_public,
)
from chatbot.channels.outgoing.deliver import Outcome, check_secret, deliver, new_secret
from chatbot.errors import BadRequestError
from chatbot.storage.outbox import Due
from tests.standin import Answer, StandIn

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1",
        "fd00:ec2::254", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_inner_addresses_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2a00:1450::1"]
)
def test_outer_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://h/x", "gopher://h/", "//h/x", "h/x", "", "https://", "https:///x",
        "https://u:p@h/x", "https://u@h/", "https://h:0/", "https://h:99999/", "https://h/#part",
        "https://h/a b", "https://h/\n", "https://h/" + "a" * 2000, "javascript:alert(1)", "https://[::1/",
    ],
)  # fmt: skip
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(BadRequestError):
        check_url(url)


def test_a_plain_url_is_taken() -> None:
    assert check_url("https://hooks.example:8443/kefu?x=1") == "https://hooks.example:8443/kefu?x=1"


def due(url: str) -> Due:
    return Due(1, "msg_1", "{}", "ep", url, (new_secret(),), 1, "lease")


def attempt(url: str, addresses: Addresses, timeout_s: float = 3.0) -> Outcome:
    async def run() -> Outcome:
        async with guarded_client(addresses, timeout_s) as client:
            return await deliver(client, due(url), timeout_s)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0"]
)
def test_no_spelling_of_this_machine_is_reached(receiver: StandIn, host: str) -> None:
    port = receiver.url.rsplit(":", 1)[1]
    for scheme in ("http", "https"):
        outcome = attempt(f"{scheme}://{host}:{port}/hook", Addresses())
        assert not outcome.delivered
        assert outcome.error.startswith(("address refused", "InvalidURL"))
    assert receiver.received == []


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names answer so, one answer a question, the last one ever after; gives the list of questions."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_a_name_that_leads_inside_is_refused_even_beside_a_public_address(
    monkeypatch: pytest.MonkeyPatch, receiver: StandIn
) -> None:
    port = receiver.url.rsplit(":", 1)[1]
    for found in (["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["169.254.169.254"]):
        answering(monkeypatch, found)
        assert attempt(f"https://hooks.example:{port}/", Addresses()).error.startswith("address refused")
    assert receiver.received == []


def test_a_name_is_asked_once_and_the_connection_goes_to_the_judged_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: the second answer would be an inner address; nobody asks for it."""
    connected: list[str] = []

    async def connect(_self: Any, host: str, *_: Any, **__: Any) -> Any:
        connected.append(host)
        raise OSError("not in a test")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    asked = answering(monkeypatch, [PUBLIC], ["127.0.0.1"])
    attempt("https://hooks.example/", Addresses())
    assert asked == ["hooks.example"]
    assert connected == [PUBLIC]


def test_plain_http_goes_to_allowed_networks_only(monkeypatch: pytest.MonkeyPatch, receiver: StandIn) -> None:
    allowed = Addresses((ip_network("127.0.0.0/8"),))
    assert attempt(f"{receiver.url}/hook", allowed).delivered
    answering(monkeypatch, [PUBLIC])
    assert "expected https" in attempt("http://hooks.example/", allowed).error


def test_allowing_one_network_allows_no_other() -> None:
    rule = Addresses((ip_network("10.1.0.0/16"),))
    assert rule.choose(["10.1.2.3"], encrypted=True) == ["10.1.2.3"]
    assert rule.choose(["::ffff:10.1.2.3"], encrypted=True) == ["::ffff:10.1.2.3"]
    for other in ("10.2.0.1", "127.0.0.1", "169.254.169.254", "fd00::1"):
        with pytest.raises(AddressRefused):
            rule.choose([other], encrypted=True)


def test_a_redirect_to_an_inner_host_is_not_followed(receiver: StandIn) -> None:
    receiver.script.append(Answer(307, headers={"location": f"{receiver.url}/inner"}))
    outcome = attempt(f"{receiver.url}/hook", Addresses((ip_network("127.0.0.0/8"),)))
    assert (outcome.delivered, outcome.status) == (False, 307)
    assert [request.path for request in receiver.received] == ["/hook"]


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, receiver: StandIn) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, receiver.url)
    attempt("https://127.0.0.1:1/", Addresses())
    assert receiver.received == []


def test_a_receiver_that_trickles_its_headers_meets_the_time_limit() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100):
            writer.write(f"x-{number}: y\r\n".encode())
            await asyncio.sleep(0.05)

    async def run() -> Outcome:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with guarded_client(Addresses((ip_network("127.0.0.0/8"),)), 0.4) as client:
            outcome = await deliver(client, due(f"http://127.0.0.1:{port}/"), 0.4)
        server.close()
        return outcome

    start = datetime.now(UTC)
    assert "no answer within" in asyncio.run(run()).error
    assert (datetime.now(UTC) - start).total_seconds() < 3


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_!!!!", "whsec_" + "QUJD", "QUJD" * 10])
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(BadRequestError):
        check_secret(secret)
    assert check_secret(new_secret()).startswith("whsec_")
