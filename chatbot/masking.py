"""Personal data in free text, found and covered: phones, e-mails, addresses, identity and payment numbers, names that are said to be names.

Each place is replaced by a tag such as ``[PHONE]``.  Numbers are checked by their check digits or
numbering plan (libphonenumber, python-stdnum) wherever there is such a thing, so
that prices, order numbers and dates stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric
from stdnum.es import dni, nie

__all__ = ["KINDS", "Found", "Masked", "mask", "mask_all", "own_addresses"]

KINDS = ("EMAIL", "IBAN", "ID", "CARD", "ACCOUNT", "ORDER", "PHONE", "ADDRESS", "NAME")
"""What is covered, in the order in which it is looked for."""

_EMAIL = re.compile(r"[\w.+-]{1,64}\s?@\s?[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}", re.ASCII)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{2,4}){3,8}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d]|[.,]\d)")
_CHINESE_ID = re.compile(r"(?<!\d)\d{6}[ ]?\d{8}[ ]?\d{3}[\dXx](?![\dA-Za-z])")
_SPANISH_ID = re.compile(r"(?<![A-Za-z0-9])(?:\d{8}|[XYZxyz][- ]?\d{7})[- ]?[A-Za-z](?![A-Za-z0-9])")
_LABELLED_ID = re.compile(
    r"((?:身份证号?码?|身分證字?號?|护照号?码?|護照號?碼?|passport(?:\s+(?:no|number))?\.?|マイナンバー|"
    r"personalausweis(?:nummer)?|pasaporte|DNI|NIE)[\s:：是为為]*)([A-Z]{0,3}\d[\dA-Za-z]{5,17})",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"((?:微信号?|微訊|wechat(?:\s+id)?|line\s*id|telegram|QQ号?|支付宝(?:账号|账户)?|whatsapp)"
    r"(?:号|號|账号)?[\s:：是为為@]+)([A-Za-z0-9][\w.-]{4,31})",
    re.IGNORECASE | re.ASCII,
)
_CHINESE_ADDRESS = re.compile(
    r"(?:[一-鿿]{2,8}(?:省|自治区|特别行政区))?[一-鿿]{2,8}?(?:市|州|盟)?[一-鿿]{1,8}?(?:区|區|县|縣|市|镇|鎮)"
    r"\s?[一-鿿\d]{1,16}?(?:路|街|道|巷|弄|大街|大道|村|里)[一-鿿]{0,4}\s?\d{1,5}[-－]?\d{0,4}\s?(?:号|號|弄)?"
    r"(?:[一-鿿A-Za-z\d\-－ ]{0,14}?(?:栋|棟|幢|座|楼|樓|单元|單元|室|层|層|号房))*(?:\s?\d{2,4}室?)?"
)
_JAPANESE_ADDRESS = re.compile(
    r"(?:〒\s?\d{3}-?\d{4}\s*)?(?:東京都|北海道|(?:京都|大阪)府|[一-鿿]{2,3}県)[一-鿿ぁ-んァ-ヶー]{1,16}?[市区町村郡]"
    r"[一-鿿ぁ-んァ-ヶー\d０-９]{0,20}?\d{1,4}(?:[-－丁目番地号の\d]{0,14})(?:[一-鿿ァ-ヶーA-Za-z\d\s]{0,20}?\d{1,4}号室?)?"
)
_STREETS = r"street|st|road|rd|avenue|ave|lane|ln|drive|dr|close|court|ct|crescent|boulevard|blvd|terrace|square|way|place"
_ENGLISH_ADDRESS = re.compile(
    r"(?:(?i:flat|apt|apartment|unit)\s?\w{1,5},?\s+)?(?<![\d.,$£€#])\b\d{1,5}[A-Za-z]?,?\s+(?:[A-Z][\w'’]*\.?\s+){1,3}"
    rf"(?i:{_STREETS})\b\.?(?:,\s*(?:[A-Z][a-z'’.-]+[ ]?){{1,3}}){{0,3}}"
    r"(?:,?\s*[A-Z]{1,2}\d[\dA-Z]?\s?\d[A-Z]{2}|,?\s*[A-Z]{2}\s\d{5})?"
)
_ROMANCE_ADDRESS = re.compile(
    r"\b(?:calle|c/|avenida|avda\.?|av\.|plaza|pza\.?|paseo|rue|boulevard|via|viale|rua)\s+(?:[\w'’.-]+\s*){1,5}?,?\s*"
    r"(?:n[º°.]\s*|#)?\d{1,5}(?:[-,]?\s*(?:\d{1,2}\s?[º°ª]?\s?[A-Za-z]?\b)){0,2}(?:,?\s*\d{5}\s+[A-ZÁÉÍÓÚÑ][\w-]+)?",
    re.IGNORECASE,
)
_GERMAN_ADDRESS = re.compile(
    r"\b[A-ZÄÖÜ][\wäöüß-]*(?:str(?:aße|asse|\.)|weg|platz|allee|gasse|ring|ufer)\s+\d{1,4}\s?[a-z]?\b(?:,?\s*\d{5}\s+[A-ZÄÖÜ][\wäöüß-]+)?"
)
_HAN_LABELS = r"收件人|收货人|收貨人|联系人|聯絡人|姓名|お名前|氏名|名前|名義"
_NAME = re.compile(
    rf"((?:(?:{_HAN_LABELS})\s?[:：是はをに为為]|我叫|名字叫|名字是|name\s+is\s|name:|recipient:|addressee:|"
    r"mi\s+nombre\s+es\s|me\s+llamo\s|nombre:|ich\s+heiße\s|mein\s+name\s+ist\s|je\s+m'appelle\s|mon\s+nom\s+est\s)\s*)"
    r"([一-鿿]{2,4}(?![一-鿿])|[一-鿿]{2,3}|[A-ZÁÉÍÓÚÑÄÖÜ][\w'’-]+(?:\s+[A-ZÁÉÍÓÚÑÄÖÜ][\w'’-]+){0,3}|[ァ-ヶー]{2,12})",
)
_TITLES = "Mr|Mrs|Ms|Miss|Dr|Herr|Frau|Sr|Sra|Srta|Monsieur|Madame|Mme"
_GREETINGS = "Hello|Hi|Hey|Dear|Thanks|Sorry|Hola|Gracias|Buenas|Hallo|Bonjour"
_TITLED = re.compile(rf"((?:\b(?:{_TITLES}|don|doña)\b\.?\s+))([A-ZÁÉÍÓÚÑÄÖÜ][\w'’-]+)")
_HAN_TITLED = re.compile(
    r"(?<![一-鿿])([一-鿿]{1,2})(?=先生|女士|小姐|太太)|(?<![一-鿿])([一-鿿]{1,4})(?=様)"
)
_NO_NAMES = frozenset(
    [
        *(
            "お客",
            "客",
            "皆",
            "奥",
            "名",
            "王子",
            "相手",
            "友達",
            "友人",
            "自身",
            "家族",
            "本人",
            "両親",
            "同僚",
            "他",
        ),
        *("这位", "這位", "那位", "各位", "您", "一位", "这个", "那个", "位"),
    ]
)
_GREETED = re.compile(
    rf"(\b(?:{_GREETINGS}|Thank you)\b,?\s+)([A-ZÁÉÍÓÚÑÄÖÜ][a-zà-ÿ'’-]{{2,}})(?=[!,.…]|\s*$)"
)
_BEFORE_NAMES = rf"(?:{_TITLES}|{_GREETINGS}|You)\b"
_GREETED_WORDS = frozenset(
    ["There", "All", "Team", "Again", "Everyone", "Guys", "Sir", "Madam", "Tidepeak", "Kefu"]
)
_SURNAMES = (
    "王李张張陈陳杨楊赵趙黄黃周吴吳徐孙孫胡朱高林何郭马馬罗羅梁宋郑鄭谢謝韩韓唐冯馮于董萧蕭程曹袁邓鄧许許傅沈曾彭吕呂"
    "苏蘇卢盧蒋蔣蔡贾賈丁魏薛叶葉阎余潘杜戴夏钟鍾汪田任姜范方石姚谭譚廖邹鄒熊金陆陸郝孔白崔康毛邱秦江史顾顧侯邵孟"
    "龙龍万萬段雷钱錢汤湯尹黎易常武乔喬贺賀赖賴龚龔文骆駱严嚴刘劉"
)
_NO_SURNAMES = r"谢谢|謝謝|高兴|高興|方便|马上|馬上|黄色|白色|金色|许多|万一|万分|毛病|常常|金额|简单|于是|曾经|任何|安全|江浙|龙卡|秦皇"
_BESIDE = re.compile(
    rf"(?<![一-鿿])(?!{_NO_SURNAMES})[{_SURNAMES}][一-鿿]{{1,2}}(?![一-鿿])|[A-ZÁÉÍÓÚÑÄÖÜ][\w'’-]+(?:\s+[A-ZÁÉÍÓÚÑÄÖÜ][\w'’-]+){{1,3}}"
)
"""What is a name when it stands right beside a telephone or order number, a mailbox or an address."""
_BETWEEN = re.compile(
    r"[\s,，、;；.。:：()（）]{0,3}(?:(?:tel|phone|mobile|mail|电话|電話|邮箱|手机|メールは?)[\s.:：]{0,2})?",
    re.IGNORECASE,
)
_ORDER = re.compile(r"(?<![A-Za-z0-9-])[A-Z]{2,4}\d{6,13}[A-Z]{0,2}(?![A-Za-z0-9])")
_DIGITS = re.compile(r"\d")
_REGIONS = ("CN", "US", "GB", "DE", "FR", "ES", "JP", "HK", "TW", "SG", "IN", "MX", "IE", "IT", "KE", "MY")
_FEWEST_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Found:
    """One place in a text."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without what tells who somebody is."""

    text: str
    found: Counter[str] = field(default_factory=Counter)
    """How often each kind was covered."""


