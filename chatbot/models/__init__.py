"""Models by name: what they are, fetching and checking them, finding them on disk."""

from chatbot.models.adapter import ADAPTER, check_adapter, shipped_adapter
from chatbot.models.catalogue import CATALOGUE, Model, ModelFile
from chatbot.models.choice import Choice, chosen_generator
from chatbot.models.disk import InstalledModel, ModelCheck, find_model, installed, model_folder, verify
from chatbot.models.fetch import PullState, pull
from chatbot.models.judge import JUDGE_BASE, probe_fingerprint, resolve_judge, shipped_probe
from chatbot.models.promoted import AdapterKind, promote, promoted, roll_back
from chatbot.models.resolve import resolve_embedder, resolve_generator, resolve_second

__all__ = [
    "ADAPTER",
    "CATALOGUE",
    "JUDGE_BASE",
    "AdapterKind",
    "Choice",
    "InstalledModel",
    "Model",
    "ModelCheck",
    "ModelFile",
    "PullState",
    "check_adapter",
    "chosen_generator",
    "find_model",
    "installed",
    "model_folder",
    "probe_fingerprint",
    "promote",
    "promoted",
    "pull",
    "resolve_embedder",
    "resolve_generator",
    "resolve_judge",
    "resolve_second",
    "roll_back",
    "shipped_adapter",
    "shipped_probe",
    "verify",
]
