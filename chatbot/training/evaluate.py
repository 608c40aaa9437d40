"""Measuring: retrieval and whole answers, with the very code that answers customers."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chatbot.bot import Bot
from chatbot.errors import BadRequestError
from chatbot.training.overheard import Overheard
from chatbot.turn import Action, Message, Reply
from knowledge_base.calibration import Calibration
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry
from knowledge_base.normalise import normalise
from knowledge_base.search import KnowledgeBase

__all__ = [
    "AnswerCase",
    "AnswerReport",
    "CaseResult",
    "RetrievalReport",
    "evaluate_answers",
    "evaluate_retrieval",
    "judge_case",
    "read_cases",
    "read_golden",
]

Progress = Callable[[int, int], None]
BotFactory = Callable[[KnowledgeBase], Bot]


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Shares of questions whose right text is found."""

    recall_at_1: float
    recall_at_5: float
    mrr: float
    ms_per_query: float
    queries: int
    by_language: dict[str, dict[str, float]]

    def as_json(self) -> dict[str, Any]:
        """The names of the command line's contract."""
        return {
            "recall@1": self.recall_at_1,
            "recall@5": self.recall_at_5,
            "mrr": self.mrr,
            "ms_per_query": self.ms_per_query,
            "queries": self.queries,
            "by_language": self.by_language,
        }


@dataclass(frozen=True, slots=True)
class _Ranked:
    language: str
    rank: int | None
    ms: float


def evaluate_retrieval(
    corpus: Path,
    queries: Path,
    embedder: Embedder,
    progress: Progress | None = None,
    calibration: Calibration | None = None,
) -> RetrievalReport:
    """Searches each query's relevant text in a corpus.

    Args:
        corpus: JSON lines ``{"id", "text", "language"}``.
        queries: JSON lines ``{"text", "language", "relevant": [id, …]}``.
        calibration: of the search; by default the shipped one.

    Raises:
        BadRequestError: a line is not of that form.
    """
    entries = [
        Entry(
            id=row["id"], group=row["id"], language=row.get("language", "en"), question=row["text"], answer=""
        )
        for row in _rows(corpus, {"id": str, "text": str})
    ]
    rows = list(_rows(queries, {"text": str, "relevant": list}))
    base = KnowledgeBase.in_memory(entries, embedder, calibration)
    ranked = []
    for number, row in enumerate(rows):
        start = time.perf_counter()
        hits = base.search(row["text"], row.get("language", "en"), limit=10)
        ms = (time.perf_counter() - start) * 1000
        found = [i for i, hit in enumerate(hits, 1) if hit.entry.id in row["relevant"]]
        ranked.append(_Ranked(row.get("language", "en"), found[0] if found else None, ms))
        if progress is not None:
            progress(number + 1, len(rows))
    by_language = {
        language: _shares([r for r in ranked if r.language == language])
        for language in sorted({r.language for r in ranked})
    }
    total = _shares(ranked)
    return RetrievalReport(
        recall_at_1=total["recall@1"],
        recall_at_5=total["recall@5"],
        mrr=total["mrr"],
        ms_per_query=round(statistics.median(r.ms for r in ranked), 3) if ranked else 0.0,
        queries=len(ranked),
        by_language=by_language,
    )


def _shares(ranked: Sequence[_Ranked]) -> dict[str, float]:
    count = max(len(ranked), 1)
    return {
        "recall@1": round(sum(r.rank == 1 for r in ranked) / count, 4),
        "recall@5": round(sum(r.rank is not None and r.rank <= 5 for r in ranked) / count, 4),
        "mrr": round(sum(1 / r.rank for r in ranked if r.rank) / count, 4),
        "queries": float(len(ranked)),
    }


