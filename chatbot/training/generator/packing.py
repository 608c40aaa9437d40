"""Several examples behind one common beginning, in one pass.

Nine tenths of a prompt are the same for hundreds of examples.  A pack holds that
beginning once and the examples as branches behind it: each sees the beginning
and itself, at the positions it would have alone, so the loss is the same as that
of the examples by themselves for a fraction of the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.errors import BadRequestError
from chatbot.prompt import ChatMessage
from chatbot.training.generator.examples import Example

__all__ = ["IGNORED", "Pack", "pack", "tensors"]

IGNORED = -100
"""Label of a token that is not learnt."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Examples behind one beginning; all lists have a place for each token."""

    examples: tuple[str, ...]
    """Ids of what is in it."""
    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    branches: tuple[int, ...]
    """0 for the beginning, then each example's number."""
    labels: tuple[int, ...]
    """The token that is to be said next, or :data:`IGNORED`."""

    @property
    def learnt(self) -> int:
        """How many tokens are learnt."""
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True, slots=True)
class _Branch:
    id: str
    tokens: list[int]
    learnt: list[bool]


def pack(examples: Iterable[Example], tokenizer: Any, most_tokens: int = 768) -> list[Pack]:
    """Packs of at most ``most_tokens`` each; an example that is longer has one by itself.

    Args:
        tokenizer: with a chat template; the one of the model.

    Raises:
        BadRequestError: the template does not put one message behind the other.
    """
    by_prefix: dict[tuple[ChatMessage, ...], list[Example]] = {}
    for example in examples:
        by_prefix.setdefault(example.prefix, []).append(example)
    packs: list[Pack] = []
    for prefix, group in by_prefix.items():
        head = _render(tokenizer, prefix)
        start: list[int] = _ids(tokenizer, head)
        held: list[_Branch] = []
        size = len(start)
        for example in group:
            branch = _branch(tokenizer, example, head)
            if held and size + len(branch.tokens) > most_tokens:
                packs.append(_joined(start, held))
                held, size = [], len(start)
            held.append(branch)
            size += len(branch.tokens)
        if held:
            packs.append(_joined(start, held))
    return packs


def tensors(packed: Pack, dtype: Any) -> dict[str, Any]:
    """A model's input: ids, positions and labels (1, t), additive mask (1, 1, t, t)."""
    import torch

    of = torch.tensor(packed.branches)
    allowed = torch.ones(len(of), len(of), dtype=torch.bool).tril()
    allowed &= (of[:, None] == of[None, :]) | (of[None, :] == 0)
    mask = torch.zeros(len(of), len(of), dtype=dtype).masked_fill(~allowed, torch.finfo(dtype).min)
    return {
        "input_ids": torch.tensor(packed.tokens)[None],
        "position_ids": torch.tensor(packed.positions)[None],
        "attention_mask": mask[None, None],
        "labels": torch.tensor(packed.labels)[None],
    }


def _branch(tokenizer: Any, example: Example, head: str) -> _Branch:
    messages = list(example.prefix)
    tokens: list[int] = []
    learnt: list[bool] = []
    before = head
    for turn in example.turns:
        messages.append(ChatMessage("user", turn.said))
        asked = _render(tokenizer, messages, asking=True)
        messages.append(ChatMessage("assistant", turn.made))
        told = _render(tokenizer, messages)
        if not (asked.startswith(before) and told.startswith(asked)):
            raise BadRequestError(
                "the model's chat template changes earlier messages when one is added; expected one that "
                "puts each message behind the last, as those of instruction models do"
            )
        for text, learn in ((asked[len(before) :], False), (told[len(asked) :], True)):
            ids = _ids(tokenizer, text)
            tokens += ids
            learnt += [learn] * len(ids)
        before = told
    return _Branch(example.id, tokens, learnt)


def _joined(start: Sequence[int], branches: Sequence[_Branch]) -> Pack:
    tokens, positions, of = list(start), list(range(len(start))), [0] * len(start)
    labels = [IGNORED] * len(start)
    for number, branch in enumerate(branches, 1):
        tokens += branch.tokens
        positions += range(len(start), len(start) + len(branch.tokens))
        of += [number] * len(branch.tokens)
        following = zip(branch.tokens[1:], branch.learnt[1:], strict=True)
        labels += [*(token if learn else IGNORED for token, learn in following), IGNORED]
    return Pack(tuple(b.id for b in branches), tuple(tokens), tuple(positions), tuple(of), tuple(labels))


def _render(tokenizer: Any, messages: Sequence[ChatMessage], asking: bool = False) -> str:
    rows = [{"role": message.role, "content": message.content} for message in messages]
    text: str = tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=asking)
    return text


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False).input_ids)
