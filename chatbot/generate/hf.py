"""Any causal language model of the ``transformers`` library, in this process."""

from __future__ import annotations

import copy
import logging
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chatbot.errors import EngineError, ModelError
from chatbot.generate.cores import usable_cores
from chatbot.generate.gguf_file import check_gguf
from chatbot.generate.places import Abandoned, Places
from chatbot.generate.protocol import Finish, Generation, OnPiece
from chatbot.generate.run import Run, check_options
from chatbot.prompt import Prompt

__all__ = ["TransformersGenerator"]

logger = logging.getLogger(__name__)

KEPT_PREFIXES = 8
"""Warmed prompts whose attention state is kept."""


class TransformersGenerator:
    """Generates with ``AutoModelForCausalLM``, on a GPU if there is one.

    Args:
        model: folder, hub id, or path of a GGUF file (its weights are unpacked).
        threads: CPU threads of torch for the whole process; 0 means the cores
            this process may use.
        slots: generations at a time; ``queue`` more wait.
        context_tokens: longest prompt and answer together, in tokens.
        max_tokens: longest answer unless a call says otherwise.
        timeout_s: time limit of one call, waiting included.

    Raises:
        ModelError: the model is missing, damaged or no causal language model.
    """

    def __init__(
        self,
        model: str,
        *,
        threads: int = 0,
        slots: int = 2,
        queue: int = 16,
        context_tokens: int = 4096,
        max_tokens: int = 220,
        timeout_s: float = 30.0,
    ) -> None:
        import torch

        torch.set_num_threads(threads or usable_cores())
        self.model_id = Path(model).stem if model.endswith(".gguf") else model
        self._tokenizer, self._model = _load(model)
        self._context_tokens = context_tokens
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._places = Places(slots, queue)
        self._closing = threading.Event()
        self._kept: list[tuple[list[int], Any]] = []
        self._kept_lock = threading.Lock()

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        run = Run(on_piece, self._timeout_s, self._closing.is_set)
        tokens = self._tokens(prompt)
        limit = min(max_tokens or self._max_tokens, self._context_tokens - len(tokens))
        stream = _TextStream(self._tokenizer, run)
        cached = 0
        finish: Finish = "stop"
        try:
            with self._places.place(run.deadline, run.poll):
                cached, finish = self._write(tokens, limit, stream, run)
        except Abandoned:
            run.poll()
            finish = "cancelled"
        stream.flush()
        return run.result(
            finish, prompt_tokens=len(tokens), cached_tokens=cached, completion_tokens=stream.count
        )

    def _write(self, tokens: list[int], limit: int, stream: _TextStream, run: Run) -> tuple[int, Finish]:
        """One greedy generation; returns the tokens taken from a kept prefix and why it ended."""
        import torch

        cached, cache = self._nearest(tokens)
        ids = torch.tensor([tokens], device=self._model.device)
        kept = {"cache": cache} if cache is not None else {}
        try:
            with torch.inference_mode():
                made = self._model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=limit,
                    do_sample=False,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    streamer=stream,
                    stopping_criteria=[_stopper(run)],
                    pad_token_id=_end_tokens(self._model, self._tokenizer)[0],
                    **kept,
                )
        except (RuntimeError, ValueError, IndexError) as error:
            run.raise_failure()
            raise EngineError(f"transformers failed while generating: {type(error).__name__}") from error
        ended = int(made[0, -1]) in _end_tokens(self._model, self._tokenizer)
        return cached, "stop" if ended else "length"

    def choose(self, prompt: Prompt, options: Sequence[str]) -> list[float]:
        """See :class:`~chatbot.generate.protocol.Generator`; exact for every option."""
        import torch

        check_options(options)
        firsts = [self._tokenizer(option, add_special_tokens=False)["input_ids"][0] for option in options]
        if len(set(firsts)) != len(firsts):
            raise ValueError("two options begin with the same token of this model; word them differently")
        run = Run(None, self._timeout_s, self._closing.is_set)
        logits, _ = self._read(self._tokens(prompt), run, run.deadline)
        values = torch.log_softmax(logits.float(), dim=-1)
        return [float(values[first]) for first in firsts]

    def warm(self, prompt: Prompt) -> bool:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        tokens = self._tokens(prompt)
        _, cache = self._read(tokens, Run(None, math.inf, self._closing.is_set), math.inf)
        with self._kept_lock:
            self._kept = [kept for kept in self._kept if kept[0] != tokens]
            if len(self._kept) >= KEPT_PREFIXES:
                return False
            self._kept.append((tokens, cache))
            return True

    def close(self) -> None:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        self._closing.set()
        if self._places.close():
            self._model = None
            self._kept.clear()

    def _read(self, tokens: list[int], run: Run, deadline: float) -> tuple[Any, Any]:
        """Logits after the prompt, shape (vocabulary,), and the attention state of the prompt."""
        import torch

        try:
            with self._places.place(deadline, run.poll), torch.inference_mode():
                cached, cache = self._nearest(tokens)
                ids = torch.tensor([tokens[cached:]], device=self._model.device)
                out = self._model(ids, cache=cache, use_cache=True, logits_to_keep=1)
                return out.logits[0, -1], out.cache
        except Abandoned:
            raise EngineError("the generator was closed while it read a prompt") from None
        except (RuntimeError, ValueError, IndexError) as error:
            raise EngineError(f"transformers failed while reading: {type(error).__name__}") from error

    def _nearest(self, tokens: list[int]) -> tuple[int, Any]:
        """The kept state that shares most tokens with a prompt, cut to what they share."""
        with self._kept_lock:
            kept = list(self._kept)
        length, size, best = 0, 0, None
        for other, cache in kept:
            shared = _shared(other, tokens[:-1])
            if shared > length and hasattr(cache, "crop"):
                length, size, best = shared, len(other), cache
        if best is None:
            return 0, None
        own = copy.deepcopy(best)
        own.crop(length - size)
        return length, own

    def _tokens(self, prompt: Prompt) -> list[int]:
        if self._closing.is_set():
            raise EngineError("the generator is closed; build a new one")
        messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
        text = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(tokens) >= self._context_tokens:
            raise EngineError(
                f"the prompt has {len(tokens)} tokens, the context holds {self._context_tokens}; "
                "raise KEFU_GENERATOR__CONTEXT_TOKENS or shorten the entry"
            )
        return tokens


