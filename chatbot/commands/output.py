"""What all commands share: JSON or words, progress bars, settings read once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chatbot.settings import Settings, load_settings

if TYPE_CHECKING:
    from chatbot.training.generator.lora import Progress as Steps

__all__ = ["AsJson", "console", "print_json", "progress_bar", "settings", "stage_bars", "tell_steps"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

console = Console(stderr=True)
"""Messages and progress; results go to standard output."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    return load_settings()


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _columns() -> tuple[Any, ...]:
    return (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for one long step; the function given takes (done, in all)."""
    with Progress(*_columns(), console=console, transient=True) as bars:
        task = bars.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield show


@contextmanager
def stage_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Bars for several named steps; the function given takes (step, done, in all)."""
    with Progress(*_columns(), console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            name = "building the index" if what == "index" else "loading"
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            text = name if what in ("index", "ready") else f"loading: {what}"
            bars.update(tasks[name], completed=done, total=total, description=text)

        yield show


def tell_steps(steps: Steps) -> None:
    """A line of a training's progress, on the error stream."""
    left = f"{steps.seconds_left / 60:.0f} min left"
    loss = "" if steps.loss is None else f", loss {steps.loss:.3f}"
    held = "" if steps.held_out_loss is None else f", held out {steps.held_out_loss:.3f}"
    print(
        f"step {steps.step} of {steps.steps}{loss}{held}, {steps.tokens_per_s:.0f} tokens/s, {left}",
        file=sys.stderr,
        flush=True,
    )