@dataclass(frozen=True, slots=True)
class AnswerCase:
    """One question with the knowledge it may be answered from."""

    question: str
    language: str
    knowledge: tuple[Mapping[str, Any], ...]
    must: tuple[str, ...]
    must_not: tuple[str, ...]
    abstain: bool
    id: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What the bot made of one case."""

    id: str
    kind: str
    language: str
    question: str
    abstain: bool
    answer: str
    answer_language: str
    decision: str
    reason: str
    probability: float
    guard: str
    abstained: bool
    correct: bool
    faithful: bool
    language_match: bool
    first_token_ms: float | None
    total_ms: float
    raw: CaseResult | None = None
    """The same case judged by what the generator said first, where it said anything."""
    wordings: int = 0
    refused: int = 0
    """Of the generator's first wordings, those that the guard did not let out."""


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """The figures of a case file."""

    cases: int
    correct: float
    faithful: float
    language_match: float
    abstain_recall: float
    false_abstain: float
    p50_first_token_ms: float | None
    p50_total_ms: float
    by_language: dict[str, dict[str, float]]
    by_kind: dict[str, dict[str, float]]
    guard_off: dict[str, float] | None = None
    """The same figures by the generator's first wordings, as if there were no guard."""
    wordings: int = 0
    refused: int = 0
    results: tuple[CaseResult, ...] = field(repr=False, default=())

    def as_json(self, *, verbose: bool = False) -> dict[str, Any]:
        """The names of the command line's contract; ``verbose`` adds each case."""
        content = asdict(self)
        results = content.pop("results")
        if verbose:
            content["results"] = results
        return content


def read_cases(path: Path) -> list[AnswerCase]:
    """Reads answer cases from JSON lines.

    Raises:
        BadRequestError: a line is not of the form of a case.
    """
    rows = _rows(path, {"question": str, "language": str, "knowledge": list})
    return [_case(number, row) for number, row in enumerate(rows, 1)]


def read_golden(path: Path) -> list[AnswerCase]:
    """Reads questions to the installation's own knowledge base: cases without knowledge of their own.

    Raises:
        BadRequestError: a line is not of the form of a case, or there is none.
    """
    found = [
        _case(number, row) for number, row in enumerate(_rows(path, {"question": str, "language": str}), 1)
    ]
    if not found:
        raise BadRequestError(f"{path} holds no golden question; expected one JSON object a line")
    return found


def _case(number: int, row: Mapping[str, Any]) -> AnswerCase:
    return AnswerCase(
        question=row["question"],
        language=row["language"],
        knowledge=tuple(row.get("knowledge", ())),
        must=tuple(row.get("must", ())),
        must_not=tuple(row.get("must_not", ())),
        abstain=bool(row.get("abstain", False)),
        id=str(row.get("id", number)),
        kind=str(row.get("kind", "")),
    )


def evaluate_answers(
    cases: Sequence[AnswerCase],
    bot_for: BotFactory,
    embedder: Embedder,
    language_of: Callable[[str], str],
    progress: Progress | None = None,
    overheard: Overheard | None = None,
    calibration: Calibration | None = None,
) -> AnswerReport:
    """Asks every case of a bot that knows only the case's own knowledge.

    Args:
        bot_for: builds the bot around a knowledge base; all else is shared.
        language_of: dominant language of a text.
        overheard: the bot's generator, to judge also what it says before the guard.
        calibration: of the search; by default the shipped one.
    """
    results = []
    for number, case in enumerate(cases):
        entries = [
            Entry(
                id=f"{number}-{i}",
                group=f"{number}-{i}",
                language=str(item.get("language") or language_of(f"{item['question']} {item['answer']}")),
                question=str(item["question"]),
                answer=str(item["answer"]),
                verbatim=bool(item.get("verbatim", False)),
            )
            for i, item in enumerate(case.knowledge)
        ]
        bot = bot_for(KnowledgeBase.in_memory(entries, embedder, calibration))
        reply = bot.respond(
            Message(case.question, conversation_id=f"eval-{number}", customer_id="eval", channel="eval")
        )
        result = judge_case(case, reply, language_of)
        if overheard is not None:
            text, wordings, refused = overheard.take(case.language)
            raw = judge_case(case, replace(reply, text=text), language_of) if wordings else None
            refused = max(refused, int(reply.trace.guard.startswith("refused") and wordings > 0))
            result = replace(result, raw=raw, wordings=wordings, refused=refused)
        results.append(result)
        if progress is not None:
            progress(number + 1, len(cases))
    return _report(results, guard_off=overheard is not None)


def judge_case(case: AnswerCase, reply: Reply, language_of: Callable[[str], str]) -> CaseResult:
    """Holds an answer against what the case says it must and must not hold."""
    abstained = reply.action not in (Action.ANSWER, Action.VERBATIM)
    text = _even(reply.text)
    has_all = all(_even(part) in text for part in case.must)
    has_wrong = any(_even(part) in text for part in case.must_not)
    known = _known_facts(" ".join(f"{item['question']} {item['answer']}" for item in case.knowledge))
    return CaseResult(
        id=case.id,
        kind=case.kind,
        language=case.language,
        question=case.question,
        abstain=case.abstain,
        answer=reply.text,
        answer_language=language_of(reply.text),
        decision=reply.action.value,
        reason=reply.trace.reason,
        probability=reply.trace.probability,
        guard=reply.trace.guard,
        abstained=abstained,
        correct=abstained if case.abstain else (not abstained and has_all and not has_wrong),
        faithful=abstained or (not has_wrong and _facts(reply.text) <= known),
        language_match=language_of(reply.text) == case.language,
        first_token_ms=reply.trace.timings_ms.get("first_token"),
        total_ms=reply.trace.timings_ms["total"],
    )


