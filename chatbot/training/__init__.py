"""Training and measuring: intents, the answer judge, whole answers."""

from pathlib import Path

__all__ = ["DATA"]

DATA = Path(__file__).resolve().parent / "data"
"""Folder of the examples that come along."""
