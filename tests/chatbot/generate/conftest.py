from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbot.generate.protocol import Generator
from chatbot.settings import load_settings

from .contract import Make


@pytest.fixture(scope="class")
def build() -> Callable[[int, int, float], Generator]:
    """Builds one generator of the kind under test: ``(slots, queue, timeout_s)``."""
    raise NotImplementedError("each test class says what it builds")


@pytest.fixture(scope="class")
def make(build: Callable[[int, int, float], Generator]) -> Iterator[Make]:
    """One generator for each set of values, kept for the class."""
    made: dict[tuple[int, int, float], Generator] = {}

    def make_or_reuse(*, slots: int = 2, queue: int = 4, timeout_s: float = 120.0) -> Generator:
        key = (slots, queue, timeout_s)
        if key not in made:
            made[key] = build(*key)
        return made[key]

    yield make_or_reuse
    for generator in made.values():
        generator.close()


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The smallest chat model on disk, or the one ``KEFU_TEST_GGUF`` names."""
    named = os.environ.get("KEFU_TEST_GGUF")
    found = [Path(named)] if named else list(load_settings().models_dir.rglob("*instruct*.gguf"))
    if not found:
        pytest.skip("no GGUF chat model on disk; run `kefu models pull`")
    return min(found, key=lambda path: path.stat().st_size)
