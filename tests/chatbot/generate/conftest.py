from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chatbot.generate.protocol import Generator

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
