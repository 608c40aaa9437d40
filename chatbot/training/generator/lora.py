"""Low-rank adapters (Hu et al. 2021) for the generator, on the CPU or a GPU, with the same call.

The loss counts what is to be said only.  A run can be killed at any time: it
goes on from its last checkpoint.  It ends early when the held-out loss no
longer falls; the best adapter is kept.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import BadRequestError
from chatbot.training.generator.adapter_file import tensor_name
from chatbot.training.generator.examples import Example
from chatbot.training.generator.packing import IGNORED, Pack, pack, tensors
from chatbot.training.runs import METRICS

__all__ = ["LoraSettings", "Progress", "Trained", "loss_of", "train_adapter", "with_adapters"]

Floats = NDArray[np.float32]
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
KEPT_CHECKPOINTS = 2
"""On disk at a time: the last one and the best; while one is written there is one more."""


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """How an adapter is trained."""

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Matrices of every layer that are adapted."""
    dropout: float = 0.05
    epochs: int = 2
    rate: float = 3e-4
    """Highest learning rate; it warms up over a twentieth of the steps and falls along a cosine."""
    pack_tokens: int = 768
    """Most tokens read at once."""
    packs: int = 2
    """Packs a step."""
    checks: int = 6
    """How often in all the held-out loss is looked at and a checkpoint written."""
    patience: int = 2
    """Checks without a lower held-out loss after which the run ends."""
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is."""

    step: int
    steps: int
    loss: float | None
    held_out_loss: float | None
    tokens_per_s: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out."""

    matrices: dict[str, tuple[Floats, Floats]]
    """By GGUF tensor name: down (rank, in) and up (out, rank)."""
    held_out_before: float
    """Mean loss of a held-out token without the adapter."""
    held_out_after: float
    steps: int
    tokens: int
    """Read in training, repeated beginnings not counted."""
    tokens_per_s: float


