"""A model of the default's architecture, small enough to train in seconds, with a tokenizer of its own."""

from __future__ import annotations

from typing import Any

import pytest

from chatbot.prompt import ChatMessage
from chatbot.training.generator.examples import Example, Turn

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Bytes as tokens, with the marks of a chat."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=inner)
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = TEMPLATE
    return made


@pytest.fixture
def model(tokenizer: Any) -> Any:
    """Two layers of random weights, the same ones each time."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    return Qwen2ForCausalLM(config).eval()


def example(number: int, *turns: tuple[str, str], system: str = "Say it again.") -> Example:
    return Example(
        f"t.jsonl:{number}",
        "answer",
        "en",
        (ChatMessage("system", system),),
        tuple(Turn(*turn) for turn in turns),
    )


@pytest.fixture
def examples() -> list[Example]:
    return [
        example(n, (f"say {word}", word), *(((f"and {word}", word[::-1]),) if n % 2 else ()))
        for n, word in enumerate(["red", "green", "blue", "grey", "pink", "gold", "teal", "plum"])
    ]
