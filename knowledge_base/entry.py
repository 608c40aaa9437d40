"""What the knowledge base is made of: entries, and the hits a search gives.

Nothing here knows of conversations, databases or models.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry", "Hit"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One curated question and answer in one language.

    Entries that say the same in several languages share ``group``.
    """

    id: str
    """Stable and unique, e.g. ``returns-window.zh``."""
    group: str
    """The meaning this entry words, e.g. ``returns-window``."""
    language: str
    """Primary BCP-47 subtag, lower case: ``zh``, ``en``, ``ja`` …"""
    question: str
    answer: str
    variants: tuple[str, ...] = ()
    """Other wordings of the question."""
    category: str = ""
    tags: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    """Product codes this entry is about."""
    verbatim: bool = False
    """True: the answer must be given word for word; False: it may be composed."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry found for a question."""

    entry: Entry
    score: float
    """Fused and calibrated, 0…1: how likely this is the entry that is asked for."""
    dense: float
    """Best cosine similarity of the question to the entry's question, variants or answer."""
    question_similarity: float
    """Best cosine similarity to the entry's question or one of its variants."""
    lexical: float
    """0…1: share of the question's informative words found in the entry (idf-weighted)."""
    answer_similarity: float = 0.0
    """Cosine similarity to the entry's answer; that to its questions where it has no answer."""
    exact: bool = False
    """The normalised text equals the entry's question or one of its variants."""
