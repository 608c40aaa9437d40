from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatbot.errors import EngineError, ModelError
from chatbot.generate.llama import LlamaGenerator
from chatbot.generate.protocol import Generator
from chatbot.prompt import ChatMessage, Prompt, answer_prompt, judge_prompt

from .contract import PROMPT, GeneratorContract

pytestmark = pytest.mark.models

RETURNS = (
    "How long can I return a product?",
    "You can return any product within 30 days of delivery. Opened earphones are taken back only if the "
    "hygiene seal is unbroken. The refund is paid within 5 working days after the parcel arrives.",
)
DELIVERY = (
    "What does delivery cost?",
    "Standard delivery takes 3 to 5 working days inside the country and costs 4.90 euros. Orders above "
    "50 euros are delivered free of charge. Islands take 2 days more.",
)


class TestLlamaGenerator(GeneratorContract):
    limit_s = 6.0

    @pytest.fixture(scope="class")
    def build(self, gguf: Path) -> Callable[[int, int, float], Generator]:
        return lambda slots, queue, timeout_s: LlamaGenerator(
            gguf, slots=slots, queue=queue, timeout_s=timeout_s, context_tokens=1024
        )


@pytest.fixture(scope="module")
def generator(gguf: Path) -> Iterator[LlamaGenerator]:
    made = LlamaGenerator(gguf, slots=2, timeout_s=200.0, context_tokens=1024)
    yield made
    made.close()


def test_fixed_start_is_read_once_for_all_slots(generator: LlamaGenerator) -> None:
    generator.warm(answer_prompt(*RETURNS, "", "en"))
    with ThreadPoolExecutor(2) as pool:
        made = list(
            pool.map(
                lambda question: generator.generate(answer_prompt(*DELIVERY, question, "en"), max_tokens=3),
                ["Is delivery to the islands free?", "How long does it take?"],
            )
        )
    assert all(g.cached_tokens > 200 for g in made)


def test_entry_asked_before_is_not_read_again(generator: LlamaGenerator) -> None:
    options = ["Yes", "No"]
    for entry in (RETURNS, DELIVERY, RETURNS, DELIVERY):
        generator.choose(judge_prompt(*entry, "Can I pay by card?"), options)
        generator.generate(Prompt((ChatMessage("user", "Hello! " * 60),)), max_tokens=1)
    made = generator.generate(judge_prompt(*RETURNS, "May I send it back?"), max_tokens=1)
    assert made.prompt_tokens - made.cached_tokens < 20


def test_second_turn_on_a_judged_prompt_reads_the_new_part_only(generator: LlamaGenerator) -> None:
    judged = judge_prompt(*RETURNS, "May I send back opened earphones?")
    generator.choose(judged, ["Yes", "No"])
    generator.choose(judge_prompt(*DELIVERY, "May I send back opened earphones?"), ["Yes", "No"])
    follow = (ChatMessage("assistant", "Yes"), ChatMessage("user", "Answer in one sentence."))
    made = generator.generate(Prompt(judged.messages + follow), max_tokens=2)
    assert made.prompt_tokens - made.cached_tokens < 20


def test_same_text_with_and_without_kept_prefixes(generator: LlamaGenerator, gguf: Path) -> None:
    prompt = answer_prompt(*RETURNS, "When do I get my money back?", "en")
    plain = LlamaGenerator(gguf, slots=1, cache_mib=0, timeout_s=200.0, context_tokens=1024)
    expected = plain.generate(prompt, max_tokens=30).text
    plain.close()
    generator.warm(answer_prompt("x", "y", "z", "en"))
    assert generator.generate(prompt, max_tokens=30).text == expected


def test_choose_agrees_with_what_is_written(generator: LlamaGenerator) -> None:
    prompt = Prompt((ChatMessage("user", "Reply with the single word Yes."),))
    yes, no = generator.choose(prompt, ["Yes", "No"])
    assert yes > no
    assert generator.generate(prompt, max_tokens=2).text.startswith("Yes")
    shi, fou = generator.choose(Prompt((ChatMessage("user", "只回答一个字：是"),)), ["是", "否"])
    assert math.exp(shi) > math.exp(fou)


def test_prompt_longer_than_a_slot_names_both_lengths(generator: LlamaGenerator) -> None:
    with pytest.raises(EngineError, match=r"prompt has \d+ tokens, a slot holds 1024") as caught:
        generator.generate(Prompt((ChatMessage("user", "parcel " * 2000),)))
    assert "parcel" not in str(caught.value)


def test_warmed_prompt_is_there_after_a_restart(gguf: Path, tmp_path: Path) -> None:
    for start in range(2):
        made = LlamaGenerator(gguf, slots=1, timeout_s=200.0, context_tokens=1024, state_folder=tmp_path)
        made.warm(judge_prompt(*RETURNS, ""))
        if start:
            generation = made.generate(judge_prompt(*RETURNS, "May I?"), max_tokens=1)
            assert generation.prompt_tokens - generation.cached_tokens < 20
        made.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_state_of_a_slot_that_is_rubbish_costs_only_time(gguf: Path) -> None:
    made = LlamaGenerator(gguf, slots=1, timeout_s=200.0, context_tokens=1024)
    expected = made.generate(PROMPT, max_tokens=5).text
    rubbish = os.memfd_create("rubbish")
    os.write(rubbish, os.urandom(4096))
    made._cache.adopt(b"\x02user\x03" + b"x" * 100, rubbish)
    made.generate(Prompt((ChatMessage("user", "x" * 100),)), max_tokens=1)
    assert made.generate(PROMPT, max_tokens=5).text == expected
    made.close()


def test_engine_listens_to_nobody_else(generator: LlamaGenerator) -> None:
    import httpx

    address = generator._server.listening_address
    assert address.startswith("http://127.0.0.1:")
    body = {"messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(f"{address}/v1/chat/completions", json=body, trust_env=False)
    assert answer.status_code == 401


def test_cut_off_model_is_refused_before_it_is_mapped(gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    with gguf.open("rb") as file:
        path.write_bytes(file.read(20_000_000))
    with pytest.raises(ModelError, match="cut off"):
        LlamaGenerator(path)


def test_model_of_an_unknown_kind_is_an_error_and_no_crash(tmp_path: Path) -> None:
    import numpy as np
    from gguf import GGUFWriter

    path = tmp_path / "unknown.gguf"
    writer = GGUFWriter(path, "no-such-architecture")
    writer.add_tensor("t", np.ones((4, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match="cannot load"):
        LlamaGenerator(path)


def test_engine_prints_nothing(gguf: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from chatbot.generate.llama import LlamaGenerator\n"
        "from chatbot.prompt import ChatMessage, Prompt\n"
        "g = LlamaGenerator(Path(sys.argv[1]), context_tokens=512, timeout_s=100)\n"
        "g.generate(Prompt((ChatMessage('user', 'hi'),)), max_tokens=2); g.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(gguf)], capture_output=True, text=True, timeout=250
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
