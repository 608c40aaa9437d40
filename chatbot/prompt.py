"""The one prompt format, for serving and for training.

Every prompt starts with a fixed part that the engine keeps in its cache; the
entry comes next, so that its state can be kept for the entries asked most; what
differs with each customer comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "FORMAT_VERSION",
    "LANGUAGE_NAMES",
    "ChatMessage",
    "Prompt",
    "answer_prompt",
    "judge_prompt",
    "language_name",
    "translation_prompt",
]

FORMAT_VERSION = 1
"""Grows with every change of a prompt; adapters and probes are tied to it."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a generator is given; the last message is the user's."""

    messages: tuple[ChatMessage, ...]


LANGUAGE_NAMES = {
    "ar": "Arabic",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "th": "Thai",
    "tr": "Turkish",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

_ANSWER_SYSTEM = (
    "You answer customers of a shop. Use only the text. Answer the question in one to three short, polite "
    "sentences. Copy numbers, amounts, times, names and links exactly. Keep every condition that the text "
    "sets for the case asked. Never add anything that the text does not say."
)
_ANSWER_EXAMPLES = (
    (
        "Text: Can tickets be changed? Tickets can be changed free of charge until 24 hours before departure, "
        "later for a fee of 15 euros. Group tickets cannot be changed.",
        "Question: my ferry leaves tomorrow evening, what does it cost to change the ticket\nAnswer in English.",
        "Until 24 hours before departure the change is free; later it costs 15 euros. Group tickets cannot be "
        "changed.",
    ),
    (
        "Text: 花束当天能送到吗？ 市区内上午11点前下单，当天18点前送达；郊区次日送达。市区配送费15元，满200元免配送费。",
        "Question: 我在郊区，今天下单什么时候到\nAnswer in Chinese.",
        "您好，郊区是次日送达，今天下单明天可以送到。",
    ),
)
_TRANSLATION_SYSTEM = (
    "You translate a company's answer to its customers into {language}, whole and natural, in polite customer "
    "service style. Keep every number, amount, unit, time, name, code and link. Add nothing and leave nothing "
    "out. Write only {language}."
)
_TRANSLATION_EXAMPLES = {
    "de": "Bestellungen, die vor 14:00 Uhr eingehen, versenden wir am selben Tag. Der Versand kostet 4,50 €; ab "
    "30 € ist er kostenlos.",
    "en": "Orders placed before 14:00 are sent on the same day. Delivery costs €4.50; from €30 it is free.",
    "es": "Los pedidos realizados antes de las 14:00 se envían el mismo día. El envío cuesta 4,50 €; a partir de "
    "30 € es gratuito.",
    "fr": "Les commandes passées avant 14:00 sont expédiées le jour même. La livraison coûte 4,50 € ; elle est "
    "gratuite à partir de 30 €.",
    "it": "Gli ordini effettuati prima delle 14:00 vengono spediti lo stesso giorno. La spedizione costa 4,50 €; "
    "da 30 € è gratuita.",
    "ja": "14:00までのご注文は当日に発送いたします。送料は4.50ユーロで、30ユーロ以上のご注文は無料です。",
    "ko": "14:00 이전에 주문하시면 당일 발송됩니다. 배송비는 4.50유로이며, 30유로 이상이면 무료입니다.",
    "pt": "Os pedidos feitos antes das 14:00 são enviados no mesmo dia. O envio custa 4,50 €; a partir de 30 € é "
    "gratuito.",
    "ru": "Заказы, оформленные до 14:00, отправляются в тот же день. Доставка стоит 4,50 €, от 30 € — бесплатно.",
    "zh": "14:00前的订单当天发货。运费为4.50欧元，满30欧元免运费。",
}


def language_name(code: str) -> str:
    """English name of a language, the code itself where none is known."""
    return LANGUAGE_NAMES.get(code, code)


def answer_prompt(entry_question: str, entry_answer: str, question: str, language: str) -> Prompt:
    """Asks for an answer to ``question`` from one entry, in ``language``."""
    messages = [ChatMessage("system", _ANSWER_SYSTEM)]
    for text, asked, answer in _ANSWER_EXAMPLES:
        messages.append(ChatMessage("user", f"{text}\n\n{asked}"))
        messages.append(ChatMessage("assistant", answer))
    asked = f"Question: {question}\nAnswer in {language_name(language)}."
    messages.append(ChatMessage("user", f"Text: {entry_question} {entry_answer}\n\n{asked}"))
    return Prompt(tuple(messages))


def translation_prompt(
    sentence: str, source_language: str, language: str, before: Sequence[tuple[str, str]] = ()
) -> Prompt:
    """Asks for one sentence of an answer in ``language``.

    Sentence by sentence the first word comes sooner, nothing is left out, and
    what is made so far stays in the engine's cache.

    Args:
        before: the sentences translated so far, each with its translation.
    """
    messages = [ChatMessage("system", _TRANSLATION_SYSTEM.format(language=language_name(language)))]
    example = _TRANSLATION_EXAMPLES.get(language)
    pivot = _TRANSLATION_EXAMPLES.get(source_language) or _TRANSLATION_EXAMPLES["zh" if language == "en" else "en"]
    if example is not None and pivot != example:
        messages += [ChatMessage("user", pivot), ChatMessage("assistant", example)]
    for said, made in before:
        messages += [ChatMessage("user", said), ChatMessage("assistant", made)]
    messages.append(ChatMessage("user", sentence))
    return Prompt(tuple(messages))


JUDGE_SYSTEM = "Does the text answer the customer's question? Reply Yes or No."


def judge_prompt(entry_question: str, entry_answer: str, question: str) -> Prompt:
    """Asks whether the entry answers ``question``; the next token is Yes or No."""
    return Prompt(
        (
            ChatMessage("system", JUDGE_SYSTEM),
            ChatMessage("user", f"Text: {entry_question} {entry_answer}\n\nCustomer: {question}"),
        )
    )
