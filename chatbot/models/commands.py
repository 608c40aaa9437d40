"""``kefu models``: which models there are, fetching them, checking them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from chatbot.models.catalogue import CATALOGUE, Model
from chatbot.models.choice import chosen_generator
from chatbot.models.disk import ModelCheck, find_model, installed, is_whole, model_folder, verify
from chatbot.models.fetch import PullState, pull
from chatbot.models.judge import JUDGE_BASE
from chatbot.settings import Settings, load_settings

__all__ = ["app", "needed_models"]

app = typer.Typer(name="models", help="Models on disk: list, pull, verify.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids from `kefu models list`.")]

_STAGES = {
    "waiting": "waits for another pull",
    "resuming": "looks at what is there",
    "fetching": "fetches",
    "checking": "checks sha256",
    "unpacking": "unpacks",
    "trying": "tries the model",
}


def needed_models(settings: Settings) -> list[Model]:
    """The catalogue's models that these settings name; paths, hub ids and servers need no pull."""
    ids = [settings.embedder.model, settings.embedder.resolved_second]
    if settings.generator.kind in ("llama_cpp", "transformers"):
        ids.append(chosen_generator(settings.generator.model).model)
    if settings.judge:
        ids.append(JUDGE_BASE)
    return [CATALOGUE[model_id] for model_id in dict.fromkeys(ids) if model_id in CATALOGUE]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Shows the catalogue and what of it is on disk."""
    settings = load_settings()
    needed = {model.id for model in needed_models(settings)}
    states = installed(settings.models_dir)
    if as_json:
        rows = [
            {
                "id": state.model.id,
                "kind": state.model.kind,
                "title": state.model.title,
                "licence": state.model.licence,
                "upstream": state.model.upstream,
                "download_bytes": state.model.download_bytes,
                "installed_bytes": state.model.installed_bytes,
                "state": state.state,
                "needed": state.model.id in needed,
                "path": str(state.folder),
            }
            for state in states
        ]
        _print_json({"models_dir": str(settings.models_dir), "models": rows})
        return
    table = Table(title=f"Models in {settings.models_dir}", box=box.SIMPLE)
    for column in ("id", "kind", "state", "needed", "on disk"):
        table.add_column(column, no_wrap=column == "id", overflow="fold")
    for state in states:
        model = state.model
        table.add_row(
            model.id,
            model.kind,
            state.state,
            "yes" if model.id in needed else "",
            f"{model.installed_bytes / 1e6:.0f} MB",
        )
    Console().print(table)


@app.command("pull")
def pull_models(
    ids: Ids = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every model of the catalogue.")] = False,
    local: Annotated[
        Path | None,
        typer.Option("--from", exists=True, help="Take the files from this folder instead of a network."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetches models; without ids those that the settings need."""
    settings = load_settings()
    models = list(CATALOGUE.values()) if all_models else [find_model(model_id) for model_id in ids or []]
    models = models or needed_models(settings)
    results: list[dict[str, object]] = []
    for model in models:
        started = time.monotonic()
        there = is_whole(model, settings.models_dir)
        with _bar() as (bars, task):
            folder = pull(model, settings.models_dir, _pulling(bars, task), local=local)
        results.append(
            {
                "id": model.id,
                "path": str(folder),
                "bytes": model.installed_bytes,
                "already": there,
                "seconds": round(time.monotonic() - started, 1),
            }
        )
        if not as_json:
            Console().print(
                f"{model.id}: {'was there already' if there else 'ready'} in {folder}", soft_wrap=True
            )
    if as_json:
        _print_json({"models_dir": str(settings.models_dir), "models": results})
    elif not models:
        Console().print("The settings name no model of the catalogue; nothing to pull.")


@app.command("verify")
def verify_models(ids: Ids = None, as_json: AsJson = False) -> None:
    """Hashes files anew; without ids those of every model on disk and of those the settings need.

    Ends with exit status 1 when a file is missing or has other bytes than it should.
    """
    settings = load_settings()
    if ids:
        models = [find_model(model_id) for model_id in ids]
    else:
        needed = needed_models(settings)
        models = [
            m for m in CATALOGUE.values() if m in needed or model_folder(m, settings.models_dir).exists()
        ]
    checks: list[ModelCheck] = []
    for model in models:
        with _bar() as (bars, task):
            checks.append(verify(model, settings.models_dir, _hashing(bars, task, model)))
    ok = all(check.ok for check in checks)
    if as_json:
        rows = [{"id": c.model.id, "path": str(c.folder), "ok": c.ok, "files": _file_rows(c)} for c in checks]
        _print_json({"ok": ok, "models": rows})
    else:
        for check in checks:
            _print_check(check)
    if not ok:
        raise typer.Exit(1)


def _file_rows(check: ModelCheck) -> list[dict[str, object]]:
    return [
        {"name": c.file.name, "bytes": c.file.bytes, "sha256": c.file.sha256, "found": c.found, "ok": c.ok}
        for c in check.files
    ]


def _print_check(check: ModelCheck) -> None:
    console = Console()
    if check.ok:
        console.print(f"{check.model.id}: all {len(check.files)} files are right")
        return
    for file in check.files:
        if not file.ok:
            place = check.folder / file.file.name
            console.print(f"{place}: {file.found}, expected {file.file.sha256}", soft_wrap=True)
    console.print(f"Run `kefu models pull {check.model.id}`.")


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


@contextmanager
def _bar() -> Iterator[tuple[Progress, TaskID]]:
    """A progress bar with bytes, on the error stream so that JSON stays alone on the other."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield bars, bars.add_task("", total=None)


def _show(bars: Progress, task: TaskID, state: PullState) -> None:
    text = f"{state.model_id} {_STAGES[state.stage]}"
    if bars.tasks[0].description != text:
        bars.reset(task, description=text)
    bars.update(task, completed=state.done, total=state.total or None)


def _pulling(bars: Progress, task: TaskID) -> Callable[[PullState], None]:
    return lambda state: _show(bars, task, state)


def _hashing(bars: Progress, task: TaskID, model: Model) -> Callable[[int], None]:
    def show(done: int) -> None:
        _show(bars, task, PullState(model.id, "checking", done, model.installed_bytes))

    return show
