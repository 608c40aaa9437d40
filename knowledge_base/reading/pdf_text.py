"""Takes the text out of a PDF, as a program of its own: ``python pdf_text.py MB SECONDS PAGES < FILE``.

A PDF may unpack to any size and loop in any way, so it is read in a process that
the system stops at a limit.  Writes one JSON object: ``lines``, or ``kind`` and
``found`` of what is wrong.  Imports nothing of the project, so it starts at once.
"""

from __future__ import annotations

import io
import json
import logging
import resource
import signal
import sys
import time
from typing import Any

PAGE_SECONDS = 4.0
"""Processor time for opening the file, and for each page; a sound page takes a tenth of a second."""
MAX_CHARACTERS = 20 * 2**20


class _Slow(Exception):
    """A step takes longer than any sound one."""


def _too_slow(_signal: int, _frame: Any) -> None:
    raise _Slow


def extract(data: bytes, seconds: float, most_pages: int) -> dict[str, Any]:
    """The text of a PDF, or what is wrong with it.

    Args:
        data: the file.
        seconds: time for all pages.
        most_pages: pages that are read at most.

    Returns:
        ``{"lines": [...]}``, or ``{"kind": "encrypted" | "damaged" | "pages" | "slow" | "large", "found": ...}``.
    """
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    lines: list[str] = []
    size = 0
    deadline = time.monotonic() + seconds
    try:
        signal.setitimer(signal.ITIMER_PROF, PAGE_SECONDS)
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            return {"kind": "encrypted", "found": ""}
        pages = len(reader.pages)
        if pages > most_pages:
            return {"kind": "pages", "found": pages}
        for number in range(pages):
            signal.setitimer(signal.ITIMER_PROF, PAGE_SECONDS)
            text = reader.pages[number].extract_text()
            size += len(text)
            lines.extend(text.splitlines())
            if size > MAX_CHARACTERS:
                return {"kind": "large", "found": number + 1}
            if time.monotonic() > deadline:
                raise _Slow
    except _Slow:
        return {"kind": "slow", "found": ""}
    except MemoryError:
        lines.clear()
        return {"kind": "large", "found": ""}
    except Exception as error:
        encrypted = type(error).__name__ == "FileNotDecryptedError"
        return {"kind": "encrypted" if encrypted else "damaged", "found": type(error).__name__}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"lines": lines}


def main() -> None:
    """Reads the file from the standard input, within the limits."""
    signal.signal(signal.SIGPROF, _too_slow)
    megabytes, seconds, pages = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    import pypdf  # noqa: F401 - what it takes itself is not the file's

    data = sys.stdin.buffer.read()
    limit = _taken_bytes() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    json.dump(extract(data, seconds, pages), sys.stdout)


def _taken_bytes() -> int:
    """Address space of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
