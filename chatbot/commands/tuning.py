"""The tuning of the encoder on labels, as two commands ask for it."""

from __future__ import annotations

import sys
from functools import partial

from chatbot.assembly import beside_second, build_encoder
from chatbot.settings import Settings
from chatbot.training.encoder import EncoderSettings
from chatbot.training.intents import Fit
from chatbot.training.tuned_intents import fit_tuned

__all__ = ["tuned_fit"]


def tuned_fit(settings: Settings, *, epochs: int = 3, rate: float = 5e-4) -> Fit:
    """Tunes the encoder that the settings name and fits on its vectors; progress goes to the error stream."""
    return partial(
        fit_tuned,
        fresh=lambda: build_encoder(settings),
        joined=lambda encoder: beside_second(settings, encoder),
        settings=EncoderSettings(epochs=epochs, rate=rate),
        report=lambda line: print(line, file=sys.stderr, flush=True),
    )
