"""The layers that change least are those that can be left out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chatbot.errors import BadRequestError
from chatbot.training.generator.pruning import influence_of_layers, least_needed


@torch.no_grad()
def test_a_layer_that_passes_on_what_it_gets_has_no_influence(tokenizer: Any) -> None:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(1)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.3,
        )
    ).eval()
    idle = model.model.layers[1]
    idle.self_attn.o_proj.weight.zero_()
    idle.mlp.down_proj.weight.zero_()
    influence = influence_of_layers(model, tokenizer, ["hello there", "and again", ""])
    assert influence[1] == pytest.approx(0.0, abs=1e-5)
    assert min(influence[0], influence[2]) > 0.01
    assert influence[3] == float("inf"), "the last layer always stays"
    assert least_needed(influence, 1) == [1]
    assert least_needed(influence, 0) == []
    assert 3 not in least_needed(influence, 3)


@pytest.mark.parametrize("count", [-1, 3, 9])
def test_a_layer_must_be_left(count: int) -> None:
    with pytest.raises(BadRequestError, match="at least one must stay"):
        least_needed([0.1, 0.2, float("inf")], count)


def test_without_a_text_nothing_can_be_told(model: Any, tokenizer: Any) -> None:
    with pytest.raises(BadRequestError, match="expected some prompts"):
        influence_of_layers(model, tokenizer, ["", " "])
