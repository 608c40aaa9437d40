"""WeCom (企业微信) apps: encrypted and signed XML, answers by the message API.

https://developer.work.weixin.qq.com/document/path/90930
"""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.channel_settings import WeComSettings
from chatbot.channels.messengers.client import Api, TokenCache
from chatbot.channels.messengers.crypto import WeChatCipher
from chatbot.channels.messengers.protocol import Call, Incoming, Json, Quiet, Response, short_id
from chatbot.channels.messengers.signing import check_fresh, check_same, required
from chatbot.channels.messengers.text import split_text, utf8, with_numbers
from chatbot.channels.messengers.wechat import check_result, signature, token_of
from chatbot.channels.messengers.xml import read_xml
from chatbot.turn import Reply

__all__ = ["WeCom"]

MAX_TEXT = 2000
"""Bytes; WeCom takes 2,048."""
_TOKEN_WRONG = frozenset({40001, 40014, 42001})
_LATER = frozenset({-1, 45009, 45033, 60020}) | _TOKEN_WRONG
_KINDS = frozenset({"image", "voice", "video", "location", "link", "file"})


class WeCom(Quiet):
    """One app of one company."""

    name = "wecom"

    def __init__(self, settings: WeComSettings, api: Api, window_s: float) -> None:
        super().__init__()
        self.numbered = True
        self._settings = settings
        self._api = api
        self._window_s = window_s
        key = settings.encoding_aes_key.get_secret_value()
        self._cipher = WeChatCipher(key, settings.corp_id, "KEFU_WECOM__ENCODING_AES_KEY")
        self._tokens = TokenCache(self._fetch_token)

    def handshake(self, call: Call) -> Response | None:
        """WeCom tries the address with an encrypted echostr and wants its text."""
        if call.method != "GET":
            return None
        encrypted = required(call.query.get("echostr"), "echostr")
        self._check(call, encrypted)
        return Response(self._cipher.decrypt(encrypted))

    def _check(self, call: Call, encrypted: str) -> None:
        found = required(call.query.get("msg_signature"), "msg_signature")
        stamp = required(call.query.get("timestamp"), "timestamp")
        nonce = required(call.query.get("nonce"), "nonce")
        token = self._settings.token.get_secret_value()
        check_same(found, signature(token, stamp, nonce, encrypted), "msg_signature")
        check_fresh(stamp, call, self._window_s)

    def receive(self, call: Call) -> Sequence[Incoming]:
        """See :class:`~chatbot.channels.messengers.protocol.Messenger`."""
        required(call.query.get("msg_signature"), "msg_signature")
        encrypted = required(read_xml(call.body).get("Encrypt"), "encrypted body")
        self._check(call, encrypted)
        found = read_xml(self._cipher.decrypt(encrypted))
        user, id_, kind = found.get("FromUserName", ""), found.get("MsgId", ""), found.get("MsgType", "")
        if not user or not id_ or (kind != "text" and kind not in _KINDS):
            return []
        text = found.get("Content", "").strip() if kind == "text" else ""
        return [Incoming(short_id(id_), user, user, text, {"user": user})]

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """Texts; buttons are numbered lines."""
        del to
        texts = split_text(with_numbers(reply), MAX_TEXT, utf8)
        return [{"msgtype": "text", "text": {"content": text}} for text in texts]

    async def send(self, to: Json, part: Json) -> None:
        """POST /cgi-bin/message/send."""
        token = await self._tokens.get()
        result = await self._api.post(
            "/cgi-bin/message/send",
            {"touser": to["user"], "agentid": self._settings.agent_id, **part},
            params={"access_token": token},
        )
        check_result(result.body, self._tokens, token, _TOKEN_WRONG, _LATER)

    async def close(self) -> None:
        """Closes connections."""
        await self._api.close()

    async def _fetch_token(self) -> tuple[str, float]:
        result = await self._api.get(
            "/cgi-bin/gettoken",
            {"corpid": self._settings.corp_id, "corpsecret": self._settings.secret.get_secret_value()},
        )
        return token_of(result.body)
