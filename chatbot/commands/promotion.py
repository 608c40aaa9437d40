"""``kefu train promote`` and ``rollback``: what is trained becomes what is served, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.table import Table

from chatbot.commands.output import AsJson, console, print_json, progress_bar, settings, stage_bars
from chatbot.errors import BadRequestError
from chatbot.settings import Settings

if TYPE_CHECKING:
    from chatbot.models import AdapterKind
    from chatbot.training.evaluate import AnswerCase, CaseResult

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Adds both commands to ``kefu train``."""
    app.command()(promote)
    app.command()(rollback)


def promote(
    name: Annotated[str, typer.Argument(help="A finished run; `kefu train list` shows them.")],
    golden: Annotated[
        Path | None,
        typer.Option(
            help="Golden questions, JSON lines {question, language, must, must_not, abstain}; by default "
            "`golden.jsonl` in the data folder, else the sample's."
        ),
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Also where answers get worse.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve a trained model, if no answer to the golden questions gets worse; shows which ones change."""
    from chatbot.assembly import SAMPLE
    from chatbot.models import promote as keep
    from chatbot.models import promoted
    from chatbot.training.gate import compare, golden_file, page, read_golden
    from chatbot.training.report import write_report
    from chatbot.training.runs import list_runs

    chosen = settings()
    known = {run.name: run for run in list_runs(chosen.runs_dir) if run.state == "finished"}
    if name not in known:
        raise BadRequestError(
            f"there is no finished run {name!r}; expected one of: {', '.join(sorted(known)) or 'none yet'}"
        )
    kind = cast("AdapterKind", known[name].kind)
    file = golden_file(golden, chosen.data_dir, SAMPLE / "golden.jsonl" if chosen.sample else None)
    if file is None:
        raise BadRequestError(
            f"there are no golden questions; write some to {chosen.data_dir / 'golden.jsonl'}, one object a line: "
            '{"question", "language", "must": [], "must_not": [], "abstain": false}'
        )
    questions = read_golden(file)
    before = _asked(chosen, questions, "as it is served now")
    after = _asked(_with(chosen, kind, name), questions, f"with {name}")
    gate = compare(before, after)
    report = chosen.runs_dir / name / "promotion.html"
    write_report(page(gate, name), report)
    serve = gate.passed or accept
    earlier = promoted(chosen.runs_dir, kind)
    if serve:
        keep(chosen.runs_dir, kind, name)
    if as_json:
        told = {"run": name, "kind": kind, "promoted": serve, "before": earlier, "report": str(report)}
        print_json({**told, "passed": gate.passed, **asdict(gate)})
    else:
        table = Table("", "question", "before", f"with {name}")
        for change in gate.changes:
            table.add_row(change.verdict, change.question, change.before, change.after)
        if gate.changes:
            console.print(table)
        console.print(
            f"{gate.questions} questions, right before: {gate.right_before}, with {name}: {gate.right_after}, "
            f"changed: {len(gate.changes)}, worse: {len(gate.worse)}; report: {report}"
        )
        console.print(
            f"{name} is served from the next start on; back: kefu train rollback {kind}"
            if serve
            else "not promoted, because answers get worse; --accept promotes it all the same"
        )
    if not serve:
        raise typer.Exit(1)


def rollback(
    kind: Annotated[Literal["generator", "encoder"], typer.Argument(help="generator or encoder.")],
    as_json: AsJson = False,
) -> None:
    """Serve again what was served before the last promotion."""
    from chatbot.models import roll_back

    name = roll_back(settings().runs_dir, kind)
    if as_json:
        print_json({"kind": kind, "run": name})
        return
    console.print(f"{kind}: {name or 'as it comes'} is served from the next start on")


def _with(chosen: Settings, kind: AdapterKind, name: str) -> Settings:
    part = getattr(chosen, "embedder" if kind == "encoder" else "generator").model_copy(
        update={"adapter": name}
    )
    return chosen.model_copy(update={"embedder" if kind == "encoder" else "generator": part})


def _asked(chosen: Settings, questions: Sequence[AnswerCase], what: str) -> list[CaseResult]:
    """The answers of a bot with these settings over the installation's knowledge base."""
    from chatbot.assembly import build_parts, open_database, open_knowledge, open_store
    from chatbot.memory import Memory, NoHistory
    from chatbot.training.gate import ask_golden

    database = open_database(chosen)
    with stage_bars() as stages:
        parts = build_parts(chosen, stages)
        knowledge = open_knowledge(chosen, open_store(chosen, database), parts.embedder, stages)
    try:
        with progress_bar(f"asking {what}") as progress:
            return ask_golden(
                parts.bot(knowledge, Memory(NoHistory())), questions, parts.language_of, progress
            )
    finally:
        parts.close()
        database.dispose()
