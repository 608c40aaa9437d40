from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatbot.errors import EngineError, ModelError
from chatbot.generate.hf import TransformersGenerator, _TextStream
from chatbot.generate.protocol import Generator
from chatbot.generate.run import Run
from chatbot.prompt import ChatMessage, Prompt

from .contract import PROMPT, GeneratorContract, Pieces

TEMPLATE = (
    "{% for m in messages %}<|im_start|> {{ m.role }} {{ m.content }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)
WORDS = [
    "Yes",
    "No",
    "A",
    "B",
    "C",
    "是",
    "否",
    "returns",
    "are",
    "days",
    "退货",
    "ÆØ",
    "user",
    "system",
    ".",
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model of two tiny random layers whose tokens are words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("tiny")
    vocabulary = {word: i for i, word in enumerate(["<unk>", "<|im_start|>", "<|im_end|>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(path)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(path)
    return path


class TestTransformersGenerator(GeneratorContract):
    limit_s = 4.0

    @pytest.fixture(scope="class")
    def build(self, folder: Path) -> Callable[[int, int, float], Generator]:
        return lambda slots, queue, timeout_s: TransformersGenerator(
            str(folder), threads=1, slots=slots, queue=queue, timeout_s=timeout_s, context_tokens=256
        )


@pytest.fixture(scope="module")
def generator(folder: Path) -> TransformersGenerator:
    return TransformersGenerator(str(folder), threads=1, context_tokens=256)


def test_warmed_start_is_not_read_again(generator: TransformersGenerator) -> None:
    other = Prompt((PROMPT.messages[0], ChatMessage("user", "days days days")))
    before = generator.generate(other, max_tokens=6)
    generator.warm(PROMPT)
    after = generator.generate(other, max_tokens=6)
    assert before.cached_tokens == 0
    assert after.cached_tokens > 8
    assert after.text == before.text


def test_prompt_longer_than_the_context_names_both(generator: TransformersGenerator) -> None:
    with pytest.raises(EngineError, match="the context holds 256"):
        generator.generate(Prompt((ChatMessage("user", "days " * 300),)))


def test_options_with_the_same_first_token_are_refused(generator: TransformersGenerator) -> None:
    with pytest.raises(ValueError, match="same token"):
        generator.choose(PROMPT, ["Yes days", "Yes are"])


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load"):
        TransformersGenerator(str(tmp_path))


def test_damaged_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"bad\.gguf"):
        TransformersGenerator(str(path))


class ByteTokenizer:
    """Tokens are bytes of UTF-8."""

    def decode(self, tokens: list[int], **_: Any) -> str:
        return bytes(tokens).decode(errors="replace")


class Token:
    def __init__(self, *values: int) -> None:
        self.values = values

    def reshape(self, _: int) -> Token:
        return self

    def tolist(self) -> list[int]:
        return list(self.values)


def test_characters_of_several_tokens_come_whole() -> None:
    pieces = Pieces()
    stream = _TextStream(ByteTokenizer(), Run(pieces))
    stream.put(Token(1, 2, 3))
    for value in "您好 🙂!".encode() + "🙂".encode()[:3]:
        stream.put(Token(value))
    stream.flush()
    assert pieces == ["您", "好", " ", "🙂", "!"]
