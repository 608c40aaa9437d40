"""A scripted bot with the real interface, for the page's tests."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from types import MappingProxyType

from chatbot.errors import BusyError, EngineError
from chatbot.storage import Conversations
from chatbot.turn import Action, Button, Intent, Listener, Message, Reply, Route, Source, Trace
from knowledge_base.entry import Entry

XSS = '<img src=x onerror="window.hacked=1">'

ENTRIES = tuple(
    Entry(f"{group}.{language}", group, language, question, answer, category=group.split("-")[0])
    for group, language, question, answer in (
        ("shipping-time", "zh", "国内快递几天能到？", "大陆地区 2–4 天送达，42 个城市支持次日达。"),
        (
            "shipping-time",
            "en",
            "How long does delivery take?",
            "Standard delivery takes 4 to 7 working days.",
        ),
        (
            "returns-window",
            "zh",
            "收到商品后多久可以退货？",
            "签收后 30 天内可以无理由退货，商品需保持完好、配件齐全。",
        ),
        (
            "returns-window",
            "en",
            "How long do I have to return something?",
            "You have 30 days from delivery.",
        ),
        ("payment-methods", "zh", "支持哪些付款方式？", "支持微信支付、支付宝、银联和信用卡。"),
        (
            "payment-methods",
            "en",
            "Which payment methods do you accept?",
            "Cards, PayPal, Apple Pay and Google Pay.",
        ),
        (
            "invoices-how",
            "zh",
            "怎么开发票？",
            "下单时勾选“开发票”，或到 https://shop.tidepeak.example/invoice 补开。",
        ),
        ("invoices-how", "en", "How do I get an invoice?", "Open https://shop.tidepeak.example/invoice."),
        ("xss-entry", "en", f"Is {XSS} safe?", f"Yes: {XSS} **bold** [x](javascript:alert(1))"),
    )
)

LONG_EN = (
    "You have 30 days from the day of delivery to send anything back, free of charge within the EU and "
    "the US. Start the return at https://shop.tidepeak.example/returns, print the label and drop the parcel "
    "at any pick-up point. The money is back within 5 working days after it arrives at our warehouse."
)
LONG_ZH = (
    "签收后 30 天内可以申请退货，商品需保持完好、配件齐全。请在 "
    "https://shop.tidepeak.example/returns 提交申请，"
    "我们会安排顺丰上门取件。仓库收到后 5 个工作日内，款项会原路退回您的付款账户。"
)


class FakeKnowledge:
    """Just the entries."""

    entries: Mapping[str, Entry] = MappingProxyType({entry.id: entry for entry in ENTRIES})


class FakeBot:
    """Answers by what the message contains, streams by words, and stores as the real one does."""

    knowledge = FakeKnowledge()

    def __init__(self, conversations: Conversations, delay: float = 0.0) -> None:
        self._conversations = conversations
        self.delay = delay
        self.cancelled = threading.Event()
        self.asked: list[Message] = []

    def respond(self, message: Message, listener: Listener | None = None) -> Reply:
        self.asked.append(message)
        chinese = any("\u4e00" <= c <= "\u9fff" for c in message.text)
        reply = self._reply(message.text, "zh" if chinese else "en")
        pieces = list(reply.text) if chinese else reply.text.split(" ")
        for place, piece in enumerate(pieces):
            if listener is None:
                break
            if self.delay:
                time.sleep(self.delay)
            if listener.cancelled():
                self.cancelled.set()
                break
            listener.on_text(piece if chinese or place == 0 else f" {piece}")
        return self._conversations.record(message, reply)

    def _reply(self, text: str, language: str) -> Reply:
        if "boom" in text:
            raise EngineError("the engine broke")
        if "busy" in text:
            raise BusyError("all places are taken", retry_after=7)
        source = ENTRIES[2 if language == "zh" else 3]
        if "xss" in text:
            return _made(text, f"{XSS} and **not bold**", "en", Action.ANSWER, (ENTRIES[8],))
        if "which one" in text or "哪种" in text:
            words = "您想了解哪一种？" if language == "zh" else "Which of these do you mean?"
            pair = ENTRIES[2:4:1] if language == "zh" else ENTRIES[1:6:4]
            return _made(
                text, words, language, Action.CLARIFY, (), tuple(Button(e.question, e.question) for e in pair)
            )
        if "weather" in text or "天气" in text:
            words = (
                "抱歉，这个问题在我们的资料里没有答案。需要的话，我可以帮您转人工。"
                if language == "zh"
                else "I’m sorry, our help articles don’t answer this. I can pass you on to a person."
            )
            return _made(text, words, language, Action.DECLINE, ())
        return _made(text, LONG_ZH if language == "zh" else LONG_EN, language, Action.ANSWER, (source,))


def _made(
    question: str,
    text: str,
    language: str,
    action: Action,
    entries: tuple[Entry, ...],
    buttons: tuple[Button, ...] = (),
) -> Reply:
    sources = tuple(Source(e.id, 0.9, e.question, e.answer, e.language) for e in entries)
    trace = Trace(
        uuid.uuid4().hex, language, Intent("question", 0.9, Route.ANSWER), question, action.value, "scripted",
        0.9, sources, "passed", "fake",
    )  # fmt: skip
    return Reply(text, language, action, trace, buttons=buttons, sources=sources)
