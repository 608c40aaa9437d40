"""``kefu train``: trained and calibrated parts, each with a report."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import knowledge_base
from chatbot.commands.output import AsJson, console, print_json, settings

app = typer.Typer(no_args_is_help=True)

_DATA = Path(__file__).resolve().parent.parent / "training" / "data"
_KNOWLEDGE = Path(knowledge_base.__file__).resolve().parent
_PACKAGE = Path(__file__).resolve().parent.parent


@app.command()
def search(
    data: Annotated[
        list[Path] | None, typer.Option(help="Calibration files; by default the shipped ones.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for calibration.json.")] = _KNOWLEDGE,
    as_json: AsJson = False,
) -> None:
    """Fit how the signals of a search add up; train the judge again after it."""
    from chatbot.assembly import build_embedder, sample_entries
    from chatbot.training.judge import read_knowledge
    from chatbot.training.search import cases_of, fit_search, save_calibration

    cases = read_knowledge(data or sorted(_DATA.glob("calibration_*.jsonl")))
    calibration, report = fit_search([*cases, *cases_of(sample_entries())], build_embedder(settings()))
    save_calibration(calibration, out / "calibration.json")
    if as_json:
        print_json(asdict(report))
        return
    for name, value in asdict(report).items():
        console.print(f"{name}: {value}")


@app.command()
def judge(
    data: Annotated[
        list[Path] | None, typer.Option(help="Question files; by default the shipped ones.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="How often the questions are gone through.")] = 2,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="Go on from the judge that is there, not from the untuned model.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for judge and calibration.")] = _PACKAGE,
    as_json: AsJson = False,
) -> None:
    """Tune the answer judge and calibrate when to answer; about an hour on two cores."""
    from chatbot.assembly import build_embedder, sample_entries
    from chatbot.models.probe import Probe
    from chatbot.training.run_judge import PROBE_FILE, train_judge
    from chatbot.training.tune import TuneSettings

    files = data or sorted([*_DATA.glob("calibration_*.jsonl"), *_DATA.glob("judge_*.jsonl")])
    report = train_judge(
        files,
        sample_entries(),
        build_embedder(settings()),
        settings().models_dir,
        out,
        TuneSettings(epochs=epochs, start=Probe.load(_PACKAGE / PROBE_FILE) if go_on else None),
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    if as_json:
        print_json(asdict(report))
        return
    for name, value in asdict(report).items():
        console.print(f"{name}: {value}")
