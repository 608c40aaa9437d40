"""``kefu``: the command line.

Heavy modules are imported inside the commands that need them, so that
``kefu --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from chatbot import __version__
from chatbot.commands import evaluate, keys, knowledge, train, webhooks
from chatbot.commands.output import AsJson, console, print_json, settings, stage_bars
from chatbot.errors import KefuError
from chatbot.models.commands import app as models_app

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Customer service that answers from your own knowledge base.",
)
app.add_typer(knowledge.app, name="kb", help="The knowledge base: import, list, search.")
app.add_typer(models_app, name="models", help="Models on disk: list, pull, verify.")
app.add_typer(train.app, name="train", help="Train and calibrate parts, each with a report.")
app.add_typer(evaluate.app, name="eval", help="Measure with the code that answers customers.")
app.add_typer(keys.app, name="keys", help="API keys: create, list, revoke.")
app.add_typer(webhooks.app, name="webhooks", help="Outgoing webhooks: endpoints, deliveries, replay.")
database_app = typer.Typer(no_args_is_help=True, help="The database.")
app.add_typer(database_app, name="db")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the chat page, the webhooks and the API on one port."""
    import gc

    gc.disable()  # what is imported and loaded stays; ui.serve turns it on again once all of it is there
    from ui.serve import serve as run

    chosen = settings()
    run(
        chosen.model_copy(update={"host": host or chosen.host, "port": chosen.port if port is None else port})
    )


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="The customer's message.")],
    customer: Annotated[str, typer.Option(help="Id of the customer.")] = "cli",
    conversation: Annotated[str | None, typer.Option(help="Id of a conversation to go on with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer one message, the way every channel does."""
    import uuid

    from chatbot.assembly import build_bot, open_database
    from chatbot.commands.reply import reply_json
    from chatbot.turn import Message

    database = open_database(settings())
    with stage_bars() as report:
        bot = build_bot(settings(), database, report)
    message = Message(text, conversation or f"cli-{uuid.uuid4().hex}", customer, channel="cli")
    reply = bot.respond(message)
    if as_json:
        print_json(reply_json(reply))
        return
    typer.echo(reply.text)
    for button in reply.buttons:
        typer.echo(f"  - {button.title}")
    sources = ", ".join(source.entry_id for source in reply.sources) or "none"
    total = reply.trace.timings_ms["total"]
    console.print(
        f"[dim]{reply.action.value} · sources: {sources} · guard: {reply.trace.guard} · {total:.0f} ms[/dim]"
    )


@app.command()
def bench(
    as_json: AsJson = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer rounds, without the 100,000 entries.")
    ] = False,
) -> None:
    """Measure speed beside its floor, in one run."""
    from chatbot.commands.bench import run_bench

    run_bench(settings(), as_json=as_json, quick=quick)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is missing or wrong on this machine and the command that mends it."""
    from chatbot.commands.doctor import run_doctor

    if not run_doctor(settings(), as_json=as_json):
        raise typer.Exit(1)


@database_app.command("upgrade")
def upgrade() -> None:
    """Bring the database's tables up to date."""
    from chatbot.assembly import open_database

    open_database(settings())
    console.print("the database is up to date")


def main() -> None:
    """Runs the command line; errors with a known cause end in one line, not a stack."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        app()
    except KefuError as error:
        console.print(f"[red]kefu:[/red] {error}", highlight=False, markup=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
