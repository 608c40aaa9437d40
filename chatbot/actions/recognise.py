"""Finds the values that an action needs in what a customer writes: order numbers, e-mails, yes and no.

People write ``＃１０４２３``, ``订单号是10423``, ``TP 2610 0345 87`` and ``anna @ example.com``.
Values come back in one spelling.  A *requested* value has just been asked for, so
that a message may be read more freely; elsewhere only what is clear counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import regex

__all__ = ["KINDS", "Found", "find_value", "plain", "says_stop", "yes_or_no"]

MAX_READ = 2000
"""Characters of a message that are looked through."""
MAX_TEXT = 500
"""Longest value of the kind ``text``, in characters."""
_PATTERN_TIMEOUT_S = 0.2

_INVISIBLE = regex.compile(r"[\p{Cf}\p{Cc}]+")
_DASHES = regex.compile(r"[\p{Pd}\u2212]")
_HAN_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_HAN_NUMBER = regex.compile(r"[〇零一二三四五六七八九]{4,}")

_EMAIL = regex.compile(
    r"(?<![A-Za-z0-9._%+@-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}"
    r"(?![A-Za-z0-9@-]|\.[A-Za-z0-9])"
)
_ANY_EMAIL = regex.compile(r"[^\s@<>,;:\"()]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,6}\p{L}{2,24}")
_SPOKEN_AT = regex.compile(
    r"\s*(?:[\[({]\s*(?:at|arroba|ät|a)\s*[\])}]|\s(?:at|arroba|ät)\s|\s*艾特\s*)\s*", regex.IGNORECASE
)
_SPOKEN_DOT = regex.compile(
    r"\s*(?:[\[({]\s*(?:dot|punto|punkt|point|点)\s*[\])}]|\s(?:dot|punto|punkt|point)\s|点(?=[A-Za-z]))\s*",
    regex.IGNORECASE,
)
_URL = regex.compile(r"https?://\S+|www\.\S+", regex.IGNORECASE)
_DATE = regex.compile(
    r"\d{4}\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}:\d{2}(?::\d{2})?"
)
_MONEY = regex.compile(
    r"(?:[$€£¥₩₽]|\b(?:usd|eur|cny|rmb|jpy|gbp)\s?)\s?\d[\d.,]*"
    r"|\d[\d.,]*\s?(?:[$€£¥₩₽%元円块塊]|(?:usd|eur|euros?|dollars?|cny|rmb|yuan|jpy|yen|gbp|pounds?)\b)",
    regex.IGNORECASE,
)
_SOLID = regex.compile(r"(?<![A-Za-z0-9])[A-Za-z]{0,4}\d+(?![A-Za-z0-9])")
_SPACED = regex.compile(r"(?<![A-Za-z0-9.])(?:[A-Za-z]{1,4}[ -]?)?\d+(?:[ -]\d+)+(?![A-Za-z0-9])")
_CUE = regex.compile(
    r"(?:#|no\.?|nr\.?|n[º°o]\.?|num(?:ber|ero)?\.?|número|numéro|nummer|order|orders|bestell\p{L}*|auftrag\p{L}*|"
    r"pedido|commande|ordine|заказ\p{L}*|订单|訂單|单号|單號|编号|番号|注文|注文番号|주문|번호)"
    r"[\s:.,是为為は]*(?:号|號|号码)?(?:\s+(?:is|was|ist|lautet|es|est|è|é))?[\s:#是为為は-]*$",
    regex.IGNORECASE,
)
_PHONE = regex.compile(r"(?<![\w@.])\+?\(?\d[\d\s().-]{5,20}\d(?!\w)")


def _phrases(listed: str) -> frozenset[str]:
    return frozenset(listed.split("|"))


_YES = _phrases(
    "yes|y|yeah|yep|yup|sure|ok|okay|please do|yes please|do it|go ahead|confirm|correct|right|exactly|that's right|"
    "是|是的|对|对的|好|好的|行|可以|确认|确定|要|嗯|没错|取消吧|是啊|麻烦了|當然|好啊|對|確認|"
    "sí|si|claro|vale|de acuerdo|sí por favor|adelante|confirmo|correcto|"
    "はい|ええ|うん|お願いします|はいお願いします|そうです|大丈夫です|"
    "ja|ja bitte|gern|gerne|bitte|jawohl|genau|ja genau|richtig|einverstanden|"
    "oui|oui merci|d'accord|ouais|bien sûr|c'est ça|oui s'il vous plaît|volontiers|"
    "sim|pode|claro que sim|va bene|certo|네|예|응|맞아요|да|конечно"
)
_NO = _phrases(
    "no|n|nope|nah|no thanks|no thank you|don't|do not|better not|"
    "不|不是|不用|不要|不了|不行|否|别|算了|没有|不对|不用了|不需要|不必|先不|先不用|不取消|"
    "no gracias|mejor no|"
    "いいえ|いや|結構です|やめます|違います|いいえ結構です|"
    "nein|nein danke|nee|lieber nicht|doch nicht|"
    "non|non merci|pas la peine|surtout pas|"
    "não|nao|não obrigado|아니요|아뇨|нет|no grazie"
)
_DROP = _phrases(
    "stop|quit|never mind|nevermind|forget it|forget about it|leave it|drop it|no longer needed|cancel that|"
    "算了|不用了|不查了|不取消了|停|停止|退出|先不用了|没事了|沒事了|不需要了|"
    "olvídalo|olvidalo|déjalo|dejalo|da igual|"
    "やめる|やめます|中止|もういいです|結構です|"
    "abbrechen|abbruch|stopp|vergiss es|vergessen sie es|egal|schon gut|"
    "laisse tomber|laissez tomber|tant pis|oubliez|oublie|arrêter|"
    "esquece|deixa pra lá|lascia stare|그만|стоп|не надо"
)
_CANCEL = _phrases("cancel|取消|cancelar|キャンセル|annuler|annulla|취소|отмена")
"""End a question about a number; after «Shall I cancel it?» they might as well mean yes."""
_EDGES = regex.compile(r"^[\s\p{P}\p{S}]+|[\s\p{P}\p{S}]+$")


@dataclass(frozen=True, slots=True)
class Found:
    """A value in a message."""

    value: str | bool
    start: int
    """Place in :func:`plain`'s text."""
    end: int


