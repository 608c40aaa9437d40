"""One run: from what is known to mean the same to an adapter of the encoder, with its report."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatbot.errors import BadRequestError
from chatbot.models.room import check_disk
from chatbot.training.encoder.lowrank import EncoderProgress, EncoderSettings, check_encoder_memory
from chatbot.training.encoder.meanings import (
    Meaning,
    anchors_found,
    fingerprint_of,
    split_by_topic,
    tune_on_meanings,
)
from chatbot.training.report import Bars, Curves, Report, Section, Table, write_report
from chatbot.training.runs import METRICS, RUN, curve
from knowledge_base.embed import Embedder, SentenceEmbedder
from knowledge_base.encoder_adapter import ADAPTER, EncoderAdapter, EncoderManifest

__all__ = ["EncoderRun", "train_encoder"]

_FEWEST = 20
"""Meanings below which nothing is learnt that could be measured."""
_SHOWN = 40
_RUN_BYTES = 100 << 20
"""Adapter, report, and the index that serves with it."""


@dataclass(frozen=True, slots=True)
class EncoderRun:
    """A finished run as ``run.json`` keeps it."""

    name: str
    kind: str
    base: str
    base_weights: str
    data: str
    examples: dict[str, int]
    """Texts that were learnt, by language."""
    held_out_examples: int
    settings: dict[str, Any]
    figures: dict[str, float]
    by_language: dict[str, dict[str, float]]
    """Share of held-out texts whose meaning is found first: before, after, texts."""
    device: str
    began: float
    seconds: float


def train_encoder(
    base_name: str,
    encoder: SentenceEmbedder,
    joined: Embedder,
    prefix: str,
    meanings: Sequence[Meaning],
    folder: Path,
    settings: EncoderSettings | None = None,
    report: Callable[[EncoderProgress], None] = lambda _progress: None,
) -> EncoderRun:
    """Tunes ``encoder`` and leaves adapter, figures and report in ``folder``.

    Args:
        base_name: what the report calls the encoder.
        encoder: tuned in place.
        joined: what serves, with ``encoder`` in it; measured before and after.
        prefix: of questions.
        meanings: a tenth is held out.

    Raises:
        BadRequestError: there is too little to learn from.
        ModelError: there is too little memory or disk.
        OSError: there is no room or no right to write.
    """
    chosen = settings or EncoderSettings()
    if len(meanings) < _FEWEST:
        raise BadRequestError(
            f"{len(meanings)} questions stand in more than one wording; expected at least {_FEWEST}: add variants or "
            "translations to the entries, or give files of questions in several languages"
        )
    check_encoder_memory()
    check_disk("a run of the encoder", folder, _RUN_BYTES, "set KEFU_DATA_DIR to another folder")
    began, start = time.time(), time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METRICS).unlink(missing_ok=True)
    learn, held_out = split_by_topic(meanings)
    before = anchors_found(joined.encode_queries, held_out, learn)

    def told(progress: EncoderProgress) -> None:
        point = {"at": time.time(), "held_out_loss": None, "tokens_per_s": None, **asdict(progress)}
        with (folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(point) + "\n")
        report(progress)

    matrices = tune_on_meanings(encoder.network, learn, prefix, chosen, told)
    after = anchors_found(joined.encode_queries, held_out, learn)
    figures = {"held_out_found_before": _mean(before), "held_out_found": _mean(after)}
    manifest = EncoderManifest(encoder.weights, fingerprint_of(learn), folder.name, figures)
    EncoderAdapter(manifest, matrices).save(folder / ADAPTER)
    run = EncoderRun(
        name=folder.name,
        kind="encoder",
        base=base_name,
        base_weights=encoder.weights,
        data=manifest.data,
        examples=dict(Counter(other.language for meaning in learn for other in meaning.others)),
        held_out_examples=sum(len(meaning.others) for meaning in held_out),
        settings=asdict(chosen),
        figures=figures,
        by_language={
            language: {"before": round(share, 4), "after": round(after[language][0], 4), "texts": count}
            for language, (share, count) in before.items()
        },
        device=platform.machine(),
        began=began,
        seconds=round(time.perf_counter() - start, 1),
    )
    (folder / RUN).write_text(json.dumps(asdict(run), ensure_ascii=False, indent=1), encoding="utf-8")
    write_report(_page(run, held_out, folder), folder / "report.html")
    return run


def _mean(found: dict[str, tuple[float, int]]) -> float:
    total = sum(count for _, count in found.values())
    return round(sum(share * count for share, count in found.values()) / total, 4) if total else 0.0


def _page(run: EncoderRun, held_out: Sequence[Meaning], folder: Path) -> Report:
    before, after = run.figures["held_out_found_before"], run.figures["held_out_found"]
    advice = (
        f"It finds more. Ask the golden questions before you serve it: kefu train promote {run.name}"
        if after > before
        else "It finds no more than the encoder as it is: do not serve it; more wordings and languages may help."
    )
    points = [(point["step"], point["loss"]) for point in curve(folder)]
    return Report(
        title=f"Encoder «{run.name}»",
        summary={
            "held-out questions found first": f"{before:.3f} → {after:.3f}",
            "texts learnt": sum(run.examples.values()),
            "texts held out": run.held_out_examples,
            "minutes": round(run.seconds / 60, 1),
        },
        sections=[
            Section(
                "Languages",
                f"Share of questions about held-out topics that lie nearest to their own meaning. {advice}",
                [
                    Table(
                        ["language", "texts", "before", "after"],
                        [
                            (name, int(each["texts"]), each["before"], each["after"])
                            for name, each in run.by_language.items()
                        ],
                    )
                ],
            ),
            Section(
                "Loss", "Of the last steps.", [Curves({"training": points}, "Loss", "step")] if points else []
            ),
            Section("What was learnt", "Texts by language.", [Bars(run.examples, "Texts")]),
            Section(
                "Held-out topics",
                "",
                [
                    Table(
                        ["question", "other wordings"],
                        [(m.anchor, " · ".join(o.text for o in m.others[:3])) for m in held_out[:_SHOWN]],
                    )
                ],
            ),
        ],
    )