def mask(text: str, keep: Collection[str] = ()) -> Masked:
    """Covers all personal data of a text.

    Full-width digits count as digits.  A text can be masked again without change.

    Args:
        keep: what stays although it looks like somebody's: the company's own lines
            and mailboxes, see :func:`own_addresses`.
    """
    return mask_all([text], keep)[0]


def mask_all(texts: Sequence[str], keep: Collection[str] = ()) -> list[Masked]:
    """Covers the personal data of a conversation: a name that one message tells is covered in all of them."""
    evened = ["".join(_even(letter) for letter in text) for text in texts]
    kept = frozenset(_key(each) for each in keep)
    names = frozenset(name for text in evened for name in _names(text))
    return [_mask(text, even, kept, names) for text, even in zip(texts, evened, strict=True)]


def own_addresses(texts: Iterable[str]) -> frozenset[str]:
    """Mailboxes and telephone numbers that a company's published texts tell everybody."""
    found: set[str] = set()
    for text in texts:
        even = "".join(_even(letter) for letter in text)
        for finder in (_whole("EMAIL", _EMAIL), _phones):
            found.update(_key(even[place.start : place.end]) for place in finder(even))
    return frozenset(found)


def _mask(text: str, even: str, kept: Collection[str], names: Collection[str]) -> Masked:
    places: list[Found] = []
    for finder in (*_FINDERS, _known(names)):
        for found in finder(even):
            if _key(even[found.start : found.end]) in kept:
                continue
            if not any(_overlap(found, other) for other in places):
                places.append(found)
    places += [
        found for found in _beside(even, places) if not any(_overlap(found, other) for other in places)
    ]
    places.sort(key=lambda found: found.start)
    pieces, end = [], 0
    for found in places:
        pieces += [text[end : found.start], f"[{found.kind}]"]
        end = found.end
    return Masked("".join([*pieces, text[end:]]), Counter(found.kind for found in places))


