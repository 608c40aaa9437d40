"""Slack apps: Events API and buttons, both signed with the v0 scheme; answers by chat.postMessage.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from chatbot.channel_settings import SlackSettings
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
    short_id,
)
from chatbot.channels.messengers.signing import check_fresh, check_same, hmac_sha256, required
from chatbot.channels.messengers.text import full_text, shorten, split_text
from chatbot.turn import Reply

__all__ = ["Slack"]

MAX_TEXT = 2900
"""A section takes 3,000 characters; escaping may add some."""
MAX_BUTTONS, MAX_TITLE = 25, 75
_MENTION = re.compile(r"<[@!][^<>]{1,80}>\s*")
_LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_LASTING = frozenset(
    {"channel_not_found", "is_archived", "user_not_found", "msg_too_long", "no_text", "invalid_blocks",
     "not_in_channel", "cannot_reply_to_message", "messages_tab_disabled", "restricted_action", "user_disabled"}
)  # fmt: skip


class Slack(Quiet):
    """One app in any number of workspaces that share its token."""

    name = "slack"

    def __init__(self, settings: SlackSettings, api: Api, window_s: float) -> None:
        super().__init__()
        self._settings = settings
        self._api = api
        self._window_s = window_s

    def _verify(self, call: Call) -> None:
        stamp = required(call.headers.get("x-slack-request-timestamp"), "x-slack-request-timestamp")
        signature = required(call.headers.get("x-slack-signature"), "x-slack-signature")
        check_fresh(stamp, call, self._window_s)
        secret = self._settings.signing_secret.get_secret_value()
        digest = hmac_sha256(secret, b"v0:" + stamp.encode() + b":" + call.body).hex()
        check_same(signature, f"v0={digest}", "x-slack-signature")

    def handshake(self, call: Call) -> Response | None:
        """Slack tries the address with a signed challenge."""
        if call.method != "POST" or b"url_verification" not in call.body:
            return None
        self._verify(call)
        body = read_json(call.body) if call.body.lstrip().startswith(b"{") else {}
        if body.get("type") != "url_verification":
            return None
        return Response(str(pick(body, str, "challenge") or ""))

    def receive(self, call: Call) -> Sequence[Incoming]:
        """See :class:`~chatbot.channels.messengers.protocol.Messenger`."""
        self._verify(call)
        if call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            payload = parse_qs(call.body.decode("utf-8", "replace"), max_num_fields=10).get("payload", ["{}"])
            found = self._clicked(read_json(payload[0]))
        else:
            found = self._said(read_json(call.body))
        return [] if found is None else [found]

    def _said(self, body: Json) -> Incoming | None:
        event = pick(body, dict, "event")
        if body.get("type") != "event_callback" or event is None or event.get("bot_id"):
            return None
        direct = event.get("channel_type") == "im" and event.get("type") == "message"
        if not direct and event.get("type") != "app_mention":
            return None
        if event.get("subtype") not in (None, "file_share", "thread_broadcast"):
            return None  # edits, deletions, joins
        team, channel = pick(body, str, "team_id") or "", pick(event, str, "channel")
        user, moment = pick(event, str, "user"), pick(event, str, "ts")
        if not channel or not user or not moment:
            return None
        thread = pick(event, str, "thread_ts") or ("" if direct else moment)
        to = {"channel": channel, **({"thread_ts": thread} if thread else {})}
        conversation = short_id(team, channel, *([] if direct else [thread]), user)
        text = _plain(pick(event, str, "text") or "")
        # app_mention and message may both tell of one message: its place is its id
        return Incoming(short_id(team, channel, moment), conversation, f"{team}:{user}", text, to)

    def _clicked(self, body: Json) -> Incoming | None:
        action = pick(body, dict, "actions", 0)
        if body.get("type") != "block_actions" or action is None:
            return None
        team = pick(body, str, "team", "id") or pick(body, str, "user", "team_id") or ""
        channel = pick(body, str, "channel", "id") or pick(body, str, "container", "channel_id")
        user, moment = pick(body, str, "user", "id"), pick(action, str, "action_ts")
        button = button_of(pick(action, str, "value"))
        if not channel or not user or not moment or button is None:
            return None
        thread = pick(body, str, "container", "thread_ts") or pick(body, str, "message", "thread_ts") or ""
        direct = channel.startswith("D")
        to = {"channel": channel, **({"thread_ts": thread} if thread else {})}
        conversation = short_id(team, channel, *([] if direct else [thread]), user)
        title = pick(action, str, "text", "text") or ""
        id_ = short_id(team, channel, user, moment)
        return Incoming(id_, conversation, f"{team}:{user}", title, to, None, button)

    def parts(self, reply: Reply, to: Json) -> list[Json]:
        """Sections of plain text, and buttons under the last."""
        del to
        parts: list[Json] = []
        for text in split_text(full_text(reply), MAX_TEXT):
            section = {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}
            parts.append({"text": _escaped(text), "blocks": [section]})
        if parts and reply.buttons:
            buttons = [
                {
                    "type": "button",
                    "action_id": f"kefu_{index}",
                    "text": {"type": "plain_text", "text": shorten(button.title, MAX_TITLE), "emoji": False},
                    "value": button_id(reply.message_id, index),
                }
                for index, button in enumerate(reply.buttons[:MAX_BUTTONS])
            ]
            parts[-1]["blocks"].append({"type": "actions", "elements": buttons})
        return parts

    async def send(self, to: Json, part: Json) -> None:
        """chat.postMessage."""
        result = await self._api.post(
            "/chat.postMessage",
            {**to, **part, "unfurl_links": False, "unfurl_media": False},
            headers={"authorization": f"Bearer {self._settings.token.get_secret_value()}"},
        )
        if result.body.get("ok") is not True:
            code = pick(result.body, str, "error") or ""
            known = code if re.fullmatch(r"[a-z_]{1,60}", code) else "unknown"
            retry = known not in _LASTING
            raise ProviderError(f"answered {known}", retry=retry, after_s=result.retry_after_s)

    async def close(self) -> None:
        """Closes connections."""
        await self._api.close()


def _escaped(text: str) -> str:
    """For Slack's markup, in notifications."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """What the customer typed, without mentions and Slack's markup."""
    text = _MENTION.sub("", text)
    text = _LINK.sub(lambda found: found[2] or found[1].removeprefix("mailto:"), text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()
