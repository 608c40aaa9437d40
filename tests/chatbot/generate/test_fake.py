from __future__ import annotations

from collections.abc import Callable

import pytest

from chatbot.generate.protocol import Generator
from tests.fakes import FakeGenerator

from .contract import GeneratorContract


class TestFakeGenerator(GeneratorContract):
    @pytest.fixture(scope="class")
    def build(self) -> Callable[[int, int, float], Generator]:
        return lambda slots, queue, timeout_s: FakeGenerator(slots=slots, queue=queue, timeout_s=timeout_s)
