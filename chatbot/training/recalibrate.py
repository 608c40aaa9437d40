"""Fits search and decision for the encoder at hand: likeness means something else with each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from chatbot.decide import Answerability
from chatbot.errors import BadRequestError
from chatbot.training import DATA
from chatbot.training.judge import CalibrationReport, Case, calibrate, read_knowledge, save_answerability
from chatbot.training.judge_odds import JudgeOdds
from chatbot.training.remembered import RememberingEmbedder, remember
from chatbot.training.search import SearchReport, cases_of, fit_search, save_calibration
from knowledge_base.calibration import Calibration
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry

__all__ = ["Recalibration", "judge_files", "recalibrate"]

_FEWEST = 20
"""Knowledge bases below which no decision is fitted."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What was fitted, and how well it does on what it was not fitted on."""

    calibration: Calibration
    answerability: Answerability
    search: SearchReport
    decision: CalibrationReport

    def save(self, folder: Path) -> None:
        """Writes both calibrations and the figures below ``folder``.

        Raises:
            OSError: there is no room or no right to write.
        """
        folder.mkdir(parents=True, exist_ok=True)
        save_answerability(self.answerability, folder / "answerability.json")
        report = {"search": asdict(self.search), "decision": asdict(self.decision)}
        (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        save_calibration(self.calibration, folder / "calibration.json")


def judge_files() -> list[Path]:
    """The questions that the judge is trained and calibrated on."""
    return sorted([*DATA.glob("calibration_*.jsonl"), *DATA.glob("judge_*.jsonl")])


def recalibrate(
    embedder: Embedder, shop: Sequence[Entry], odds: JudgeOdds, written: Sequence[Case] | None = None
) -> Recalibration:
    """Fits how search signals add up, and when to answer, for ``embedder``.

    Args:
        shop: a whole shop's entries, from which the search learns beside small knowledge bases.
        odds: the judge's values; the decision is fitted on the knowledge bases that have some.
        written: small knowledge bases; by default the shipped ones.

    Raises:
        BadRequestError: too few of them have values.
    """
    cases = read_knowledge(judge_files()) if written is None else list(written)
    unseen = odds.known(cases)
    if len(unseen) < _FEWEST:
        raise BadRequestError(
            f"the judge's values are known for {len(unseen)} knowledge bases; expected at least {_FEWEST}: run "
            "`kefu train judge`"
        )
    remembering = RememberingEmbedder(embedder)
    searched = [case for case in cases if case.id.startswith("calibration")] or cases
    remember(remembering, {case.id: case for case in (*searched, *unseen)}.values(), shop)
    calibration, search = fit_search([*searched, *cases_of(shop)], remembering)
    answerability, decision = calibrate(unseen, remembering, odds, calibration)
    return Recalibration(calibration, answerability, search, decision)
