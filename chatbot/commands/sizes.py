"""``kefu train distil`` and ``compress``, ``kefu eval models``: a smaller model, and whether it will do."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from chatbot.commands.output import AsJson, console, print_json, progress_bar, settings, tell_steps
from chatbot.errors import BadRequestError, ModelError
from chatbot.settings import Settings

if TYPE_CHECKING:
    from chatbot.assembly import Parts
    from chatbot.training.compare_models import ModelFigures
    from chatbot.training.evaluate import AnswerCase, AnswerReport
    from chatbot.training.generator.examples import Material
    from chatbot.training.generator.teacher import Lesson

__all__ = ["add_eval_commands", "add_train_commands", "ask", "written_material"]

_SMALL = "qwen2.5-coder-0.5b-instruct-q4"
_LARGE = "qwen2.5-coder-1.5b-instruct-q4"


def add_train_commands(app: typer.Typer) -> None:
    """Adds ``distil`` and ``compress`` to ``kefu train``."""
    app.command()(distil)
    app.command()(compress)


def add_eval_commands(app: typer.Typer) -> None:
    """Adds ``models`` to ``kefu eval``."""
    app.command()(models)


def distil(
    name: Annotated[str, typer.Option(help="Name of the run; one that was stopped goes on.")] = "small",
    teacher: Annotated[
        str, typer.Option(help="Catalogue id or GGUF file of the larger model, with `+RUN` its adapter.")
    ] = _LARGE,
    model: Annotated[str, typer.Option(help="Catalogue id or GGUF file of the smaller model.")] = _SMALL,
    translations: Annotated[
        list[Path] | None,
        typer.Option(help="Files of sentences in several languages; by default the shipped ones."),
    ] = None,
    answers: Annotated[
        list[Path] | None, typer.Option(help="Files of answers from one entry; by default the shipped ones.")
    ] = None,
    entries: Annotated[
        bool,
        typer.Option(help="Also the knowledge base's own answers, in the languages they are missing in."),
    ] = True,
    most_entries: Annotated[
        int, typer.Option(min=0, help="Most of these; each takes the teacher some seconds.")
    ] = 200,
    per_line: Annotated[int, typer.Option(help="Translations of each shipped line.")] = 1,
    epochs: Annotated[int, typer.Option(help="How often the examples are gone through.")] = 2,
    rank: Annotated[int, typer.Option(help="Rank of the adapters.")] = 16,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-4,
    as_json: AsJson = False,
) -> None:
    """Let a larger model teach a smaller one; the guard stands between them."""
    from chatbot.models import resolve_generator
    from chatbot.training.generator.lora import LoraSettings
    from chatbot.training.generator.room import check_generator_room
    from chatbot.training.generator.run import train_generator
    from chatbot.training.generator.run_report import report_run

    chosen = settings()
    base = Path(resolve_generator(model, chosen.models_dir))
    folder = chosen.runs_dir / name
    lora = LoraSettings(epochs=epochs, rank=rank, alpha=2.0 * rank, rate=rate)
    check_generator_room(base, folder, lora)  # not after an hour of teaching
    learn, held_out = written_material(chosen, per_line, translations, answers)
    if entries and most_entries:
        learn += _own(chosen, most_entries)
    lesson = _lesson(chosen, teacher, learn, folder)
    console.print(
        f"{lesson.asked} texts worded by the teacher, {lesson.passed} let out by the guard; of the others "
        "what was written is learnt",
        highlight=False,
    )
    run = train_generator(
        base,
        model if model == base.parent.name else base.name,
        replace(lesson.material, dropped=learn.dropped),
        held_out,
        folder,
        lora,
        tell_steps,
        {"teacher": teacher, "teacher_texts": lesson.asked, "teacher_passed": lesson.passed},
    )
    report_run(run, lesson.material, folder)
    if as_json:
        print_json({**asdict(run), "lesson": {"asked": lesson.asked, "passed": lesson.passed}})
        return
    for key, value in run.figures.items():
        console.print(f"{key}: {value}")
    console.print(f"report: {folder / 'report.html'}")
    console.print(
        f"compare: kefu eval models {teacher} {model} {model}+{name} --cases my_cases.jsonl", highlight=False
    )


def compress(
    out: Annotated[Path, typer.Argument(help="GGUF file to write.")],
    model: Annotated[
        str,
        typer.Option(help="Catalogue id or GGUF file; `MODEL+RUN` with that run's adapter in the weights."),
    ] = _LARGE,
    level: Annotated[
        str, typer.Option(help="Bits a weight: q4_0, q4_1, q5_0, q5_1, q8_0 or f16; by default as it is.")
    ] = "",
    without_layers: Annotated[
        int, typer.Option(min=0, help="Leave out so many layers, those that change least.")
    ] = 0,
) -> None:
    """Write a model in another size; `kefu eval models` shows what that costs and gains."""
    from chatbot.models.compress import compress as write

    base, adapter = _files(settings(), model)
    gone = _least_needed(base, without_layers) if without_layers else []
    with progress_bar("writing") as progress:
        write(base, out, level, gone, adapter, progress)
    left_out = f", without the layers {', '.join(map(str, gone))}" if gone else ""
    console.print(
        f"{out}: {out.stat().st_size / 2**20:.0f} MiB (was {base.stat().st_size / 2**20:.0f}){left_out}",
        highlight=False,
    )


def models(
    names: Annotated[
        list[str], typer.Argument(help="Catalogue ids or GGUF files; `MODEL+RUN` is with that run's adapter.")
    ],
    cases: Annotated[
        Path, typer.Option(help="JSON lines {question, language, knowledge, must, must_not, abstain}.")
    ],
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare models on the same cases: quality, first token, tokens a second, memory, file size."""
    from chatbot.training.compare_models import page
    from chatbot.training.evaluate import read_cases
    from chatbot.training.report import write_report

    chosen = settings()
    count = len(read_cases(cases))
    for name in names:
        _files(chosen, name)  # a wrong name is said before an hour has gone by
    rows = []
    for name in names:
        console.print(f"asking {name}", highlight=False)
        # a process of its own: its memory is its own, and what one model leaves behind is gone
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                rows.append(pool.submit(_figures, chosen, name, cases).result())
            except BrokenProcessPool as error:
                raise ModelError(
                    f"the process that ran {name} ended (too little memory?); the models before it are fine"
                ) from error
        if report is not None:  # what is known is kept, should a later model fail
            write_report(page(rows, count), report)
    if as_json:
        print_json({"cases": count, "models": [row.as_json() for row in rows]})
        return
    table = Table("model", "MiB", "memory", "first token", "tokens/s", "correct", "faithful", "refused")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.file_mib:.0f}",
            f"{row.memory_mib:.0f} MiB",
            f"{row.first_token_ms:.0f} ms",
            f"{row.tokens_per_s:.0f}",
            f"{row.correct:.3f}",
            f"{row.faithful:.3f}",
            f"{row.refused} of {row.wordings}",
        )
    console.print(table)


