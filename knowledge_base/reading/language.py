"""The language of an entry where the file does not tell it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from knowledge_base.errors import ReadError

__all__ = ["LanguageRule", "language_code", "script_language"]

_SCRIPTS = (
    ("ja", re.compile("[぀-ヿㇰ-ㇿ]")),
    ("ko", re.compile("[ᄀ-ᇿ㄰-㆏가-힯]")),
    ("zh", re.compile("[㐀-䶿一-鿿豈-﫿]")),
    ("th", re.compile("[฀-๿]")),
    ("ar", re.compile("[؀-ۿ]")),
    ("ru", re.compile("[Ѐ-ӿ]")),
    ("vi", re.compile("[ăđơưĂĐƠƯẠ-ỹ]")),
    ("es", re.compile("[¿¡ñÑ]")),
    ("de", re.compile("[ßäöüÄÖÜ]")),
    ("pt", re.compile("[ãõÃÕ]")),
    ("fr", re.compile("[çœèêëàâîïûÇŒÈÊÀ]")),
    ("es", re.compile("[áéíóúÁÉÍÓÚ]")),
)

_NAMES = {
    "中文": "zh", "汉语": "zh", "漢語": "zh", "简体中文": "zh", "繁體中文": "zh", "chinese": "zh",
    "cn": "zh", "英文": "en", "英语": "en", "英語": "en", "english": "en", "日文": "ja", "日语": "ja",
    "日本語": "ja", "japanese": "ja", "jp": "ja", "西班牙语": "es", "西班牙文": "es", "español": "es",
    "spanish": "es", "德语": "de", "deutsch": "de", "german": "de", "法语": "fr", "français": "fr",
    "french": "fr", "韩语": "ko", "韩文": "ko", "한국어": "ko", "korean": "ko", "俄语": "ru", "русский": "ru",
    "russian": "ru", "葡萄牙语": "pt", "português": "pt", "portuguese": "pt", "意大利语": "it",
    "italiano": "it", "italian": "it", "泰语": "th", "thai": "th", "越南语": "vi", "vietnamese": "vi",
    "阿拉伯语": "ar", "arabic": "ar",
}  # fmt: skip
_CODE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{2,8})*")


def script_language(text: str) -> str:
    """A guess by script and typical letters; English where nothing tells.

    Callers with a real detector give that to :class:`LanguageRule` instead.
    """
    if text.isascii():
        return "en"
    return next((language for language, pattern in _SCRIPTS if pattern.search(text)), "en")


def language_code(value: str, where: str) -> str:
    """The primary subtag of a language given as code or name: ``zh-CN`` and ``中文`` give ``zh``.

    Raises:
        ReadError: neither a code nor a known name.
    """
    plain = value.strip().casefold()
    if plain in _NAMES:
        return _NAMES[plain]
    match = _CODE.fullmatch(plain)
    if match is None:
        raise ReadError(
            f"{where}: found the language {value[:40]!r}, expected a code such as zh, en, es or ja"
        )
    return match.group(1)


@dataclass(frozen=True, slots=True)
class LanguageRule:
    """How a missing language is filled in."""

    given: str | None = None
    """Taken for every entry without a language of its own."""
    detect: Callable[[str], str] = script_language
    """Asked with question and answer where ``given`` is none."""

    def of(self, question: str, answer: str) -> str:
        """The language of an entry that does not tell it."""
        return self.given or self.detect(f"{question}\n{answer[:500]}")
