"""DingTalk robots of internal apps: signed requests, answers to the session's own webhook.

The signature covers the time alone, not the body: that is how DingTalk made it.
So a ``sessionWebhook`` is used only where it names DingTalk's own host, and a
message id is answered once.

https://open.dingtalk.com/document/orgapp/receive-message
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from chatbot.channel_settings import DingTalkSettings
from chatbot.channels.messengers.client import Api, TokenCache
from chatbot.channels.messengers.protocol import (
    Call,
    Incoming,
    Json,
    ProviderError,
    Quiet,
    pick,
    read_json,
    refuse,
    short_id,
)
from chatbot.channels.messengers.signing import check_fresh, check_same, hmac_sha256, required
from chatbot.channels.messengers.text import full_text, shorten, split_text, utf8
from chatbot.turn import Reply

__all__ = ["DingTalk"]

MAX_TEXT = 5000
"""Bytes."""
MAX_BUTTONS, MAX_TITLE = 10, 100
_TOO_MANY = frozenset({130101, 130102, 410100, 90018})
"""More than 20 messages a minute: nothing is taken for the rest of it, or for ten more."""
_SPARE_S = 30.0
"""A session that ends this soon is not used any more."""


class DingTalk(Quiet):
    """One robot."""

    name = "dingtalk"

    def __init__(self, settings: DingTalkSettings, api: Api, window_s: float) -> None:
        super().__init__()
        self._settings = settings
        self._api = api
        self._window_s = window_s
        self._tokens = TokenCache(self._fetch_token)

    def receive(self, call: Call) -> Sequence[Incoming]:
        """See :class:`~chatbot.channels.messengers.protocol.Messenger`."""
        stamp = required(call.headers.get("timestamp"), "timestamp")
        sign = required(call.headers.get("sign"), "sign")
        check_fresh(stamp, call, self._window_s, per_second=1000)
        secret = self._settings.app_secret.get_secret_value()
        digest = hmac_sha256(secret, f"{stamp}\n{secret}".encode())
        check_same(sign, base64.b64encode(digest).decode(), "sign")
        body = read_json(call.body)
        id_, user = pick(body, str, "msgId"), pick(body, str, "senderId")
        place = pick(body, str, "conversationId")
        if not id_ or not user or not place:
            return []
        group = body.get("conversationType") == "2"
        text = pick(body, str, "text", "content") if body.get("msgtype") == "text" else None
        if text is None and body.get("msgtype") == "audio":
            text = pick(body, str, "content", "recognition")
        to = {
            "webhook": self._session(pick(body, str, "sessionWebhook")),
            "until_ms": pick(body, int, "sessionWebhookExpiredTime") or 0,
            "robot": pick(body, str, "robotCode") or self._settings.app_key,
            "staff": pick(body, str, "senderStaffId") or "",
            "place": place if group else "",
        }
        conversation = short_id(place, user) if group else place
        return [Incoming(short_id(id_), conversation, user, (text or "").strip(), to)]

    def _session(self, url: str | None) -> str:
        """The address of a session if it is DingTalk's own, else empty.

        Raises:
            BadRequestError: (403) it is another's.
        """
        if not url:
            return ""
        allowed = urlsplit(self._settings.session_url)
        try:
            found = urlsplit(url)
            same = (found.scheme, found.hostname, found.port) == (
                allowed.scheme,
                allowed.hostname,
                allowed.port,
            )
        except ValueError:
            same = False
        if not same or "@" in url.split("/", 3)[2]:
            raise refuse("the sessionWebhook is none of DingTalk's")
        return url

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """Plain text; buttons as a card whose buttons write the customer's next message."""
        del to
        texts = split_text(full_text(reply), MAX_TEXT, utf8)
        parts: list[Json] = [{"msgtype": "text", "text": {"content": text}} for text in texts]
        if reply.buttons and parts:
            last = parts.pop()["text"]["content"]
            buttons = [
                {
                    "title": shorten(button.title, MAX_TITLE),
                    "actionURL": "dtmd://dingtalkclient/sendMessage?content="
                    + quote(button.payload, safe=""),
                }
                for button in reply.buttons[:MAX_BUTTONS]
            ]
            card = {
                "title": shorten(last, 40),
                "text": _escaped(last),
                "btnOrientation": "0",
                "btns": buttons,
            }
            parts.append({"msgtype": "actionCard", "actionCard": card})
        return parts

    async def send(self, to: Json, part: Json) -> None:
        """POSTs to the session's webhook while it lasts, then to the robot's API."""
        if to["webhook"] and to["until_ms"] / 1000 > time.time() + _SPARE_S:
            await self._send_in_session(to, part)
        else:
            await self._send_by_robot(to, part)

    async def _send_in_session(self, to: Json, part: Json) -> None:
        at = {"at": {"atUserIds": [to["staff"]], "isAtAll": False}} if to["place"] and to["staff"] else {}
        result = await self._api.post(to["webhook"], {**part, **at})
        code = pick(result.body, int, "errcode")
        if code != 0:
            after = 60.0 if code in _TOO_MANY else result.retry_after_s
            retry = code in _TOO_MANY or code in (None, -1)
            raise ProviderError(f"answered {result.status}, errcode {code}", retry=retry, after_s=after)

    async def _send_by_robot(self, to: Json, part: Json) -> None:
        if not to["place"] and not to["staff"]:
            raise ProviderError("the session has ended and the customer has no staff id", retry=False)
        token = await self._tokens.get()
        key, param = _robot_message(part)
        body: Json = {"robotCode": to["robot"], "msgKey": key, "msgParam": param}
        if to["place"]:
            path, body = "/v1.0/robot/groupMessages/send", {**body, "openConversationId": to["place"]}
        else:
            path, body = "/v1.0/robot/oToMessages/batchSend", {**body, "userIds": [to["staff"]]}
        result = await self._api.post(path, body, headers={"x-acs-dingtalk-access-token": token})
        if result.status >= 300:
            if result.status == 401:
                self._tokens.forget(token)
            raise ProviderError(f"answered {result.status}", retry=result.status in (401, 403))

    async def close(self) -> None:
        """Closes connections."""
        await self._api.close()

    async def _fetch_token(self) -> tuple[str, float]:
        keys = {
            "appKey": self._settings.app_key,
            "appSecret": self._settings.app_secret.get_secret_value(),
        }
        result = await self._api.post("/v1.0/oauth2/accessToken", keys)
        token = pick(result.body, str, "accessToken")
        if not token:
            raise ProviderError(f"no token, answered {result.status}", retry=True)
        return token, float(pick(result.body, int, "expireIn") or 3600)


def _robot_message(part: Json) -> tuple[str, str]:
    """A part as the robot's API takes it: key and parameters."""
    if part["msgtype"] == "text":
        return "sampleText", json.dumps({"content": part["text"]["content"]}, ensure_ascii=False)
    card = part["actionCard"]
    lines = [f"- [{_escaped(button['title'])}]({button['actionURL']})" for button in card["btns"]]
    text = "\n\n".join([card["text"], "\n".join(lines)])
    return "sampleMarkdown", json.dumps({"title": card["title"], "text": text}, ensure_ascii=False)


def _escaped(text: str) -> str:
    """Text that DingTalk's markdown shows as it is; single line ends are doubled, else they are swallowed."""
    for sign in "\\`*_[]#<>~":
        text = text.replace(sign, "\\" + sign)
    return text.replace("\n", "\n\n")