def _figures(chosen: Settings, name: str, cases: Path) -> ModelFigures:
    """One model's row; runs in a process of its own."""
    from chatbot.assembly import build_parts
    from chatbot.training.compare_models import PeakMemory, figures_of, pace_of
    from chatbot.training.evaluate import read_cases

    file, adapter = _files(chosen, name)
    generator = chosen.generator.model_copy(
        update={"kind": "llama_cpp", "model": str(file), "adapter": str(adapter) if adapter else "none"}
    )
    asked = read_cases(cases)
    with PeakMemory() as memory:
        parts = build_parts(chosen.model_copy(update={"generator": generator}))
        try:
            assert parts.generator is not None
            pace = pace_of(parts.generator, asked)
            report = ask(parts, asked, lambda done, total: _tell_asked(name, done, total), guard_off=True)
        finally:
            parts.close()
    files = [file] if adapter is None else [file, adapter]
    return figures_of(name, files, report, pace, memory.bytes)


def ask(
    parts: Parts, cases: Sequence[AnswerCase], progress: Callable[[int, int], None], *, guard_off: bool
) -> AnswerReport:
    """Each case asked of a bot that knows only its knowledge.

    Args:
        guard_off: judge also what the generator says before the guard, where there is one.
    """
    from chatbot.assembly import search_calibration
    from chatbot.memory import Memory, NoHistory
    from chatbot.training.evaluate import evaluate_answers
    from chatbot.training.overheard import Overheard

    overheard = Overheard(parts.generator) if guard_off and parts.generator is not None else None
    if overheard is not None:
        parts = replace(parts, generator=overheard)
    return evaluate_answers(
        cases,
        lambda knowledge: parts.bot(knowledge, Memory(NoHistory())),
        parts.embedder,
        parts.language_of,
        progress,
        overheard,
        search_calibration(parts.settings, parts.embedder),
    )


