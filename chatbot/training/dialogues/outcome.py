"""What a preparation leaves on disk: examples to learn from, proposals for the operators, a report."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from chatbot.training.dialogues.prepare import Pair, Prepared
from chatbot.training.report import Bars, Report, Section, Table, write_report
from knowledge_base.entry import Entry

__all__ = ["ANSWERS", "HELD_OUT", "PROPOSALS", "REPORT", "save_prepared"]

ANSWERS = "answers.jsonl"
HELD_OUT = "held_out.jsonl"
PROPOSALS = "proposals.csv"
REPORT = "report.html"
_SHOWN = 40


def save_prepared(prepared: Prepared, entries: Mapping[str, Entry], folder: Path) -> None:
    """Writes all of it to a folder.

    ``answers.jsonl`` and ``held_out.jsonl`` are what ``kefu train generator --answers`` reads,
    ``proposals.csv`` is what ``kefu kb import`` reads once an operator has looked through it.

    Raises:
        OSError: there is no room or no right to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, side in ((ANSWERS, "train"), (HELD_OUT, "held_out")):
        rows = (_row(pair, entries[pair.entry_id]) for pair in prepared.pairs if pair.side == side)
        _write_lines(folder / name, rows)
    with (folder / PROPOSALS).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer", "language", "conversation", "nearest"])
        for proposal in prepared.proposals:
            cells = (proposal.question, proposal.answer, proposal.language)
            writer.writerow([*map(_harmless, cells), proposal.conversation, proposal.nearest])
    (folder / "report.json").write_text(
        json.dumps(_figures(prepared), ensure_ascii=False, indent=1), encoding="utf-8"
    )
    write_report(_report(prepared, entries), folder / REPORT)


def _row(pair: Pair, entry: Entry) -> dict[str, Any]:
    question = " ".join((*pair.before[-1:], pair.question)) if len(pair.question) < 12 else pair.question
    return {
        "id": pair.conversation,
        "source": pair.source,
        "trade": pair.conversation,
        "entry": {
            "id": entry.id,
            "language": entry.language,
            "question": entry.question,
            "answer": entry.answer,
        },
        "language": pair.language,
        "question": question,
        "answer": pair.answer,
        "kind": "conversation",
    }


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _figures(prepared: Prepared) -> dict[str, Any]:
    sides = Counter(pair.side for pair in prepared.pairs)
    return {
        "conversations": prepared.conversations,
        "pairs": {"train": sides["train"], "held_out": sides["held_out"]},
        "proposals": len(prepared.proposals),
        "small_talk": prepared.small_talk,
        "masked": prepared.masked,
        "languages": prepared.languages,
        "entries_used": len(prepared.grounded_by),
    }


def _report(prepared: Prepared, entries: Mapping[str, Entry]) -> Report:
    figures = _figures(prepared)
    pairs = figures["pairs"]
    lengths = Counter(_length_class(pair.answer) for pair in prepared.pairs)
    why = Counter(reason.partition(":")[0] for proposal in prepared.proposals for reason in proposal.why)
    return Report(
        title="What past conversations hold",
        summary={
            "conversations": figures["conversations"].get("read", 0),
            "answers to learn": pairs["train"],
            "held out": pairs["held_out"],
            "proposed to operators": figures["proposals"],
            "entries that ground them": f"{figures['entries_used']} of {len(entries)}",
            "personal data covered": sum(prepared.masked.values()),
        },
        sections=[
            Section(
                "Where the conversations went",
                "The latest conversations are held out; earlier ones of the same customers are on neither side.",
                [
                    Bars(
                        {name.replace("_", " "): count for name, count in prepared.conversations.items()},
                        "Conversations",
                    )
                ],
            ),
            Section(
                "Personal data that was covered",
                "Before anything else is done, in every message.",
                [Bars(prepared.masked, "Places")] if prepared.masked else [],
            ),
            Section(
                "Answers to learn from",
                "An agent's answer is learnt where an entry of the knowledge base says the same.",
                [
                    Bars(prepared.languages, "By language"),
                    Bars({name: lengths[name] for name in _LENGTHS if lengths[name]}, "By length"),
                    Table(
                        ["entry", "grounds"],
                        [
                            (entries[id_].question, count)
                            for id_, count in list(prepared.grounded_by.items())[:_SHOWN]
                        ],
                    ),
                ],
            ),
            Section(
                "Proposals",
                "Answers that no entry holds. Look through proposals.csv, keep what is right, and import it.",
                [
                    *(
                        [Bars(dict(why.most_common(12)), "What differs from the nearest entry")]
                        if why
                        else []
                    ),
                    Table(
                        ["question", "answer", "nearest entry"],
                        [
                            (p.question, p.answer, entries[p.nearest].question)
                            for p in prepared.proposals[:_SHOWN]
                        ],
                    ),
                ],
            ),
        ],
    )


_LENGTHS = ("short", "middle", "long")


def _length_class(text: str) -> str:
    width = sum(2.5 if ord(letter) > 0x2E80 else 1.0 for letter in text)
    return "short" if width < 80 else "middle" if width < 200 else "long"
