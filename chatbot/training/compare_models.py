"""Several generators on the same cases: quality, speed, memory and size, side by side."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatbot.generate import Generation, Generator
from chatbot.prompt import translation_prompt
from chatbot.training.evaluate import AnswerCase, AnswerReport
from chatbot.training.report import Bars, Report, Section, Table
from chatbot.translating import split_sentences

__all__ = ["Answered", "ModelFigures", "Pace", "PeakMemory", "figures_of", "pace_of", "page"]

_PACED = 12
"""Sentences that are timed."""
_LEAST_TOKENS = 4
"""Of a timed sentence: below that the time between tokens says nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an engine words a sentence whose instruction it has read before."""

    first_token_ms: float
    """Median."""
    tokens_per_s: float
    """After the first token, over all sentences."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One case as a customer saw it."""

    id: str
    language: str
    question: str
    answer: str
    correct: bool


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model, with or without an adapter."""

    name: str
    file_mib: float
    """Model file and adapter on disk."""
    memory_mib: float
    """Most the process held in memory: encoders and judge included, mapped files as far as they were read."""
    first_token_ms: float
    tokens_per_s: float
    correct: float
    faithful: float
    language_match: float
    guard_off: dict[str, float] | None
    """Quality by the first wordings, as if there were no guard; None where nothing was worded."""
    wordings: int
    refused: int
    answers: tuple[Answered, ...] = ()
    """Of every case, in the order of the file."""

    @property
    def label(self) -> str:
        """The name without the folders of files; a page is no place for long paths."""
        model, plus, run = self.name.partition("+")
        return Path(model).name + plus + Path(run).name

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def pace_of(engine: Generator, cases: Sequence[AnswerCase]) -> Pace:
    """Times the translation of sentences of the cases' knowledge; the first one only warms up."""
    made: list[Generation] = []
    for case in cases:
        for item in case.knowledge:
            source = str(item.get("language") or "")
            if not source or source == case.language:
                continue
            sentence = split_sentences(str(item["answer"]))[0][0]
            made.append(engine.generate(translation_prompt(sentence, source, case.language)))
            break
        if len(made) > _PACED:
            break
    timed = [each for each in made[1:] if each.completion_tokens >= _LEAST_TOKENS]
    if not timed:
        return Pace(0.0, 0.0)
    seconds = sum(each.total_ms - each.first_token_ms for each in timed) / 1000
    tokens = sum(each.completion_tokens - 1 for each in timed)
    return Pace(
        round(statistics.median(each.first_token_ms for each in timed), 1),
        round(tokens / seconds, 1) if seconds > 0 else 0.0,
    )


def figures_of(
    name: str, files: Sequence[Path], report: AnswerReport, pace: Pace, memory_bytes: int
) -> ModelFigures:
    """Everything known of one model in a row.

    Args:
        files: the model's, and its adapter's if it has one.
        memory_bytes: the most the process held.
    """
    return ModelFigures(
        name=name,
        file_mib=round(sum(file.stat().st_size for file in files) / 2**20, 1),
        memory_mib=round(memory_bytes / 2**20, 1),
        first_token_ms=pace.first_token_ms,
        tokens_per_s=pace.tokens_per_s,
        correct=report.correct,
        faithful=report.faithful,
        language_match=report.language_match,
        guard_off=report.guard_off if report.wordings else None,
        wordings=report.wordings,
        refused=report.refused,
        answers=tuple(Answered(r.id, r.language, r.question, r.answer, r.correct) for r in report.results),
    )


class PeakMemory:
    """The most memory this process holds while the block runs; :attr:`bytes` is known at its end."""

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        import psutil

        process = psutil.Process()
        while True:
            self.bytes = max(self.bytes, process.memory_info().rss)
            if self._done.wait(0.2):
                return


def page(rows: Sequence[ModelFigures], cases: int) -> Report:
    """The comparison as a report."""
    return Report(
        "Models side by side",
        {"models": len(rows), "cases": cases},
        [
            Section(
                "Figures",
                "Each model words what the same cases ask for, in a process of its own. «Correct», «faithful» and "
                "«language» as customers see it, then by the first wordings, before the guard has its say.",
                [
                    Table(["", *(row.label for row in rows)], _figures(rows)),
                ],
            ),
            Section(
                "Speed and size",
                "",
                [
                    Bars({row.label: row.tokens_per_s for row in rows}, "Tokens a second"),
                    Bars({row.label: row.file_mib for row in rows}, "File, MiB"),
                ],
            ),
            *_side_by_side(rows),
        ],
    )


def _figures(rows: Sequence[ModelFigures]) -> list[tuple[object, ...]]:
    """A line for each figure, a column for each model."""
    raw = [row.guard_off or {} for row in rows]
    lines: list[tuple[str, list[object]]] = [
        ("correct", [row.correct for row in rows]),
        ("faithful", [row.faithful for row in rows]),
        ("in the customer's language", [row.language_match for row in rows]),
        ("first wordings", [row.wordings for row in rows]),
        ("of these refused by the guard", [row.refused for row in rows]),
        ("correct without the guard", [each.get("correct", "–") for each in raw]),
        ("faithful without the guard", [each.get("faithful", "–") for each in raw]),
        ("first token, ms", [row.first_token_ms for row in rows]),
        ("tokens a second", [row.tokens_per_s for row in rows]),
        ("memory of the process, MiB", [row.memory_mib for row in rows]),
        ("file, MiB", [row.file_mib for row in rows]),
    ]
    return [(name, *values) for name, values in lines]


_SHOWN = 60
"""Answers that are shown side by side."""


def _side_by_side(rows: Sequence[ModelFigures]) -> list[Section]:
    """Answers that are not the same with every model; those that not all get right come first."""
    cases = [
        each for each in zip(*(row.answers for row in rows), strict=True) if len({a.answer for a in each}) > 1
    ]
    if not cases:
        return []
    cases.sort(key=lambda each: (len({a.correct for a in each}) == 1, all(a.correct for a in each)))
    return [
        Section(
            "Answers side by side",
            f"{len(cases)} of {len(rows[0].answers)} answers differ; ✓ is right, ✗ wrong."
            + (f" The first {_SHOWN} are shown." if len(cases) > _SHOWN else ""),
            [
                Table(
                    ["question", *(row.label for row in rows)],
                    [
                        (
                            f"{each[0].language}: {each[0].question}",
                            *(f"{'✓' if a.correct else '✗'} {a.answer}" for a in each),
                        )
                        for each in cases[:_SHOWN]
                    ],
                )
            ],
        )
    ]
