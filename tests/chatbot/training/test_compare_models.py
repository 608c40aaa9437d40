"""Models side by side: what is timed, what is counted, and what the page shows."""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from chatbot.generate import Generation, OnPiece
from chatbot.prompt import Prompt
from chatbot.training.compare_models import Answered, ModelFigures, PeakMemory, figures_of, pace_of, page
from chatbot.training.evaluate import AnswerCase, AnswerReport
from chatbot.training.report import write_report


@dataclass
class Timed:
    """Says a sentence of as many tokens as it is told, in known times."""

    tokens: int = 11
    model_id: str = "timed"
    asked: list[Prompt] = field(default_factory=list)

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        del max_tokens, on_piece
        self.asked.append(prompt)
        first = 5000.0 if len(self.asked) == 1 else 100.0
        return Generation("words", "stop", 30, 0, self.tokens, first, first + 500.0)


def case(source: str, language: str) -> AnswerCase:
    knowledge = ({"question": "Q?", "answer": "It takes five days. It is free.", "language": source},)
    return AnswerCase("when?", language, knowledge, (), (), False)


def test_the_pace_is_that_of_warm_sentences_in_another_language() -> None:
    engine = Timed()
    pace = pace_of(engine, [case("en", "en"), case("en", "de"), case("en", "fr"), case("en", "es")])  # type: ignore[arg-type]
    assert pace.first_token_ms == 100.0, "the first call only warms up"
    assert pace.tokens_per_s == 20.0, "ten tokens after the first in half a second"
    assert [prompt.language for prompt in engine.asked] == ["de", "fr", "es"]
    assert all(p.messages[-1].content == "It takes five days." for p in engine.asked)


@pytest.mark.parametrize("cases", [[], [case("en", "en")], [case("en", "de")]])
def test_without_sentences_to_time_there_is_no_pace(cases: list[AnswerCase]) -> None:
    assert pace_of(Timed(), cases).tokens_per_s == 0.0  # type: ignore[arg-type]


def report(wordings: int) -> AnswerReport:
    return AnswerReport(
        cases=4, correct=0.75, faithful=1.0, language_match=1.0, abstain_recall=1.0, false_abstain=0.0,
        p50_first_token_ms=None, p50_total_ms=1.0, by_language={}, by_kind={},
        guard_off={"correct": 0.5, "faithful": 0.75}, wordings=wordings, refused=1,
    )  # fmt: skip


def row(tmp_path: Path, wordings: int = 3) -> ModelFigures:
    files = [tmp_path / "m.gguf", tmp_path / "a.gguf"]
    for file in files:
        file.write_bytes(b"x" * 2**19)
    return figures_of("m+a", files, report(wordings), pace_of(Timed(), []), 3 * 2**20)


def test_a_row_counts_the_adapter_and_has_no_raw_quality_where_nothing_was_worded(tmp_path: Path) -> None:
    assert row(tmp_path).file_mib == 1.0
    assert row(tmp_path).memory_mib == 3.0
    assert row(tmp_path).guard_off == {"correct": 0.5, "faithful": 0.75}
    assert row(tmp_path, wordings=0).guard_off is None


def test_the_page_shows_every_model(tmp_path: Path) -> None:
    write_report(page([row(tmp_path), row(tmp_path, wordings=0)], 4), tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert text.count("m+a") >= 2
    assert "0.75" in text
    assert "–" in text


def test_a_page_names_files_without_their_folders(tmp_path: Path) -> None:
    long = "/srv/models/of/ours/small.gguf+/srv/training/ours/adapter.gguf"
    rows = [replace(row(tmp_path), name=long), replace(row(tmp_path), name="catalogue-id+run")]
    assert [each.label for each in rows] == ["small.gguf+adapter.gguf", "catalogue-id+run"]
    write_report(page(rows, 4), tmp_path / "p.html")
    assert "/srv/" not in (tmp_path / "p.html").read_text(encoding="utf-8")
    assert rows[0].as_json()["name"] == long


def test_the_most_memory_is_seen_though_it_is_given_back() -> None:
    with PeakMemory() as before:
        pass
    with PeakMemory() as memory, mmap.mmap(-1, 300 << 20) as held:
        for i in range(0, len(held), mmap.PAGESIZE):
            held[i] = 1
        time.sleep(0.5)
    assert memory.bytes - before.bytes > 200 << 20


def answered(tmp_path: Path, *answers: tuple[str, bool]) -> ModelFigures:
    said = tuple(
        Answered(str(n), "de", f"Frage {n}?", text, right) for n, (text, right) in enumerate(answers)
    )
    return replace(row(tmp_path), answers=said)


def test_answers_that_differ_stand_side_by_side_what_only_some_get_right_first(tmp_path: Path) -> None:
    first = answered(tmp_path, ("gleich", True), ("so", True), ("fünf Tage", True), ("<b>a</b>", False))
    second = answered(tmp_path, ("gleich", True), ("anders", True), ("fünf Jahre", False), ("b", False))
    write_report(page([first, second], 4), tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert "3 of 4 answers differ" in text
    assert "gleich" not in text
    assert text.index("✗ fünf Jahre") < text.index("&lt;b&gt;a&lt;/b&gt;") < text.index("✓ anders")


def test_where_all_answer_alike_nothing_is_set_side_by_side(tmp_path: Path) -> None:
    same = answered(tmp_path, ("gleich", True))
    assert not [s for s in page([same, same], 1).sections if s.title == "Answers side by side"]
