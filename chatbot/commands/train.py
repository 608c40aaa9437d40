"""``kefu train``: trained and calibrated parts, each with a report."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import knowledge_base
from chatbot.commands.output import AsJson, console, print_json, settings

if TYPE_CHECKING:
    from chatbot.training.generator.lora import Progress

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


@app.command()
def generator(
    name: Annotated[str, typer.Option(help="Name of the run; one that was stopped goes on.")] = "generator",
    model: Annotated[
        str, typer.Option(help="Catalogue id or GGUF file to train; by default the one that is served.")
    ] = "",
    translations: Annotated[
        list[Path] | None, typer.Option(help="Files of sentences in several languages.")
    ] = None,
    answers: Annotated[list[Path] | None, typer.Option(help="Files of answers from one entry.")] = None,
    per_line: Annotated[int, typer.Option(help="Translations learnt of each line.")] = 3,
    epochs: Annotated[int, typer.Option(help="How often the examples are gone through.")] = 2,
    rank: Annotated[int, typer.Option(help="Rank of the adapters.")] = 8,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-4,
    as_json: AsJson = False,
) -> None:
    """Fine-tune the generator with low-rank adapters; can be stopped and gone on with."""
    from chatbot.language import dominant_language
    from chatbot.models import resolve_generator
    from chatbot.training.generator.lora import LoraSettings
    from chatbot.training.generator.run import read_material, train_generator

    chosen = settings()
    base_name = model or str(chosen.generator.model)
    base = Path(resolve_generator(base_name, chosen.models_dir))
    learn, held_out = read_material(
        translations or [_DATA / "wording" / "parallel.jsonl"],
        answers or [_DATA / "wording" / "answers.jsonl"],
        lambda text: dominant_language(text, chosen.languages) or "",
        per_line,
    )
    run = train_generator(
        base,
        base_name if base_name == base.parent.name else base.name,
        learn,
        held_out,
        chosen.data_dir / "training" / name,
        LoraSettings(epochs=epochs, rank=rank, alpha=2.0 * rank, rate=rate),
        _tell,
    )
    if as_json:
        print_json(asdict(run))
        return
    for key, value in run.figures.items():
        console.print(f"{key}: {value}")
    console.print(f"adapter: {chosen.data_dir / 'training' / name / 'adapter.gguf'}")


def _tell(progress: Progress) -> None:
    """A line of progress, on the error stream."""
    left = f"{progress.seconds_left / 60:.0f} min left"
    loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
    held = "" if progress.held_out_loss is None else f", held out {progress.held_out_loss:.3f}"
    print(
        f"step {progress.step} of {progress.steps}{loss}{held}, {progress.tokens_per_s:.0f} tokens/s, {left}",
        file=sys.stderr,
        flush=True,
    )
