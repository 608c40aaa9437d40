"""The addresses of the messengers: ``/webhooks/<name>/webhook``.

A request is verified, its messages are stored, and the provider is answered at
once; the bot's answer goes out later by the provider's API.  Only passive
messengers wait for it here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import Response

from chatbot.channels.bodies import read_bytes
from chatbot.channels.messengers.protocol import Call, Incoming, Messenger
from chatbot.channels.messengers.protocol import Response as Answer
from chatbot.channels.messengers.worker import InboxWorker
from chatbot.errors import BusyError
from chatbot.storage.inbox import Arrival, Inbox

__all__ = ["MAX_BODY_BYTES", "build_router"]

MAX_BODY_BYTES = 1024 * 1024
_PASSIVE_WAIT_S = 4.5
"""WeChat hangs up after five seconds and asks again, twice."""
_HOLD_S = 1.5
_LAST_TIME = 3
_LOOK_EVERY_S = 0.05
_IN_A_MOMENT = {
    "zh": "正在为您查找答案，请过几秒发送任意内容查看。",
    "en": "I am looking for the answer. Send any message in a few seconds to see it.",
}


def build_router(
    messengers: Mapping[str, Messenger], inbox: Inbox, worker: InboxWorker, max_message_chars: int
) -> APIRouter:
    """The addresses of the messengers that are switched on."""
    router = APIRouter(prefix="/webhooks", include_in_schema=False)
    for messenger in messengers.values():
        desk = _Desk(messenger, inbox, worker, max_message_chars)
        router.add_api_route(f"/{messenger.name}/webhook", desk.handle, methods=["GET", "POST"])
    return router


class _Desk:
    """Takes the requests of one messenger."""

    def __init__(self, messenger: Messenger, inbox: Inbox, worker: InboxWorker, max_chars: int) -> None:
        self._messenger = messenger
        self._inbox = inbox
        self._worker = worker
        self._max_chars = max_chars

    async def handle(self, request: Request) -> Response:
        """One request of the provider."""
        call = Call(
            method=request.method,
            headers={name.lower(): value for name, value in request.headers.items()},
            query=dict(request.query_params),
            body=await read_bytes(request, MAX_BODY_BYTES),
            now=time.time(),
        )
        answer = self._messenger.handshake(call)
        if answer is None:
            answer = await self._receive(call)
        return Response(
            answer.body, media_type=answer.media_type, headers={"x-content-type-options": "nosniff"}
        )

    async def _receive(self, call: Call) -> Answer:
        incoming = self._messenger.receive(call)
        if not incoming:
            return self._messenger.acknowledgement(call, {})
        times = await asyncio.to_thread(self._store, incoming)
        self._worker.wake()
        if self._messenger.passive:
            return await self._answered(call, incoming[-1], times[-1])
        return self._messenger.acknowledgement(call, {})

    def _store(self, incoming: Sequence[Incoming]) -> list[int]:
        return self._inbox.add([self._arrival(each) for each in incoming])

    def _arrival(self, incoming: Incoming) -> Arrival:
        name = self._messenger.name
        conversation = f"{name}:{incoming.conversation}"
        text = self._text(incoming, conversation)
        body = {
            "text": text[: self._max_chars + 1],  # one more, so that the bot says it is too long
            "customer": f"{name}:{incoming.customer}",
            "language": incoming.language,
            "to": incoming.to,
        }
        return Arrival(name, incoming.id, conversation, body)

    def _text(self, incoming: Incoming, conversation: str) -> str:
        """What was written, or what the clicked or numbered button says."""
        payload = None
        if incoming.button is not None:
            payload = self._inbox.button(conversation, *incoming.button)
        elif self._messenger.numbered and incoming.text.strip(" .、。") in _NUMBERS:
            payload = self._inbox.numbered_button(conversation, _NUMBERS[incoming.text.strip(" .、。")])
        return incoming.text if payload is None else payload

    async def _answered(self, call: Call, incoming: Incoming, times: int) -> Answer:
        """Waits for the answer to a message and gives it, with those that came too late for theirs.

        Raises:
            BusyError: it is not there yet; the provider has hung up and asks again.
        """
        name, deadline = self._messenger.name, time.monotonic() + _PASSIVE_WAIT_S
        while True:
            state, parts = await asyncio.to_thread(self._inbox.look, name, incoming.id)
            if state == "answered":
                return self._messenger.acknowledgement(call, incoming.to, parts)
            if state == "ready":
                conversation = f"{name}:{incoming.conversation}"
                letters = await asyncio.to_thread(self._inbox.take_ready, conversation)
                late = [part for letter in letters for part in letter.body.get("parts", [])]
                return self._messenger.acknowledgement(call, incoming.to, late)
            if state == "failed" or time.monotonic() > deadline:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        if times >= _LAST_TIME:
            chinese = any("\u4e00" <= character <= "\u9fff" for character in incoming.text)
            text = _IN_A_MOMENT["zh" if chinese else "en"]
            part = {"msgtype": "text", "text": {"content": text}}
            return self._messenger.acknowledgement(call, incoming.to, [part])
        await asyncio.sleep(_HOLD_S)
        raise BusyError("the answer is not there yet; ask again", retry_after=1)


_NUMBERS = {
    digit: index
    for row in ("123456789", "１２３４５６７８９", "①②③④⑤⑥⑦⑧⑨")
    for index, digit in enumerate(row)
}
