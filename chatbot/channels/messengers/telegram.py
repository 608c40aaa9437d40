"""Telegram bots: updates by webhook with a secret token, answers by sendMessage.

https://core.telegram.org/bots/api
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from chatbot.channel_settings import TelegramSettings
from chatbot.channels.messengers.client import Api, Result
from chatbot.channels.messengers.protocol import (
    Call,
    Incoming,
    Json,
    ProviderError,
    Quiet,
    button_id,
    button_of,
    pick,
    read_json,
    refuse,
)
from chatbot.channels.messengers.signing import check_same, required
from chatbot.channels.messengers.text import full_text, shorten, split_text, utf16
from chatbot.turn import Reply

__all__ = ["Telegram"]

MAX_TEXT = 4096
"""UTF-16 units."""
MAX_TITLE = 60
MAX_BUTTONS = 12
_STALE_S = 25 * 3600
"""Telegram keeps updates for a day; what is older was recorded and played again."""
_COMMAND = re.compile(r"/(\w{1,64})(?:@\w+)?\s*", re.ASCII)
_GREETINGS = {
    "zh": "你好",
    "es": "Hola",
    "fr": "Bonjour",
    "de": "Hallo",
    "pt": "Olá",
    "ru": "Привет",
    "ja": "こんにちは",
}
_NO_TEXT = (
    "photo",
    "voice",
    "audio",
    "video",
    "video_note",
    "animation",
    "sticker",
    "document",
    "location",
    "contact",
)


class Telegram(Quiet):
    """One bot."""

    name = "telegram"

    def __init__(self, settings: TelegramSettings, api: Api) -> None:
        super().__init__()
        self._secret = settings.secret.get_secret_value()
        self._token = settings.token.get_secret_value()
        self._api = api

    def receive(self, call: Call) -> Sequence[Incoming]:
        """See :class:`~chatbot.channels.messengers.protocol.Messenger`."""
        name = "x-telegram-bot-api-secret-token"
        check_same(required(call.headers.get(name), name), self._secret, name)
        update = read_json(call.body)
        number = pick(update, int, "update_id")
        click = pick(update, dict, "callback_query")
        message = pick(update, dict, "message") if click is None else pick(click, dict, "message")
        sender = pick(click or message, dict, "from")
        chat, user = pick(message, int, "chat", "id"), pick(sender, int, "id")
        if number is None or message is None or chat is None or user is None or pick(sender, bool, "is_bot"):
            return []
        found = self._clicked(click) if click is not None else self._written(message, call)
        if found is None:
            return []
        text, button = found
        to: Json = {"chat_id": chat}
        if click is not None:
            to["callback_query_id"] = str(pick(click, str, "id") or "")
        if (thread := pick(message, int, "message_thread_id")) is not None and message.get(
            "is_topic_message"
        ):
            to["message_thread_id"] = thread
        language = str(pick(sender, str, "language_code") or "").split("-")[0].lower()
        if text == "/start":
            text = _GREETINGS.get(language, "Hello")
        conversation = str(chat) if chat == user else f"{chat}:{user}"
        return [Incoming(str(number), conversation, str(user), text, to, language or None, button)]

    def _clicked(self, click: Json) -> tuple[str, tuple[str, int] | None] | None:
        data = pick(click, str, "data")
        button = button_of(data)
        if data is None:
            return None
        rows = pick(click, list, "message", "reply_markup", "inline_keyboard") or []
        keys = [key for row in rows if isinstance(row, list) for key in row if isinstance(key, dict)]
        title = next((pick(key, str, "text") for key in keys if key.get("callback_data") == data), None)
        return (title or "" if button else data), button

    def _written(self, message: Json, call: Call) -> tuple[str, None] | None:
        sent = pick(message, int, "date")
        if sent is not None and call.now - sent > _STALE_S:
            raise refuse("the message is older than a day")
        text = pick(message, str, "text") or pick(message, str, "caption")
        if text is None:
            private = pick(message, str, "chat", "type") == "private"
            return ("", None) if private and any(kind in message for kind in _NO_TEXT) else None
        command = _COMMAND.match(text)
        if command is not None:
            rest = text[command.end() :].strip()
            return (rest or ("/start" if command[1] in ("start", "help") else command[1]), None)
        return text, None

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """Plain text, so that nothing has to be escaped; buttons stand under the last part."""
        del to
        parts: list[Json] = [{"text": text} for text in split_text(full_text(reply), MAX_TEXT, utf16)]
        if parts and reply.buttons:
            keys = [
                [
                    {
                        "text": shorten(button.title, MAX_TITLE),
                        "callback_data": button_id(reply.message_id, index),
                    }
                ]
                for index, button in enumerate(reply.buttons[:MAX_BUTTONS])
            ]
            parts[-1]["reply_markup"] = {"inline_keyboard": keys}
        return parts

    async def begin(self, to: Json) -> None:
        """Ends the click's waiting sign."""
        if to.get("callback_query_id"):
            await self._call("answerCallbackQuery", {"callback_query_id": to["callback_query_id"]})

    async def send(self, to: Json, part: Json) -> None:
        """sendMessage."""
        place: Json = {name: to[name] for name in ("chat_id", "message_thread_id") if name in to}
        result = await self._call("sendMessage", {**place, **part})
        if result.body.get("ok") is not True:
            # 400 a bad request and 403 blocked by the customer last; a wrong token (401, 404) is mended
            raise ProviderError(f"answered {result.status}", retry=result.status in (401, 404))

    async def close(self) -> None:
        """Closes connections."""
        await self._api.close()

    async def _call(self, method: str, body: dict[str, Any]) -> Result:
        return await self._api.post(f"/bot{self._token}/{method}", body)
