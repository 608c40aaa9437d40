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
    language: str = ""
    """What the answer is written in; an engine that can writes no letter of another script."""


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
    "service style. Keep every number, unit, currency, time, weekday, name, code and link as it is. Add nothing "
    "and leave nothing out. Every word is {language}."
)
_STRICTER = " Write plain {language} only, no word of another language; do not convert numbers or currencies."
_TRANSLATION_BARE = (
    "Translate the user's sentence into {language}. Translate all of it, word by word if need be, and keep every "
    "number with its unit. Reply with the translation alone."
)
_TRANSLATION_EXAMPLES = {
    "zh": {
        "zh": "配送费15元，满200元免费。开封后不能退换，但可以换一次颜色。",
        "de": "Die Lieferung kostet 15 Yuan und ist ab 200 Yuan kostenlos. Nach dem Öffnen ist keine Rückgabe möglich, "
        "aber Sie können einmal die Farbe tauschen.",
        "en": "Delivery costs 15 yuan and is free from 200 yuan. Opened items cannot be returned, but you can change "
        "the colour once.",
        "es": "El envío cuesta 15 yuanes y es gratuito a partir de 200 yuanes. Una vez abierto no se puede devolver, "
        "pero puede cambiar de color una vez.",
        "fr": "La livraison coûte 15 yuans et elle est gratuite à partir de 200 yuans. Un article ouvert ne peut pas "
        "être retourné, mais vous pouvez changer de couleur une fois.",
        "ja": "配送料は15元で、200元以上のご注文は無料です。開封後の返品はできませんが、色の変更は1回可能です。",
    },
    "en": {
        "en": "Delivery costs $15 and is free from $200. Opened items cannot be returned, but you can change the colour "
        "once.",
        "de": "Die Lieferung kostet 15 $ und ist ab 200 $ kostenlos. Nach dem Öffnen ist keine Rückgabe möglich, aber "
        "Sie können einmal die Farbe tauschen.",
        "es": "El envío cuesta 15 $ y es gratuito a partir de 200 $. Una vez abierto no se puede devolver, pero puede "
        "cambiar de color una vez.",
        "fr": "La livraison coûte 15 $ et elle est gratuite à partir de 200 $. Un article ouvert ne peut pas être "
        "retourné, mais vous pouvez changer de couleur une fois.",
        "it": "La consegna costa 15 $ ed è gratuita da 200 $. Gli articoli aperti non si possono restituire, ma può "
        "cambiare colore una volta.",
        "ja": "配送料は15ドルで、200ドル以上のご注文は無料です。開封後の返品はできませんが、色の変更は1回可能です。",
        "ko": "배송비는 15달러이며 200달러 이상은 무료입니다. 개봉한 상품은 반품할 수 없지만 색상은 한 번 바꿀 수 있습니다.",
        "pt": "O envio custa 15 $ e é gratuito a partir de 200 $. Artigos abertos não podem ser devolvidos, mas pode "
        "mudar de cor uma vez.",
        "ru": "Доставка стоит 15 $ и бесплатна от 200 $. Вскрытый товар вернуть нельзя, но один раз можно поменять цвет.",
        "zh": "配送费15美元，满200美元免费。开封后不能退换，但可以换一次颜色。",
    },
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
    return Prompt(tuple(messages), language)


def translation_prompt(
    sentence: str,
    source_language: str,
    language: str,
    before: Sequence[tuple[str, str]] = (),
    attempt: int = 0,
) -> Prompt:
    """Asks for one sentence of an answer in ``language``.

    Sentence by sentence the first word comes sooner, nothing is left out, and
    what is made so far stays in the engine's cache.

    Args:
        before: the sentences translated so far, each with its translation.
        attempt: how often the guard has refused a translation of this sentence;
            the second prompt is stricter, the third short and without example,
            so that a greedy engine says something else.
    """
    if attempt >= 2:
        system = _TRANSLATION_BARE.format(language=language_name(language))
        return Prompt((ChatMessage("system", system), ChatMessage("user", sentence)), language)
    system = _TRANSLATION_SYSTEM + (_STRICTER if attempt else "")
    messages = [ChatMessage("system", system.format(language=language_name(language)))]
    examples = _TRANSLATION_EXAMPLES.get(source_language, {})
    if language in examples:
        messages += [
            ChatMessage("user", examples[source_language]),
            ChatMessage("assistant", examples[language]),
        ]
    for said, made in before:
        messages += [ChatMessage("user", said), ChatMessage("assistant", made)]
    messages.append(ChatMessage("user", sentence))
    return Prompt(tuple(messages), language)


JUDGE_SYSTEM = "Does the text answer the customer's question? Reply Yes or No."


def judge_prompt(entry_question: str, entry_answer: str, question: str) -> Prompt:
    """Asks whether the entry answers ``question``; the next token is Yes or No."""
    return Prompt(
        (
            ChatMessage("system", JUDGE_SYSTEM),
            ChatMessage("user", f"Text: {entry_question} {entry_answer}\n\nCustomer: {question}"),
        )
    )
