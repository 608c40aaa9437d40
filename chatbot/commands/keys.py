"""``kefu keys``: who may use the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chatbot.commands.output import AsJson, console, print_json, settings
from chatbot.storage.keys import SCOPES, ApiKey, Keys

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

_SCOPES_HELP = "; ".join(f"{name}: {meaning}" for name, meaning in SCOPES.items())


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what uses it, for the list.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=f"What it is good for; give it several times. {_SCOPES_HELP}.")
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, help="Refused after so many days; left out: never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, once."""
    with _keys() as keys:
        key, text = keys.create(
            name, scope or ["chat"], lifetime=None if days is None else timedelta(days=days)
        )
    if as_json:
        print_json({**_row(key), "key": text})
        return
    typer.echo(text)
    console.print(
        f"The key {key.id} has the scopes {', '.join(key.scopes)}. It is shown this once and cannot be had again."
    )


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, newest first; secrets are not kept."""
    with _keys() as keys:
        found = keys.list()
    if as_json:
        print_json([_row(key) for key in found])
        return
    table = Table("id", "name", "scopes", "created", "last used", "state")
    for key in found:
        table.add_row(
            key.id,
            escape(key.name),
            " ".join(key.scopes),
            _day(key.created_at),
            _day(key.last_used_at),
            _state(key),
        )
    Console().print(table)


@app.command()
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, or the key itself.")],
    as_json: AsJson = False,
) -> None:
    """Make a key useless from the next request on."""
    with _keys() as keys:
        key = keys.revoke(id_)
    if as_json:
        print_json(_row(key))
        return
    console.print(f"The key {key.id} ({escape(key.name)}) is revoked.")


@contextmanager
def _keys() -> Iterator[Keys]:
    from chatbot.assembly import open_database

    database = open_database(settings())
    try:
        yield Keys(database)
    finally:
        database.dispose()


def _row(key: ApiKey) -> dict[str, Any]:
    fields = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(key).items()
    }
    return {**fields, "state": _state(key)}


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "usable" if key.usable(datetime.now(UTC)) else "expired"


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