_TOLD = 10
"""Cases between two lines of progress."""


def _tell_asked(name: str, done: int, total: int) -> None:
    """A line on the error stream, which the process shares with the one that waits for it.

    Where that one is gone, nobody reads what comes of it, and this one ends, too.
    """
    waiting = multiprocessing.parent_process()
    if waiting is not None and not waiting.is_alive():
        os._exit(1)
    if done % _TOLD == 0 or done == total:
        print(f"{name}: {done} of {total} cases", file=sys.stderr, flush=True)


def _files(chosen: Settings, name: str) -> tuple[Path, Path | None]:
    """Model file and adapter of ``MODEL`` or ``MODEL+RUN``.

    Raises:
        BadRequestError: no file of a model, or no such run.
        ModelError: the model or the adapter cannot be used.
    """
    from chatbot.models import ADAPTER, check_adapter, resolve_generator

    model, _, run = (name, "", "") if Path(name).is_file() else name.partition("+")
    found = resolve_generator(model, chosen.models_dir)
    if not isinstance(found, Path) or not found.is_file():
        raise BadRequestError(f"{model!r} is no GGUF file; expected a catalogue id or the path of one")
    if not run:
        return found, None
    adapter = chosen.runs_dir / run / ADAPTER
    if not adapter.is_file():
        adapter = Path(run).expanduser()
    if not adapter.is_file():
        raise BadRequestError(
            f"{run!r} is neither a finished run in {chosen.runs_dir} nor an adapter's file; `kefu train list` "
            "shows the runs"
        )
    check_adapter(adapter, found)
    return found, adapter


def written_material(
    chosen: Settings,
    per_line: int,
    translations: list[Path] | None = None,
    answers: list[Path] | None = None,
) -> tuple[Material, Material]:
    """What was written to learn from, and what is held out."""
    from chatbot.language import dominant_language
    from chatbot.training import DATA
    from chatbot.training.generator.run import read_material

    return read_material(
        translations or [DATA / "wording" / "parallel.jsonl"],
        answers or [DATA / "wording" / "answers.jsonl"],
        lambda text: dominant_language(text, chosen.languages) or "",
        per_line,
    )


def _own(chosen: Settings, most: int) -> Material:
    """The knowledge base's own answers in the languages they are missing in, from all over it."""
    from chatbot.assembly import open_database, open_store
    from chatbot.training.generator.examples import Material, entry_examples

    own = entry_examples(open_store(chosen, open_database(chosen)).snapshot().entries).examples
    return Material(own[:: max(1, len(own) // most)][:most], ())


def _lesson(chosen: Settings, teacher: str, learn: Material, folder: Path) -> Lesson:
    """The teacher's words; it is gone from memory before the smaller model is loaded."""
    from chatbot.generate import build_generator
    from chatbot.language import dominant_language
    from chatbot.training.generator.teacher import TAUGHT, teach

    file, adapter = _files(chosen, teacher)
    engine = build_generator(
        chosen.generator.model_copy(update={"kind": "llama_cpp", "slots": 1}), file, adapter=adapter
    )
    assert engine is not None
    try:
        with progress_bar("the teacher words") as progress:
            return teach(
                learn.examples,
                engine,
                lambda text: dominant_language(text, chosen.languages) or "",
                folder / TAUGHT,
                progress,
            )
    finally:
        engine.close()


_PROBED = 24
"""Prompts on which the layers are measured."""


def _least_needed(base: Path, count: int) -> list[int]:
    """The layers that do least for what the service asks for."""
    from chatbot.training.generator.pruning import influence_of_layers, least_needed
    from chatbot.training.generator.run import load_trainable

    learn, _ = written_material(settings(), 1)
    some = learn.examples[:: max(1, len(learn.examples) // _PROBED)]
    tokenizer, model, _, _ = load_trainable(base)
    texts = [
        tokenizer.apply_chat_template(
            [
                *({"role": m.role, "content": m.content} for m in example.prefix),
                {"role": "user", "content": example.turns[0].said},
                {"role": "assistant", "content": example.turns[0].made},
            ],
            tokenize=False,
        )
        for example in some
    ]
    return least_needed(influence_of_layers(model, tokenizer, texts), count)
