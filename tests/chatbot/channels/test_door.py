from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import StreamingResponse

from chatbot.channels.keys import caller_of, needs
from chatbot.errors import SettingsError
from chatbot.settings import Settings
from chatbot.storage import Database, Keys
from tests.chatbot.channels.conftest import WEBHOOK
from tests.fakes import FakeBot

SECRET = "0123456789abcdef0123456789abcdef"
BODY = {"sender": "anna", "message": "hello"}


def closed(*scopes: str, **fields: Any) -> dict[str, Any]:
    return {"auth": {"required": scopes, **fields}}


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database)


@pytest.fixture
def opened(make_app: Callable[..., FastAPI]) -> Callable[..., TestClient]:
    """A client of an application with more routes, seen from an address outside."""

    def make(**settings: Any) -> TestClient:
        app = make_app(**settings)
        for scope in ("chat", "read", "admin"):
            router = APIRouter(prefix=f"/only/{scope}")

            @router.get("")
            async def who(request: Request) -> dict[str, Any]:
                caller = caller_of(request)
                return {"identity": caller.identity, "username": caller.username, "role": caller.role}

            app.include_router(router, dependencies=[needs(scope)])
        return TestClient(app, client=("203.0.113.7", 4000))

    return make


def refused(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"]) == ("failure", status)
    return body


def test_customers_come_in_without_a_key_by_default_and_readers_do_not(
    opened: Callable[..., TestClient],
) -> None:
    client = opened()
    assert client.post(WEBHOOK, json=BODY).status_code == 200
    assert client.get("/healthz").status_code == 200
    response = client.get("/only/read")
    assert refused(response, 401)["reason"] == "NotAuthenticated"
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_key_opens_what_its_scopes_allow_and_nothing_else(
    opened: Callable[..., TestClient], keys: Keys, header: str
) -> None:
    client = opened(**closed("chat", "read", "admin"))
    key, text = keys.create("shop", ["read"])
    sent = {header: text if header == "x-api-key" else f"bearer {text}"}
    assert client.get("/only/read", headers=sent).json()["identity"] == f"key:{key.id}"
    assert refused(client.get("/only/admin", headers=sent), 403)["reason"] == "NotAuthorized"
    refused(client.post(WEBHOOK, json=BODY, headers=sent), 403)
    refused(client.post(WEBHOOK, json=BODY), 401)


def test_admin_may_do_everything(opened: Callable[..., TestClient], keys: Keys) -> None:
    client = opened(**closed("chat", "read", "admin"))
    sent = {"x-api-key": keys.create("boss", ["admin"])[1]}
    assert client.post(WEBHOOK, json=BODY, headers=sent).status_code == 200
    assert client.get("/only/admin", headers=sent).status_code == 200


def test_a_revoked_key_is_refused_also_where_none_is_needed(
    opened: Callable[..., TestClient], keys: Keys
) -> None:
    client = opened(**closed())
    key, text = keys.create("shop", ["chat"])
    sent = {"authorization": f"Bearer {text}"}
    assert client.post(WEBHOOK, json=BODY, headers=sent).status_code == 200
    keys.revoke(key.id)
    body = refused(client.post(WEBHOOK, json=BODY, headers=sent), 401)
    assert text not in json.dumps(body)


@pytest.mark.parametrize("value", ["Bearer sk-anything", "Bearer a.b.c", "Basic YTpi", "Bearer", "é"])
def test_what_is_not_ours_is_ignored_where_nothing_is_needed(
    opened: Callable[..., TestClient], value: str
) -> None:
    client = opened(**closed("read", jwt_secret=SECRET))
    sent = {"authorization": value.encode("latin-1")}
    assert client.post(WEBHOOK, json=BODY, headers=sent).status_code == 200
    refused(client.get("/only/read", headers=sent), 401)


def test_an_unknown_key_in_our_own_header_is_refused(opened: Callable[..., TestClient]) -> None:
    refused(opened().post(WEBHOOK, json=BODY, headers={"x-api-key": "sk-anything"}), 401)


def test_the_last_use_of_a_key_is_kept(opened: Callable[..., TestClient], keys: Keys) -> None:
    _, text = keys.create("shop", ["chat"])
    with opened() as client:
        client.post(WEBHOOK, json=BODY, headers={"x-api-key": text})
        for _ in range(100):
            if keys.list()[0].last_used_at is not None:
                break
            client.get("/healthz")
    assert keys.list()[0].last_used_at is not None


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "chat read"}, {"chat", "read"}),
        ({"scopes": ["read"]}, {"read"}),
        ({"user": {"username": "anna", "role": "admin"}}, {"chat", "read", "admin"}),
        ({"user": {"username": "anna", "role": "user"}}, {"chat"}),
        ({"scope": ["chat"], "scopes": "read", "user": "admin"}, set()),
        ({}, set()),
    ],
)
def test_a_token_brings_its_scopes(
    opened: Callable[..., TestClient], claims: dict[str, Any], scopes: set[str]
) -> None:
    client = opened(**closed("chat", "read", "admin", jwt_secret=SECRET))
    sent = {"authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
    found = {
        scope
        for scope in ("chat", "read", "admin")
        if client.get(f"/only/{scope}", headers=sent).status_code == 200
    }
    assert found == scopes


def _key_pair() -> tuple[Any, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public.decode()


def test_a_token_that_is_forged_expired_or_meant_for_others_is_refused(
    opened: Callable[..., TestClient],
) -> None:
    private, public = _key_pair()
    client = opened(**closed("chat", jwt_public_key=public, jwt_audience="kefu", jwt_issuer="shop"))
    now = datetime.now(UTC)
    good = {"scope": "chat", "aud": "kefu", "iss": "shop", "exp": now + timedelta(minutes=1)}

    def status(claims: dict[str, Any], key: Any = private, algorithm: str = "RS256") -> int:
        token = jwt.encode(claims, key, algorithm)
        return client.get("/only/chat", headers={"authorization": f"Bearer {token}"}).status_code

    assert status(good) == 200
    assert status({**good, "exp": now - timedelta(minutes=1)}) == 401
    assert status({**good, "aud": "other"}) == 401
    assert status({**good, "iss": "other"}) == 401
    assert status({key: value for key, value in good.items() if key != "aud"}) == 401
    assert status(good, _key_pair()[0]) == 401
    # the public key is no secret, so it must not sign
    assert status(good, SECRET, "HS256") == 401
    unsigned = jwt.encode(good, "", algorithm="none")
    assert client.get("/only/chat", headers={"authorization": f"Bearer {unsigned}"}).status_code == 401


@pytest.mark.parametrize("field", [{"jwt_secret": "short"}, {"jwt_public_key": "no key"}])
def test_unusable_secrets_are_refused_at_the_start(
    make_app: Callable[..., FastAPI], field: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match="KEFU_AUTH__JWT"):
        make_app(**closed(**field))


def test_too_many_requests_of_one_address_are_refused_with_a_time_to_come_back(
    opened: Callable[..., TestClient],
) -> None:
    client = opened(limits={"per_address": "3/minute"})
    assert [client.post(WEBHOOK, json=BODY).status_code for _ in range(4)] == [200, 200, 200, 429]
    response = client.post(WEBHOOK, json=BODY)
    assert 1 <= int(response.headers["retry-after"]) <= 60
    refused(response, 429)
    assert client.get("/healthz").status_code == 200
    other = TestClient(client.app, client=("203.0.113.8", 1))
    assert other.post(WEBHOOK, json=BODY).status_code == 200


def test_a_forged_header_makes_no_new_address(opened: Callable[..., TestClient]) -> None:
    client = opened(limits={"per_address": "2/minute"})
    codes = [
        client.post(WEBHOOK, json=BODY, headers={"x-forwarded-for": f"198.51.100.{n}"}).status_code
        for n in range(3)
    ]
    assert codes == [200, 200, 429]


def test_a_trusted_proxy_tells_the_address_and_a_client_behind_it_cannot(
    opened: Callable[..., TestClient],
) -> None:
    client = opened(limits={"per_address": "1/minute"}, trusted_proxies="203.0.113.0/24")

    def status(forwarded: str) -> int:
        return client.post(WEBHOOK, json=BODY, headers={"x-forwarded-for": forwarded}).status_code

    assert [status("198.51.100.1"), status("198.51.100.2"), status("198.51.100.1")] == [200, 200, 429]
    # what the client wrote itself stands before what the proxy saw
    assert status("1.2.3.4, 198.51.100.1") == 429


def test_a_key_is_counted_by_itself(opened: Callable[..., TestClient], keys: Keys) -> None:
    client = opened(limits={"per_address": "1/minute", "per_key": "2/minute"})
    one, two = ({"x-api-key": keys.create(name, ["chat"])[1]} for name in ("one", "two"))
    codes = [client.post(WEBHOOK, json=BODY, headers=sent).status_code for sent in (one, one, one, two)]
    assert codes == [200, 200, 429, 200]


def test_one_conversation_is_counted_by_itself(opened: Callable[..., TestClient]) -> None:
    client = opened(limits={"per_conversation": "2/minute"})
    codes = [client.post(WEBHOOK, json={**BODY, "sender": sender}).status_code for sender in "aaab"]
    assert codes == [200, 200, 429, 200]
    assert (
        client.post(WEBHOOK, json={**BODY, "sender": "a"}).json()["details"]["say"]
        == "rate_limited in English"
    )


def test_a_rasa_assistant_may_send_a_long_conversation(opened: Callable[..., TestClient]) -> None:
    client = opened(limits={"body_bytes": 2048})
    long = {"next_action": "", "tracker": {"events": ["x" * 100_000]}}
    assert client.post("/webhook", json=long).status_code == 200
    refused(client.post(WEBHOOK, json={**long, "message": "hi"}), 413)


def test_a_body_too_large_is_refused_declared_or_not(opened: Callable[..., TestClient]) -> None:
    client = opened(limits={"body_bytes": 2000})
    refused(client.post(WEBHOOK, content=b"x" * 3000), 413)
    refused(client.post(WEBHOOK, content=(b"x" * 500 for _ in range(6))), 413)
    refused(client.post("/nowhere", content=(b"x" * 500 for _ in range(6))), 404)
    assert client.post(WEBHOOK, json=BODY).status_code == 200


def test_an_application_that_hides_the_error_does_not_hide_the_refusal(
    make_app: Callable[..., FastAPI],
) -> None:
    app = make_app(limits={"body_bytes": 2000})

    @app.post("/typed")
    async def typed(body: dict[str, Any]) -> dict[str, Any]:
        return body

    refused(TestClient(app).post("/typed", content=(b'{"a": 1}' + b" " * 500 for _ in range(6))), 413)


def test_a_body_that_never_ends_is_given_up(make_app: Callable[..., FastAPI]) -> None:
    app = make_app(limits={"body_timeout_s": 0.1})

    async def talk() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(0.04)
            return {"type": "http.request", "body": b"x", "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        await app({**SCOPE, "headers": []}, receive, send)
        return sent

    assert asyncio.run(asyncio.wait_for(talk(), 20))[0]["status"] == 408


SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "POST",
    "path": WEBHOOK,
    "raw_path": WEBHOOK.encode(),
    "root_path": "",
    "scheme": "http",
    "query_string": b"",
    "client": ("203.0.113.7", 1),
    "server": ("test", 80),
}


def test_a_reader_that_stands_still_loses_his_answer_and_nothing_is_left(
    make_app: Callable[..., FastAPI],
) -> None:
    app = make_app(FakeBot("a b c d e"), limits={"send_timeout_s": 0.1})
    ended: list[bool] = []

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def pieces() -> Any:
            try:
                while True:
                    yield b"x"
            finally:
                ended.append(True)

        return StreamingResponse(pieces())

    async def talk() -> int:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        scope = {**SCOPE, "method": "GET", "path": "/endless", "raw_path": b"/endless", "headers": []}
        await asyncio.wait_for(app(scope, receive, send), 20)
        return len(asyncio.all_tasks())

    assert asyncio.run(talk()) == 1
    assert ended == [True]


def test_only_listed_sites_may_read_answers(opened: Callable[..., TestClient]) -> None:
    client = opened(cors_origins="https://shop.example,https://www.shop.example")
    preflight = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-api-key",
    }
    response = client.options(WEBHOOK, headers=preflight)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "origin" in response.headers["vary"].lower()
    for origin in (
        "https://evil.example",
        "null",
        "https://shop.example.evil.example",
        "http://shop.example",
    ):
        headers = client.post(WEBHOOK, json=BODY, headers={"origin": origin}).headers
        assert "access-control-allow-origin" not in headers
        assert client.options(WEBHOOK, headers={**preflight, "origin": origin}).status_code == 400


def test_errors_can_be_read_by_listed_sites_too(opened: Callable[..., TestClient]) -> None:
    client = opened(
        cors_origins="https://shop.example", limits={"per_address": "1/minute", "body_bytes": 2000}
    )
    sent = {"origin": "https://shop.example"}
    for content, status in ((b"x" * 3000, 413), (b"{}", 422), (b"{}", 429)):
        response = client.post(WEBHOOK, content=content, headers=sent)
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (
            status,
            sent["origin"],
        )


def test_any_site_may_read_answers_without_cookies(opened: Callable[..., TestClient]) -> None:
    response = opened(cors_origins="*").post(WEBHOOK, json=BODY, headers={"origin": "https://any.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


def test_no_site_may_by_default(opened: Callable[..., TestClient]) -> None:
    headers = opened().post(WEBHOOK, json=BODY, headers={"origin": "https://shop.example"}).headers
    assert not [name for name in headers if name.startswith("access-control")]


def test_answers_carry_headers_that_protect_browsers(opened: Callable[..., TestClient]) -> None:
    for response in (opened().post(WEBHOOK, json=BODY), opened().get("/only/read")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "SAMEORIGIN"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["cache-control"] == "no-store"


def test_streaming_is_not_held_back_by_the_door(opened: Callable[..., TestClient], keys: Keys) -> None:
    client = opened(cors_origins="https://shop.example")
    sent = {"x-api-key": keys.create("shop", ["chat"])[1], "origin": "https://shop.example"}
    with client.stream("POST", f"{WEBHOOK}?stream=true", json=BODY, headers=sent) as response:
        lines = list(response.iter_lines())
    assert len(lines) > 3


@pytest.mark.parametrize(
    "settings",
    [
        {"cors_origins": "https://shop.example/"},
        {"cors_origins": "shop.example"},
        {"cors_origins": "null"},
        {"trusted_proxies": "*"},
        {"trusted_proxies": "proxy.local"},
        {"limits": {"per_address": "many"}},
        {"auth": {"required": "root"}},
    ],
)
def test_unusable_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Settings(**settings)


def test_a_storage_of_counts_that_cannot_be_had_is_refused_at_the_start(
    make_app: Callable[..., FastAPI],
) -> None:
    with pytest.raises(SettingsError, match="KEFU_LIMITS__STORAGE"):
        make_app(limits={"storage": "nonsense://"})
