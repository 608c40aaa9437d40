"""From settings to a generator."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from chatbot.errors import SettingsError
from chatbot.generate.protocol import Generator
from chatbot.settings import GeneratorSettings

__all__ = ["build_generator"]


class _Common(TypedDict):
    slots: int
    queue: int
    max_tokens: int
    timeout_s: float


def build_generator(
    settings: GeneratorSettings,
    model: Path | str,
    *,
    adapter: Path | None = None,
    state_folder: Path | None = None,
) -> Generator | None:
    """The generator the settings ask for; None for kind ``none``.

    Args:
        model: a GGUF file for ``llama_cpp``; a GGUF file, a folder or a hub id
            for ``transformers``; the server's model name for ``openai``.
        adapter: LoRA adapter in GGUF form, for ``llama_cpp``.
        state_folder: where warmed prompts are kept between starts.

    Raises:
        ModelError: the model cannot be loaded.
        SettingsError: a setting the kind needs is missing.
    """
    common = _Common(
        slots=settings.slots,
        queue=settings.queue,
        max_tokens=settings.max_tokens,
        timeout_s=settings.timeout_s,
    )
    match settings.kind:
        case "none":
            return None
        case "llama_cpp":
            from chatbot.generate.llama import LlamaGenerator

            return LlamaGenerator(
                Path(model),
                adapter=adapter,
                threads=settings.threads,
                context_tokens=settings.context_tokens,
                cache_mib=settings.cache_mib,
                state_folder=state_folder,
                **common,
            )
        case "transformers":
            from chatbot.generate.hf import TransformersGenerator

            return TransformersGenerator(
                str(model), threads=settings.threads, context_tokens=settings.context_tokens, **common
            )
        case "openai":
            if str(model) == "auto":
                raise SettingsError(
                    "KEFU_GENERATOR__MODEL is not set; expected the name by which the server at "
                    "KEFU_GENERATOR__URL knows its model"
                )
            from chatbot.generate.server import OpenAIGenerator

            return OpenAIGenerator(
                settings.url, str(model), api_key=settings.api_key.get_secret_value(), **common
            )
