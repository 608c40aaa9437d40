"""A pack says the same as its examples by themselves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chatbot.errors import BadRequestError
from chatbot.prompt import ChatMessage, answer_prompt, translation_prompt
from chatbot.training.generator.examples import Example, Turn
from chatbot.training.generator.lora import _mean_loss, loss_of
from chatbot.training.generator.packing import IGNORED, pack, tensors
from tests.chatbot.training.generator.conftest import TEMPLATE, example


def test_the_loss_of_a_pack_is_that_of_its_examples_alone(
    tokenizer: Any, model: Any, examples: list[Example]
) -> None:
    together = pack(examples, tokenizer, 4096)
    alone = [packed for each in examples for packed in pack([each], tokenizer)]
    assert len(together) == 1
    assert sum(packed.learnt for packed in alone) == together[0].learnt
    assert len(together[0].tokens) < sum(len(packed.tokens) for packed in alone)
    assert _mean_loss(model, together) == pytest.approx(_mean_loss(model, alone), abs=1e-5)


def test_only_what_is_to_be_said_is_learnt_its_end_included(tokenizer: Any) -> None:
    (packed,) = pack([example(1, ("say red", "red"), ("and blue", "blue"))], tokenizer)
    learnt = [label for label in packed.labels if label != IGNORED]
    assert tokenizer.decode(learnt) == "red<|im_end|>\nblue<|im_end|>\n"


def test_packs_are_no_longer_than_asked_and_nothing_is_lost(tokenizer: Any, examples: list[Example]) -> None:
    packs = pack(examples, tokenizer, 200)
    assert len(packs) > 1
    assert all(len(packed.tokens) <= 200 for packed in packs)
    assert sorted(id_ for packed in packs for id_ in packed.examples) == sorted(e.id for e in examples)


def test_an_example_longer_than_a_pack_has_one_of_its_own(tokenizer: Any) -> None:
    packs = pack([example(1, ("x" * 500, "y")), example(2, ("a", "b"))], tokenizer, 100)
    assert [packed.examples for packed in packs] == [("t.jsonl:1",), ("t.jsonl:2",)]


def test_examples_with_other_beginnings_are_not_mixed(tokenizer: Any) -> None:
    packs = pack([example(1, ("a", "b")), example(2, ("a", "b"), system="Other.")], tokenizer)
    assert len(packs) == 2


def test_the_tokens_are_those_of_the_prompts_that_serve(tokenizer: Any) -> None:
    asked = translation_prompt("Second.", "en", "de", [("First.", "Erstens.")])
    first = translation_prompt("First.", "en", "de")
    made = Example(
        "f:1",
        "translation",
        "de",
        first.messages[:-1],
        (Turn("First.", "Erstens."), Turn("Second.", "Zweitens.")),
    )
    (packed,) = pack([made], tokenizer)
    rows = [{"role": m.role, "content": m.content} for m in asked.messages]
    served = tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(packed.tokens).startswith(served + "Zweitens.<|im_end|>")
    answer = answer_prompt("Q?", "A.", "why", "en")
    assert answer.messages[:-1] == answer_prompt("Other?", "B.", "who", "fr").messages[:-1], (
        "one beginning for all"
    )


def test_a_template_that_rewrites_the_past_is_refused(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "chat_template", "{{ messages | length }}" + TEMPLATE)
    with pytest.raises(BadRequestError, match="chat template"):
        pack([example(1, ("a", "b"))], tokenizer)


def test_a_later_branch_sees_nothing_of_an_earlier_one(tokenizer: Any, model: Any) -> None:
    first, second = example(1, ("say red", "red")), example(2, ("say blue", "blue"))
    changed = example(1, ("say RED", "red"))
    losses = []
    for one in (first, changed):
        packed = pack([one, second], tokenizer)[0]
        inputs = tensors(packed, torch.float32)
        branch = torch.tensor(packed.branches)[None]
        inputs["labels"] = torch.where(branch == 2, inputs["labels"], torch.tensor(IGNORED))
        losses.append(float(loss_of(model, inputs).detach()))
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_a_message_of_the_prompt_is_what_it_says() -> None:
    assert ChatMessage("user", "x").content == "x"
