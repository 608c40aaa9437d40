"""The messengers that the settings switch on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from chatbot.channels.messengers.client import Api
from chatbot.channels.messengers.crypto import require_cryptography
from chatbot.channels.messengers.dingtalk import DingTalk
from chatbot.channels.messengers.feishu import Feishu
from chatbot.channels.messengers.protocol import Messenger
from chatbot.channels.messengers.slack import Slack
from chatbot.channels.messengers.telegram import Telegram
from chatbot.channels.messengers.wechat import WeChat
from chatbot.channels.messengers.wecom import WeCom
from chatbot.channels.messengers.whatsapp import WhatsApp
from chatbot.errors import SettingsError
from chatbot.settings import Settings

__all__ = ["build_messengers"]


def build_messengers(settings: Settings) -> dict[str, Messenger]:
    """Each messenger whose first setting is there, by name.

    Raises:
        SettingsError: one is switched on, but lacks what it cannot work without.
    """
    window, limit = settings.messengers.replay_window_s, settings.messengers.timeout_s

    def api(part: Any) -> Api:
        return Api(part.url, limit)

    makers: Mapping[str, tuple[BaseModel, tuple[str, ...], Callable[[Any], Messenger]]] = {
        "telegram": (settings.telegram, ("token", "secret"), lambda s: Telegram(s, api(s))),
        "whatsapp": (
            settings.whatsapp,
            ("token", "app_secret", "verify_token", "phone_number_id"),
            lambda s: WhatsApp(s, api(s)),
        ),
        "slack": (settings.slack, ("token", "signing_secret"), lambda s: Slack(s, api(s), window)),
        "feishu": (settings.feishu, ("app_id", "app_secret"), lambda s: Feishu(s, api(s), window)),
        "dingtalk": (settings.dingtalk, ("app_key", "app_secret"), lambda s: DingTalk(s, api(s), window)),
        "wechat": (settings.wechat, ("app_id", "token"), lambda s: WeChat(s, api(s), window)),
        "wecom": (
            settings.wecom,
            ("corp_id", "agent_id", "secret", "token", "encoding_aes_key"),
            lambda s: WeCom(s, api(s), window),
        ),
    }
    found: dict[str, Messenger] = {}
    for name, (part, needed, make) in makers.items():
        if _value(part, needed[0]):
            _check(name, part, needed)
            found[name] = make(part)
    return found


def _check(name: str, part: BaseModel, needed: tuple[str, ...]) -> None:
    for field in needed:
        if not _value(part, field):
            raise SettingsError(
                f"KEFU_{name.upper()}__{field.upper()} is empty while KEFU_{name.upper()}__{needed[0].upper()} "
                f"is set; expected both: set it, or unset the other to switch {name} off"
            )
    if name == "feishu":
        if _value(part, "encrypt_key"):
            require_cryptography()
        elif not _value(part, "verification_token"):
            raise SettingsError(
                "both KEFU_FEISHU__ENCRYPT_KEY and KEFU_FEISHU__VERIFICATION_TOKEN are empty; expected one: "
                "without, anybody could send messages"
            )
    if name == "wechat" and _value(part, "reply") == "service" and not _value(part, "app_secret"):
        raise SettingsError(
            "KEFU_WECHAT__APP_SECRET is empty; expected it for answers by the customer-service API: "
            "set it, or KEFU_WECHAT__REPLY=passive"
        )


def _value(part: BaseModel, field: str) -> Any:
    value = getattr(part, field)
    return value.get_secret_value() if isinstance(value, SecretStr) else value
