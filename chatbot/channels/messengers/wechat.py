"""WeChat Official Accounts: signed XML, in safe mode encrypted; answers by the customer-service API or passively.

https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from chatbot.channel_settings import WeChatSettings
from chatbot.channels.messengers.client import Api, TokenCache
from chatbot.channels.messengers.crypto import WeChatCipher
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
    short_id,
)
from chatbot.channels.messengers.signing import check_fresh, check_same, required
from chatbot.channels.messengers.text import full_text, shorten, split_text, utf8, with_numbers
from chatbot.channels.messengers.xml import read_xml, write_xml
from chatbot.turn import Reply

__all__ = ["WeChat", "signature"]

MAX_TEXT = 2000
"""Bytes; WeChat takes 2,048."""
MAX_BUTTONS, MAX_TITLE = 10, 100
_TOKEN_WRONG = frozenset({40001, 40014, 42001, 42007})
_LATER = frozenset({-1, 45009, 45011, 50002, 61024}) | _TOKEN_WRONG
_KINDS = frozenset({"image", "voice", "video", "shortvideo", "location", "link"})


def signature(*values: str) -> str:
    """SHA-1 over the sorted values: the signature of all requests."""
    return hashlib.sha1("".join(sorted(values)).encode("utf-8", "replace")).hexdigest()


class WeChat(Quiet):
    """One account."""

    name = "wechat"

    def __init__(self, settings: WeChatSettings, api: Api, window_s: float) -> None:
        super().__init__()
        self.passive = self.numbered = settings.reply == "passive"
        self._settings = settings
        self._api = api
        self._window_s = window_s
        self._token = settings.token.get_secret_value()
        key = settings.encoding_aes_key.get_secret_value()
        self._cipher = WeChatCipher(key, settings.app_id, "KEFU_WECHAT__ENCODING_AES_KEY") if key else None
        self._tokens = TokenCache(self._fetch_token)

    def handshake(self, call: Call) -> Response | None:
        """WeChat tries the address with a signed echostr."""
        if call.method != "GET":
            return None
        self._check(call, "signature")
        return Response(call.query.get("echostr", ""))

    def _check(self, call: Call, name: str, *more: str) -> None:
        found = required(call.query.get(name), name)
        stamp = required(call.query.get("timestamp"), "timestamp")
        nonce = required(call.query.get("nonce"), "nonce")
        check_same(found, signature(self._token, stamp, nonce, *more), name)
        check_fresh(stamp, call, self._window_s)

    def receive(self, call: Call) -> Sequence[Incoming]:
        """See :class:`~chatbot.channels.messengers.protocol.Messenger`."""
        if self._cipher is None:
            self._check(call, "signature")
            found = read_xml(call.body)
        else:
            required(call.query.get("msg_signature"), "msg_signature")
            encrypted = required(read_xml(call.body).get("Encrypt"), "encrypted body")
            self._check(call, "msg_signature", encrypted)
            found = read_xml(self._cipher.decrypt(encrypted))
        user, account = found.get("FromUserName", ""), found.get("ToUserName", "")
        text = _text_of(found)
        if not user or text is None:
            return []
        id_ = found.get("MsgId") or f"{user}:{found.get('CreateTime', '')}:{found.get('EventKey', '')}"
        to = {"user": user, "account": account}
        button = button_of(found.get("bizmsgmenuid"))
        return [Incoming(short_id(id_), user, user, text, to, None, button)]

    def acknowledgement(self, call: Call, to: Json, parts: Sequence[Json] = ()) -> Response:
        """``success``, or the passive reply."""
        if not parts:
            return Response("success")
        text = "\n\n".join(part["text"]["content"] for part in parts)
        texts = split_text(text, MAX_TEXT, utf8)
        shown = texts[0] if len(texts) == 1 else split_text(text, MAX_TEXT - 3, utf8)[0] + "…"
        stamp = int(call.now)
        xml = write_xml(
            {
                "ToUserName": to["user"],
                "FromUserName": to["account"],
                "CreateTime": stamp,
                "MsgType": "text",
                "Content": shown,
            }
        )
        if self._cipher is not None:
            encrypted, nonce = self._cipher.encrypt(xml), secrets.token_hex(8)
            sign = signature(self._token, str(stamp), nonce, encrypted)
            xml = write_xml({"Encrypt": encrypted, "MsgSignature": sign, "TimeStamp": stamp, "Nonce": nonce})
        return Response(xml, "application/xml")

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """Texts, and a menu of the buttons; numbered lines in passive replies."""
        del to
        if self.passive:
            return [_text(part) for part in split_text(with_numbers(reply), MAX_TEXT, utf8)]
        texts = split_text(full_text(reply), MAX_TEXT, utf8)
        if not reply.buttons or not texts:
            return [_text(text) for text in texts]
        menu = {
            "head_content": texts[-1],
            "list": [
                {"id": button_id(reply.message_id, index), "content": shorten(button.title, MAX_TITLE)}
                for index, button in enumerate(reply.buttons[:MAX_BUTTONS])
            ],
            "tail_content": "",
        }
        return [*(_text(text) for text in texts[:-1]), {"msgtype": "msgmenu", "msgmenu": menu}]

    async def send(self, to: Json, part: Json) -> None:
        """POST /cgi-bin/message/custom/send."""
        token = await self._tokens.get()
        result = await self._api.post(
            "/cgi-bin/message/custom/send",
            {"touser": to["user"], **part},
            params={"access_token": token},
        )
        check_result(result.body, self._tokens, token, _TOKEN_WRONG, _LATER)

    async def close(self) -> None:
        """Closes connections."""
        await self._api.close()

    async def _fetch_token(self) -> tuple[str, float]:
        """A stable token: two processes that ask do not make each other's invalid."""
        result = await self._api.post(
            "/cgi-bin/stable_token",
            {
                "grant_type": "client_credential",
                "appid": self._settings.app_id,
                "secret": self._settings.app_secret.get_secret_value(),
            },
        )
        return token_of(result.body)


def check_result(
    body: Json, tokens: TokenCache, token: str, wrong: frozenset[int], later: frozenset[int]
) -> None:
    """Reads the ``errcode`` of WeChat and WeCom.

    Raises:
        ProviderError: it is not 0.
    """
    code = pick(body, int, "errcode")
    if code == 0:
        return
    if code in wrong:
        tokens.forget(token)
    raise ProviderError(f"errcode {code}", retry=code is None or code in later)


def token_of(body: Json) -> tuple[str, float]:
    """The access token and the seconds it is valid.

    Raises:
        ProviderError: there is none.
    """
    token = pick(body, str, "access_token")
    if not token:
        raise ProviderError(f"no access token, errcode {pick(body, int, 'errcode')}", retry=True)
    return token, float(pick(body, int, "expires_in") or 7200)


def _text_of(found: dict[str, str]) -> str | None:
    """What the customer says; empty for what is no text, None for what is no message."""
    kind = found.get("MsgType", "")
    if kind == "text":
        return found.get("Content", "").strip()
    if kind == "voice" and found.get("Recognition"):
        return found["Recognition"].strip()
    if kind == "event" and found.get("Event", "").upper() == "CLICK":
        return found.get("EventKey", "").strip()  # a menu's key is what it asks
    return "" if kind in _KINDS else None


def _text(text: str) -> Json:
    return {"msgtype": "text", "text": {"content": text}}
