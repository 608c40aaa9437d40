"""How much of the bare training step's speed a whole fine-tuning run keeps."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chatbot.language import dominant_language
from chatbot.models import resolve_generator
from chatbot.models.choice import SMALL
from chatbot.settings import Settings
from chatbot.training.generator.examples import Example, answer_examples, read_lines
from chatbot.training.generator.lora import LoraSettings, loss_of, train_adapter, with_adapters
from chatbot.training.generator.packing import pack, tensors
from chatbot.training.generator.run import load_trainable

__all__ = ["training_paces"]

_PACKS = 8
_DATA = Path(__file__).parent.parent / "data"


def training_paces(settings: Settings) -> tuple[float, float]:
    """Tokens a second of a run with the smaller model, checkpoints and held-out loss left out, and of the bare step.

    The bare step is forward, loss, backward and optimiser over the same packs with the same adapters,
    without the trainer around it.

    Raises:
        ModelError: the model is missing, or the memory does not suffice.
    """
    base = Path(resolve_generator(SMALL, settings.models_dir))
    rows = read_lines(_DATA / "wording" / "answers.jsonl", ("entry", "question"))
    examples = answer_examples(
        [row for row in rows if row[1].get("answer")],
        lambda text: dominant_language(text, settings.languages) or "",
    ).examples
    chosen = LoraSettings(epochs=1, checks=1)
    tokenizer, model, _, _ = load_trainable(base)
    learn = _as_many_as_fill(examples, tokenizer, chosen.pack_tokens)
    bare = _bare_pace(model, tokenizer, learn, chosen)
    with tempfile.TemporaryDirectory() as folder:
        trained = train_adapter(model, tokenizer, learn, learn[:1], Path(folder), chosen)
    return trained.tokens_per_s, bare


def _as_many_as_fill(examples: Sequence[Example], tokenizer: Any, pack_tokens: int) -> list[Example]:
    counts = range(8, len(examples), 4)
    enough = (n for n in counts if len(pack(examples[:n], tokenizer, pack_tokens)) >= _PACKS)
    return list(examples[: next(enough, len(examples))])


def _bare_pace(model: Any, tokenizer: Any, learn: Sequence[Example], chosen: LoraSettings) -> float:
    import torch

    packs = pack(learn, tokenizer, chosen.pack_tokens)
    adapted = with_adapters(model, chosen)
    adapted.train()
    parameters = [p for p in adapted.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=chosen.rate)
    dtype = next(model.parameters()).dtype
    start = time.perf_counter()
    for at in range(0, len(packs), chosen.packs):
        optimiser.zero_grad()
        for packed in packs[at : at + chosen.packs]:
            (loss_of(adapted, tensors(packed, dtype)) / chosen.packs).backward()
        optimiser.step()
    seconds = time.perf_counter() - start
    adapted.unload()
    return sum(len(packed.tokens) for packed in packs) / seconds
