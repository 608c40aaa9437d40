"""The whole training of the answer judge: read, tune, calibrate, write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from chatbot.models import CATALOGUE, JUDGE_BASE, resolve_generator
from chatbot.models.gguf_reading import opened, weight_count
from chatbot.models.room import check_memory
from chatbot.training.judge import (
    CalibrationReport,
    Case,
    calibrate,
    outcomes,
    pairs_of,
    read_knowledge,
    save_answerability,
)
from chatbot.training.judge_odds import ODDS_FILE, read_odds
from chatbot.training.natural import natural_cases
from chatbot.training.remembered import RememberingEmbedder, remember
from chatbot.training.tune import TuneSettings, tune_judge
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry

__all__ = ["PROBE_FILE", "held_out_cases", "train_judge"]

PROBE_FILE = "judge_probe.npz"
_WORKING_BYTES = 3 << 30
"""For what the frozen layers made of every pair, gradients and Python itself."""
_HELD_OUT = 5
"""Every fifth knowledge base of a language calibrates and is not trained on."""


def held_out_cases(cases: Sequence[Case]) -> frozenset[str]:
    """Ids of the knowledge bases that the judge does not learn from."""
    seen: dict[str, int] = {}
    found = set()
    for case in cases:
        seen[case.language] = seen.get(case.language, 0) + 1
        if seen[case.language] % _HELD_OUT == 3:
            found.add(case.id)
    return frozenset(found)


def train_judge(
    data: Sequence[Path],
    shop: Sequence[Entry],
    embedder: Embedder,
    models_dir: Path,
    out: Path,
    settings: TuneSettings | None = None,
    report: Callable[[str], None] = lambda _line: None,
) -> CalibrationReport:
    """Tunes the judge on ``data`` and a shop's entries; writes it and the calibration to ``out``.

    The calibration, and every figure of the report, comes from knowledge bases
    that the judge has not seen.

    Raises:
        BadRequestError: a file is not of the form expected.
        ModelError: there is too little memory, or the base model is not there.
    """
    base = Path(resolve_generator(JUDGE_BASE, models_dir))
    weights = weight_count(opened(base).tensors)
    check_memory("training the answer judge", 4 * weights + _WORKING_BYTES, "use a machine with more of it")
    written = read_knowledge(data)
    embedder = RememberingEmbedder(embedder)
    remember(embedder, written, shop)
    report("texts embedded")
    natural = natural_cases(shop, embedder)
    calibrating = held_out_cases(written)
    held_out = calibrating | {case.id for case in natural.held_out}
    cases = [*written, *natural.train, *natural.held_out]
    pairs = pairs_of(cases, embedder, held_out)
    tuned = tune_judge(
        cases,
        pairs,
        base,
        held_out,
        base_sha256=CATALOGUE[JUDGE_BASE].files[0].sha256,
        settings=settings,
        report=report,
    )
    tuned.probe.save(out / PROBE_FILE)
    unseen = [case for case in written if case.id in calibrating]
    read_odds(unseen, tuned.probe, base, report).save(out / ODDS_FILE)
    known = {(p.case, p.entry, p.question): float(v) for p, v in zip(pairs, tuned.log_odds, strict=True)}

    def judge(case: Case, entry: int, question: int) -> float:
        return known[case.id, entry, question]

    model, figures = calibrate(unseen, embedder, judge)
    save_answerability(model, out / "answerability.json")
    return replace(figures, natural=outcomes(model, natural.held_out, embedder, judge))
