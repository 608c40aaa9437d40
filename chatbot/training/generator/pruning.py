"""Which layers of a model change least, so that they can be left out (Men et al. 2024, «ShortGPT»)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from chatbot.errors import BadRequestError

__all__ = ["influence_of_layers", "least_needed"]


def influence_of_layers(model: Any, tokenizer: Any, texts: Sequence[str]) -> list[float]:
    """One less the mean cosine between what goes into each layer and what comes out of it.

    Args:
        model: of transformers, for causal language modelling.
        texts: what it will be asked; a dozen or two are enough.

    Raises:
        BadRequestError: no text.
    """
    import torch

    if not any(text.strip() for text in texts):
        raise BadRequestError("there is no text to measure the layers on; expected some prompts")
    device = next(model.parameters()).device
    sums: list[float] = []
    tokens = 0
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([tokenizer(text, add_special_tokens=False).input_ids], device=device)
            if not ids.numel():
                continue
            # of the last layer only what the final norm makes of it is given: it always stays
            states = model.model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[:-1]
            cosines = [
                float(torch.nn.functional.cosine_similarity(a[0].float(), b[0].float(), dim=-1).sum())
                for a, b in itertools.pairwise(states)
            ]
            sums = [s + c for s, c in zip(sums, cosines, strict=True)] if sums else cosines
            tokens += ids.shape[1]
    return [1.0 - total / tokens for total in sums] + [float("inf")]


def least_needed(influence: Sequence[float], count: int) -> list[int]:
    """Numbers of the ``count`` layers with the least influence, ascending.

    Raises:
        BadRequestError: not one layer more would be left.
    """
    if not 0 <= count < len(influence):
        raise BadRequestError(
            f"{count} of {len(influence)} layers cannot be left out; at least one must stay"
        )
    return sorted(sorted(range(len(influence)), key=lambda number: influence[number])[:count])
