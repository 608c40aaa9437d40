"""Settings of what Kefu speaks in Rasa's stead: its HTTP API, the socket.io and the callback channel."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

__all__ = ["CallbackSettings", "RasaSettings", "SocketIOSettings"]

JwtMethod = Literal["HS256", "HS384", "HS512"]


class RasaSettings(BaseModel):
    """Rasa's HTTP API."""

    token: SecretStr = Field(
        SecretStr(""),
        description="Token of Rasa's HTTP API and webhooks, sent as `?token=`; sees every conversation.",
    )
    guard_webhooks: bool = Field(
        True,
        description="Where the token is set, ask for it (or an API key or a JWT) at the REST and callback channels, "
        "too; false: customers write without one.",
    )


class SocketIOSettings(BaseModel):
    """The socket.io channel."""

    enabled: bool = Field(True, description="Serve the socket.io channel at `/socket.io`.")
    session_persistence: bool = Field(
        True,
        description="The session id that a client keeps names the conversation; "
        "otherwise each connection is one.",
    )
    jwt_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the JSON Web Token that a client must send as `auth.token`; empty: anybody connects.",
    )
    jwt_method: JwtMethod = Field("HS256", description="Signature method of this token.")
    stream: bool = Field(
        False,
        description="Send `stream_start`, `stream_chunk` and `stream_end` to every client while an answer is made.",
    )


class CallbackSettings(BaseModel):
    """The callback channel: where its replies are posted."""

    url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Address that replies of the callback channel are posted to; empty: the channel is off.",
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Headers of these posts, as a JSON object."
    )
    username: str = Field("", description="Name for basic authentication there.")
    password: SecretStr = Field(SecretStr(""), description="Password for basic authentication there.")
    token: SecretStr = Field(SecretStr(""), description="Token that is added to the address as a parameter.")
    token_name: str = Field("token", min_length=1, description="Name of this parameter.")
    timeout_s: float = Field(10.0, gt=0, le=120, description="Time limit of one post, in seconds.")
    attempts: int = Field(5, ge=1, le=20, description="How often a post is tried, with growing pauses.")
