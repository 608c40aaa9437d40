"""The report of a fine-tuning run."""

from __future__ import annotations

from pathlib import Path

from chatbot.training.generator.examples import Material
from chatbot.training.generator.run import Run
from chatbot.training.report import Bars, Curves, Report, Section, Table, write_report
from chatbot.training.runs import curve

__all__ = ["REPORT", "report_run"]

REPORT = "report.html"
_SHOWN = 60


def report_run(run: Run, learn: Material, folder: Path) -> None:
    """Writes the report beside the adapter.

    Raises:
        OSError: there is no room or no right to write.
    """
    points = curve(folder)
    lines = {
        name: [(point["step"], point[field]) for point in points if point.get(field) is not None]
        for name, field in (("training", "loss"), ("held out", "held_out_loss"))
    }
    if lines["held out"]:
        lines["held out"].insert(0, (0, run.figures["held_out_loss_before"]))
    write_report(
        Report(
            title=f"Fine-tuning «{run.name}»",
            summary={
                "base": run.base,
                "held-out loss": f"{run.figures['held_out_loss_before']:.3f} → {run.figures['held_out_loss']:.3f}",
                "examples": sum(run.examples.values()),
                "held out": run.held_out_examples,
                "steps": int(run.figures["steps"]),
                "tokens a second": run.figures["tokens_per_s"],
                "minutes": round(run.seconds / 60),
                "device": run.device,
            },
            sections=[
                Section("Loss", "Of a token that is to be said, in nats.", [Curves(lines, "Loss", "step")]),
                Section(
                    "Examples", "What was learnt, by task and language.", [Bars(run.examples, "Examples")]
                ),
                Section(
                    "Left out",
                    "Examples that the guard would not let out; the model must not learn them.",
                    [
                        *([Bars(run.dropped, "By check")] if run.dropped else []),
                        Table(
                            ["example", "why"],
                            [(each.id, ", ".join(each.reasons)) for each in learn.dropped[:_SHOWN]],
                        ),
                    ],
                ),
                Section(
                    "Settings",
                    "",
                    [Table(["setting", "value"], [(k, str(v)) for k, v in run.settings.items()])],
                ),
            ],
        ),
        folder / REPORT,
    )
