"""Feishu (Lark) apps: encrypted and signed events of version 2, answers by the message API.

https://open.feishu.cn/document/server-docs/event-subscription-guide/overview
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from chatbot.channel_settings import FeishuSettings
from chatbot.channels.messengers.client import Api, TokenCache
from chatbot.channels.messengers.crypto import decrypt_feishu
from chatbot.channels.messengers.protocol import (
    Call,
    Incoming,
    Json,
    ProviderError,
    Quiet,
    Response,
    button_id,
    button_of,
    pick,
    read_json,
    refuse,
    short_id,
)
from chatbot.channels.messengers.signing import check_fresh, check_same, required
from chatbot.channels.messengers.text import full_text, shorten, split_text, utf8
from chatbot.turn import Reply

__all__ = ["Feishu"]

MAX_TEXT = 8000
"""Bytes; a message may have 30 kB with all that is around the text."""
MAX_BUTTONS, MAX_TITLE = 10, 100
_MENTION = re.compile(r"@_user_\d+\s*|@_all\s*")
_TOKEN_WRONG = frozenset({99991661, 99991663, 99991664, 99991665, 99991668, 99991671})
_LATER = frozenset({99991400, 11232, 11233, 230020, 2200, 1500, 1551}) | _TOKEN_WRONG


class Feishu(Quiet):
    """One app."""

    name = "feishu"

    def __init__(self, settings: FeishuSettings, api: Api, window_s: float) -> None:
        super().__init__()
        self._settings = settings
        self._api = api
        self._window_s = window_s
        self._encrypt_key = settings.encrypt_key.get_secret_value()
        self._tokens = TokenCache(self._fetch_token)

    def handshake(self, call: Call) -> Response | None:
        """Feishu tries the address with a challenge, encrypted if there is a key, not signed."""
        if call.method != "POST":
            return None
        body = self._opened(call)
        if body.get("type") != "url_verification":
            return None
        self._check_token(pick(body, str, "token"))
        challenge = str(pick(body, str, "challenge") or "")
        return Response(json.dumps({"challenge": challenge}), "application/json")

    def receive(self, call: Call) -> Sequence[Incoming]:
        """See :class:`~chatbot.channels.messengers.protocol.Messenger`."""
        if self._encrypt_key:
            stamp = required(call.headers.get("x-lark-request-timestamp"), "x-lark-request-timestamp")
            nonce = required(call.headers.get("x-lark-request-nonce"), "x-lark-request-nonce")
            signature = required(call.headers.get("x-lark-signature"), "x-lark-signature")
            check_fresh(stamp, call, self._window_s)
            signed = (stamp + nonce + self._encrypt_key).encode("utf-8", "replace") + call.body
            check_same(signature, hashlib.sha256(signed).hexdigest(), "x-lark-signature")
        body = self._opened(call)
        self._check_token(pick(body, str, "header", "token"))
        kind = pick(body, str, "header", "event_type")
        event_id = pick(body, str, "header", "event_id")
        event = pick(body, dict, "event")
        if event is None or not event_id:
            return []
        found = None
        if kind == "im.message.receive_v1":
            found = self._said(event)
        elif kind == "card.action.trigger":
            found = self._clicked(event, event_id)
        return [] if found is None else [found]

    def acknowledgement(self, call: Call, to: Json, parts: Sequence[Json] = ()) -> Response:
        """An empty object, which cards want, too."""
        del call, to, parts
        return Response("{}", "application/json")

    def _opened(self, call: Call) -> Json:
        """The body, decrypted; with a key nothing else is taken.

        Raises:
            BadRequestError: it is not encrypted (401) or with another key (403).
        """
        body = read_json(call.body)
        if not self._encrypt_key:
            return body
        encrypted = required(pick(body, str, "encrypt"), "encrypted body")
        return read_json(decrypt_feishu(encrypted, self._encrypt_key))

    def _check_token(self, token: str | None) -> None:
        expected = self._settings.verification_token.get_secret_value()
        if expected:
            check_same(required(token, "verification token"), expected, "verification token")
        elif not self._encrypt_key:
            raise refuse("neither a verification token nor an encrypt key is set")

    def _said(self, event: Json) -> Incoming | None:
        message, user = pick(event, dict, "message"), pick(event, str, "sender", "sender_id", "open_id")
        id_, chat = pick(message, str, "message_id"), pick(message, str, "chat_id")
        if message is None or not user or not id_ or not chat:
            return None
        if pick(event, str, "sender", "sender_type") not in (None, "user"):
            return None
        group = message.get("chat_type") != "p2p"
        if group and not pick(message, list, "mentions"):
            return None
        text = ""
        if message.get("message_type") == "text":
            text = _MENTION.sub("", str(pick(_inner(message), str, "text") or "")).strip()
        elif group:
            return None
        conversation = short_id(chat, user) if group else chat
        return Incoming(short_id(id_), conversation, user, text, {"chat_id": chat, "group": group})

    def _clicked(self, event: Json, event_id: str) -> Incoming | None:
        user = pick(event, str, "operator", "open_id")
        chat = pick(event, str, "context", "open_chat_id")
        button = button_of(pick(event, str, "action", "value", "kefu"))
        if not user or not chat or button is None:
            return None
        title = pick(event, str, "action", "value", "title") or ""
        group = pick(event, bool, "action", "value", "group") is True
        conversation = short_id(chat, user) if group else chat
        to = {"chat_id": chat, "group": group}
        return Incoming(short_id(event_id), conversation, user, title, to, None, button)

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """Posts, whose text is taken literally, and a card with the buttons."""
        parts: list[Json] = []
        for number, text in enumerate(split_text(full_text(reply), MAX_TEXT, utf8)):
            lines = [[{"tag": "text", "text": line, "un_escape": False}] for line in text.split("\n")]
            content = {"zh_cn": {"title": "", "content": lines}}
            parts.append(_part("post", content, reply.message_id, number))
        if reply.buttons:
            actions = [
                {
                    "tag": "button",
                    "type": "default",
                    "text": {"tag": "plain_text", "content": shorten(button.title, MAX_TITLE)},
                    "value": {
                        "kefu": button_id(reply.message_id, index),
                        "title": shorten(button.title, MAX_TITLE),
                        "group": to.get("group") is True,
                    },
                }
                for index, button in enumerate(reply.buttons[:MAX_BUTTONS])
            ]
            card = {
                "config": {"wide_screen_mode": True},
                "elements": [{"tag": "action", "layout": "flow", "actions": actions}],
            }
            parts.append(_part("interactive", card, reply.message_id, len(parts)))
        return parts

    async def send(self, to: Json, part: Json) -> None:
        """POST /open-apis/im/v1/messages; the part's uuid makes a repeated call harmless for an hour."""
        token = await self._tokens.get()
        result = await self._api.post(
            "/open-apis/im/v1/messages",
            {"receive_id": to["chat_id"], **part},
            headers={"authorization": f"Bearer {token}"},
            params={"receive_id_type": "chat_id"},
        )
        code = pick(result.body, int, "code")
        if code == 0:
            return
        if code in _TOKEN_WRONG or result.status == 401:
            self._tokens.forget(token)
        retry = code is None or code in _LATER or result.status == 401
        raise ProviderError(
            f"answered {result.status}, code {code}", retry=retry, after_s=result.retry_after_s
        )

    async def close(self) -> None:
        """Closes connections."""
        await self._api.close()

    async def _fetch_token(self) -> tuple[str, float]:
        result = await self._api.post(
            "/open-apis/auth/v3/tenant_access_token/internal",
            {
                "app_id": self._settings.app_id,
                "app_secret": self._settings.app_secret.get_secret_value(),
            },
        )
        token = pick(result.body, str, "tenant_access_token")
        if not token:
            raise ProviderError(f"no token, code {pick(result.body, int, 'code')}", retry=True)
        return token, float(pick(result.body, int, "expire") or 3600)


def _part(kind: str, content: Json, answer_id: str, number: int) -> Json:
    text = json.dumps(content, ensure_ascii=False)
    return {"msg_type": kind, "content": text, "uuid": f"{answer_id[:40]}-{number}"}


def _inner(message: Json) -> Json:
    """The content of a message, which is JSON inside of JSON."""
    try:
        value = json.loads(str(message.get("content")))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
