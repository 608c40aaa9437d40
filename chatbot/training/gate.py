"""Before a trained model is served: which answers to the golden questions change, and is any of them wrong now?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chatbot.bot import Bot
from chatbot.training.evaluate import AnswerCase, CaseResult, judge_case, read_golden
from chatbot.training.report import Report, Section, Table
from chatbot.turn import Message

__all__ = ["Change", "Gate", "ask_golden", "compare", "golden_file", "page", "read_golden"]


@dataclass(frozen=True, slots=True)
class Change:
    """A golden question whose answer is another one now."""

    id: str
    language: str
    question: str
    before: str
    after: str
    was_right: bool
    is_right: bool

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.was_right == self.is_right:
            return "other words" if self.is_right else "wrong as before"
        return "better" if self.is_right else "worse"


@dataclass(frozen=True, slots=True)
class Gate:
    """What a promotion would change."""

    questions: int
    right_before: int
    right_after: int
    changes: tuple[Change, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """Questions that were answered right and would not be any longer."""
        return tuple(change for change in self.changes if change.was_right and not change.is_right)

    @property
    def passed(self) -> bool:
        """Nothing gets worse."""
        return not self.worse


def ask_golden(
    bot: Bot,
    golden: Sequence[AnswerCase],
    language_of: Callable[[str], str],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[CaseResult]:
    """Asks each question in a conversation of its own."""
    found = []
    for number, case in enumerate(golden, 1):
        reply = bot.respond(Message(case.question, f"golden-{case.id}", "golden", channel="golden"))
        found.append(judge_case(case, reply, language_of))
        progress(number, len(golden))
    return found


def compare(before: Sequence[CaseResult], after: Sequence[CaseResult]) -> Gate:
    """Answers of two models to the same questions, in the same order.

    An answer in another language than the question's is not right, whatever it says.
    """
    return Gate(
        questions=len(before),
        right_before=sum(_right(each) for each in before),
        right_after=sum(_right(each) for each in after),
        changes=tuple(
            Change(a.id, a.language, a.question, a.answer, b.answer, _right(a), _right(b))
            for a, b in zip(before, after, strict=True)
            if a.answer != b.answer or _right(a) != _right(b)
        ),
    )


def page(gate: Gate, name: str) -> Report:
    """The comparison as a report; what gets worse comes first."""
    order = ("worse", "better", "wrong as before", "other words")
    rows = sorted(gate.changes, key=lambda change: order.index(change.verdict))
    return Report(
        f"Golden questions: «{name}»",
        {
            "questions": gate.questions,
            "right before": gate.right_before,
            "right with it": gate.right_after,
            "answers that change": len(gate.changes),
            "worse": len(gate.worse),
        },
        [
            Section(
                "Answers that change",
                "" if rows else "None.",
                [
                    Table(
                        ["verdict", "question", "before", "with it"],
                        [(c.verdict, f"{c.id} {c.question}", c.before, c.after) for c in rows],
                    )
                ]
                if rows
                else [],
            )
        ],
    )


def golden_file(given: Path | None, data_dir: Path, sample: Path | None) -> Path | None:
    """The golden questions to ask: the given file, else the installation's own, else the sample's."""
    if given is not None:
        return given
    own = data_dir / "golden.jsonl"
    return own if own.is_file() else sample


def _right(result: CaseResult) -> bool:
    return result.correct and result.language_match
