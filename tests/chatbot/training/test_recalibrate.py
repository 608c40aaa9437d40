"""Search and decision are fitted for the encoder at hand, without the judge reading anything again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chatbot.assembly import calibrated_folder, sample_entries, search_calibration
from chatbot.decide import Answerability
from chatbot.errors import BadRequestError, ModelError
from chatbot.settings import Settings
from chatbot.training.judge import Case, read_knowledge
from chatbot.training.judge_odds import JudgeOdds, _fingerprint, every_pair, shipped_odds
from chatbot.training.recalibrate import judge_files, recalibrate
from knowledge_base.calibration import Calibration
from knowledge_base.errors import KnowledgeError
from tests.embedders import HashEmbedder


def cases(count: int) -> list[Case]:
    return [case for case in read_knowledge(judge_files()) if case.language == "en"][:count]


def odds_of(known: list[Case], right: float = 3.0) -> JudgeOdds:
    """A judge that is right three times out of four."""
    draw = np.random.default_rng(1)
    values = {
        case.id: np.array(
            [
                [
                    right * (1 if (e in q.answers) != (draw.random() < 0.25) else -1)
                    for e in range(len(case.entries))
                ]
                for q in case.questions
            ],
            np.float16,
        )
        for case in known
    }
    return JudgeOdds("p", values, {case.id: _fingerprint(case) for case in known})


def test_values_read_back_as_they_were_saved(tmp_path: Path) -> None:
    known = cases(3)
    saved = odds_of(known)
    saved.save(tmp_path / "odds.npz")
    read = JudgeOdds.load(tmp_path / "odds.npz")
    assert (read.probe, read.texts) == (saved.probe, saved.texts)
    for pair in every_pair(known):
        case = next(each for each in known if each.id == pair.case)
        assert read(case, pair.entry, pair.question) == saved(case, pair.entry, pair.question)


def test_a_case_whose_texts_have_changed_counts_no_longer() -> None:
    known = cases(3)
    odds = odds_of(known)
    changed = replace(known[1], entries=(replace(known[1].entries[0], answer="other"), *known[1].entries[1:]))
    assert odds.known([known[0], changed, known[2]]) == [known[0], known[2]]


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_damaged_values_are_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odds.npz").write_bytes(content)
    with pytest.raises(ModelError, match="kefu train judge"):
        JudgeOdds.load(tmp_path / "odds.npz")


def test_the_shipped_values_are_those_of_the_shipped_judge_and_of_unseen_knowledge_bases() -> None:
    from chatbot.training.run_judge import held_out_cases

    odds = shipped_odds()
    written = read_knowledge(judge_files())
    unseen = held_out_cases(written)
    assert {case.id for case in odds.known(written)} == unseen == set(odds.values)
    right = [odds(c, p.entry, p.question) for c in odds.known(written) for p in every_pair([c]) if p.label]
    wrong = [
        odds(c, p.entry, p.question) for c in odds.known(written) for p in every_pair([c]) if not p.label
    ]
    assert np.median(right) > 0 > np.median(wrong)


def test_what_is_fitted_weighs_the_judge_and_is_used_by_that_encoder_only(tmp_path: Path) -> None:
    known = cases(30)
    fitted = recalibrate(HashEmbedder(), sample_entries(), odds_of(known), known)
    assert fitted.answerability.judged["judge"] > 0
    assert 0 < fitted.answerability.threshold < 1
    assert fitted.decision.auc_judged > fitted.decision.auc_quick
    settings = Settings(data_dir=tmp_path)
    fitted.save(calibrated_folder(settings, HashEmbedder()))
    assert search_calibration(settings, HashEmbedder()) == fitted.calibration != Calibration.shipped()
    other = HashEmbedder()
    other.fingerprint = "another"
    assert search_calibration(settings, other) == Calibration.shipped()
    folder = calibrated_folder(settings, HashEmbedder())
    assert Answerability.load(folder / "answerability.json") == fitted.answerability
    assert set(json.loads((folder / "report.json").read_text())) == {"search", "decision"}


def test_too_few_knowledge_bases_are_not_fitted_on() -> None:
    known = cases(5)
    with pytest.raises(BadRequestError, match="expected at least 20"):
        recalibrate(HashEmbedder(), sample_entries(), odds_of(known), known)


@pytest.mark.parametrize("content", ["", "[]", '{"bias": 1}', "{no"])
def test_a_damaged_calibration_is_said_with_what_to_do(tmp_path: Path, content: str) -> None:
    folder = calibrated_folder(Settings(data_dir=tmp_path), HashEmbedder())
    folder.mkdir(parents=True)
    for name in ("calibration.json", "answerability.json"):
        (folder / name).write_text(content)
    with pytest.raises(KnowledgeError, match="kefu train calibrate"):
        search_calibration(Settings(data_dir=tmp_path), HashEmbedder())
    with pytest.raises(ModelError, match="kefu train calibrate"):
        Answerability.load(folder / "answerability.json")