class _TextStream:
    """Turns tokens into pieces of text; holds back what ends in half a character.

    ``generate`` calls ``put`` first with the prompt, then with each new token.
    """

    def __init__(self, tokenizer: Any, run: Run) -> None:
        self.count = 0
        self._tokenizer = tokenizer
        self._run = run
        self._tokens: list[int] = []
        self._given = ""
        self._prompt = True

    def put(self, tokens: Any) -> None:
        """Takes the prompt (once), then one token at a time."""
        if self._prompt:
            self._prompt = False
            return
        self._tokens += tokens.reshape(-1).tolist()
        self.count = len(self._tokens)
        text = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            self._give(text)

    def end(self) -> None:
        """Called by ``generate`` when it is done."""

    def flush(self) -> None:
        """Gives what was held back, without half characters."""
        if self._run.stopped is None:
            text = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
            self._give(text.rstrip("\N{REPLACEMENT CHARACTER}"))

    def _give(self, text: str) -> None:
        piece, self._given = text[len(self._given) :], text
        if piece:
            self._run.piece(piece)


def _stopper(run: Run) -> Any:
    import torch
    from transformers import StoppingCriteria

    class Stopper(StoppingCriteria):  # type: ignore[misc,unused-ignore]
        def __call__(self, input_ids: Any, *_: Any, **__: Any) -> Any:
            return torch.full((input_ids.shape[0],), run.poll(), dtype=torch.bool, device=input_ids.device)

    return Stopper()


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    return list(ends) if isinstance(ends, list) else [0 if ends is None else int(ends)]


def _load(model: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place, extra = model, {}
    if model.endswith(".gguf"):
        check_gguf(Path(model))
        place, extra = str(Path(model).parent), {"gguf_file": Path(model).name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **extra)
        network = AutoModelForCausalLM.from_pretrained(place, dtype="auto", device_map=_device(), **extra)
    except Exception as error:  # the library raises many kinds; all mean that this model cannot be used
        raise ModelError(
            f"transformers cannot load {model!r} ({type(error).__name__}: {str(error)[:200]}); expected a "
            "folder, hub id or GGUF file of a causal language model"
        ) from error
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(f"{model!r} has no chat template; expected an instruction-tuned model")
    return tokenizer, network.eval()


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
