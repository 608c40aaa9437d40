"""WhatsApp Cloud API: signed webhooks of Meta, answers by the Graph API.

https://developers.facebook.com/docs/whatsapp/cloud-api
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chatbot.channel_settings import WhatsAppSettings
from chatbot.channels.messengers.client import Api
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
from chatbot.channels.messengers.signing import check_same, hmac_sha256, required
from chatbot.channels.messengers.text import full_text, shorten, split_text
from chatbot.turn import Button, Reply

__all__ = ["WhatsApp"]

MAX_TEXT, MAX_BODY = 4096, 1024
MAX_BUTTONS, MAX_TITLE = 3, 20
MAX_ROWS, MAX_ROW_TITLE, MAX_ROW_TEXT = 10, 24, 72
_STALE_S = 8 * 86400
"""Meta delivers again for seven days; what is older was recorded and played again."""
_LATER = frozenset({0, 1, 2, 4, 190, 80007, 130429, 131000, 131016, 131048, 131056, 131057, 133004})
"""Error codes of limits, outages and tokens: worth another try."""
_CHOOSE = {
    "zh": "请选择",
    "es": "Elegir",
    "fr": "Choisir",
    "de": "Auswählen",
    "pt": "Escolher",
    "ja": "選択",
    "ru": "Выбрать",
}
_KINDS = frozenset({"image", "audio", "video", "document", "sticker", "location", "contacts", "unsupported"})


class WhatsApp(Quiet):
    """One business phone number."""

    name = "whatsapp"

    def __init__(self, settings: WhatsAppSettings, api: Api) -> None:
        super().__init__()
        self._settings = settings
        self._api = api

    def handshake(self, call: Call) -> Response | None:
        """Meta asks once with the verify token and wants its challenge back."""
        if call.method != "GET":
            return None
        token = required(call.query.get("hub.verify_token"), "hub.verify_token")
        check_same(token, self._settings.verify_token.get_secret_value(), "hub.verify_token")
        if call.query.get("hub.mode") != "subscribe":
            raise refuse("hub.mode is not subscribe")
        return Response(call.query.get("hub.challenge", ""))

    def receive(self, call: Call) -> Sequence[Incoming]:
        """See :class:`~chatbot.channels.messengers.protocol.Messenger`."""
        signature = required(call.headers.get("x-hub-signature-256"), "x-hub-signature-256")
        digest = hmac_sha256(self._settings.app_secret.get_secret_value(), call.body).hex()
        check_same(signature, f"sha256={digest}", "x-hub-signature-256")
        return list(self._messages(read_json(call.body), call))

    def _messages(self, body: Json, call: Call) -> Iterator[Incoming]:
        for entry in pick(body, list, "entry") or []:
            for change in pick(entry, list, "changes") or []:
                number = pick(change, str, "value", "metadata", "phone_number_id")
                if number != self._settings.phone_number_id:
                    continue
                for message in pick(change, list, "value", "messages") or []:
                    found = self._message(message, call)
                    if found is not None:
                        yield found

    def _message(self, message: Any, call: Call) -> Incoming | None:
        id_, sender = pick(message, str, "id"), pick(message, str, "from")
        kind = pick(message, str, "type")
        if not id_ or not sender or kind is None:
            return None
        sent = pick(message, str, "timestamp") or ""
        if sent.isascii() and sent.isdigit() and call.now - int(sent[:12]) > _STALE_S:
            raise refuse("the message is older than a week")
        text, button = None, None
        if kind == "text":
            text = pick(message, str, "text", "body")
        elif kind == "button":  # of a template message
            text = pick(message, str, "button", "payload") or pick(message, str, "button", "text")
        elif kind == "interactive":
            for reply in ("button_reply", "list_reply"):
                text = text or pick(message, str, "interactive", reply, "title")
                button = button or button_of(pick(message, str, "interactive", reply, "id"))
        elif kind in _KINDS:
            text = pick(message, str, kind, "caption") or ""
        if text is None:
            return None  # reactions, system messages and what is to come
        return Incoming(short_id(id_), sender, sender, text, {"to": sender}, None, button)

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """Text, with up to three buttons or a list of up to ten rows under the last part."""
        del to
        text = full_text(reply)
        if not reply.buttons:
            return [_text(part) for part in split_text(text, MAX_TEXT)]
        *first, last = split_text(text, MAX_BODY) or ["…"]
        return [*(_text(part) for part in first), self._interactive(reply, last)]

    def _interactive(self, reply: Reply, text: str) -> Json:
        short = len(reply.buttons) <= MAX_BUTTONS and _distinct(reply.buttons)
        action: Json
        if short and all(len(button.title) <= MAX_TITLE for button in reply.buttons):
            buttons = [
                {"type": "reply", "reply": {"id": button_id(reply.message_id, index), "title": button.title}}
                for index, button in enumerate(reply.buttons)
            ]
            action, kind = {"buttons": buttons}, "button"
        else:
            rows = [_row(button, button_id(reply.message_id, i)) for i, button in enumerate(reply.buttons)]
            label = _CHOOSE.get(reply.language, "Choose")
            action, kind = {"button": label, "sections": [{"title": label, "rows": rows[:MAX_ROWS]}]}, "list"
        return {
            "type": "interactive",
            "interactive": {"type": kind, "body": {"text": text}, "action": action},
        }

    async def send(self, to: Json, part: Json) -> None:
        """POST /<phone number id>/messages."""
        result = await self._api.post(
            f"/{self._settings.phone_number_id}/messages",
            {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to["to"], **part},
            headers={"authorization": f"Bearer {self._settings.token.get_secret_value()}"},
        )
        if result.status >= 300 or "error" in result.body:
            code = pick(result.body, int, "error", "code")
            retry = code in _LATER or result.status in (401, 403)
            raise ProviderError(f"answered {result.status}, error code {code}", retry=retry)

    async def close(self) -> None:
        """Closes connections."""
        await self._api.close()


def _text(text: str) -> Json:
    return {"type": "text", "text": {"preview_url": False, "body": text}}


def _row(button: Button, id_: str) -> Json:
    row = {"id": id_, "title": shorten(button.title, MAX_ROW_TITLE)}
    if row["title"] != button.title:
        row["description"] = shorten(button.title, MAX_ROW_TEXT)
    return row


def _distinct(buttons: Sequence[Button]) -> bool:
    """WhatsApp refuses two buttons with one title."""
    return len({button.title for button in buttons}) == len(buttons)
