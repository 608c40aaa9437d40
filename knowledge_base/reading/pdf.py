"""PDF documents, by the text they carry."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading import pdf_text
from knowledge_base.reading.language import LanguageRule
from knowledge_base.reading.limits import read_bytes
from knowledge_base.reading.plain import blocks_of_lines
from knowledge_base.reading.sections import entries_of_blocks

__all__ = ["read_pdf"]

_MAX_PAGES = 2_000
_SECONDS = 60.0
"""Time for all pages; a sound manual of some hundred pages takes less."""
_MEMORY_MB = 150
"""Memory that reading may take beyond the program itself, in MB."""


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
    found = _extracted(data, path)
    match found.get("kind"):
        case None:
            lines: list[str] = found["lines"]
            return lines
        case "encrypted":
            raise ReadError(f"{path}: found an encrypted PDF, expected one without password; save it without")
        case "pages":
            raise ReadError(
                f"{path}: found {found['found']} pages, expected at most {_MAX_PAGES}; split the file"
            )
        case "slow":
            raise ReadError(
                f"{path}: reading took too long, expected text that reads faster; "
                "export the text or split the file"
            )
        case "large":
            raise ReadError(
                f"{path}: found more inside than the {_MEMORY_MB} MB that a PDF may unpack to; "
                "export the text or split the file"
            )
        case _:
            raise ReadError(f"{path}: the PDF is damaged ({found['found']}); export it again")


def _extracted(data: bytes, path: Path) -> dict[str, Any]:
    """What :mod:`~knowledge_base.reading.pdf_text` says, in a process with limits of its own."""
    limits = (str(_MEMORY_MB), str(_SECONDS), str(_MAX_PAGES))
    try:
        done = subprocess.run(
            [sys.executable, "-I", pdf_text.__file__, *limits],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS + 10,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"kind": "slow"}
    except ValueError:  # it was stopped in the middle, mostly for want of memory
        return {"kind": "large"}
    except OSError as error:
        raise ReadError(
            f"{path}: no process could be started to read it ({error.strerror}); try again"
        ) from error
    return found
