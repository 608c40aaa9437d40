"""PDF documents, by the text they carry."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path

import pypdf
from pypdf.errors import FileNotDecryptedError

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import read_bytes
from knowledge_base.reading.plain import blocks_of_lines
from knowledge_base.reading.sections import entries_of_blocks

__all__ = ["read_pdf"]

_MAX_PAGES = 2_000
_SECONDS = 60.0
"""Time for all pages; a sound manual of some hundred pages takes less."""

logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def read_pdf(path: Path, rule: LanguageRule) -> list[Entry]:
    """Text of a PDF as entries: Q:/A: pairs, or lines that ask with the text below.

    Raises:
        ReadError: no PDF, damaged, encrypted, scanned (without text) or too large.
    """
    data = read_bytes(path)
    if b"%PDF-" not in data[:1024]:
        raise ReadError(f"{path}: found no PDF (its first bytes differ), expected one; export it again")
    lines = _lines(data, path)
    if not any(line.strip() for line in lines):
        raise ReadError(
            f"{path}: found pages without text (scans perhaps), expected text; run text recognition"
        )
    return entries_of_blocks(blocks_of_lines(lines), path, rule)


def _lines(data: bytes, path: Path) -> list[str]:
    lines: list[str] = []
    started = time.monotonic()
    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise FileNotDecryptedError("it asks for a password")
        pages = len(reader.pages)
        if pages > _MAX_PAGES:
            raise ReadError(f"{path}: found {pages} pages, expected at most {_MAX_PAGES}; split the file")
        for number, page in enumerate(reader.pages, 1):
            lines.extend(page.extract_text().splitlines())
            if time.monotonic() - started > _SECONDS:
                raise ReadError(
                    f"{path}, page {number}: reading took more than {_SECONDS:.0f} s, expected text that "
                    "reads faster; export the text or split the file"
                )
    except ReadError:
        raise
    except FileNotDecryptedError as error:
        raise ReadError(
            f"{path}: found an encrypted PDF, expected one without password; save it without"
        ) from error
    except Exception as error:
        raise ReadError(f"{path}: the PDF is damaged ({type(error).__name__}); export it again") from error
    return lines
