"""Settings of the door: who may come in and how often; see :mod:`chatbot.settings`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

__all__ = ["AuthSettings", "LimitSettings", "Origins", "Proxies", "split_list"]

_EMPTY = SecretStr("")

ScopeName = Literal["chat", "read", "openai", "admin"]


def split_list(value: Any) -> Any:
    """A text with commas as a list; ``[`` begins a JSON list."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        import json

        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    for origin in origins:
        if origin == "*":
            continue
        parts = urlsplit(origin)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or origin != f"{parts.scheme}://{parts.netloc}"
        ):
            raise ValueError(
                f"{origin!r} is no origin; expected scheme and host without a path or a slash at the end, "
                "e.g. https://shop.example, or * for every site"
            )
    return tuple(origin.lower() for origin in origins)


def _check_proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    from ipaddress import ip_network

    for proxy in proxies:
        if proxy == "*":
            raise ValueError("* would let every client choose its own address; name the proxies' addresses")
        try:
            ip_network(proxy)
        except ValueError:
            raise ValueError(f"{proxy!r} is no address; expected e.g. 10.0.0.5 or 10.0.0.0/24") from None
    return proxies


def _check_limits(value: str) -> str:
    from limits import parse_many

    if value.strip():
        try:
            parse_many(value)
        except ValueError:
            raise ValueError(
                "expected e.g. 60/minute, several joined by ;, or nothing for no limit"
            ) from None
    return value.strip()


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list), AfterValidator(_check_origins)]
Proxies = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list), AfterValidator(_check_proxies)]
Scopes = Annotated[tuple[ScopeName, ...], NoDecode, BeforeValidator(split_list)]
Limit = Annotated[str, AfterValidator(_check_limits)]


class AuthSettings(BaseModel):
    """Who may use which addresses."""

    required: Scopes = Field(
        ("read", "admin"),
        description="Scopes whose addresses need a key or a token: `chat`, `read`, `openai`, `admin`, with commas "
        "between. By default customers and OpenAI clients come in without one.",
    )
    jwt_secret: SecretStr = Field(
        _EMPTY,
        description="Secret that signs JSON Web Tokens (HS256), 32 characters or more; empty: none are taken.",
    )
    jwt_public_key: str = Field(
        "", description="Public key in PEM of JSON Web Tokens (RS256); empty: none are taken."
    )
    jwt_audience: str = Field("", description="`aud` that a token must have; empty: any.")
    jwt_issuer: str = Field("", description="`iss` that a token must have; empty: any.")


class LimitSettings(BaseModel):
    """How often and how much."""

    per_key: Limit = Field(
        "3000/minute", description="Requests of one API key or token; `;` joins several limits, empty: none."
    )
    per_address: Limit = Field(
        "1200/minute", description="Requests of one address; those from this machine itself are not counted."
    )
    per_conversation: Limit = Field("600/minute", description="Messages of one conversation.")
    storage: str = Field(
        "memory://",
        description="Where requests are counted: `memory://` in each process by itself, "
        "`redis://host:6379` for all together (kefu[redis]).",
    )
    body_bytes: int = Field(1_048_576, ge=1024, description="Largest body of a request, in bytes.")
    body_timeout_s: float = Field(30.0, gt=0, description="Time a body may take to arrive, in seconds.")
    send_timeout_s: float = Field(
        60.0, gt=0, description="Time a client may take to read the next piece of an answer, in seconds."
    )
