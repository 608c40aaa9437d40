"""Spelled-out numbers of the languages the guard reads, up to a few hundred."""

from __future__ import annotations

from chatbot.guard.units import plain

__all__ = ["number_words"]


def _split(words: str) -> list[str]:
    return words.split()


def _en() -> dict[str, int]:
    ones = _split(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    )
    ones += ["seventeen", "eighteen", "nineteen"]
    tens = dict(
        zip(_split("twenty thirty forty fifty sixty seventy eighty ninety"), range(20, 100, 10), strict=True)
    )
    table = {word: i + 1 for i, word in enumerate(ones)} | tens | {"hundred": 100, "twice": 2, "dozen": 12}
    for ten, value in tens.items():
        table |= {f"{ten} {word}": value + i + 1 for i, word in enumerate(ones[:9])}
    return table | {f"{word} hundred": 100 * (i + 1) for i, word in enumerate(ones[:9])} | {"fortnight": 2}


def _de() -> dict[str, int]:
    ones = _split(
        "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn"
    )
    ones += ["siebzehn", "achtzehn", "neunzehn"]
    names = _split("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
    table = {word: i + 1 for i, word in enumerate(ones)}
    table |= dict.fromkeys(("eins", "eine", "einen", "einem", "einer", "eines"), 1)
    for value, ten in enumerate(names, 2):
        table[ten] = 10 * value
        table |= {f"{word}und{ten}": 10 * value + i + 1 for i, word in enumerate(ones[:9])}
    return table | {
        "hundert": 100,
        "zweihundert": 200,
        "zweimal": 2,
        "dreimal": 3,
        "zweier": 2,
        "dutzend": 12,
    }


def _es() -> dict[str, int]:
    words = _split(
        "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
        "diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco "
        "veintiséis veintisiete veintiocho veintinueve treinta"
    )
    table = {word: i + 1 for i, word in enumerate(words)} | {
        "un": 1,
        "una": 1,
        "veintiún": 21,
        "cien": 100,
        "docena": 12,
    }
    for value, ten in enumerate(_split("treinta cuarenta cincuenta sesenta setenta ochenta noventa"), 3):
        table[ten] = 10 * value
        table |= {f"{ten} y {word}": 10 * value + i + 1 for i, word in enumerate(words[:9])}
    return table


def _fr() -> dict[str, int]:
    words = _split(
        "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
        "dix-sept dix-huit dix-neuf"
    )
    table = {word: i + 1 for i, word in enumerate(words)} | {
        "une": 1,
        "cent": 100,
        "douzaine": 12,
        "quinzaine": 15,
    }
    for value, ten in enumerate(["vingt", "trente", "quarante", "cinquante", "soixante"], 2):
        table[ten] = 10 * value
        table[f"{ten} et un"] = table[f"{ten} et une"] = 10 * value + 1
        table |= {f"{ten}-{word}": 10 * value + i + 2 for i, word in enumerate(words[1:9])}
    table |= {f"soixante-{word}": 60 + i + 10 for i, word in enumerate(words[9:])} | {"quatre-vingts": 80}
    table |= {f"quatre-vingt-{word}": 80 + i + 1 for i, word in enumerate(words)}
    return {word.replace("-", " "): value for word, value in table.items()}


_LISTED = {
    "it": (
        "un uno una|due|tre|quattro|cinque|sei|sette|otto|nove|dieci|undici|dodici|tredici|quattordici"
        "|quindici|sedici"
        "|diciassette|diciotto|diciannove|venti"
    ),
    "pt": (
        "um uma|dois duas|três|quatro|cinco|seis|sete|oito|nove|dez|onze|doze|treze|catorze quatorze"
        "|quinze|dezesseis"
        "|dezessete|dezoito|dezenove|vinte"
    ),
    "nl": "een één|twee|drie|vier|vijf|zes|zeven|acht|negen|tien|elf|twaalf|dertien|veertien|vijftien",
    "ru": (
        "один одна одно одного одной|два две двух двое|три трех трёх|четыре четырех|пять пяти|шесть шести"
        "|семь семи"
        "|восемь|девять|десять десяти|одиннадцать|двенадцать|тринадцать|четырнадцать|пятнадцать"
    ),
    "ko": "한 하나|두 둘|세 셋|네 넷|다섯|여섯|일곱|여덟|아홉|열",
}
_TENS = {
    "it": {
        "trenta": 30,
        "quaranta": 40,
        "cinquanta": 50,
        "sessanta": 60,
        "settanta": 70,
        "ottanta": 80,
        "cento": 100,
    },
    "pt": {
        "trinta": 30,
        "quarenta": 40,
        "cinquenta": 50,
        "sessenta": 60,
        "setenta": 70,
        "oitenta": 80,
        "cem": 100,
    },
    "nl": {"twintig": 20, "dertig": 30, "veertig": 40, "vijftig": 50, "honderd": 100},
    "ru": {"двадцать": 20, "тридцать": 30, "сорок": 40, "пятьдесят": 50, "шестьдесят": 60, "сто": 100},
    "ko": {"스무": 20, "서른": 30},
}


def _listed(language: str) -> dict[str, int]:
    table = {word: i + 1 for i, words in enumerate(_LISTED[language].split("|")) for word in words.split()}
    return table | _TENS[language]


_NUMBER_WORDS: dict[str, dict[str, int]] = {
    name: {plain(word): value for word, value in table.items()}
    for name, table in (
        ("en", _en()),
        ("de", _de()),
        ("es", _es()),
        ("fr", _fr()),
        *((name, _listed(name)) for name in _LISTED),
    )
}


def number_words(language: str) -> dict[str, int]:
    """Values of the spelled-out numbers of a language, by plain spelling; empty where none are known."""
    return _NUMBER_WORDS.get(language, {})