def plain(text: str) -> str:
    """The text with full-width forms, other scripts' digits, odd dashes and blanks made plain."""
    text = unicodedata.normalize("NFKC", text[:MAX_READ])
    text = _DASHES.sub("-", _INVISIBLE.sub(" ", text))
    text = "".join(_digit(character) for character in text)
    return _HAN_NUMBER.sub(lambda match: match[0].translate(_HAN_DIGITS), text)


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def yes_or_no(text: str) -> bool | None:
    """Whether the whole message is a yes or a no; None for anything else."""
    said = _bare(text)
    if said in _YES:
        return True
    return False if said in _NO else None


def says_stop(text: str, *, confirming: bool = False) -> bool:
    """Does the whole message say that the customer wants to leave it?

    Args:
        confirming: the question was whether something shall be done; a bare «cancel» says nothing then.
    """
    said = _bare(text)
    return said in _DROP or (not confirming and said in _CANCEL)


def _bare(text: str) -> str:
    """Lower case, without punctuation and with single blanks."""
    said = _EDGES.sub("", plain(text)).casefold().replace("’", "'")
    return " ".join(regex.sub(r"[、，]", "", said).replace(",", " ").split())


def find_value(
    kind: str,
    text: str,
    *,
    requested: bool,
    pattern: regex.Pattern[str] | None = None,
    values: Mapping[str, tuple[str, ...]] | None = None,
) -> Found | None:
    """The first value of a kind in a message, None if there is none.

    Args:
        kind: one of :data:`KINDS`.
        text: the message as the customer wrote it.
        requested: the value has just been asked for.
        pattern: for ``number`` and ``pattern``, what the whole value looks like.
        values: for ``choice``, each value with the words that mean it.
    """
    read = plain(text)
    return KINDS[kind](_Search(read, requested, pattern, values or {}))


@dataclass(frozen=True, slots=True)
class _Search:
    text: str
    requested: bool
    pattern: regex.Pattern[str] | None
    values: Mapping[str, tuple[str, ...]]


