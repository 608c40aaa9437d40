"""One run: from files of examples to an adapter that is served."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatbot.errors import BadRequestError, ModelError
from chatbot.models.adapter import ADAPTER, AdapterManifest
from chatbot.models.disk import sha256_of
from chatbot.prompt import FORMAT_VERSION
from chatbot.training.generator.adapter_file import write_adapter
from chatbot.training.generator.examples import (
    Material,
    answer_examples,
    fingerprint_of,
    read_lines,
    split_rows,
    translation_examples,
)
from chatbot.training.generator.lora import LoraSettings, Progress, train_adapter
from chatbot.training.generator.room import check_generator_memory, check_generator_room
from chatbot.training.precision import half_is_faster
from chatbot.training.runs import RUN

__all__ = ["Run", "load_trainable", "read_material", "train_generator"]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run as ``run.json`` keeps it."""

    name: str
    kind: str
    base: str
    base_sha256: str
    prompt_version: int
    data: str
    examples: dict[str, int]
    held_out_examples: int
    dropped: dict[str, int]
    """Examples that the guard would refuse, by its reasons."""
    settings: dict[str, Any]
    figures: dict[str, float]
    device: str
    began: float
    seconds: float


def read_material(
    translations: Sequence[Path], answers: Sequence[Path], language_of: Callable[[str], str], per_line: int
) -> tuple[Material, Material]:
    """Material to learn from and to hold out.

    Raises:
        BadRequestError: a file is not of the form expected.
    """
    learn = held_out = Material((), ())
    for path in translations:
        sides = split_rows(read_lines(path, ("from",)))
        learn += translation_examples(sides[0], language_of, per_line)
        held_out += translation_examples(sides[1], language_of, per_line)
    for path in answers:
        rows = read_lines(path, ("entry", "language", "question", "answer"))
        # That nothing is known is said by the decision before the generator, in the operator's words.
        sides = split_rows([(place, row) for place, row in rows if row.get("kind") != "missing"])
        learn += answer_examples(sides[0], language_of)
        held_out += answer_examples(sides[1], language_of)
    return learn, held_out


def train_generator(
    base: Path,
    base_name: str,
    learn: Material,
    held_out: Material,
    folder: Path,
    settings: LoraSettings | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
    taught: Mapping[str, Any] | None = None,
) -> Run:
    """Trains an adapter for a GGUF model and writes it with its manifest to ``folder``.

    Args:
        taught: where the words come from a larger model, what is to be remembered of that.

    Raises:
        BadRequestError: nothing to learn from, or the folder holds another run.
        ModelError: the model cannot be read, or memory or disk do not suffice.
    """
    chosen = settings or LoraSettings()
    began, start = time.time(), time.perf_counter()
    if not learn.examples:
        raise BadRequestError(
            "the files hold no example that can be learnt from; expected at least some dozens"
        )
    check_generator_room(base, folder, chosen)
    tokenizer, model, device, dtype = load_trainable(base)
    trained = train_adapter(model, tokenizer, learn.examples, held_out.examples, folder, chosen, report)
    data = fingerprint_of(learn.examples)
    figures = {
        "held_out_loss_before": round(trained.held_out_before, 4),
        "held_out_loss": round(trained.held_out_after, 4),
        "steps": trained.steps,
        "tokens": trained.tokens,
        "tokens_per_s": round(trained.tokens_per_s, 1),
    }
    sha256 = sha256_of(base)
    manifest = AdapterManifest(base_name, sha256, FORMAT_VERSION, data, folder.name, figures)
    write_adapter(
        folder / ADAPTER,
        trained.matrices,
        architecture=str(model.config.model_type),
        alpha=chosen.alpha,
        manifest=manifest,
    )
    run = Run(
        name=folder.name,
        kind="generator",
        base=base_name,
        base_sha256=sha256,
        prompt_version=FORMAT_VERSION,
        data=data,
        examples=dict(Counter(f"{e.kind} {e.language}" for e in learn.examples)),
        held_out_examples=len(held_out.examples),
        dropped=dict(Counter(reason.partition(":")[0] for d in learn.dropped for reason in d.reasons)),
        settings={**asdict(chosen), **(taught or {})},
        figures=figures,
        device=f"{device}, {dtype}",
        began=began,
        seconds=round(time.perf_counter() - start, 1),
    )
    (folder / RUN).write_text(json.dumps(asdict(run), ensure_ascii=False, indent=1), encoding="utf-8")
    return run


def load_trainable(base: Path) -> tuple[Any, Any, str, str]:
    """Tokenizer, model, and where and in what precision it computes.

    Raises:
        ModelError: the memory does not suffice, or the file cannot be read.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" or half_is_faster() else torch.float32
    name = str(dtype).removeprefix("torch.")
    check_generator_memory(base)
    source = {"pretrained_model_name_or_path": str(base.parent), "gguf_file": base.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**source)
        model = AutoModelForCausalLM.from_pretrained(
            **source, dtype=dtype, quantization_config=GgufConfig(dequantize=True)
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{base} cannot be read for training ({type(error).__name__}: {error})") from error
    return tokenizer, model.to(device), platform.machine() if device == "cpu" else device, name
