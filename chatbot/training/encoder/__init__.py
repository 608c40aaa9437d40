"""Fine-tuning the sentence encoder: on labels, and on texts that mean the same."""

from chatbot.training.encoder.classes import tune_on_labels
from chatbot.training.encoder.lowrank import EncoderProgress, EncoderSettings, check_encoder_memory
from chatbot.training.encoder.meanings import (
    Meaning,
    Other,
    anchors_found,
    fingerprint_of,
    meanings_of_entries,
    meanings_of_lines,
    split_by_topic,
    tune_on_meanings,
)

__all__ = [
    "EncoderProgress",
    "EncoderSettings",
    "Meaning",
    "Other",
    "anchors_found",
    "check_encoder_memory",
    "fingerprint_of",
    "meanings_of_entries",
    "meanings_of_lines",
    "split_by_topic",
    "tune_on_labels",
    "tune_on_meanings",
]
