"""Links, addresses, codes and names: an answer may only hold those that it was given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from chatbot.guard.patterns import AGE_GROUP, fold
from chatbot.guard.units import CURRENCY_PREFIXES, MONTHS, UNITS, WEEKDAYS, plain

__all__ = ["Token", "brands", "capitals", "codes", "links", "paths", "placeholders", "squash", "streets"]


@dataclass(frozen=True, slots=True)
class Token:
    """Something in a text that must be known: where it stands and how it is compared."""

    text: str
    start: int
    end: int
    key: str


_TLD = (
    "com|net|org|example|info|io|co|cn|jp|de|fr|es|it|uk|us|eu|shop|store|app|dev|online|site|biz|ai|me|tv"
    "|kr|ru|br|mx|pt|nl"
    "|hk|tw|help|support|cc|xyz|test"
)
_URL_CHARS = (
    r"[^\s<>()\[\]{}|\"'“”‘’`\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef\uac00-\ud7af，。；：！？、）】》」]"
)
_LINK = re.compile(
    rf"(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    rf"|(?P<url>(?:https?://|www\.){_URL_CHARS}*)"
    rf"|(?P<host>(?<![\w@./-])(?:[a-z0-9][a-z0-9-]*\.)+(?:{_TLD})(?![\w-])(?:[/?#]{_URL_CHARS}*)?)",
    re.IGNORECASE | re.ASCII,
)
_PATH = re.compile(r"(?<![\w/:.<~)-])/[a-z][\w-]*(?:/[\w-]+)*", re.IGNORECASE | re.ASCII)
_CODE = re.compile(
    r"(?<![A-Za-z0-9@./_-])(?=[A-Za-z0-9_-]*[A-Za-z])(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*(?![A-Za-z0-9@])"
)
_COMPOUND = re.compile(r"(\d+[A-Za-z]{1,2})-[A-Z][a-z]{2,}")
_AMOUNT = re.compile(r"(\d+)-?([a-z]+)|([a-z]+)-?(\d+)")
_MEASURE_TAIL = re.compile(r"\d+(?:[-_][a-z]+)+|\d+h\d*|\d+(?:st|nd|rd|th|er|e|x|k|am|pm|s)")
_PLACEHOLDER = re.compile(
    r"\[[^\[\]\n]{0,40}\]|\{[^{}\n]{0,40}\}|<[A-Za-z_ ]{2,30}>|【[^】\n]{0,12}】|\bX{3,}\b|\b[Xx]{4,}\b"
    r"|_{3,}|X{2,}(?=[月日元天])"
    r"|example\.(?:com|org|net)|\blorem ipsum\b|\byour[-_](?:name|company|link)\b|XX+公司|○○|××+|\?\?\?",
)
_STREET = re.compile(
    r"\b\d{1,5}[a-z]? (?:[A-Z][\w'.]+ ){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Boulevard|Blvd|Drive"
    r"|Square|Way)\b"
    r"|\b(?:Calle|Avenida|Avda\.?|Plaza|Paseo|Rue|Place|Via|Viale|Piazza|Rua|Praça) (?:d[eaiou]l?l?a?s? "
    r"|des? |du )?[A-ZÁÉÍÓÚÀÈ][\w']+"
    r"(?: [A-Z][\w']+)*,? (?:n\.?º ?)?\d{1,5}"
    r"|\b\d{1,4},? (?:bis )?(?:rue|avenue|boulevard|place) [\w' -]{3,30}"
    r"|\b[A-ZÄÖÜ][\wäöüß-]*(?:straße|strasse|str\.|platz|allee|gasse|weg|ufer) \d{1,4}[a-z]?\b"
    r"|[\u4e00-\u9fff]{2,8}(?:路|街|大道|巷|胡同)\s?\d{1,5}\s?(?:号|弄|號)"
    r"|[\u4e00-\u9fff]{2,6}\d{1,3}(?:丁目|番地)|[\u4e00-\u9fff]{1,4}[都道府県][\u4e00-\u9fff]{1,5}[市区町村]"
)
_LATIN_WORD = re.compile(
    r"(?<![\w@./-])[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ0-9]*(?:['’][A-Za-zÀ-ɏ]+)?(?:[&-][A-Za-zÀ-ɏ0-9]+)*"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…。！？：；\n\"“”„«»(（‘*•·–—¿¡]|\d[.)、]|[-–—])\s*$")

_BRANDS = (
    "alipay|支付宝|支付寶|アリペイ;wechat|weixin|微信|微信支付|ウィーチャット;unionpay|银联|銀聯;paypal"
    "|贝宝;visa|维萨;mastercard|万事达|マスターカード"
    ";amex|american express|运通;apple pay|苹果支付;google pay|谷歌支付;klarna;stripe;venmo;zelle;bitcoin"
    "|btc|比特币;usdt;huabei|花呗;iban;sepa"
    ";dhl;ups;fedex|联邦快递;usps;gls;hermes;dpd;sf express|顺丰|順豊|順豐;京东|jd"
    "|jd.com;圆通;中通;申通;韵达;ems|中国邮政;菜鸟|cainiao"
    ";yamato|ヤマト|黑猫|クロネコ;sagawa|佐川;correos;seur;mondial relay;chronopost;colissimo;la "
    "poste;royal mail;evri"
    ";amazon|亚马逊|アマゾン;tmall|天猫;taobao|淘宝;拼多多|pinduoduo;ebay;aliexpress"
    "|速卖通;shopify;rakuten|楽天;walmart|沃尔玛;shopee;lazada"
    ";facebook;instagram;whatsapp;telegram;twitter;tiktok|抖音;youtube;line公式;messenger;qq;微博"
    "|weibo;小红书;linkedin;skype;zoom"
    ";iphone;ipad;samsung|三星;huawei|华为;xiaomi|小米;sony|索尼|ソニー;bose;jbl;microsoft"
    "|微软;openai;chatgpt;qwen|通义;alibaba cloud|阿里云"
    ";西联|western union;trustpilot;zendesk"
)
_BRAND_GROUPS: tuple[tuple[str, ...], ...] = tuple(tuple(g.split("|")) for g in _BRANDS.split(";"))
_BRAND_OF = {alias: index for index, group in enumerate(_BRAND_GROUPS) for alias in group}
_LATIN_BRANDS = frozenset(alias for alias in _BRAND_OF if alias.isascii())
_OTHER_BRANDS = tuple(alias for alias in _BRAND_OF if not alias.isascii())
_WORDS_TOO = frozenset({"visa"})
"""Small letters make a word of it: a visa."""
_BRAND_WORD = re.compile(r"[a-z0-9]+")

COMMON_CAPITALS = frozenset(
    plain(word)
    for word in [
        "I",
        "I'm",
        "I'll",
        "I've",
        "I'd",
        "PDF",
        "QR",
        "SMS",
        "USB",
        "USB-C",
        "FAQ",
        "FAQs",
        "VIP",
        "ID",
        "IDs",
        "IC",
        "GPS",
        "PC",
        "TV",
        "PIN",
        "OK",
        "App",
        "Apps",
        "Wi-Fi",
        "WiFi",
        "Wifi",
        "Email",
        "E-mail",
        "email",
        "app",
        "apps",
        "Internet",
        "Web",
        "URL",
        "UTC",
        "GMT",
        "CET",
        "JST",
        "DHL24",
        "VAT",
        "IVA",
        "TVA",
        "MwSt",
        "USt",
        "NIF",
        "CIF",
        "Mr",
        "Mrs",
        "Ms",
        "Dr",
        "Sr",
        "Sra",
        "M",
        "Mme",
        "Herr",
        "Frau",
        "Customer",
        "Service",
        "Support",
        "Team",
        "Care",
        "Centre",
        "Center",
        "Help",
        "FAQ's",
        "Bluetooth",
        "Online",
        "Black",
        "Friday",
        "Christmas",
        "Easter",
        "English",
        "German",
        "French",
        "Spanish",
        "Chinese",
        "Japanese",
        "Korean",
        "Italian",
        "Portuguese",
        "Russian",
        "European",
        "American",
        "British",
        "Europe",
        "EU",
        "UE",
        "US",
        "USA",
        "UK",
        "AM",
        "PM",
        "NB",
        "Ustedes",
        "Usted",
        "Ud",
        "Uds",
        "Internet",
        "PS",
        "Kundenservice",
        "Service-Team",
        "AG",
        "GmbH",
        "CD",
        "DVD",
        "SIM",
        "eSIM",
        "iOS",
        "Android",
        "Windows",
        "Mac",
    ]
)


def squash(text: str) -> str:
    """Lower case without blanks and dashes: ``TP-E200`` and ``tp e200`` are one code."""
    return re.sub(r"[\s_‐‑–-]", "", fold(text))


def links(text: str) -> Iterator[Token]:
    """Links, bare hosts and e-mail addresses; the key has no scheme and no closing punctuation."""
    for match in _LINK.finditer(text):
        written = match[0].rstrip(".,;:!?*_'\"")
        key = re.sub(r"^(?:https?://)?(?:www\.)?", "", written.lower()).rstrip("/")
        yield Token(written, match.start(), match.start() + len(written), key)


def paths(text: str) -> Iterator[Token]:
    """Paths of a site that stand alone, such as ``/returns``."""
    for match in _PATH.finditer(text):
        yield Token(match[0], match.start(), match.end(), match[0].lower())


def codes(text: str) -> Iterator[Token]:
    """Words that mix letters and digits and are no amounts: product codes, order numbers, ``4K``."""
    for match in _CODE.finditer(text):
        word = match[0].lower()
        amount = _AMOUNT.fullmatch(word)
        if amount and ((amount[2] or "") in UNITS or (amount[3] or "") in CURRENCY_PREFIXES):
            continue
        # German puts words together: «10er-Karte», «3D-Filme»
        compound = _COMPOUND.fullmatch(match[0])
        head = compound[1] if compound else match[0]
        if _MEASURE_TAIL.fullmatch(head.lower()) or AGE_GROUP.fullmatch(word):
            continue
        yield Token(match[0], match.start(), match.end(), squash(head))


def placeholders(text: str) -> Iterator[Token]:
    """``[name]``, ``{company}``, ``XXX``: gaps that somebody was meant to fill in."""
    for match in _PLACEHOLDER.finditer(text):
        yield Token(match[0], match.start(), match.end(), fold(match[0]))


def streets(text: str) -> Iterator[Token]:
    """What looks like a postal address."""
    for match in _STREET.finditer(text):
        yield Token(match[0], match.start(), match.end(), squash(match[0]))


def brands(text: str) -> Iterator[Token]:
    """Well-known companies and services, under one key whatever script they are written in."""
    low = fold(text)
    words = list(_BRAND_WORD.finditer(low))
    for i, match in enumerate(words):
        for size in (1, 2):
            span = slice(match.start(), words[i + size - 1].end()) if i + size <= len(words) else slice(0, 0)
            if low[span] in _LATIN_BRANDS and text[span] not in _WORDS_TOO:
                yield Token(text[span], span.start, span.stop, str(_BRAND_OF[low[span]]))
    if not low.isascii():
        for alias in _OTHER_BRANDS:
            if (start := low.find(alias)) >= 0:
                yield Token(alias, start, start + len(alias), str(_BRAND_OF[alias]))


def capitals(text: str, german: bool = False) -> Iterator[Token]:
    """Names by their capitals: capitalised words inside a sentence, or with capitals inside the word.

    German writes every noun with a capital, so only inner capitals tell there.
    """
    for match in _LATIN_WORD.finditer(text):
        word = match[0]
        if word.islower() or (len(word) < 2 and not word.isupper()):
            continue
        inner = any(c.isupper() for c in word[1:])
        if not inner and (german or _SENTENCE_START.search(text, max(0, match.start() - 6), match.start())):
            continue
        low = plain(word)
        if (
            low in COMMON_CAPITALS
            or low in MONTHS
            or low in WEEKDAYS
            or low in CURRENCY_PREFIXES
            or low in UNITS
        ):
            continue
        yield Token(word, match.start(), match.end(), low)


@lru_cache(maxsize=512)
def latin_words(text: str) -> frozenset[str]:
    """All words in Latin letters, plain spelling, compounds also by their parts."""
    found = {plain(match[0]) for match in _LATIN_WORD.finditer(text)}
    return frozenset(found | {part for word in found for part in re.split(r"[-&'’]", word) if part})
