"""Which generator this machine can carry, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass

from chatbot.models.catalogue import CATALOGUE
from chatbot.models.room import whole_memory

__all__ = ["AUTO", "Choice", "choose_generator", "chosen_generator", "cores", "usable_memory"]

AUTO = "auto"
"""Value of ``KEFU_GENERATOR__MODEL`` that asks for :func:`choose_generator`."""

LARGE, SMALL = "qwen2.5-coder-1.5b-instruct-q4", "qwen2.5-coder-0.5b-instruct-q4"
_REST_BYTES = 1_500_000_000
"""Python, encoders, index, answer judge and kept prefixes."""
_SYSTEM_BYTES = 700_000_000
_BESIDE = 1.15
"""Of a model's file, with its working memory."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model of the catalogue, or none, and the reason in a sentence."""

    model: str
    """Empty: none fits."""
    why: str


def choose_generator(memory_bytes: int, core_count: int) -> Choice:
    """The largest model that fits, where it also keeps customers from waiting.

    Args:
        memory_bytes: that can be used.
        core_count: that can be used.
    """
    told = f"{memory_bytes / 1e9:.1f} GB of memory can be used"
    large, small = (_need(name) for name in (LARGE, SMALL))
    if memory_bytes < small:
        return Choice(
            "",
            f"{told}, and even the smaller model needs {small / 1e9:.1f} GB: answers are given word for word from "
            "the knowledge base",
        )
    if memory_bytes < large:
        return Choice(SMALL, f"{told}, the larger model needs {large / 1e9:.1f} GB")
    if core_count < 2:
        return Choice(SMALL, f"{told}, but a single core would word too slowly with the larger model")
    return Choice(LARGE, f"{told} on {core_count} cores, enough for the larger model ({large / 1e9:.1f} GB)")


def chosen_generator(setting: str) -> Choice:
    """What ``KEFU_GENERATOR__MODEL`` names, with :data:`AUTO` decided by this machine."""
    if setting != AUTO:
        return Choice(setting, "it is set")
    return choose_generator(usable_memory(), cores())


def usable_memory() -> int:
    """Bytes that this installation can count on: all, without the system's own share.

    Not what happens to be free now: the choice must be the same at every start.
    """
    return max(0, whole_memory() - _SYSTEM_BYTES)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _need(model: str) -> int:
    return int(CATALOGUE[model].files[0].bytes * _BESIDE) + _REST_BYTES
