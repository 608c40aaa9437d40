from __future__ import annotations

from types import SimpleNamespace
from typing import NoReturn

import pytest

from chatbot.errors import ModelError
from chatbot.models import room
from chatbot.training.tuned_intents import fit_tuned


def loaded() -> NoReturn:
    raise AssertionError("the encoder was loaded before there was known to be room")


def test_too_little_memory_is_said_before_the_encoder_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1 << 30))
    monkeypatch.setattr(room, "_CGROUPS", ())
    with pytest.raises(
        ModelError, match=r"tuning the encoder needs about 2\.0 GiB of memory, 1\.0 GiB are free"
    ):
        fit_tuned(["a", "a", "b", "b"], ["one", "two", "three", "four"], loaded, loaded)
