"""``kefu kb``: entries in, out, listed, searched and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from chatbot.commands.output import AsJson, console, print_json, progress_bar, settings, stage_bars
from chatbot.language import dominant_language
from knowledge_base.entry import Entry
from knowledge_base.errors import KnowledgeError
from knowledge_base.reading import read_entries, write_entries
from knowledge_base.store import EntryStore

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

_Language = Annotated[str | None, typer.Option("--language", help="Language of the entries, e.g. zh, en.")]


@dataclass(frozen=True, slots=True)
class _Counts:
    """What one file holds and does to the knowledge base, in entries."""

    file: str
    entries: int
    added: int
    changed: int
    unchanged: int


@app.command("import")
def import_files(
    files: Annotated[
        list[Path], typer.Argument(help="Files: csv, tsv, xlsx, jsonl, json, yml, md, html, docx, pdf, txt.")
    ],
    language: _Language = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count, change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add the entries of files, and replace those whose id is known.

    All files are read before anything is changed.  Where neither a column nor
    ``--language`` tells an entry's language it is told from its text.  A
    knowledge base that was never filled gets these entries alone, not the
    sample company.
    """
    from chatbot.assembly import open_database

    contents = _read(files, language)
    database = open_database(settings())
    try:
        store = EntryStore(database.engine)
        counts = _counts(contents, {entry.id: entry for entry in store.all()})
        if not dry_run:
            store.upsert(entry for entries in contents.values() for entry in entries)
    finally:
        database.dispose()
    _show_counts(counts, dry_run, as_json)


def _read(files: Sequence[Path], language: str | None) -> dict[Path, list[Entry]]:
    """Entries of all files; ids are unique over all of them.

    Raises:
        KnowledgeError: a file cannot be read, or two files have the same id.
    """
    contents: dict[Path, list[Entry]] = {}
    owner: dict[str, Path] = {}
    with progress_bar("reading") as progress:
        for number, path in enumerate(dict.fromkeys(files), 1):
            contents[path] = read_entries(path, language=language, detect=_language_of)
            for entry in contents[path]:
                if entry.id in owner:
                    raise KnowledgeError(
                        f"{path}: found the id {entry.id!r}, which {owner[entry.id]} has too; "
                        "expected each id in one file: rename or remove one"
                    )
                owner[entry.id] = path
            progress(number, len(files))
    return contents


def _language_of(text: str) -> str:
    chosen = settings()
    return dominant_language(text, chosen.languages) or chosen.default_language


def _counts(contents: Mapping[Path, Sequence[Entry]], known: Mapping[str, Entry]) -> list[_Counts]:
    rows = []
    for path, entries in contents.items():
        added = sum(entry.id not in known for entry in entries)
        unchanged = sum(known.get(entry.id) == entry for entry in entries)
        rows.append(_Counts(str(path), len(entries), added, len(entries) - added - unchanged, unchanged))
    return rows


def _show_counts(counts: Sequence[_Counts], dry_run: bool, as_json: bool) -> None:
    names = ("entries", "added", "changed", "unchanged")
    total = {name: sum(getattr(row, name) for row in counts) for name in names}
    if as_json:
        print_json({"files": [asdict(row) for row in counts], "total": total})
        return
    table = Table("file", *names)
    for row in counts:
        table.add_row(escape(row.file), *(str(getattr(row, name)) for name in names))
    if len(counts) > 1:
        table.add_row("total", *(str(total[name]) for name in names))
    console.print(table)
    if dry_run:
        console.print("nothing was changed; leave out --dry-run to import")


@app.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(help="File to write: csv, tsv, jsonl, json or yml.")],
    language: _Language = None,
    as_json: AsJson = False,
) -> None:
    """Write all entries to a file that ``import`` reads back unchanged."""
    entries = _entries(language, None)
    write_entries(file, entries)
    if as_json:
        print_json({"file": str(file), "entries": len(entries)})
    else:
        console.print(f"{len(entries)} entries written to {file}", highlight=False, markup=False)


@app.command("list")
def list_entries(
    language: _Language = None,
    category: Annotated[str | None, typer.Option("--category", help="Only entries of this category.")] = None,
    as_json: AsJson = False,
) -> None:
    """List entries, ordered by id."""
    entries = _entries(language, category)
    names = ("id", "group", "language", "question", "category", "verbatim")
    rows = [{name: getattr(entry, name) for name in names} for entry in entries]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo("\t".join(str(row[name]) for name in ("id", "language", "category", "question")))
    console.print(f"{len(rows)} entries")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A question in a customer's words.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Most entries to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show the entries that may answer a question, best first."""
    from chatbot.assembly import build_embedder, open_database, open_knowledge, open_store

    database = open_database(settings())
    try:
        with stage_bars() as report:
            embedder = build_embedder(settings())
            knowledge = open_knowledge(settings(), open_store(settings(), database), embedder, report)
        hits = knowledge.search(text, _language_of(text), limit=limit)
    finally:
        database.dispose()
    rows = [
        {
            "entry_id": hit.entry.id,
            "score": round(hit.score, 4),
            "language": hit.entry.language,
            "question": hit.entry.question,
            "answer": hit.entry.answer,
        }
        for hit in hits
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['score']:.3f}  {row['entry_id']}  {row['question']}\n       {row['answer']}")
    if not rows:
        console.print("nothing found")


@app.command("delete")
def delete_entries(
    ids: Annotated[list[str], typer.Argument(help="Ids of entries, as `kefu kb list` shows them.")],
    as_json: AsJson = False,
) -> None:
    """Remove entries, all or none."""
    from chatbot.assembly import open_database, open_store

    database = open_database(settings())
    try:
        store = open_store(settings(), database)
        unknown = [id_ for id_ in ids if store.get(id_) is None]
        if unknown:
            raise KnowledgeError(
                f"no entry has the id {', '.join(map(repr, unknown))}; expected ids of `kefu kb list`; "
                "nothing was removed"
            )
        removed = store.delete(ids)
    finally:
        database.dispose()
    if as_json:
        print_json({"deleted": removed})
    else:
        console.print(f"{removed} entries removed")


def _entries(language: str | None, category: str | None) -> list[Entry]:
    """Stored entries, ordered by id, of one language and category if given."""
    from chatbot.assembly import open_database, open_store

    database = open_database(settings())
    try:
        found = open_store(settings(), database).all()
    finally:
        database.dispose()
    return [
        entry
        for entry in found
        if (language is None or entry.language == language)
        and (category is None or entry.category == category)
    ]
