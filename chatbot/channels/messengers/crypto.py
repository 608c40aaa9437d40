"""Encrypted requests of WeChat, WeCom and Feishu.  Needs the extra ``kefu[messengers]``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from typing import Any

from chatbot.channels.messengers.protocol import refuse
from chatbot.errors import SettingsError

__all__ = ["WeChatCipher", "decrypt_feishu", "require_cryptography"]


def require_cryptography() -> None:
    """Raises:
    SettingsError: the package is missing; names the extra.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise SettingsError(
            "encrypted requests of WeChat, WeCom and Feishu need the package cryptography; "
            "install kefu[messengers]"
        ) from None


def _cipher(key: bytes, iv: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(key), modes.CBC(iv))


def _decrypt(key: bytes, iv: bytes, encrypted: bytes, block: int) -> bytes:
    """AES-CBC without its PKCS#7 padding.

    Raises:
        BadRequestError: (403) it was not encrypted with this key.
    """
    if not encrypted or len(encrypted) % 16:
        raise refuse("the encrypted body has an impossible length")
    decryptor = _cipher(key, iv).decryptor()
    plain: bytes = decryptor.update(encrypted) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= block or plain[-padding:] != bytes([padding]) * padding:
        raise refuse("the body was encrypted with another key")
    return plain[:-padding]


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refuse("the encrypted body is not Base64") from None


class WeChatCipher:
    """WeChat's and WeCom's scheme: 16 random bytes, length, text, receiver.

    Args:
        encoding_aes_key: 43 characters of Base64.
        receiver: app id or corp id.
        variable: name of the setting, for its error.

    Raises:
        SettingsError: the key has another form, or a package is missing.
    """

    def __init__(self, encoding_aes_key: str, receiver: str, variable: str) -> None:
        require_cryptography()
        try:
            self._key = base64.b64decode(encoding_aes_key + "=", validate=True)
        except (binascii.Error, ValueError):
            self._key = b""
        if len(encoding_aes_key) != 43 or len(self._key) != 32:
            raise SettingsError(f"{variable} has {len(encoding_aes_key)} characters; expected 43 of Base64")
        self._receiver = receiver.encode()

    def decrypt(self, encrypted: str) -> str:
        """The text inside.

        Raises:
            BadRequestError: (403) it was encrypted with another key or for another receiver.
        """
        plain = _decrypt(self._key, self._key[:16], _unbase64(encrypted), 32)
        length = int.from_bytes(plain[16:20], "big")
        text, receiver = plain[20 : 20 + length], plain[20 + length :]
        if len(plain) < 20 or len(text) != length or receiver != self._receiver:
            raise refuse("the body was encrypted for another receiver")
        return text.decode("utf-8", "replace")

    def encrypt(self, text: str) -> str:
        """What :meth:`decrypt` reads."""
        raw = text.encode()
        plain = os.urandom(16) + len(raw).to_bytes(4, "big") + raw + self._receiver
        padding = 32 - len(plain) % 32
        encryptor = _cipher(self._key, self._key[:16]).encryptor()
        data = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
        return base64.b64encode(data).decode()


def decrypt_feishu(encrypted: str, encrypt_key: str) -> str:
    """The text of Feishu's ``encrypt`` field: AES-256-CBC with the key's SHA-256, the IV in front.

    Raises:
        BadRequestError: (403) it was encrypted with another key.
    """
    raw = _unbase64(encrypted)
    key = hashlib.sha256(encrypt_key.encode()).digest()
    return _decrypt(key, raw[:16], raw[16:], 16).decode("utf-8", "replace")
