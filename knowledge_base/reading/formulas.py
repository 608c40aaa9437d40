"""Cells that a spreadsheet would compute, made harmless and back."""

from __future__ import annotations

import re

__all__ = ["guarded", "unguarded"]

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """The cell as a spreadsheet shows it without computing: with a leading apostrophe."""
    return "'" + cell if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Takes off the apostrophe that :func:`guarded` put."""
    return cell[1:] if _GUARDED.match(cell) else cell
