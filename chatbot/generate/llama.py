"""llama.cpp in this process, through the ``xllamacpp`` package."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import secrets
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from chatbot.errors import EngineError, ModelError
from chatbot.generate.cores import usable_cores
from chatbot.generate.gguf_file import check_gguf
from chatbot.generate.mapped import release_mapped
from chatbot.generate.places import Abandoned, Places
from chatbot.generate.prefix import PrefixCache, prompt_bytes
from chatbot.generate.protocol import Generation, OnPiece
from chatbot.generate.run import Run, check_options, option_logprobs
from chatbot.generate.states import StateFiles
from chatbot.generate.vocabulary import LazyVocabulary
from chatbot.prompt import Prompt

__all__ = ["LlamaGenerator"]

logger = logging.getLogger(__name__)

BATCH = 64
"""Prompt tokens read in one step: between steps others get their token and a stop is noticed."""
TOP = 1000
"""Tokens whose probability is asked for in ``choose``; costs a millisecond."""
STATE_FOLDER = "/proc/self/fd/"
"""Where the engine finds the files it moves slot states to: our open, nameless ones."""


class LlamaGenerator:
    """Generates with a GGUF model on the CPU, with the file's own chat template.

    Args:
        path: a GGUF file.
        adapter: LoRA adapter in GGUF form, made for this model.
        threads: CPU threads; 0 means the cores this process may use.
        slots: generations at a time; ``queue`` more wait.
        context_tokens: context of one slot, in tokens.
        max_tokens: longest answer unless a call says otherwise.
        timeout_s: time limit of one call, waiting included.
        cache_mib: memory for kept prompt prefixes.
        state_folder: where the prefixes read by ``warm`` are kept for the next
            start; None keeps them in memory only.

    Raises:
        ModelError: the file is missing, damaged or of a kind the engine cannot load.
    """

    def __init__(
        self,
        path: Path,
        *,
        adapter: Path | None = None,
        threads: int = 0,
        slots: int = 2,
        queue: int = 16,
        context_tokens: int = 4096,
        max_tokens: int = 220,
        timeout_s: float = 30.0,
        cache_mib: int = 384,
        state_folder: Path | None = None,
    ) -> None:
        check_gguf(path)
        if adapter is not None:
            check_gguf(adapter)
        self.model_id = path.stem if adapter is None else f"{path.stem}+{adapter.stem}"
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._places = Places(slots, queue)
        self._closing = threading.Event()
        key = secrets.token_hex(32)
        movable = sys.platform == "linux" and cache_mib > 0
        params = _params(path, adapter, threads or usable_cores(), slots, context_tokens, key)
        params.cache_ram_mib = 0 if movable else cache_mib
        params.slot_save_path = STATE_FOLDER if movable else ""
        self._server: Any = _load(params, path)
        release_mapped(path)
        self._vocabulary = LazyVocabulary(path)
        self._http = httpx.Client(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60.0,
            trust_env=False,
        )
        self._cache = PrefixCache(slots, cache_mib << 20, self if movable else None)
        self._states = (
            StateFiles(state_folder, _identity(path, adapter)) if movable and state_folder else None
        )

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        run = Run(on_piece, self._timeout_s, self._closing.is_set)
        try:
            request: dict[str, Any] = {"max_tokens": max_tokens or self._max_tokens}
            if prompt.language and (foreign := self._vocabulary().foreign(prompt.language)):
                request["logit_bias"] = foreign
            answer = self._ask(prompt, run, request)
        except Abandoned:
            run.poll()
            return run.result("cancelled")
        return run.result(
            "length" if answer.finish == "length" else "stop",
            prompt_tokens=answer.prompt_tokens,
            cached_tokens=answer.cached_tokens,
            completion_tokens=answer.completion_tokens,
        )

    def choose(self, prompt: Prompt, options: Sequence[str]) -> list[float]:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        check_options(options)
        run = Run(None, self._timeout_s, self._closing.is_set)
        try:
            answer = self._ask(prompt, run, {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP})
        except Abandoned:
            raise EngineError("the generator was closed while it judged") from None
        if not answer.top:
            run.result("timeout" if run.stopped == "timeout" else "cancelled")
            raise EngineError("the engine gave no probabilities; it was stopped while it read the prompt")
        return option_logprobs(answer.top, options)

    def warm(self, prompt: Prompt) -> bool:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        self._vocabulary()
        key = prompt_bytes(prompt)
        if self._states is not None and key not in self._cache.kept_prompts:
            file = self._states.load(key)
            if file is not None:
                self._cache.adopt(key, file)
        run = Run(None, math.inf, self._closing.is_set)
        try:
            return self._ask(prompt, run, {"max_tokens": 1}, pin=True).kept
        except Abandoned:
            raise EngineError("the generator was closed while it read a prompt") from None

    def close(self) -> None:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        self._closing.set()
        if self._places.close():
            self._http.close()
            self._cache.close()
            self._server = None

    def save(self, slot: int, file: int) -> bool:
        """Writes the state of an idle slot to an open file (for the prefix cache)."""
        return self._move(slot, "save", file)

    def restore(self, slot: int, file: int) -> bool:
        """Reads the state of an idle slot from an open file (for the prefix cache)."""
        return self._move(slot, "restore", file)

    def _move(self, slot: int, action: str, file: int) -> bool:
        try:
            answer = self._http.post(
                f"/slots/{slot}", params={"action": action}, json={"filename": str(file)}
            )
        except httpx.HTTPError as error:
            logger.warning("the engine could not %s a prompt prefix: %s", action, type(error).__name__)
            return False
        if answer.status_code != httpx.codes.OK:
            logger.warning("the engine could not %s a prompt prefix: status %d", action, answer.status_code)
        return answer.status_code == httpx.codes.OK

    def _ask(self, prompt: Prompt, run: Run, request: dict[str, Any], *, pin: bool = False) -> _Answer:
        key = prompt_bytes(prompt)
        answer = _Answer(run)
        with self._places.place(run.deadline, run.poll), self._cache.slot(key) as slot:
            self._server.handle_chat_completions(
                {
                    "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
                    "temperature": 0,
                    "stream": True,
                    "return_progress": True,
                    "stream_options": {"include_usage": True},
                    "id_slot": slot,
                    "cache_prompt": True,
                    "chat_template_kwargs": {"enable_thinking": False},
                    **request,
                },
                answer.take,
            )
            if pin and answer.complete:
                answer.kept = self._cache.pin(slot, key)
                if self._states is not None and answer.cached_tokens < answer.prompt_tokens - 1:
                    self._states.store(key, lambda file: self.save(slot, file))
        answer.raise_error()
        return answer


class _Answer:
    """Takes the engine's chunks, from its thread."""

    def __init__(self, run: Run) -> None:
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.completion_tokens = 0
        self.finish = ""
        self.complete = False
        self.kept = False
        self.top: list[tuple[bytes, float]] = []
        self._run = run
        self._error: dict[str, Any] | None = None

    def take(self, chunk: dict[str, Any]) -> bool:
        """One chunk of the stream; True stops the engine."""
        if "error" in chunk:
            self._error = chunk["error"]
            return True
        self._count(chunk)
        stop = False
        for choice in chunk.get("choices", ()):
            self.finish = choice.get("finish_reason") or self.finish
            if not self.top and choice.get("logprobs"):
                self.top = [
                    (bytes(token["bytes"]), float(token["logprob"]))
                    for token in choice["logprobs"]["content"][0]["top_logprobs"]
                ]
            text = choice.get("delta", {}).get("content") or ""
            stop = (self._run.piece(text) if text else self._run.poll()) or stop
        return stop

    def _count(self, chunk: dict[str, Any]) -> None:
        if progress := chunk.get("prompt_progress"):
            self.prompt_tokens, self.cached_tokens = progress["total"], progress["cache"]
        if timings := chunk.get("timings"):
            self.complete = True
            self.completion_tokens = timings["predicted_n"]
            self.cached_tokens = timings["cache_n"]
            self.prompt_tokens = timings["cache_n"] + timings["prompt_n"]
        elif any(choice.get("delta", {}).get("content") for choice in chunk.get("choices", ())):
            self.completion_tokens += 1

    def raise_error(self) -> None:
        """Raises EngineError if the engine reported one; its text carries no customer's words."""
        self._run.raise_failure()
        if self._error is None:
            return
        kind = self._error.get("type", "unknown")
        if kind == "exceed_context_size_error":
            raise EngineError(
                f"the prompt has {self._error.get('n_prompt_tokens')} tokens, a slot holds "
                f"{self._error.get('n_ctx')}; raise KEFU_GENERATOR__CONTEXT_TOKENS or shorten the entry"
            )
        raise EngineError(f"llama.cpp failed: {kind}, code {self._error.get('code')}")


def _params(path: Path, adapter: Path | None, threads: int, slots: int, context_tokens: int, key: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    if adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    params.n_ctx = context_tokens * slots
    params.n_parallel = slots
    params.n_batch = params.n_ubatch = BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.fit_params = False
    params.warmup = True
    params.verbosity = -1
    params.force_pure_content_parser = True
    params.hostnames = ["127.0.0.1"]
    params.api_keys = [key]  # the engine listens on a port of this machine; only we may use it
    params.ui = False
    params.endpoint_slots = False
    return params


def _load(params: Any, path: Path) -> Any:
    import xllamacpp

    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(
            f"llama.cpp cannot load {path} ({error}); expected a GGUF model of a supported architecture "
            "and enough free memory for it"
        ) from error


def _identity(path: Path, adapter: Path | None) -> str:
    """What a kept state depends on: the engine's version and the model's files."""
    import xllamacpp

    parts = [xllamacpp.__version__]
    for file in (path, adapter):
        if file is not None:
            stat = os.stat(file)
            parts.append(f"{file.resolve()}:{stat.st_size}:{stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