def _number(search: _Search) -> Found | None:
    """A number with or without letters before it, e.g. of an order; one after «order» or «#» comes first."""
    text = search.text
    for blind in (_EMAIL, _URL, _DATE, _MONEY):
        text = blind.sub(lambda match: " " * len(match[0]), text)
    for match in _SPACED.finditer(text) if search.pattern else ():
        if match[0][0].isalpha() and _fits(search.pattern, _joined(match[0])):
            return Found(_joined(match[0]), match.start(), match.end())
    found = list(_solid_numbers(text, search.pattern))
    cued = [number for number in found if _CUE.search(text, 0, number.start)]
    if cued or found:
        return (cued or found)[0]
    for match in _SPACED.finditer(text):
        asked = search.requested or _CUE.search(text, 0, match.start())
        if asked and _fits(search.pattern, _joined(match[0])):
            return Found(_joined(match[0]), match.start(), match.end())
    return None


def _joined(number: str) -> str:
    return regex.sub(r"[ -]", "", number).upper()


def _solid_numbers(text: str, pattern: regex.Pattern[str] | None) -> Iterator[Found]:
    for match in _SOLID.finditer(text):
        value = match[0].upper()
        if _fits(pattern, value):
            yield Found(value, match.start(), match.end())
            continue
        digits = value.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if digits != value and value.removesuffix(digits) in _PREFIXES and _fits(pattern, digits):
            yield Found(digits, match.end() - len(digits), match.end())


_PREFIXES = frozenset({"NO", "NR", "N", "NUM"})


def _fits(pattern: regex.Pattern[str] | None, value: str) -> bool:
    if pattern is None:
        return sum(map(str.isdigit, value)) >= 4
    try:
        return pattern.fullmatch(value, timeout=_PATTERN_TIMEOUT_S) is not None
    except TimeoutError:
        return False


def _email(search: _Search) -> Found | None:
    """An e-mail address; spoken forms («anna at example dot com») only when it was asked for."""
    text = search.text
    match = _EMAIL.search(text)
    if match is None and search.requested:
        text = regex.sub(r"\s*@\s*", "@", _SPOKEN_AT.sub("@", text).replace("。", "."))
        text = _SPOKEN_DOT.sub(".", text)
        match = _EMAIL.search(text) or _ANY_EMAIL.search(text)
        if match is not None:
            return Found(_lower_domain(match[0]), 0, len(search.text))
    if match is None:
        return None
    return Found(_lower_domain(match[0]), match.start(), match.end())


def _lower_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def _phone(search: _Search) -> Found | None:
    """A telephone number of 7 to 15 digits (ITU-T E.164), as ``+`` and digits."""
    for match in _PHONE.finditer(search.text):
        digits = "".join(filter(str.isdigit, match[0]))
        if 7 <= len(digits) <= 15 and not _DATE.fullmatch(match[0].strip()):
            sign = "+" if match[0].startswith("+") else ""
            return Found(sign + digits, match.start(), match.end())
    return None


def _yes_no(search: _Search) -> Found | None:
    answer = yes_or_no(search.text) if search.requested else None
    return None if answer is None else Found(answer, 0, len(search.text))


def _choice(search: _Search) -> Found | None:
    """The value whose word stands in the message; the longest word wins."""
    text = search.text.casefold()
    best: tuple[int, Found] | None = None
    for value, words in search.values.items():
        for word in (value, *words):
            read = plain(word).casefold().strip()
            edge = r"\b" if read.isascii() else ""
            match = regex.search(edge + regex.escape(read) + edge, text) if read else None
            if match is not None and (best is None or len(read) > best[0]):
                best = len(read), Found(value, match.start(), match.end())
    return None if best is None else best[1]


def _pattern(search: _Search) -> Found | None:
    if search.pattern is None:
        return None
    try:
        match = search.pattern.search(search.text, timeout=_PATTERN_TIMEOUT_S)
    except TimeoutError:
        return None
    return Found(match[0], match.start(), match.end()) if match is not None and match[0] else None


def _text(search: _Search) -> Found | None:
    said = search.text.strip()
    if not search.requested or not said or len(said) > MAX_TEXT:
        return None
    return Found(said, 0, len(search.text))


KINDS: dict[str, Callable[[_Search], Found | None]] = {
    "number": _number,
    "email": _email,
    "phone": _phone,
    "yes_no": _yes_no,
    "choice": _choice,
    "pattern": _pattern,
    "text": _text,
}
"""How the value of a slot is recognised, by the name of its kind."""
