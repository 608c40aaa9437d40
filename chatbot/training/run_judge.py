"""The whole training of the answer judge: read, fit, calibrate, write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chatbot.models import CATALOGUE, JUDGE_BASE, resolve_generator
from chatbot.training.judge import (
    CalibrationReport,
    Case,
    Progress,
    calibrate,
    fit_probe,
    pairs_of,
    read_knowledge,
    save_answerability,
    states,
)
from knowledge_base.embed import Embedder

__all__ = ["train_judge"]


def train_judge(
    data: Sequence[Path],
    embedder: Embedder,
    models_dir: Path,
    layers: int,
    out: Path,
    progress: Progress | None = None,
) -> CalibrationReport:
    """Trains the read-out on ``data`` and writes probe and calibration to ``out``.

    Every question's judgement used in the calibration comes from a read-out
    that has not seen its knowledge base.
    """
    cases = read_knowledge(data)
    base = Path(resolve_generator(JUDGE_BASE, models_dir))
    pairs = pairs_of(cases, embedder)
    hidden = states(cases, pairs, base, layers, progress)
    probe, unseen = fit_probe(pairs, hidden, layers=layers, base_sha256=CATALOGUE[JUDGE_BASE].files[0].sha256)
    known = {(p.case, p.entry, p.question): float(v) for p, v in zip(pairs, unseen, strict=True)}

    def judge(case: Case, entry: int, question: int) -> float:
        return known[case.id, entry, question]

    model, report = calibrate(cases, embedder, judge)
    probe.save(out / "judge_probe.npz")
    save_answerability(model, out / "answerability.json")
    return report