def _even(text: str) -> str:
    """Normalised without blanks, so that ``9 €`` and ``9€`` are the same."""
    return "".join(normalise(text).split())


_FULL_HOUR = re.compile(r"(?<=\d)[:：]00(?!\d)")
_NUMERALS = dict(zip("一二三四五六七八九十两", (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2), strict=True))
_HOURS = 12


def _facts(text: str) -> set[str]:
    """The digit groups of a text: the hard facts a wrong answer gets wrong first."""
    readable = _FULL_HOUR.sub(" ", normalise(text))
    digits = "".join(c if c.isdigit() else " " for c in readable)
    return {group.lstrip("0") or "0" for group in digits.split()}


def _known_facts(text: str) -> set[str]:
    """The digit groups that an answer from ``text`` may hold.

    Beside those of the text: hours on the other clock (``9 pm`` is ``21:00``,
    in any language) and Chinese numerals in figures (一个月 is «1 month»).
    """
    found = _facts(text)
    for match in _CLOCK.finditer(normalise(text)):
        hour = int(match[1])
        if hour <= 2 * _HOURS:
            found.add(str(hour + _HOURS if hour <= _HOURS else hour - _HOURS))
    return found | {str(value) for numeral, value in _NUMERALS.items() if numeral in text}


_CLOCK = re.compile(
    r"(?<!\d)(\d{1,2})(?:\s?[ap]\.?\s?m\b|[:：]\d\d|\s?[点點時时](?![間间])|\s?uhr)", re.IGNORECASE
)
"""A number that is written as a time of the day."""


def _report(results: Sequence[CaseResult], *, guard_off: bool = False) -> AnswerReport:
    figures = _figures(results)
    first = [r.first_token_ms for r in results if r.first_token_ms is not None]
    return AnswerReport(
        cases=len(results),
        correct=figures["correct"],
        faithful=figures["faithful"],
        language_match=figures["language_match"],
        abstain_recall=figures["abstain_recall"],
        false_abstain=figures["false_abstain"],
        p50_first_token_ms=round(statistics.median(first), 1) if first else None,
        p50_total_ms=round(statistics.median(r.total_ms for r in results), 1) if results else 0.0,
        by_language={
            language: _figures([r for r in results if r.language == language])
            for language in sorted({r.language for r in results})
        },
        by_kind={
            kind: _figures([r for r in results if r.kind == kind])
            for kind in sorted({r.kind for r in results})
        },
        guard_off=_figures([r.raw or r for r in results]) if guard_off else None,
        wordings=sum(r.wordings for r in results),
        refused=sum(r.refused for r in results),
        results=tuple(results),
    )


def _figures(results: Sequence[CaseResult]) -> dict[str, float]:
    unanswerable = [r for r in results if r.abstain]
    answerable = [r for r in results if not r.abstain]
    answered = [r for r in results if not r.abstained]
    return {
        "cases": float(len(results)),
        "correct": _share([r.correct for r in results]),
        "faithful": _share([r.faithful for r in answered]),
        "language_match": _share([r.language_match for r in results]),
        "abstain_recall": _share([r.abstained for r in unanswerable]),
        "false_abstain": _share([r.abstained for r in answerable], none=0.0),
    }


def _share(values: Sequence[bool], none: float = 1.0) -> float:
    return round(sum(values) / len(values), 4) if values else none


def _rows(path: Path, required: Mapping[str, type]) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestError(
            f"{path} cannot be read as UTF-8 text ({type(error).__name__}); give a JSON-lines file"
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadRequestError(
                f"{path}, line {number}: not JSON ({error}); one JSON object a line is expected"
            ) from error
        if not isinstance(row, dict):
            raise BadRequestError(
                f"{path}, line {number}: found {type(row).__name__}, expected a JSON object"
            )
        for name, kind in required.items():
            if not isinstance(row.get(name), kind):
                raise BadRequestError(
                    f"{path}, line {number}: field {name!r} is {type(row.get(name)).__name__}, expected {kind.__name__}"
                )
        yield row
