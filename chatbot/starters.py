"""First questions to suggest: one from each of several categories, in one language."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge_base.entry import Entry

__all__ = ["SUGGESTED", "suggest"]

SUGGESTED = "suggested"
"""Tag that an operator gives to entries whose questions the page shall suggest first."""

_FIRST = ("shipping", "returns", "warranty", "invoices", "payment", "orders", "products", "membership")
"""Categories that customers ask about most come first; others follow by name."""


def suggest(entries: Iterable[Entry], language: str, limit: int = 4, longest: int = 60) -> list[str]:
    """Up to ``limit`` questions of entries in ``language``, each of another category where possible.

    Entries tagged :data:`SUGGESTED` go first.  Otherwise the shortest question
    of a category is taken, which tends to be its most general one.  Without
    entries in ``language`` nothing is suggested: a question in another language
    would be a surprise.
    """
    by_category: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.language == language and len(entry.question) <= longest:
            by_category.setdefault(entry.category, []).append(entry)
    place = {category: rank for rank, category in enumerate(_FIRST)}
    ranked: list[tuple[bool, int, int, str, str]] = []
    for category, members in by_category.items():
        members.sort(key=lambda entry: (SUGGESTED not in entry.tags, len(entry.question), entry.id))
        for depth, entry in enumerate(members):
            rank = place.get(category, len(place))
            ranked.append((SUGGESTED not in entry.tags, depth, rank, category, entry.question))
    questions = dict.fromkeys(question for *_, question in sorted(ranked))
    return list(questions)[:limit]
