"""First questions to suggest: one from each of several categories, in one language."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge_base.entry import Entry

__all__ = ["suggest"]

_FIRST = ("shipping", "returns", "orders", "payment", "warranty", "invoices", "products", "membership")
"""Categories that customers ask about most come first; others follow by name."""


def suggest(entries: Iterable[Entry], language: str, limit: int = 4, longest: int = 60) -> list[str]:
    """Up to ``limit`` questions of entries in ``language``, each of another category where possible.

    Within a category the first entry by file order whose question has at most
    ``longest`` characters is taken.  Without entries in ``language`` nothing is
    suggested: a question in another language would be a surprise.
    """
    by_category: dict[str, list[str]] = {}
    for entry in entries:
        if entry.language == language and len(entry.question) <= longest:
            by_category.setdefault(entry.category, []).append(entry.question)
    rank = {category: place for place, category in enumerate(_FIRST)}
    order = sorted(by_category, key=lambda category: (rank.get(category, len(rank)), category))
    chosen: list[str] = []
    depth = 0
    while len(chosen) < limit and any(depth < len(by_category[category]) for category in order):
        for category in order:
            questions = by_category[category]
            if depth < len(questions) and len(chosen) < limit and questions[depth] not in chosen:
                chosen.append(questions[depth])
        depth += 1
    return chosen