def _overlap(one: Found, other: Found) -> bool:
    return one.start < other.end and other.start < one.end


def _beside(text: str, places: Sequence[Found]) -> Iterator[Found]:
    """Names that stand right before or behind what was found already."""
    marks = [place for place in places if place.kind in ("PHONE", "ORDER", "EMAIL", "ADDRESS")]
    if not marks:
        return
    for match in _BESIDE.finditer(text):
        for mark in marks:
            gap = (
                text[mark.end : match.start()]
                if mark.end <= match.start()
                else text[match.end() : mark.start]
            )
            if len(gap) <= 12 and _BETWEEN.fullmatch(gap):
                yield Found("NAME", match.start(), match.end())
                break


def _key(text: str) -> str:
    """The same for all ways to write a number or a mailbox."""
    return (
        re.sub(r"[\s().-]", "", text).lstrip("+").casefold()
        if "@" not in text
        else text.replace(" ", "").casefold()
    )


def _names(text: str) -> Iterator[str]:
    """Names that a text tells to be names: by a label, a title or a greeting."""
    for pattern in (_NAME, _TITLED):
        for match in pattern.finditer(text):
            yield match[2]
    for match in _HAN_TITLED.finditer(text):
        name = match[1] or match[2]
        if name not in _NO_NAMES:
            yield name
    for match in _GREETED.finditer(text):
        if match[2] not in _GREETED_WORDS:
            yield match[2]


