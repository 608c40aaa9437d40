"""Errors of the knowledge base; :class:`KefuError` is the root of every error of the project."""

from __future__ import annotations


class KefuError(Exception):
    """Root of all errors that Kefu raises on purpose.

    The text says what was found, what was expected and what to do.
    """


class KnowledgeError(KefuError):
    """An entry, a file or an index of the knowledge base cannot be used."""


class ReadError(KnowledgeError):
    """A file could not be read into entries; names file, place and remedy."""


class IndexMismatchError(KnowledgeError):
    """The index on disk does not belong to this embedder or knowledge revision."""
