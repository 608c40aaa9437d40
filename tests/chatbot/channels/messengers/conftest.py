"""An application with all messengers on, a scripted bot, and stand-ins for the providers' APIs.

The requests have the form of the examples in the providers' documentation and
are signed here as the documentation says, not by the code that is tested.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from fastapi.testclient import TestClient

from chatbot.channels import BotLoader, create_app
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from chatbot.storage.inbox import Inbox
from chatbot.turn import Button, Message, Reply
from tests.fakes import FakeBot
from tests.standin import Answer, Received, StandIn, stand_in

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ENCRYPT_KEY = "kudryavka"
PHONE = "106540352242922"


@pytest.fixture
def provider() -> Iterator[StandIn]:
    """All providers' APIs at once; each answers as if it took everything."""
    with stand_in() as opened:
        opened.answers.update(
            {
                "/telegram/": Answer(body={"ok": True, "result": {"message_id": 1}}),
                "/whatsapp/": Answer(body={"messages": [{"id": "wamid.out"}]}),
                "/slack/": Answer(body={"ok": True, "ts": "1.2"}),
                "/feishu/open-apis/auth": Answer(
                    body={"code": 0, "tenant_access_token": "t-1", "expire": 7200}
                ),
                "/feishu/open-apis/im": Answer(body={"code": 0, "data": {"message_id": "om_out"}}),
                "/dingtalk/v1.0/oauth2": Answer(body={"accessToken": "d-1", "expireIn": 7200}),
                "/dingtalk/v1.0/robot": Answer(body={"processQueryKey": "x"}),
                "/robot/sendBySession": Answer(body={"errcode": 0, "errmsg": "ok"}),
                "/wechat/cgi-bin/stable_token": Answer(body={"access_token": "w-1", "expires_in": 7200}),
                "/wechat/cgi-bin/message": Answer(body={"errcode": 0, "errmsg": "ok"}),
                "/wecom/cgi-bin/gettoken": Answer(
                    body={"errcode": 0, "access_token": "c-1", "expires_in": 7200}
                ),
                "/wecom/cgi-bin/message": Answer(body={"errcode": 0, "errmsg": "ok"}),
            }
        )
        yield opened


@pytest.fixture
def settings(provider: StandIn) -> Settings:
    url = provider.url
    values: dict[str, Any] = {
        "telegram": {"token": "1:T", "secret": "tg-secret", "url": f"{url}/telegram"},
        "whatsapp": {
            "token": "wa",
            "app_secret": "wa-secret",
            "verify_token": "wa-verify",
            "phone_number_id": PHONE,
            "url": f"{url}/whatsapp",
        },
        "slack": {
            "token": "xoxb",
            "signing_secret": "8f742231b10e8888abcd99yyyzzz85a5",
            "url": f"{url}/slack",
        },
        "feishu": {
            "app_id": "cli_x",
            "app_secret": "fs",
            "encrypt_key": ENCRYPT_KEY,
            "verification_token": "fs-token",
            "url": f"{url}/feishu",
        },
        "dingtalk": {
            "app_key": "dk",
            "app_secret": "ding-secret",
            "url": f"{url}/dingtalk",
            "session_url": url,
        },
        "wechat": {
            "app_id": "wx5823bf96d3bd56c7",
            "app_secret": "ws",
            "token": "QDG6eK",
            "encoding_aes_key": AES_KEY,
            "url": f"{url}/wechat",
        },
        "wecom": {
            "corp_id": "wx5823bf96d3bd56c8",
            "agent_id": 218,
            "secret": "cs",
            "token": "QDG6eL",
            "encoding_aes_key": AES_KEY,
            "url": f"{url}/wecom",
        },
    }
    return Settings(**values)


def echo(message: Message) -> str:
    """What the scripted bot says: the message itself."""
    return f"You said: {message.text}"


