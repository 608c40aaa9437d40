"""Settings of messengers and outgoing webhooks; see :mod:`chatbot.settings`."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

__all__ = [
    "DingTalkSettings",
    "FeishuSettings",
    "MessengerSettings",
    "SlackSettings",
    "TelegramSettings",
    "WeChatSettings",
    "WeComSettings",
    "WebhookSettings",
    "WhatsAppSettings",
]

_EMPTY = SecretStr("")


class WebhookSettings(BaseModel):
    """Outgoing webhooks."""

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (),
        description="Private networks that webhooks may reach, as a JSON list of CIDR ranges, "
        'e.g. `["10.1.0.0/16"]`; plain http is allowed there. By default none.',
    )
    timeout_s: float = Field(15.0, gt=0, le=60, description="Time limit of one delivery, in seconds.")
    pauses_s: tuple[float, ...] = Field(
        (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400),
        description="Pauses before each further attempt, in seconds, as a JSON list; a fifth is left to chance.",
    )
    workers: int = Field(8, ge=1, le=64, description="Deliveries at the same time; at most two an endpoint.")
    keep_days: float = Field(30.0, gt=0, description="How long events are kept for `kefu webhooks replay`.")


class MessengerSettings(BaseModel):
    """What holds for all messengers."""

    replay_window_s: float = Field(
        300.0, gt=0, le=3600, description="Oldest signed request of a messenger that is taken, in seconds."
    )
    timeout_s: float = Field(
        10.0, gt=0, le=60, description="Time limit of one call of a messenger's API, in seconds."
    )
    give_up_after_s: float = Field(
        86400.0, gt=0, description="How long an answer that a messenger does not take is tried, in seconds."
    )
    keep_days: float = Field(
        30.0, ge=9, description="How long ids of answered messages are kept, so that they are answered once."
    )


class TelegramSettings(BaseModel):
    """Telegram bot."""

    token: SecretStr = Field(_EMPTY, description="Token of the bot, from @BotFather; switches Telegram on.")
    secret: SecretStr = Field(_EMPTY, description="`secret_token` given to setWebhook.")
    url: str = Field("https://api.telegram.org", description="Base URL of Telegram's API.")


class WhatsAppSettings(BaseModel):
    """WhatsApp Cloud API."""

    token: SecretStr = Field(_EMPTY, description="Access token; switches WhatsApp on.")
    app_secret: SecretStr = Field(_EMPTY, description="App secret, which signs requests.")
    verify_token: SecretStr = Field(_EMPTY, description="Verify token typed into Meta's webhook page.")
    phone_number_id: str = Field("", description="Id of the phone number; messages to others are left alone.")
    url: str = Field(
        "https://graph.facebook.com/v23.0", description="Base URL of the Graph API with version."
    )


class SlackSettings(BaseModel):
    """Slack app."""

    token: SecretStr = Field(_EMPTY, description="Bot token (`xoxb-…`); switches Slack on.")
    signing_secret: SecretStr = Field(_EMPTY, description="Signing secret of the app.")
    url: str = Field("https://slack.com/api", description="Base URL of Slack's API.")


class FeishuSettings(BaseModel):
    """Feishu (Lark) app."""

    app_id: str = Field("", description="App id (`cli_…`); switches Feishu on.")
    app_secret: SecretStr = Field(_EMPTY, description="App secret.")
    encrypt_key: SecretStr = Field(_EMPTY, description="Encrypt key of the event subscription.")
    verification_token: SecretStr = Field(_EMPTY, description="Verification token of the event subscription.")
    url: str = Field(
        "https://open.feishu.cn", description="Base URL of the API; `https://open.larksuite.com` for Lark."
    )


class DingTalkSettings(BaseModel):
    """DingTalk robot of an internal app."""

    app_key: str = Field("", description="Client id (AppKey); switches DingTalk on.")
    app_secret: SecretStr = Field(_EMPTY, description="Client secret (AppSecret), which signs requests.")
    url: str = Field("https://api.dingtalk.com", description="Base URL of DingTalk's API.")
    session_url: str = Field(
        "https://oapi.dingtalk.com", description="The only host that a `sessionWebhook` may name."
    )


class WeChatSettings(BaseModel):
    """WeChat Official Account."""

    app_id: str = Field("", description="App id (`wx…`); switches WeChat on.")
    app_secret: SecretStr = Field(_EMPTY, description="App secret; not needed with `passive` replies.")
    token: SecretStr = Field(_EMPTY, description="Token of the server configuration, which signs requests.")
    encoding_aes_key: SecretStr = Field(
        _EMPTY, description="EncodingAESKey (43 characters); then only requests in safe mode are taken."
    )
    reply: Literal["service", "passive"] = Field(
        "service",
        description="`service`: answers by the customer-service API (verified accounts); "
        "`passive`: in the response itself, within WeChat's five seconds and its two retries.",
    )
    url: str = Field("https://api.weixin.qq.com", description="Base URL of WeChat's API.")


class WeComSettings(BaseModel):
    """WeCom (企业微信) app."""

    corp_id: str = Field("", description="Corp id (`ww…`); switches WeCom on.")
    agent_id: int = Field(0, ge=0, description="Agent id of the app.")
    secret: SecretStr = Field(_EMPTY, description="Secret of the app.")
    token: SecretStr = Field(_EMPTY, description="Token of «receive messages», which signs requests.")
    encoding_aes_key: SecretStr = Field(_EMPTY, description="EncodingAESKey (43 characters).")
    url: str = Field("https://qyapi.weixin.qq.com", description="Base URL of WeCom's API.")