def _known(names: Collection[str]) -> Callable[[str], Iterator[Found]]:
    """Wherever these names stand, with the given name or family name beside them."""
    patterns = []
    for name in sorted(names, key=len, reverse=True):
        told = re.escape(name)
        if re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", name):
            # 严 of 严女士 is a name only before a title or as the family name of a whole one.
            beside = (
                r"(?=先生|女士|小姐|太太|様|さん)|[ ]?[ぁ-ん一-鿿]{1,3}(?![一-鿿])" if len(name) <= 2 else r""
            )
            patterns.append(rf"(?<![一-鿿]){told}(?:{beside})" if beside else rf"{told}")
        else:
            patterns.append(
                rf"(?<!\w)(?:{told}(?:\s+[A-ZÁÉÍÓÚÑÄÖÜ][\w'’-]+){{0,2}}|(?!{_BEFORE_NAMES})[A-ZÁÉÍÓÚÑÄÖÜ][\w'’-]+\s+{told})(?!\w)"
            )
    if not patterns:
        return lambda _text: iter(())
    return _whole("NAME", re.compile("|".join(patterns)))


def _even(letter: str) -> str:
    folded = unicodedata.normalize("NFKC", letter)
    return folded if len(folded) == 1 else letter


def _whole(
    kind: str, pattern: re.Pattern[str], valid: Callable[[str], bool] | None = None
) -> Callable[[str], Iterator[Found]]:
    def find(text: str) -> Iterator[Found]:
        for match in pattern.finditer(text):
            if valid is None or valid(match.group()):
                yield Found(kind, match.start(), match.end())

    return find


def _labelled(kind: str, pattern: re.Pattern[str]) -> Callable[[str], Iterator[Found]]:
    """The second group, which the first one announces."""

    def find(text: str) -> Iterator[Found]:
        for match in pattern.finditer(text):
            yield Found(kind, match.start(2), match.end(2))

    return find


def _is_card(text: str) -> bool:
    digits = "".join(_DIGITS.findall(text))
    # UnionPay has cards without a check digit; written in groups of four they are cards anyway.
    return (
        bool(luhn.is_valid(digits))
        or re.fullmatch(r"(?:\d{4}([ -]))(?:\d{4}\1){2,3}\d{1,4}", text) is not None
    )


def _is_chinese_id(text: str) -> bool:
    compact = text.replace(" ", "").upper()
    # A wrong birth date or check digit is mostly a slip of the pen: the form counts.
    return (
        bool(ric.is_valid(compact))
        or re.fullmatch(r"[1-8]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d{4}[\dX]?", compact) is not None
    )


def _is_spanish_id(text: str) -> bool:
    compact = re.sub(r"[- ]", "", text).upper()
    return bool(dni.is_valid(compact) or nie.is_valid(compact))


def _phones(text: str) -> Iterator[Found]:
    """Numbers of the numbering plans of the regions where customers write from."""
    taken: list[Found] = []
    for region in _REGIONS:
        for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
            found = Found("PHONE", match.start, match.end)
            digits = len(_DIGITS.findall(match.raw_string))
            before = text[max(0, match.start - 3) : match.start]
            # An order number is announced by letters, an amount by its sign.
            if digits < _FEWEST_DIGITS or re.search(r"[A-Za-z$€£¥#.-]$", before):
                continue
            if not any(_overlap(found, other) for other in taken):
                taken.append(found)
    yield from taken
    for pattern in (_CHINESE_MOBILE, _INTERNATIONAL):
        for written in pattern.finditer(text):
            yield Found("PHONE", written.start(), written.end())


_CHINESE_MOBILE = re.compile(r"(?<![\dA-Za-z])1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)")

_INTERNATIONAL = re.compile(r"(?<![\w+])\+\d{1,3}(?:[ .()/-]{0,2}\d){7,13}(?!\d)")
"""Also numbers that no plan has, as mistyped ones."""

_FINDERS = (
    _whole("EMAIL", _EMAIL),
    _whole("IBAN", _IBAN, iban.is_valid),
    _whole("ID", _CHINESE_ID, _is_chinese_id),
    _whole("CARD", _CARD, _is_card),
    _whole("ID", _SPANISH_ID, _is_spanish_id),
    _labelled("ID", _LABELLED_ID),
    _labelled("ACCOUNT", _ACCOUNT),
    _whole("ORDER", _ORDER),
    _phones,
    _whole("ADDRESS", _CHINESE_ADDRESS),
    _whole("ADDRESS", _JAPANESE_ADDRESS),
    _whole("ADDRESS", _ENGLISH_ADDRESS),
    _whole("ADDRESS", _ROMANCE_ADDRESS),
    _whole("ADDRESS", _GERMAN_ADDRESS),
)
