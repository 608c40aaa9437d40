"""``kefu train``: trained and calibrated parts, each with a report."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

import knowledge_base
from chatbot.commands import promotion, sizes
from chatbot.commands.output import (
    AsJson,
    console,
    print_json,
    progress_bar,
    settings,
    stage_bars,
    tell_steps,
)
from chatbot.training import DATA

if TYPE_CHECKING:
    from chatbot.settings import Settings
    from chatbot.training.encoder import EncoderProgress
    from chatbot.training.recalibrate import Recalibration
    from knowledge_base.embed import Embedder

app = typer.Typer(no_args_is_help=True)
promotion.add_commands(app)
sizes.add_train_commands(app)

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

    cases = read_knowledge(data or sorted(DATA.glob("calibration_*.jsonl")))
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
    layers: Annotated[
        int, typer.Option(min=11, max=24, help="Layers of the model that the judge keeps; fewer are faster.")
    ] = 14,
    out: Annotated[Path, typer.Option(help="Folder for judge and calibration.")] = _PACKAGE,
    as_json: AsJson = False,
) -> None:
    """Tune the answer judge and calibrate when to answer; about an hour on two cores."""
    from chatbot.assembly import build_embedder, sample_entries
    from chatbot.models.probe import Probe
    from chatbot.training.recalibrate import judge_files
    from chatbot.training.run_judge import PROBE_FILE, train_judge
    from chatbot.training.tune import TuneSettings

    files = data or judge_files()
    report = train_judge(
        files,
        sample_entries(),
        build_embedder(settings()),
        settings().models_dir,
        out,
        TuneSettings(
            layers=layers, epochs=epochs, start=Probe.load(_PACKAGE / PROBE_FILE) if go_on else None
        ),
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    if as_json:
        print_json(asdict(report))
        return
    for name, value in asdict(report).items():
        console.print(f"{name}: {value}")


@app.command()
def calibrate(as_json: AsJson = False) -> None:
    """Fit search and decision for the encoder that the settings name; needed beside any but the default one."""
    from chatbot.assembly import build_embedder, calibrated_folder

    chosen = settings()
    embedder = build_embedder(chosen)
    folder = calibrated_folder(chosen, embedder)
    fitted = _calibrated(chosen, embedder)
    if as_json:
        print_json(
            {"folder": str(folder), "search": asdict(fitted.search), "decision": asdict(fitted.decision)}
        )
        return
    for what, report in (("search", fitted.search), ("decision", fitted.decision)):
        for name, value in asdict(report).items():
            if not isinstance(value, dict):
                console.print(f"{what} {name}: {value:.3f}", highlight=False)
    console.print(f"used from the next start on, with this encoder; to undo it, delete {folder}")


def _calibrated(chosen: Settings, embedder: Embedder) -> Recalibration:
    from chatbot.assembly import calibrated_folder, sample_entries
    from chatbot.training.judge_odds import shipped_odds
    from chatbot.training.recalibrate import recalibrate

    fitted = recalibrate(embedder, sample_entries(), shipped_odds())
    fitted.save(calibrated_folder(chosen, embedder))
    return fitted


@app.command()
def intents(
    file: Annotated[
        Path | None, typer.Argument(help="Labelled examples: nlu.yml or csv; by default the served ones.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Other examples to measure on; by default each fifth in turn.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Also try whether tuning the encoder on the labels pays.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the report's folder.")] = "intents",
    as_json: AsJson = False,
) -> None:
    """Train and measure intents: what is mixed up, calibration, languages, whether more examples help."""
    from chatbot.assembly import SAMPLE, build_embedder
    from chatbot.commands.tuning import tuned_fit
    from chatbot.language import dominant_language
    from chatbot.training.intent_study import report_of, study_intents, try_tuning
    from chatbot.training.intents import frozen
    from chatbot.training.nlu import read_examples
    from chatbot.training.report import write_report

    chosen = settings()
    examples = read_examples(file or chosen.nlu_path or SAMPLE / "nlu.yml")
    asked = None if test is None else read_examples(test)
    embedder = build_embedder(chosen)
    study = study_intents(
        examples, embedder, lambda text: dominant_language(text, chosen.languages) or "", test=asked
    )
    if tune:
        both = try_tuning(examples, frozen(embedder), tuned_fit(chosen), test=asked)
        study = replace(study, tuned=both)
    folder = chosen.runs_dir / name
    write_report(report_of(study, name), folder / "report.html")
    (folder / "report.json").write_text(
        json.dumps(study.as_json(), ensure_ascii=False, indent=1), encoding="utf-8"
    )
    if as_json:
        print_json(study.as_json())
        return
    for key, value in asdict(study.figures).items():
        console.print(f"{key}: {value}")
    for each in study.confused[:8]:
        console.print(f"{each.count} × {each.wanted} taken for {each.got}: {each.texts[0]}", highlight=False)
    console.print(f"report: {folder / 'report.html'}")


@app.command()
def data(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Past conversations: jsonl, json (also Rasa trackers), csv, txt (WhatsApp, WeChat)."
        ),
    ] = None,
    agent: Annotated[
        list[str] | None, typer.Option("--agent", help="Name of one of your people, as the files have it.")
    ] = None,
    own: Annotated[
        bool, typer.Option("--own", help="Also the conversations in this installation's database.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the folder for what comes of it.")] = "conversations",
    held_out: Annotated[float, typer.Option(help="Share that is not learnt from: the latest.")] = 0.15,
    as_json: AsJson = False,
) -> None:
    """Prepare past conversations: clean, mask, split, and pair answers with the entries that ground them."""
    from chatbot.assembly import build_embedder, open_database, open_knowledge, open_store
    from chatbot.language import dominant_language
    from chatbot.masking import own_addresses
    from chatbot.storage import Conversations
    from chatbot.training.dialogues import (
        PrepareSettings,
        prepare,
        read_conversations,
        stored_conversations,
    )
    from chatbot.training.dialogues.outcome import save_prepared

    chosen = settings()
    database = open_database(chosen)
    given = files or ([] if own else sorted((DATA / "dialogues").glob("*.jsonl")))
    read = [conversation for path in given for conversation in read_conversations(path, agent or ())]
    if own:
        read += stored_conversations(Conversations(database))
    with stage_bars() as stages:
        knowledge = open_knowledge(chosen, open_store(chosen, database), build_embedder(chosen), stages)
    published = [text for entry in knowledge.entries.values() for text in (entry.question, entry.answer)]
    with progress_bar("holding answers against entries") as progress:
        prepared = prepare(
            read,
            knowledge,
            lambda text: dominant_language(text, chosen.languages) or "",
            own=own_addresses(published),
            settings=PrepareSettings(held_out=held_out),
            progress=progress,
        )
    folder = chosen.runs_dir / name
    save_prepared(prepared, knowledge.entries, folder)
    if as_json:
        print_json({**asdict(prepared), "folder": str(folder)})
        return
    for key, value in prepared.conversations.items():
        console.print(f"conversations {key}: {value}")
    sides = [pair.side for pair in prepared.pairs]
    console.print(f"answers to learn: {sides.count('train')}, held out: {sides.count('held_out')}")
    console.print(f"proposals: {len(prepared.proposals)}, in {folder / 'proposals.csv'}")
    console.print(f"report: {folder / 'report.html'}")
    if "train" in sides:
        console.print(f"learn them: kefu train generator --answers {folder / 'answers.jsonl'}")
        return
    console.print(
        "Nothing to learn yet: what counts are answers of your people, and of the bot those that a customer "
        "liked, which an entry of the knowledge base says. Name your people with --agent, give more "
        "conversations, or see what the proposals are missing in the knowledge base.",
        soft_wrap=True,
    )


@app.command()
def encoder(
    lines: Annotated[
        list[Path] | None,
        typer.Argument(help="Files of questions in several languages; by default the ones that come along."),
    ] = None,
    answers: Annotated[
        list[Path] | None, typer.Option(help="Answers that `kefu train data` paired with entries.")
    ] = None,
    entries: Annotated[bool, typer.Option(help="Learn the wordings of the knowledge base.")] = True,
    clicks: Annotated[
        bool, typer.Option(help="Learn the questions after which customers clicked on an entry.")
    ] = True,
    name: Annotated[str, typer.Option(help="Name of the run.")] = "encoder",
    epochs: Annotated[int, typer.Option(help="How often the questions are gone through.")] = 3,
    rank: Annotated[int, typer.Option(help="Rank of the adapters.")] = 16,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-4,
    as_json: AsJson = False,
) -> None:
    """Fine-tune the encoder: what means the same, in whatever words or language, comes closer together."""
    from chatbot.assembly import beside_second, build_embedder, build_encoder, open_database, open_store
    from chatbot.storage import Conversations
    from chatbot.training.dialogues import clicked_questions
    from chatbot.training.encoder import EncoderSettings, Other, meanings_of_entries, meanings_of_lines
    from chatbot.training.encoder.run import train_encoder
    from chatbot.training.generator.examples import read_lines

    chosen = settings()
    database = open_database(chosen)
    known = open_store(chosen, database).snapshot().entries if entries or clicks or answers else ()
    asked: dict[str, list[Other]] = {}
    if clicks:
        for entry, text, language, conversation in clicked_questions(Conversations(database), known):
            asked.setdefault(entry, []).append(Other(text, language, f"click:{conversation}"))
    for path in answers or ():
        for place, row in read_lines(path, ("entry", "question", "language")):
            asked.setdefault(str(row["entry"].get("id", "")), []).append(
                Other(str(row["question"]), str(row["language"]), place)
            )
    meanings = meanings_of_entries(known if entries else [e for e in known if e.id in asked], asked)
    for path in lines or [DATA / "questions" / "parallel.jsonl"]:
        meanings += meanings_of_lines(read_lines(path, ("from",)), chosen.languages)
    first = build_encoder(chosen)
    folder = chosen.runs_dir / name
    run = train_encoder(
        chosen.embedder.model,
        first,
        beside_second(chosen, first),
        first.query_prefix,
        meanings,
        folder,
        EncoderSettings(epochs=epochs, rank=rank, rate=rate),
        _tell_encoder,
    )
    served = chosen.model_copy(update={"embedder": chosen.embedder.model_copy(update={"adapter": name})})
    with console.status("fitting search and decision for it"):
        fitted = _calibrated(served, build_embedder(served))
    if as_json:
        print_json({**asdict(run), "search": asdict(fitted.search), "decision": asdict(fitted.decision)})
        return
    for key, value in run.figures.items():
        console.print(f"{key}: {value}")
    console.print(f"report: {folder / 'report.html'}")
    if run.figures["held_out_found"] > run.figures["held_out_found_before"]:
        console.print(f"ask the golden questions, and serve it: kefu train promote {name}")
    else:
        console.print("it finds no more than before: not worth serving")


@app.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """The training runs, the latest first."""
    from chatbot.training.runs import list_runs

    runs = list_runs(settings().runs_dir)
    if as_json:
        print_json({"runs": [asdict(run) for run in runs]})
        return
    if not runs:
        console.print("no run yet; begin one with: kefu train generator")
        return
    table = Table("run", "kind", "state", "began", "steps", "figures")
    for run in runs:
        figures = ", ".join(f"{key} {value:g}" for key, value in run.figures.items())
        are = "are" if run.going_on else "were"
        left = "" if run.seconds_left is None else f", {run.seconds_left / 60:.0f} min {are} left"
        state = "going on" if run.going_on else run.state
        table.add_row(run.name, run.kind, state, run.began, f"{run.step} of {run.steps}{left}", figures)
    console.print(table)


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
    from chatbot.models import chosen_generator, resolve_generator
    from chatbot.training.generator.lora import LoraSettings
    from chatbot.training.generator.run import train_generator
    from chatbot.training.generator.run_report import report_run

    chosen = settings()
    base_name = chosen_generator(model or chosen.generator.model).model
    base = Path(resolve_generator(base_name, chosen.models_dir))
    learn, held_out = sizes.written_material(chosen, per_line, translations, answers)
    run = train_generator(
        base,
        base_name if base_name == base.parent.name else base.name,
        learn,
        held_out,
        chosen.runs_dir / name,
        LoraSettings(epochs=epochs, rank=rank, alpha=2.0 * rank, rate=rate),
        tell_steps,
    )
    folder = chosen.runs_dir / name
    report_run(run, learn, folder)
    if as_json:
        print_json(asdict(run))
        return
    for key, value in run.figures.items():
        console.print(f"{key}: {value}")
    console.print(f"report: {folder / 'report.html'}")
    console.print(f"serve it: KEFU_GENERATOR__ADAPTER={name} kefu serve")


def _tell_encoder(progress: EncoderProgress) -> None:
    """A line of progress, on the error stream."""
    print(
        f"step {progress.step} of {progress.steps}, loss {progress.loss:.3f}, {progress.texts_per_s:.0f} texts/s, "
        f"{progress.seconds_left / 60:.1f} min left",
        file=sys.stderr,
        flush=True,
    )