def train_adapter(
    model: Any,
    tokenizer: Any,
    learn: Sequence[Example],
    held_out: Sequence[Example],
    folder: Path,
    settings: LoraSettings,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Trained:
    """Trains an adapter for ``model``; goes on where a run in ``folder`` stopped.

    Args:
        model: of transformers, for causal language modelling, with its weights.
        folder: of the run; checkpoints, metrics and TensorBoard's logs are written below it.

    Raises:
        BadRequestError: there is nothing to learn from, or the run there was begun with other settings.
    """
    import torch
    from peft.utils import get_peft_model_state_dict
    from torch.utils.tensorboard import SummaryWriter
    from transformers import EarlyStoppingCallback, Trainer, TrainingArguments
    from transformers.integrations import TensorBoardCallback
    from transformers.trainer_callback import PrinterCallback
    from transformers.trainer_utils import get_last_checkpoint

    if not learn or not held_out:
        raise BadRequestError(
            f"{len(learn)} examples to learn and {len(held_out)} to hold out; expected some of both: add data"
        )
    packs = pack(learn, tokenizer, settings.pack_tokens)
    checks = pack(held_out, tokenizer, settings.pack_tokens)
    _same_run(folder, settings, packs)
    torch.manual_seed(settings.seed)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    before = _mean_loss(model, checks)
    adapted = with_adapters(model, settings)
    steps = max(1, math.ceil(len(packs) / settings.packs) * settings.epochs)
    every = max(1, steps // settings.checks)
    arguments = TrainingArguments(
        output_dir=str(folder / CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=settings.packs,
        learning_rate=settings.rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, steps // 20),
        weight_decay=0.01,
        max_grad_norm=1.0,
        logging_steps=1,
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=every,
        save_steps=every,
        save_total_limit=KEPT_CHECKPOINTS,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        report_to="none",
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        label_names=["labels"],
        prediction_loss_only=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    dtype = next(model.parameters()).dtype
    watch = _watch(folder, steps, sum(len(p.tokens) for p in packs) / len(packs) * settings.packs, report)

    class _Trainer(Trainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            loss = loss_of(model, inputs)
            return (loss, {}) if return_outputs else loss

    trainer = _Trainer(
        model=adapted,
        args=arguments,
        train_dataset=packs,
        eval_dataset=checks,
        data_collator=lambda batch: tensors(batch[0], dtype),
        callbacks=[
            watch,
            TensorBoardCallback(SummaryWriter(str(folder / TENSORBOARD))),
            EarlyStoppingCallback(early_stopping_patience=settings.patience),
        ],
    )
    trainer.remove_callback(PrinterCallback)  # standard output is for the result
    trainer.model_accepts_loss_kwargs = (
        False  # our loss is a mean; the trainer divides by the packs of a step
    )
    done = get_last_checkpoint(str(folder / CHECKPOINTS)) if (folder / CHECKPOINTS).is_dir() else None
    trainer.train(resume_from_checkpoint=done)
    adapted.eval()
    after = _mean_loss(adapted, checks)
    state = {name: value.float().cpu().numpy() for name, value in get_peft_model_state_dict(adapted).items()}
    return Trained(
        _matrices(state), before, after, int(trainer.state.global_step), watch.tokens, watch.tokens_per_s
    )


def with_adapters(model: Any, settings: LoraSettings) -> Any:
    """The model of peft around ``model``, with fresh adapters."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(
        model,
        LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=list(settings.targets),
            task_type="CAUSAL_LM",
        ),
    )


def loss_of(model: Any, inputs: dict[str, Any]) -> Any:
    """Mean loss of the tokens to be said; the vocabulary's scores are computed for these only."""
    import torch

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    states = inner.model(
        input_ids=inputs["input_ids"],
        position_ids=inputs["position_ids"],
        attention_mask=inputs["attention_mask"],
        use_cache=False,
    ).last_hidden_state
    labels = inputs["labels"]
    kept = labels != IGNORED
    scores = inner.lm_head(states[kept]).float()
    return torch.nn.functional.cross_entropy(scores, labels[kept])


def _mean_loss(model: Any, packs: Sequence[Pack]) -> float:
    """Mean over all tokens to be said of all packs."""
    import torch

    parameter = next(model.parameters())
    total = 0.0
    with torch.no_grad():
        for packed in packs:
            inputs = {
                name: value.to(parameter.device) for name, value in tensors(packed, parameter.dtype).items()
            }
            total += float(loss_of(model, inputs)) * packed.learnt
    return total / sum(packed.learnt for packed in packs)


def _matrices(state: dict[str, Floats]) -> dict[str, tuple[Floats, Floats]]:
    found = {}
    for name, down in state.items():
        if name.endswith(".lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            found[tensor_name(module)] = (down, state[f"{module}.lora_B.weight"])
    return found


def _same_run(folder: Path, settings: LoraSettings, packs: Sequence[Pack]) -> None:
    """A run is gone on with only by the settings and the data it was begun with."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = sum(sum(p.tokens) for p in packs)
    told = json.dumps({**asdict(settings), "packs_read": len(packs), "tokens_sum": tokens}, sort_keys=True)
    path = folder / "begun.json"
    if path.is_file() and (folder / CHECKPOINTS).is_dir() and path.read_text(encoding="utf-8") != told:
        raise BadRequestError(
            f"{folder} holds a run with other data or settings; give this run another name, or delete the folder"
        )
    path.write_text(told, encoding="utf-8")


def _watch(folder: Path, steps: int, tokens_a_step: float, report: Callable[[Progress], None]) -> Any:
    """A callback that counts, tells where the run is and writes the curve."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.tokens = 0
            self.tokens_per_s = 0.0
            self._spent = 0.0
            self._began = 0.0
            self._first = 0
            self._held_out: float | None = None

        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            self._first = state.global_step

        def on_step_begin(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
            self._began = time.perf_counter()

        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            self._spent += time.perf_counter() - self._began
            done = state.global_step - self._first
            self.tokens = round(done * tokens_a_step)
            self.tokens_per_s = self.tokens / self._spent

        def on_log(self, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
            logs = logs or {}
            self._held_out = logs.get("eval_loss", self._held_out)
            if "loss" not in logs and "eval_loss" not in logs:
                return
            done = max(1, state.global_step - self._first)
            progress = Progress(
                step=state.global_step,
                steps=steps,
                loss=logs.get("loss"),
                held_out_loss=logs.get("eval_loss"),
                tokens_per_s=round(self.tokens_per_s, 1),
                seconds_left=round(self._spent / done * (steps - state.global_step), 1),
            )
            with (folder / METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"at": time.time(), **asdict(progress)}) + "\n")
            report(progress)

    return Watch()
