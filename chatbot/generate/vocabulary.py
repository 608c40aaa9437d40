"""Which tokens of a vocabulary would write letters of a script the answer's language does not have."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from chatbot.errors import EngineError, ModelError
from chatbot.generate.gguf_file import GgufHeader, check_gguf
from chatbot.scripts import has_foreign_letters

__all__ = ["LazyVocabulary", "Vocabulary"]


class Vocabulary:
    """The spellings of a model's tokens.

    A small model that translates from Chinese leaves Chinese words standing now
    and then; what it cannot write it has to translate.
    """

    def __init__(self, header: GgufHeader) -> None:
        decode = _letters if header.byte_level else _text
        beyond_ascii = [(number, decode(token)) for number, token in enumerate(header.tokens)]
        self._texts = [(number, text) for number, text in beyond_ascii if not text.isascii()]
        self._foreign: dict[str, list[list[int | bool]]] = {}

    def foreign(self, language: str) -> Sequence[list[int | bool]]:
        """Pairs ``[token number, false]`` for the engine's logit bias; none for no language."""
        if not language:
            return ()
        if language not in self._foreign:
            self._foreign[language] = [
                [number, False] for number, text in self._texts if has_foreign_letters(text, language)
            ]
        return self._foreign[language]


class LazyVocabulary:
    """The vocabulary of a GGUF file, read at the first call; an engine that only judges never reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: Vocabulary | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Vocabulary:
        """The vocabulary; takes some 0.3 s the first time.

        Raises:
            EngineError: the file has gone or been damaged since it was loaded.
        """
        with self._lock:
            if self._read is None:
                try:
                    self._read = Vocabulary(check_gguf(self._path, tokens=True))
                except ModelError as error:
                    raise EngineError(f"the vocabulary cannot be read again: {error}") from error
            return self._read


def _byte_letters() -> dict[str, int]:
    """GPT-2's letters for bytes (Radford et al. 2019): printable ones stand for themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {chr(byte): byte for byte in plain}
    others = [byte for byte in range(256) if byte not in set(plain)]
    return letters | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_letters()


def _letters(token: bytes) -> str:
    spelled = token.decode("utf-8", "ignore")
    return bytes(_BYTES[char] for char in spelled if char in _BYTES).decode("utf-8", "ignore")


def _text(token: bytes) -> str:
    return token.decode("utf-8", "ignore")
