"""What every generator must do; each implementation's test class inherits it."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from chatbot.errors import BusyError, EngineError
from chatbot.generate.protocol import Generator
from chatbot.prompt import ChatMessage, Prompt

PROMPT = Prompt(
    (
        ChatMessage("system", "You answer customers of a shop."),
        ChatMessage(
            "user", "Text: Returns are accepted within 30 days. 退货 🙂\n\nCustomer: How long may I wait?"
        ),
    )
)


class Make(Protocol):
    """Builds a generator, or hands out one built with the same values before."""

    def __call__(self, *, slots: int = 2, queue: int = 4, timeout_s: float = 120.0) -> Generator: ...


class Pieces(list[str]):
    """An ``on_piece`` that keeps all and stops nothing."""

    def __call__(self, piece: str) -> bool:
        self.append(piece)
        return False


class Hold:
    """An ``on_piece`` that keeps its generation running until it is let go."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.go = threading.Event()

    def __call__(self, piece: str) -> bool:
        if piece:
            self.running.set()
            self.go.wait(60)
            return True
        return False


def hold_place(generator: Generator, pool: ThreadPoolExecutor) -> Hold:
    hold = Hold()
    pool.submit(generator.generate, PROMPT, on_piece=hold)
    assert hold.running.wait(60)
    return hold


class GeneratorContract:
    """Needs a fixture ``build``, see conftest."""

    limit_s = 1.5
    """A time limit in which the implementation surely gets its first piece out."""

    def test_pieces_join_to_the_text(self, make: Make) -> None:
        pieces = Pieces()
        made = make().generate(PROMPT, max_tokens=12, on_piece=pieces)
        assert made.text
        assert "".join(pieces) == made.text
        assert made.finish in {"stop", "length"}
        assert 0 < made.completion_tokens <= 12
        assert made.prompt_tokens > made.cached_tokens >= 0
        assert 0 < made.first_token_ms <= made.total_ms

    def test_pieces_are_whole_characters(self, make: Make) -> None:
        pieces = Pieces()
        make().generate(PROMPT, max_tokens=12, on_piece=pieces)
        assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)

    def test_same_prompt_gives_same_text(self, make: Make) -> None:
        first, second = (make().generate(PROMPT, max_tokens=8).text for _ in range(2))
        assert first == second

    def test_stops_at_max_tokens(self, make: Make) -> None:
        made = make().generate(PROMPT, max_tokens=2)
        assert made.finish == "length"
        assert made.completion_tokens == 2

    def test_stops_when_the_listener_says_so(self, make: Make) -> None:
        pieces: list[str] = []

        def stop_at_first(piece: str) -> bool:
            pieces.append(piece)
            return bool(piece)

        made = make().generate(PROMPT, max_tokens=50, on_piece=stop_at_first)
        assert made.finish == "cancelled"
        assert made.text == "".join(pieces) != ""
        assert sum(map(bool, pieces)) == 1

    def test_stops_before_any_text(self, make: Make) -> None:
        made = make().generate(PROMPT, on_piece=lambda _: True)
        assert made.finish == "cancelled"

    def test_error_of_the_listener_comes_out_and_frees_the_place(self, make: Make) -> None:
        generator = make(slots=1, queue=0)

        def fail(_: str) -> bool:
            raise LookupError("listener")

        for _ in range(3):
            with pytest.raises(LookupError, match="listener"):
                generator.generate(PROMPT, on_piece=fail)
        assert generator.generate(PROMPT, max_tokens=1).text

    def test_cancelled_calls_leave_no_place_taken(self, make: Make) -> None:
        generator = make(slots=2, queue=4)

        def call(number: int) -> str:
            return generator.generate(PROMPT, on_piece=lambda piece: bool(number % 2 or piece)).finish

        with ThreadPoolExecutor(2) as pool:
            assert set(pool.map(call, range(200))) == {"cancelled"}
        assert generator.generate(PROMPT, max_tokens=2).finish == "length"

    def test_busy_when_the_queue_is_full(self, make: Make) -> None:
        generator = make(slots=1, queue=0)
        with ThreadPoolExecutor(1) as pool:
            hold = hold_place(generator, pool)
            for call in (lambda: generator.generate(PROMPT), lambda: generator.choose(PROMPT, ["Yes", "No"])):
                with pytest.raises(BusyError) as caught:
                    call()
                assert caught.value.retry_after >= 1
            hold.go.set()
        assert generator.generate(PROMPT, max_tokens=1).text

    def test_waiting_call_is_served_when_a_place_is_free(self, make: Make) -> None:
        generator = make(slots=1, queue=2)
        with ThreadPoolExecutor(2) as pool:
            hold = hold_place(generator, pool)
            waiting = pool.submit(generator.generate, PROMPT, max_tokens=1)
            time.sleep(0.3)
            assert not waiting.done()
            hold.go.set()
            assert waiting.result(60).text

    def test_waiting_call_can_be_cancelled(self, make: Make) -> None:
        generator = make(slots=1, queue=2)
        with ThreadPoolExecutor(1) as pool:
            hold = hold_place(generator, pool)
            made = generator.generate(PROMPT, on_piece=lambda _: True)
            assert made.finish == "cancelled"
            assert made.text == ""
            hold.go.set()

    def test_time_limit_counts_waiting(self, make: Make) -> None:
        generator = make(slots=1, queue=2, timeout_s=self.limit_s)
        with ThreadPoolExecutor(1) as pool:
            hold = hold_place(generator, pool)
            with pytest.raises(EngineError, match="time limit"):
                generator.generate(PROMPT)
            hold.go.set()

    def test_time_limit_keeps_the_text_made_so_far(self, make: Make) -> None:
        generator = make(slots=1, queue=2, timeout_s=self.limit_s)

        def slow(piece: str) -> bool:
            if piece:
                time.sleep(self.limit_s + 0.1)
            return False

        made = generator.generate(PROMPT, on_piece=slow)
        assert made.finish == "timeout"
        assert made.text

    @pytest.mark.parametrize("options", [["Yes", "No"], ["是", "否"], ["A", "B", "C"]])
    def test_choose_gives_log_probabilities(self, make: Make, options: list[str]) -> None:
        values = make().choose(PROMPT, options)
        assert len(values) == len(options)
        assert all(math.isfinite(value) and value <= 0 for value in values)
        assert sum(map(math.exp, values)) <= 1.0001

    def test_choose_knows_what_comes_next(self, make: Make) -> None:
        """The first piece of the greedy text is the likeliest of all options."""
        generator = make()
        first = next(iter(generator.generate(PROMPT, max_tokens=1).text.split()))
        values = generator.choose(PROMPT, ["ÆØ", first])
        assert values[1] > values[0]

    @pytest.mark.parametrize("options", [[], ["Yes", ""], ["Yes", "Yes"]])
    def test_choose_refuses_what_is_no_choice(self, make: Make, options: list[str]) -> None:
        with pytest.raises(ValueError):
            make().choose(PROMPT, options)

    def test_warm_changes_no_text(self, make: Make) -> None:
        generator = make()
        before = generator.generate(PROMPT, max_tokens=6).text
        generator.warm(PROMPT)
        assert generator.generate(PROMPT, max_tokens=6).text == before

    def test_closed_generator_says_so(self, make: Make) -> None:
        generator = make(slots=1, queue=1, timeout_s=5.0)
        generator.close()
        for call in (lambda: generator.generate(PROMPT), lambda: generator.choose(PROMPT, ["Yes", "No"])):
            with pytest.raises(EngineError, match="closed"):
                call()