CHOICE = "Which one do you mean?"
QUESTIONS = ("How long do I have to return something?", "When is it refunded?")


def asking_back(message: Message) -> str | Reply:
    """Asks back with two buttons when it hears «money»."""
    if "money" not in message.text:
        return echo(message)
    return FakeBot.reply(CHOICE, buttons=tuple(Button(question, question) for question in QUESTIONS))


@pytest.fixture
def bot(conversations: Conversations) -> FakeBot:
    return FakeBot(asking_back, history=conversations)


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


@pytest.fixture
def serve(
    conversations: Conversations, settings: Settings, bot: FakeBot, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Opens the application; pauses between attempts are short."""
    monkeypatch.setattr("chatbot.channels.messengers.worker._FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("chatbot.channels.messengers.worker._POLL_S", 0.05)

    @contextmanager
    def opened(chosen: FakeBot | None = None, **changes: Any) -> Iterator[TestClient]:
        loader = BotLoader(lambda _report: chosen or bot)
        app = create_app(loader, conversations, settings.model_copy(update=changes))
        with TestClient(app) as client:
            yield client

    return opened


@pytest.fixture
def client(serve: Callable[..., Any]) -> Iterator[TestClient]:
    with serve() as opened:
        yield opened


@dataclass(frozen=True)
class Signed:
    """One request as a provider sends it."""

    name: str
    body: bytes
    headers: dict[str, str]
    query: dict[str, str]

    def send(self, client: TestClient) -> Any:
        path = f"/webhooks/{self.name}/webhook" + (f"?{urlencode(self.query)}" if self.query else "")
        return client.post(path, content=self.body, headers=self.headers)

    def changed(self, **fields: Any) -> Signed:
        return replace(self, **fields)


def telegram(text: str = "hello", number: int = 10000, **message: Any) -> Signed:
    sender = {"id": 1111111, "is_bot": False, "first_name": "Test", "language_code": "en-GB"}
    body = {
        "update_id": number,
        "message": {
            "message_id": 1365,
            "from": sender,
            "chat": {"id": 1111111, "type": "private", "first_name": "Test"},
            "date": int(time.time()),
            "text": text,
            **message,
        },
    }
    headers = {"x-telegram-bot-api-secret-token": "tg-secret", "content-type": "application/json"}
    return Signed("telegram", json.dumps(body).encode(), headers, {})


def telegram_click(data: str, number: int = 10001) -> Signed:
    body = {
        "update_id": number,
        "callback_query": {
            "id": "4382bfdwdsb323b2d9",
            "from": {"id": 1111111, "is_bot": False, "first_name": "Test"},
            "message": {
                "message_id": 1366,
                "from": {"id": 1, "is_bot": True, "first_name": "Kefu"},
                "chat": {"id": 1111111, "type": "private"},
                "date": int(time.time()),
                "text": CHOICE,
            },
            "chat_instance": "1",
            "data": data,
        },
    }
    return Signed("telegram", json.dumps(body).encode(), {"x-telegram-bot-api-secret-token": "tg-secret"}, {})


def whatsapp(text: str = "hello", id_: str = "wamid.HBgL", **message: Any) -> Signed:
    sent = {"from": "16505551234", "id": id_, "timestamp": str(int(time.time())), "type": "text"}
    content = {**sent, "text": {"body": text}, **message}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": PHONE},
        "contacts": [{"profile": {"name": "Sheena"}, "wa_id": "16505551234"}],
        "messages": [content],
    }
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}],
    }
    return whatsapp_signed(json.dumps(body).encode())


def whatsapp_signed(raw: bytes) -> Signed:
    digest = hmac.new(b"wa-secret", raw, hashlib.sha256).hexdigest()
    return Signed("whatsapp", raw, {"x-hub-signature-256": f"sha256={digest}"}, {})


def slack_signed(raw: bytes, kind: str = "application/json", age_s: float = 0) -> Signed:
    stamp = str(int(time.time() - age_s))
    base = b"v0:" + stamp.encode() + b":" + raw
    digest = hmac.new(b"8f742231b10e8888abcd99yyyzzz85a5", base, hashlib.sha256).hexdigest()
    headers = {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={digest}",
        "content-type": kind,
    }
    return Signed("slack", raw, headers, {})


def slack(text: str = "hello", moment: str = "1355517523.000005", **event: Any) -> Signed:
    body = {
        "token": "z26uFbvR1xHJEdHE1OQiO6t8",
        "team_id": "T123ABC456",
        "api_app_id": "A123ABC456",
        "event": {
            "type": "message",
            "channel": "D024BE91L",
            "user": "U2147483697",
            "text": text,
            "ts": moment,
            "event_ts": moment,
            "channel_type": "im",
            **event,
        },
        "type": "event_callback",
        "event_id": f"Ev{moment}",
        "event_time": 1355517523,
    }
    return slack_signed(json.dumps(body).encode())


def feishu_signed(body: Any, age_s: float = 0, key: str = ENCRYPT_KEY) -> Signed:
    iv = b"0123456789abcdef"
    plain = json.dumps(body, ensure_ascii=False).encode()
    padding = 16 - len(plain) % 16
    secret = hashlib.sha256(key.encode()).digest()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
    data = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    raw = json.dumps({"encrypt": base64.b64encode(iv + data).decode()}).encode()
    stamp, nonce = str(int(time.time() - age_s)), "1234567"
    digest = hashlib.sha256((stamp + nonce + key).encode() + raw).hexdigest()
    headers = {
        "x-lark-request-timestamp": stamp,
        "x-lark-request-nonce": nonce,
        "x-lark-signature": digest,
        "content-type": "application/json",
    }
    return Signed("feishu", raw, headers, {})


def feishu(text: str = "hello", id_: str = "om_1", age_s: float = 0, **message: Any) -> Signed:
    body = {
        "schema": "2.0",
        "header": {
            "event_id": f"5e3702a84e847582be8db7fb73283c02{id_}",
            "event_type": "im.message.receive_v1",
            "create_time": "1608725989000",
            "token": "fs-token",
            "app_id": "cli_x",
            "tenant_key": "2ca1d211f64f6438",
        },
        "event": {
            "sender": {
                "sender_id": {"union_id": "on_8", "user_id": "e33ggbyz", "open_id": "ou_84aad35d084aa403"},
                "sender_type": "user",
                "tenant_key": "736588c9260f175e",
            },
            "message": {
                "message_id": id_,
                "create_time": "1609073151345",
                "chat_id": "oc_5ce6d572455d361153b7xx51da133945",
                "chat_type": "p2p",
                "message_type": "text",
                "content": json.dumps({"text": text}),
                **message,
            },
        },
    }
    return feishu_signed(body, age_s)


def dingtalk(text: str = "hello", id_: str = "msg1==", age_s: float = 0, **fields: Any) -> Signed:
    body = {
        "conversationId": "cid6KeB",
        "atUsers": [{"dingtalkId": "$:LWCP_v1:$jX"}],
        "chatbotCorpId": "ding9",
        "chatbotUserId": "$:LWCP_v1:$jX",
        "msgId": id_,
        "senderNick": "杨xx",
        "isAdmin": False,
        "senderStaffId": "user123",
        "sessionWebhookExpiredTime": int((time.time() + 5400) * 1000),
        "createAt": int(time.time() * 1000),
        "senderCorpId": "ding9",
        "conversationType": "1",
        "senderId": "$:LWCP_v1:$Ff",
        "sessionWebhook": "",
        "text": {"content": f" {text}"},
        "robotCode": "dk",
        "msgtype": "text",
        **fields,
    }
    stamp = str(int((time.time() - age_s) * 1000))
    digest = hmac.new(b"ding-secret", f"{stamp}\nding-secret".encode(), hashlib.sha256).digest()
    headers = {"timestamp": stamp, "sign": base64.b64encode(digest).decode()}
    return Signed("dingtalk", json.dumps(body).encode(), headers, {})


def encrypted(xml: str, receiver: str, key: str = AES_KEY) -> str:
    secret = base64.b64decode(key + "=")
    raw = xml.encode()
    plain = b"1234567890123456" + struct.pack(">I", len(raw)) + raw + receiver.encode()
    padding = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).encryptor()
    return base64.b64encode(
        encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    ).decode()


def decrypted(text: str, key: str = AES_KEY) -> str:
    secret = base64.b64decode(key + "=")
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).decryptor()
    plain = decryptor.update(base64.b64decode(text)) + decryptor.finalize()
    length = struct.unpack(">I", plain[16:20])[0]
    return plain[20 : 20 + length].decode()


def sha1(*values: str) -> str:
    return hashlib.sha1("".join(sorted(values)).encode()).hexdigest()


def wechat_xml(text: str, id_: str, extra: str = "") -> str:
    return (
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oUser]]></FromUserName>"
        f"<CreateTime>1348831860</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        f"<Content><![CDATA[{text}]]></Content><MsgId>{id_}</MsgId>{extra}</xml>"
    )


def wechat(
    text: str = "hello",
    id_: str = "1234567890123456",
    age_s: float = 0,
    *,
    name: str = "wechat",
    xml: str = "",
    extra: str = "",
) -> Signed:
    token, receiver = (
        ("QDG6eK", "wx5823bf96d3bd56c7") if name == "wechat" else ("QDG6eL", "wx5823bf96d3bd56c8")
    )
    data = encrypted(xml or wechat_xml(text, id_, extra), receiver)
    stamp, nonce = str(int(time.time() - age_s)), "1597212914"
    query = {
        "timestamp": stamp,
        "nonce": nonce,
        "signature": sha1(token, stamp, nonce),
        "encrypt_type": "aes",
        "msg_signature": sha1(token, stamp, nonce, data),
    }
    body = f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{data}]]></Encrypt></xml>"
    return Signed(name, body.encode(), {"content-type": "text/xml"}, query)


def wecom(text: str = "hello", id_: str = "4561255354251345929", age_s: float = 0) -> Signed:
    return wechat(text, id_, age_s, name="wecom")


EXAMPLES: dict[str, Callable[..., Signed]] = {
    "telegram": telegram,
    "whatsapp": whatsapp,
    "slack": slack,
    "feishu": feishu,
    "dingtalk": dingtalk,
    "wechat": wechat,
    "wecom": wecom,
}

SENT: dict[str, tuple[str, Callable[[Received], str]]] = {
    "telegram": ("/telegram/bot1:T/sendMessage", lambda r: r.json["text"]),
    "whatsapp": (f"/whatsapp/{PHONE}/messages", lambda r: r.json["text"]["body"]),
    "slack": ("/slack/chat.postMessage", lambda r: r.json["blocks"][0]["text"]["text"]),
    "feishu": (
        "/feishu/open-apis/im/v1/messages",
        lambda r: "\n".join(line[0]["text"] for line in json.loads(r.json["content"])["zh_cn"]["content"]),
    ),
    "dingtalk": ("/dingtalk/v1.0/robot/oToMessages", lambda r: json.loads(r.json["msgParam"])["content"]),
    "wechat": ("/wechat/cgi-bin/message/custom/send", lambda r: r.json["text"]["content"]),
    "wecom": ("/wecom/cgi-bin/message/send", lambda r: r.json["text"]["content"]),
}
"""Where each messenger's answers arrive and how their text is read."""


def sent(provider: StandIn, name: str) -> list[str]:
    """The texts that one provider was given to deliver."""
    path, text = SENT[name]
    return [text(request) for request in provider.to(path)]


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Holds a bot's answers until it is set; set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()
