"""``kefu webhooks``: where events are sent, what was delivered, and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from chatbot.commands.output import AsJson, console, print_json, settings
from chatbot.errors import BadRequestError
from chatbot.storage.outbox import Delivery, Endpoint, Outbox

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

_Id = Annotated[str, typer.Argument(help="Id of the endpoint, `ep_…`.")]
_Secret = Annotated[str | None, typer.Option(help="Signing secret, `whsec_…`; made for you if left out.")]
_STATES = ("pending", "delivered", "failed")


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where events are sent: https://host/path.")],
    event: Annotated[
        list[str] | None,
        typer.Option(help="Type of event to send; give it several times. Left out: all."),
    ] = None,
    secret: _Secret = None,
    as_json: AsJson = False,
) -> None:
    """Add an endpoint and print its signing secret."""
    from chatbot.channels.outgoing.addresses import Addresses, AddressRefused, check_url
    from chatbot.channels.outgoing.deliver import check_secret, new_secret

    check_url(url)
    try:
        asyncio.run(_probe(Addresses(settings().webhooks.allowed_networks), url))
    except AddressRefused as refused:
        raise BadRequestError(
            f"this URL cannot be used: {refused}; a private network is allowed by "
            "KEFU_WEBHOOKS__ALLOWED_NETWORKS"
        ) from None
    with _outbox() as outbox:
        found = outbox.add_endpoint(url, check_secret(secret) if secret else new_secret(), event or ())
    _show_secret(found, as_json)


async def _probe(addresses: Any, url: str) -> None:
    """Refuses a URL that could never be delivered to; the host's name must be known."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    encrypted = parts.scheme == "https"
    await addresses.resolve(parts.hostname, parts.port or (443 if encrypted else 80), encrypted=encrypted)


@app.command("list")
def list_endpoints(as_json: AsJson = False) -> None:
    """List the endpoints, without their secrets."""
    with _outbox() as outbox:
        found = outbox.endpoints()
    if as_json:
        print_json([_plain(endpoint) for endpoint in found])
        return
    table = Table("id", "url", "events", "state", "secrets")
    for endpoint in found:
        state = "enabled" if endpoint.enabled else f"disabled: {endpoint.note}"
        events = ", ".join(endpoint.events) or "all"
        table.add_row(endpoint.id, escape(endpoint.url), events, escape(state), str(len(endpoint.secrets)))
    console.print(table)


@app.command()
def remove(endpoint: _Id) -> None:
    """Remove an endpoint and what waits for it."""
    with _outbox() as outbox:
        outbox.remove_endpoint(endpoint)
    console.print("removed")


@app.command()
def enable(endpoint: _Id) -> None:
    """Send to an endpoint again that was disabled."""
    with _outbox() as outbox:
        outbox.set_enabled(endpoint, True)
    console.print(f"enabled; what it missed: kefu webhooks replay --endpoint {endpoint} --state failed")


@app.command()
def disable(endpoint: _Id) -> None:
    """Send nothing more to an endpoint."""
    with _outbox() as outbox:
        outbox.set_enabled(endpoint, False, "disabled by hand")
    console.print("disabled")


@app.command()
def rotate(
    endpoint: _Id,
    secret: _Secret = None,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=24 * 365, help="How long the older secrets sign too, in hours.")
    ] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Give an endpoint a new secret; for a while requests are signed with both."""
    from chatbot.channels.outgoing.deliver import check_secret, new_secret

    chosen = check_secret(secret) if secret else new_secret()
    with _outbox() as outbox:
        found = outbox.rotate(endpoint, chosen, timedelta(hours=overlap_hours))
    _show_secret(found, as_json)


@app.command()
def deliveries(
    endpoint: Annotated[str | None, typer.Option(help="Only those of this endpoint.")] = None,
    state: Annotated[str | None, typer.Option(help=f"Only those that are {', '.join(_STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, newest first."""
    with _outbox() as outbox:
        found = outbox.deliveries(endpoint_id=endpoint, state=_state(state), limit=limit)
    if as_json:
        print_json([asdict(delivery) for delivery in found])
        return
    table = Table("event", "type", "endpoint", "state", "attempts", "status", "error", "next or finished")
    for one in found:
        moment = one.finished_at or one.next_at
        table.add_row(
            one.event_id, one.type, one.endpoint_id, one.state, str(one.attempts), str(one.status or ""),
            escape(one.error), moment.isoformat(timespec="seconds"),
        )  # fmt: skip
    console.print(table)


@app.command()
def replay(
    event: Annotated[str | None, typer.Argument(help="Id of one event, `msg_…`.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Those of this endpoint.")] = None,
    state: Annotated[str | None, typer.Option(help=f"Those that are {', '.join(_STATES)}.")] = None,
    since_hours: Annotated[float | None, typer.Option(min=0, help="Those of the last hours.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send events again, with the ids they had; `kefu serve` delivers them."""
    if event is None and endpoint is None and state is None and since_hours is None:
        raise BadRequestError(
            "found nothing to replay; give an event's id, --endpoint, --state or --since-hours"
        )
    since = None if since_hours is None else datetime.now(UTC) - timedelta(hours=since_hours)
    with _outbox() as outbox:
        count = outbox.replay(event_id=event, endpoint_id=endpoint, state=_state(state), since=since)
    if as_json:
        print_json({"replayed": count})
    else:
        console.print(f"{count} deliveries are due again")
    if event is not None and count == 0:
        raise typer.Exit(1)


@app.command("test")
def send_test(endpoint: _Id, as_json: AsJson = False) -> None:
    """Send a test event now and say what came of it."""
    from chatbot.channels.outgoing import WebhookWorker

    with _outbox() as outbox:
        event = outbox.add_test(endpoint)
        asyncio.run(WebhookWorker(outbox, settings().webhooks).deliver_once(event))
        found = _attempted(outbox, event)
    if as_json:
        print_json(asdict(found))
    else:
        console.print(f"{found.state}, HTTP status {found.status or 'none'} {found.error}".strip())
    if found.state != "delivered":
        raise typer.Exit(1)


def _attempted(outbox: Outbox, event_id: str) -> Delivery:
    """The delivery after its first attempt; a running service may have taken it first."""
    deadline = time.monotonic() + settings().webhooks.timeout_s + 5
    while True:
        [found] = outbox.deliveries(event_id=event_id)
        if found.state != "pending" or found.error or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


@contextmanager
def _outbox() -> Iterator[Outbox]:
    # not by the assembly, whose import takes seconds
    from chatbot.storage import Database

    settings().data_dir.mkdir(parents=True, exist_ok=True)
    database = Database.open(settings().resolved_database_url)
    database.upgrade()
    try:
        yield Outbox(database)
    finally:
        database.dispose()


def _state(text: str | None) -> Any:
    if text is not None and text not in _STATES:
        raise BadRequestError(f"found the state {text!r}; expected one of {', '.join(_STATES)}")
    return text


def _plain(endpoint: Endpoint) -> dict[str, Any]:
    fields = asdict(endpoint)
    fields["secrets"] = len(endpoint.secrets)
    return fields


def _show_secret(endpoint: Endpoint, as_json: bool) -> None:
    """Shows the newest secret: this is the moment to copy it."""
    if as_json:
        print_json({**_plain(endpoint), "secret": endpoint.secrets[0]})
        return
    typer.echo(f"id: {endpoint.id}")
    typer.echo(f"secret: {endpoint.secrets[0]}")
