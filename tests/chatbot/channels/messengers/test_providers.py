"""What is each provider's own: handshakes, buttons, limits, errors, safe mode, passive replies."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from fastapi.testclient import TestClient

from chatbot.channels.messengers import build_messengers
from chatbot.channels.messengers.client import TokenCache
from chatbot.channels.messengers.xml import read_xml
from chatbot.errors import BadRequestError, SettingsError
from chatbot.settings import Settings
from chatbot.storage import Conversations
from chatbot.storage.inbox import Inbox
from chatbot.turn import Button, Message, Reply
from tests.chatbot.channels.messengers.conftest import (
    CHOICE,
    PHONE,
    QUESTIONS,
    decrypted,
    dingtalk,
    encrypted,
    feishu,
    feishu_signed,
    sent,
    sha1,
    slack,
    slack_signed,
    telegram,
    telegram_click,
    wechat,
    wecom,
    whatsapp,
    whatsapp_signed,
)
from tests.fakes import FakeBot
from tests.standin import Answer, StandIn, until


def one(provider: StandIn, path: str) -> Any:
    """The body of the only request to a path."""
    until(lambda: len(provider.to(path)) >= 1)
    [request] = provider.to(path)
    return request.json


def answered(bot: FakeBot, count: int) -> list[str]:
    """What the bot has been asked once it was asked so often."""
    until(lambda: len(bot.seen) == count)
    return [message.text for message in bot.seen]


# Telegram


def test_telegram_buttons_send_their_payload(client: TestClient, provider: StandIn, bot: FakeBot) -> None:
    telegram("money").send(client)
    body = one(provider, "/telegram/bot1:T/sendMessage")
    keys = [row[0] for row in body["reply_markup"]["inline_keyboard"]]
    assert [key["text"] for key in keys] == list(QUESTIONS)
    assert all(len(key["callback_data"].encode()) <= 64 for key in keys)
    assert "parse_mode" not in body
    telegram_click(keys[1]["callback_data"]).send(client)
    assert answered(bot, 2)[1] == QUESTIONS[1]
    answer = one(provider, "/telegram/bot1:T/answerCallbackQuery")
    assert answer == {"callback_query_id": "4382bfdwdsb323b2d9"}


def test_a_button_of_another_conversation_gives_nothing_away(
    client: TestClient, provider: StandIn, bot: FakeBot
) -> None:
    whatsapp("money").send(client)
    body = one(provider, f"/whatsapp/{PHONE}/messages")
    stolen = body["interactive"]["action"]["sections"][0]["rows"][0]["id"]
    telegram_click(stolen).send(client)
    assert QUESTIONS[0] not in answered(bot, 2)


def test_telegram_counts_utf16(serve: Callable[..., Any], provider: StandIn) -> None:
    with serve(FakeBot("😀" * 5000)) as client:
        telegram().send(client)
        until(lambda: sum(map(len, sent(provider, "telegram"))) == 5000)
    assert all(len(text.encode("utf-16-le")) // 2 <= 4096 for text in sent(provider, "telegram"))


def test_telegram_updates_that_are_no_questions_are_passed_over(client: TestClient, bot: FakeBot) -> None:
    group = {"id": -5, "type": "supergroup", "title": "Group"}
    bots = {"id": 9, "is_bot": True, "first_name": "Other"}
    for number, fields in enumerate(
        [{"chat": group, "text": None, "new_chat_members": [{}]}, {"from": bots}]
    ):
        assert telegram(number=number, **fields).send(client).status_code == 200
    edited = json.loads(telegram().body)
    edited["edited_message"] = edited.pop("message")
    assert telegram().changed(body=json.dumps(edited).encode()).send(client).status_code == 200
    telegram(number=77, text=None, sticker={}).send(client)
    telegram("/start", number=78).send(client)
    assert answered(bot, 2) == ["", "Hello"]


def test_telegram_members_of_a_group_have_conversations_of_their_own(
    client: TestClient, bot: FakeBot
) -> None:
    for number, user in enumerate((5, 6)):
        sender = {"id": user, "is_bot": False, "first_name": "A"}
        telegram(number=number, chat={"id": -5, "type": "group"}, **{"from": sender}).send(client)
    answered(bot, 2)
    assert len({message.conversation_id for message in bot.seen}) == 2


def test_an_old_recording_of_a_telegram_update_is_refused(client: TestClient, bot: FakeBot) -> None:
    assert telegram(date=int(time.time()) - 26 * 3600).send(client).status_code == 403
    assert bot.seen == []


def test_a_customer_who_blocked_the_bot_is_not_tried_again(
    client: TestClient, provider: StandIn, inbox: Inbox
) -> None:
    provider.answers["/telegram/"] = Answer(403, {"ok": False, "error_code": 403})
    telegram().send(client)
    until(lambda: inbox.counts() == {"failed": 1})
    assert len(provider.to("/telegram/bot1:T/sendMessage")) == 1


def test_telegrams_own_retry_after_is_kept(client: TestClient, provider: StandIn, inbox: Inbox) -> None:
    provider.answers["/telegram/"] = Answer(429, {"ok": False, "parameters": {"retry_after": 30}})
    telegram().send(client)
    until(lambda: len(provider.received) == 1)
    time.sleep(0.4)
    assert len(provider.received) == 1
    assert inbox.counts() == {"waiting": 1}


# WhatsApp


def test_whatsapp_challenge(client: TestClient) -> None:
    path = "/webhooks/whatsapp/webhook"
    query = {"hub.mode": "subscribe", "hub.verify_token": "wa-verify", "hub.challenge": "1158201444"}
    answer = client.get(path, params=query)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    assert client.get(path, params={**query, "hub.verify_token": "x"}).status_code == 403
    assert client.get(path, params={**query, "hub.mode": "unsubscribe"}).status_code == 403
    assert client.get(path).status_code == 401


def test_whatsapp_long_titles_become_a_list(client: TestClient, provider: StandIn, bot: FakeBot) -> None:
    whatsapp("money").send(client)
    body = one(provider, f"/whatsapp/{PHONE}/messages")
    assert body["interactive"]["body"]["text"] == CHOICE
    rows = body["interactive"]["action"]["sections"][0]["rows"]
    assert all(len(row["title"]) <= 24 and len(row.get("description", "")) <= 72 for row in rows)
    clicked = {"type": "list_reply", "list_reply": {"id": rows[0]["id"], "title": rows[0]["title"]}}
    whatsapp(id_="wamid.2", type="interactive", interactive=clicked).send(client)
    assert answered(bot, 2)[1] == QUESTIONS[0]


def test_whatsapp_short_titles_become_buttons(serve: Callable[..., Any], provider: StandIn) -> None:
    short = FakeBot.reply(
        "Which?", buttons=(Button("Refund", "How do I get a refund?"), Button("Return", "r"))
    )
    with serve(FakeBot(short)) as client:
        whatsapp("which").send(client)
        body = one(provider, f"/whatsapp/{PHONE}/messages")
    buttons = body["interactive"]["action"]["buttons"]
    assert [button["reply"]["title"] for button in buttons] == ["Refund", "Return"]


def test_whatsapp_statuses_and_other_numbers_are_passed_over(client: TestClient, bot: FakeBot) -> None:
    body = json.loads(whatsapp().body)
    value = body["entry"][0]["changes"][0]["value"]
    value["metadata"]["phone_number_id"] = "1"
    assert whatsapp_signed(json.dumps(body).encode()).send(client).status_code == 200
    value["metadata"]["phone_number_id"] = PHONE
    value["statuses"] = [{"id": "wamid.x", "status": "read"}]
    del value["messages"]
    assert whatsapp_signed(json.dumps(body).encode()).send(client).status_code == 200
    time.sleep(0.1)
    assert bot.seen == []


def test_whatsapp_batches_are_answered_one_by_one(client: TestClient, provider: StandIn) -> None:
    body = json.loads(whatsapp("one").body)
    messages = body["entry"][0]["changes"][0]["value"]["messages"]
    messages += [{**messages[0], "id": "wamid.b", "text": {"body": "two"}}, {"nothing": 1}, None, 5]
    assert whatsapp_signed(json.dumps(body).encode()).send(client).status_code == 200
    until(lambda: len(sent(provider, "whatsapp")) == 2)
    assert sent(provider, "whatsapp") == ["You said: one", "You said: two"]


# Slack


def test_slack_url_verification_is_signed_too(client: TestClient) -> None:
    raw = json.dumps({"token": "x", "challenge": "3eZbrw1a", "type": "url_verification"}).encode()
    answer = slack_signed(raw).send(client)
    assert (answer.status_code, answer.text) == (200, "3eZbrw1a")
    assert slack_signed(raw).changed(headers={}).send(client).status_code == 401
    assert slack_signed(raw, age_s=400).send(client).status_code == 403


def test_the_example_of_slacks_documentation_has_slacks_signature() -> None:
    from chatbot.channels.messengers.signing import hmac_sha256

    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    digest = hmac_sha256("8f742231b10e8888abcd99yyyzzz85a5", b"v0:1531420618:" + body).hex()
    assert digest == "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def test_slack_buttons_send_their_payload_in_the_same_thread(
    client: TestClient, provider: StandIn, bot: FakeBot
) -> None:
    mention = {"type": "app_mention", "channel": "C1", "channel_type": "channel"}
    slack("<@U0LAN0Z89> money &amp; <https://x.example|x>", **mention).send(client)
    body = one(provider, "/slack/chat.postMessage")
    assert (body["channel"], body["thread_ts"]) == ("C1", "1355517523.000005")
    elements = body["blocks"][1]["elements"]
    assert [element["text"]["text"] for element in elements] == list(QUESTIONS)
    click = {
        "type": "block_actions",
        "user": {"id": "U2147483697", "team_id": "T123ABC456"},
        "team": {"id": "T123ABC456"},
        "container": {"type": "message", "channel_id": "C1", "thread_ts": "1355517523.000005"},
        "channel": {"id": "C1"},
        "actions": [{**elements[1], "action_ts": "1355517600.1"}],
    }
    raw = urlencode({"payload": json.dumps(click)}).encode()
    assert slack_signed(raw, "application/x-www-form-urlencoded").send(client).status_code == 200
    assert answered(bot, 2) == ["money & x", QUESTIONS[1]]
    assert len({message.conversation_id for message in bot.seen}) == 1


def test_slack_tells_one_message_twice_and_bots_talk_too(
    client: TestClient, provider: StandIn, bot: FakeBot
) -> None:
    slack().send(client)
    slack(type="app_mention").send(client)
    slack(moment="2.2", bot_id="B1").send(client)
    slack(moment="2.3", subtype="message_changed").send(client)
    slack(moment="2.4", channel="C9", channel_type="channel").send(client)
    until(lambda: len(sent(provider, "slack")) == 1)
    time.sleep(0.1)
    assert len(bot.seen) == 1


def test_slack_markup_is_escaped(serve: Callable[..., Any], provider: StandIn) -> None:
    with serve(FakeBot("a <b> & *c*")) as client:
        slack().send(client)
        body = one(provider, "/slack/chat.postMessage")
    assert body["text"] == "a &lt;b&gt; &amp; *c*"
    assert body["blocks"][0]["text"] == {"type": "plain_text", "text": "a <b> & *c*", "emoji": False}


# Feishu


def test_feishu_challenge_is_decrypted(client: TestClient) -> None:
    body = {"challenge": "ajls384kdjx98XX", "token": "fs-token", "type": "url_verification"}
    answer = feishu_signed(body).changed(headers={}).send(client)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "ajls384kdjx98XX"})
    assert feishu_signed({**body, "token": "x"}).send(client).status_code == 403
    assert feishu_signed(body, key="other").send(client).status_code == 403
    plain = feishu_signed(body).changed(body=json.dumps(body).encode())
    assert plain.send(client).status_code == 401


def test_the_example_of_feishus_documentation_is_decrypted() -> None:
    from chatbot.channels.messengers.crypto import decrypt_feishu

    secret = "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="
    assert decrypt_feishu(secret, "test key") == "hello world"


def test_feishu_cards_send_their_payload(client: TestClient, provider: StandIn, bot: FakeBot) -> None:
    feishu("money").send(client)
    until(lambda: len(provider.to("/feishu/open-apis/im")) == 2)
    card = json.loads(provider.to("/feishu/open-apis/im")[1].json["content"])
    value = card["elements"][0]["actions"][1]["value"]
    event = {
        "operator": {"open_id": "ou_84aad35d084aa403"},
        "action": {"value": value, "tag": "button"},
        "context": {"open_message_id": "om_9", "open_chat_id": "oc_5ce6d572455d361153b7xx51da133945"},
    }
    header = {"event_id": "f7984f25", "event_type": "card.action.trigger", "token": "fs-token"}
    answer = feishu_signed({"schema": "2.0", "header": header, "event": event}).send(client)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answered(bot, 2)[1] == QUESTIONS[1]


def test_feishu_groups_are_answered_when_the_bot_is_mentioned(client: TestClient, bot: FakeBot) -> None:
    feishu("not for you", "om_2", chat_type="group").send(client)
    feishu("@_user_1 hi", "om_3", chat_type="group", mentions=[{"key": "@_user_1"}]).send(client)
    assert answered(bot, 1) == ["hi"]


def test_a_token_is_fetched_once_and_again_when_it_is_not_taken(
    client: TestClient, provider: StandIn
) -> None:
    for number in range(3):
        feishu("hi", f"om_{number}").send(client)
    until(lambda: len(provider.to("/feishu/open-apis/im")) == 3)
    assert len(provider.to("/feishu/open-apis/auth")) == 1
    good = provider.answers["/feishu/open-apis/im"]
    replies = iter([Answer(400, {"code": 99991663, "msg": "token"}), good])
    provider.answers["/feishu/open-apis/im"] = lambda _: next(replies)  # type: ignore[assignment,return-value]
    feishu("hi", "om_x").send(client)
    until(lambda: len(provider.to("/feishu/open-apis/im")) == 5)
    assert len(provider.to("/feishu/open-apis/auth")) == 2


# DingTalk


def test_dingtalk_answers_to_the_session_while_it_lasts(client: TestClient, provider: StandIn) -> None:
    dingtalk("money", sessionWebhook=f"{provider.url}/robot/sendBySession?session=1").send(client)
    body = one(provider, "/robot/sendBySession?session=1")
    assert body["msgtype"] == "actionCard"
    url = body["actionCard"]["btns"][0]["actionURL"]
    assert parse_qs(url.split("?", 1)[1])["content"] == [QUESTIONS[0]]
    assert provider.to("/dingtalk/v1.0/robot") == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/x",
        "file:///etc/passwd",
        "//evil.example/x",
        "https://oapi.dingtalk.com.evil.example/robot",
        "http://u@{host}/x",
        "nonsense",
    ],
)
def test_a_session_webhook_of_another_host_is_refused(
    client: TestClient, provider: StandIn, bot: FakeBot, url: str
) -> None:
    answer = dingtalk(sessionWebhook=url.replace("{host}", provider.url[7:])).send(client)
    assert answer.status_code == 403
    assert bot.seen == []


def test_dingtalks_own_limit_is_waited_for(client: TestClient, provider: StandIn, inbox: Inbox) -> None:
    provider.answers["/robot/sendBySession"] = Answer(body={"errcode": 130101, "errmsg": "too fast"})
    dingtalk(sessionWebhook=f"{provider.url}/robot/sendBySession?session=1").send(client)
    until(lambda: len(provider.received) == 1)
    time.sleep(0.3)
    assert len(provider.received) == 1
    assert inbox.counts() == {"waiting": 1}


# WeChat and WeCom


def test_wechat_tries_the_address(client: TestClient) -> None:
    stamp = str(int(time.time()))
    query = {"timestamp": stamp, "nonce": "n", "echostr": "52", "signature": sha1("QDG6eK", stamp, "n")}
    answer = client.get("/webhooks/wechat/webhook", params=query)
    assert (answer.status_code, answer.text) == (200, "52")
    assert client.get("/webhooks/wechat/webhook", params={**query, "nonce": "m"}).status_code == 403
    assert client.get("/webhooks/wechat/webhook").status_code == 401


def test_wecom_tries_the_address_with_an_encrypted_text(client: TestClient) -> None:
    stamp, echo = str(int(time.time())), encrypted("1616140317555161061", "wx5823bf96d3bd56c8")
    query = {"timestamp": stamp, "nonce": "n", "echostr": echo}
    query["msg_signature"] = sha1("QDG6eL", stamp, "n", echo)
    answer = client.get("/webhooks/wecom/webhook", params=query)
    assert (answer.status_code, answer.text) == (200, "1616140317555161061")


def test_the_example_of_wecoms_documentation_is_decrypted() -> None:
    from chatbot.channels.messengers.crypto import WeChatCipher
    from chatbot.channels.messengers.wechat import signature

    key, corp = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7"
    echo = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
    assert signature("QDG6eK", "1409659589", "263014780", echo) == "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
    assert WeChatCipher(key, corp, "KEY").decrypt(echo) == "1616140317555161061"


def test_wechat_plain_messages_are_refused_in_safe_mode(client: TestClient, bot: FakeBot) -> None:
    signed = wechat()
    stamp = signed.query["timestamp"]
    query = {"timestamp": stamp, "nonce": "n", "signature": sha1("QDG6eK", stamp, "n")}
    plain = b"<xml><FromUserName>o</FromUserName><MsgType>text</MsgType><Content>x</Content></xml>"
    assert signed.changed(body=plain, query=query).send(client).status_code == 401
    assert bot.seen == []


def test_wechat_of_another_account_is_refused(client: TestClient) -> None:
    stamp = str(int(time.time()))
    data = encrypted("<xml/>", "wxsomebodyelse")
    query = {"timestamp": stamp, "nonce": "n", "msg_signature": sha1("QDG6eK", stamp, "n", data)}
    body = f"<xml><Encrypt>{data}</Encrypt></xml>".encode()
    assert wechat().changed(body=body, query=query).send(client).status_code == 403


def test_wechat_menus_send_their_payload_and_chinese_is_sent_as_it_is(
    client: TestClient, provider: StandIn, bot: FakeBot
) -> None:
    wechat("money").send(client)
    body = one(provider, "/wechat/cgi-bin/message/custom/send")
    assert body["msgmenu"]["head_content"] == CHOICE
    chosen = body["msgmenu"]["list"][1]
    extra = f"<bizmsgmenuid>{chosen['id']}</bizmsgmenuid>"
    wechat(chosen["content"], "2", extra=extra).send(client)
    assert answered(bot, 2)[1] == QUESTIONS[1]
    wechat("退货", "3").send(client)
    until(lambda: len(provider.to("/wechat/cgi-bin/message/custom/send")) == 3)
    assert "退货".encode() in provider.to("/wechat/cgi-bin/message/custom/send")[2].body


def test_wecom_options_are_chosen_by_their_number(
    client: TestClient, provider: StandIn, bot: FakeBot
) -> None:
    wecom("money").send(client)
    until(lambda: sent(provider, "wecom") == [f"{CHOICE}\n1. {QUESTIONS[0]}\n2. {QUESTIONS[1]}"])
    wecom("2", "id2").send(client)
    wecom("7", "id3").send(client)
    assert answered(bot, 3)[1:] == [QUESTIONS[1], "7"]


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><xml><Content>&a;</Content></xml>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml/>',
        '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><Content>&x;</Content></xml>',
        "<xml>" + "<a>" * 10_000,
        "",
        "not xml",
    ],
)
def test_dangerous_xml_is_refused(xml: str) -> None:
    with pytest.raises(BadRequestError):
        read_xml(xml)


@pytest.fixture
def passive(settings: Settings) -> Any:
    return settings.wechat.model_copy(update={"reply": "passive"})


def wechat_answer(body: str) -> dict[str, str]:
    """The passive reply, opened as WeChat opens it."""
    outer = read_xml(body)
    stamp, nonce = outer["TimeStamp"], outer["Nonce"]
    assert outer["MsgSignature"] == sha1("QDG6eK", stamp, nonce, outer["Encrypt"])
    return read_xml(decrypted(outer["Encrypt"]))


def test_a_passive_reply_is_given_in_the_response_and_again_when_it_is_asked_again(
    serve: Callable[..., Any], provider: StandIn, bot: FakeBot, passive: Any
) -> None:
    with serve(wechat=passive) as client:
        first = wechat_answer(wechat("money <x>").send(client).text)
        again = wechat_answer(wechat("money <x>").send(client).text)
        chosen = wechat_answer(wechat("2", "id2").send(client).text)
    assert first["Content"] == again["Content"] == f"{CHOICE}\n1. {QUESTIONS[0]}\n2. {QUESTIONS[1]}"
    assert (first["ToUserName"], first["FromUserName"], first["MsgType"]) == ("oUser", "gh_1", "text")
    assert chosen["Content"] == f"You said: {QUESTIONS[1]}"
    assert provider.received == []
    assert len(bot.seen) == 2


def test_a_slow_passive_answer_uses_both_retries_and_comes_with_the_next_message(
    serve: Callable[..., Any],
    conversations: Conversations,
    passive: Any,
    held: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatbot.channels.messengers.router._PASSIVE_WAIT_S", 0.2)
    monkeypatch.setattr("chatbot.channels.messengers.router._HOLD_S", 0.05)
    slow = FakeBot(lambda message: f"about {message.text}", history=conversations, hold=held)
    with serve(slow, wechat=passive) as client:
        assert [wechat("q").send(client).status_code for _ in range(2)] == [503, 503]
        assert "few seconds" in wechat_answer(wechat("q").send(client).text)["Content"]
        held.set()
        until(lambda: len(slow.seen) == 1)
        monkeypatch.setattr("chatbot.channels.messengers.router._PASSIVE_WAIT_S", 5)
        both = wechat_answer(wechat("next", "id2").send(client).text)["Content"]
    assert both == "about q\n\nabout next"


def test_a_passive_answer_is_cut_to_what_wechat_takes(serve: Callable[..., Any], passive: Any) -> None:
    with serve(FakeBot("退货。" * 1000), wechat=passive) as client:
        content = wechat_answer(wechat().send(client).text)["Content"]
    assert 1500 < len(content.encode()) <= 2048
    assert content.endswith("…")


# Settings and tokens


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"telegram": {"token": "t"}}, "KEFU_TELEGRAM__SECRET"),
        ({"whatsapp": {"token": "t", "app_secret": "s", "verify_token": "v"}}, "PHONE_NUMBER_ID"),
        ({"slack": {"token": "t"}}, "KEFU_SLACK__SIGNING_SECRET"),
        ({"feishu": {"app_id": "a", "app_secret": "s"}}, "KEFU_FEISHU__ENCRYPT_KEY"),
        ({"dingtalk": {"app_key": "a"}}, "KEFU_DINGTALK__APP_SECRET"),
        ({"wechat": {"app_id": "a", "token": "t"}}, "KEFU_WECHAT__APP_SECRET"),
        ({"wechat": {"app_id": "a", "token": "t", "app_secret": "s", "encoding_aes_key": "k"}}, "43"),
        ({"wecom": {"corp_id": "a", "secret": "s"}}, "KEFU_WECOM__AGENT_ID"),
    ],
)
def test_a_messenger_that_could_be_forged_does_not_start(changes: Any, missing: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(missing)):
        build_messengers(Settings(**changes))
    assert build_messengers(Settings()) == {}


async def _fetches(valid_s: float, times: list[float]) -> int:
    calls, now = 0, 0.0

    async def fetch() -> tuple[str, float]:
        nonlocal calls
        calls += 1
        return f"token-{calls}", valid_s

    cache = TokenCache(fetch, lambda: now)
    for moment in times:
        now = moment
        await cache.get()
    return calls


@pytest.mark.parametrize(
    ("valid_s", "times", "calls"),
    [(7200, [0, 1, 6000], 1), (7200, [0, 6901], 2), (60, [0, 29], 1), (60, [0, 31], 2), (0, [0, 0.5, 2], 2)],
)
def test_a_token_is_renewed_before_it_ends(valid_s: float, times: list[float], calls: int) -> None:
    import asyncio

    assert asyncio.run(_fetches(valid_s, times)) == calls


def test_a_reply_with_pictures_names_their_addresses(serve: Callable[..., Any], provider: StandIn) -> None:
    def shown(_message: Message) -> Reply:
        return FakeBot.reply("Look:", images=("https://shop.example/a.png",))

    with serve(FakeBot(shown)) as client:
        telegram().send(client)
        until(lambda: sent(provider, "telegram") == ["Look:\nhttps://shop.example/a.png"])
