"""What tests of several rooms need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chatbot.settings import load_settings


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The smallest chat model on disk, or the one ``KEFU_TEST_GGUF`` names."""
    named = os.environ.get("KEFU_TEST_GGUF")
    found = [Path(named)] if named else list(load_settings().models_dir.rglob("*instruct*.gguf"))
    if not found:
        pytest.skip("no GGUF chat model on disk; run `kefu models pull`")
    return min(found, key=lambda path: path.stat().st_size)
