"""``kefu eval``: figures from the code that answers customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from chatbot.commands.output import AsJson, console, print_json, progress_bar, settings, stage_bars
from chatbot.commands.sizes import add_eval_commands, ask

if TYPE_CHECKING:
    from chatbot.training.evaluate import AnswerCase, AnswerReport

app = typer.Typer(no_args_is_help=True)
add_eval_commands(app)


@app.command()
def retrieval(
    corpus: Annotated[Path, typer.Option(help="JSON lines {id, text, language}.")],
    queries: Annotated[Path, typer.Option(help="JSON lines {text, language, relevant}.")],
    as_json: AsJson = False,
) -> None:
    """Is the right text found?"""
    from chatbot.assembly import build_embedder, search_calibration
    from chatbot.training.evaluate import evaluate_retrieval

    embedder = build_embedder(settings())
    calibration = search_calibration(settings(), embedder)
    with progress_bar("searching") as progress:
        report = evaluate_retrieval(corpus, queries, embedder, progress, calibration).as_json()
    _show(report, as_json)


@app.command()
def intents(
    train: Annotated[Path, typer.Option(help="CSV text,label or nlu.yml.")],
    test: Annotated[Path, typer.Option(help="CSV text,label or nlu.yml.")],
    tune: Annotated[
        bool, typer.Option("--tune", help="Tune the encoder on the training file first.")
    ] = False,
    shots: Annotated[int, typer.Option(min=0, help="Learn from so many examples of each label; 0: all.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Of the tuning.")] = 3,
    rate: Annotated[float, typer.Option(help="Highest learning rate of the tuning.")] = 5e-4,
    as_json: AsJson = False,
) -> None:
    """Train on one file, measure on another; label __out_of_scope__ is what should be rejected."""
    from chatbot.assembly import build_embedder
    from chatbot.commands.tuning import tuned_fit
    from chatbot.training.intents import evaluate_intents, frozen

    chosen = settings()
    fit = tuned_fit(chosen, epochs=epochs, rate=rate) if tune else frozen(build_embedder(chosen))
    report = evaluate_intents(train, test, fit, shots)
    _show(report.as_json(), as_json)


@app.command()
def answers(
    cases: Annotated[
        Path, typer.Option(help="JSON lines {question, language, knowledge, must, must_not, abstain}.")
    ],
    verbose: Annotated[bool, typer.Option("--verbose", help="Give each case's answer too.")] = False,
    guard_off: Annotated[
        bool, typer.Option("--guard-off", help="Judge also what the generator says before the guard.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask every case of a bot that knows only the case's own knowledge."""
    from chatbot.training.evaluate import read_cases

    report = _asked(read_cases(cases), guard_off=guard_off)
    content = report.as_json(verbose=verbose)
    if verbose and not as_json:
        for result in report.results:
            mark = "[green]✓[/green]" if result.correct else "[red]✗[/red]"
            console.print(
                f"{mark} {result.id} {result.language} {result.kind}: {result.question}", highlight=False
            )
            console.print(
                f"   {result.decision} ({result.reason}, {result.probability:.2f}): {result.answer}"
            )
    content["results"] = [asdict(r) for r in report.results] if verbose and as_json else None
    _show({k: v for k, v in content.items() if v is not None or k.startswith("p50")}, as_json)


@app.command()
def fairness(
    cases: Annotated[
        Path, typer.Option(help="JSON lines {question, language, knowledge, must, must_not, abstain}.")
    ],
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Is every customer answered equally well? By language, length, script and tone."""
    from chatbot.training.evaluate import read_cases
    from chatbot.training.fairness import as_forms, fairness_of, page
    from chatbot.training.report import write_report
    from knowledge_base.normalise import traditional

    found = fairness_of(_asked(as_forms(read_cases(cases), traditional)).results)
    if report is not None:
        write_report(page(found), report)
    if as_json:
        print_json(found.as_json())
        return
    table = Table("by", "groups (correct, cases)", "gap", "within the bar")
    for gap in found.gaps:
        groups = ", ".join(f"{name} {share:.2f} ({count})" for name, (share, count) in gap.groups.items())
        table.add_row(gap.kind, groups, f"{gap.gap:.3f}", "yes" if gap.met else "no")
    console.print(table)


def _asked(cases: Sequence[AnswerCase], *, guard_off: bool = False) -> AnswerReport:
    """Each case asked of a bot that knows only its knowledge."""
    from chatbot.assembly import build_parts

    with stage_bars() as stages:
        parts = build_parts(settings(), stages)
    try:
        with progress_bar("asking") as progress:
            return ask(parts, cases, progress, guard_off=guard_off)
    finally:
        parts.close()


def _show(report: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    table = Table(show_header=False)
    for name, value in report.items():
        if isinstance(value, dict):
            for key, figures in value.items():
                table.add_row(f"{name} {key}", str(figures))
        elif not isinstance(value, list | tuple):
            table.add_row(name, str(value))
    console.print(table)
