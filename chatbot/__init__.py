"""Kefu: answers customers from a curated knowledge base, in their own language."""

__version__ = "0.1.0"
