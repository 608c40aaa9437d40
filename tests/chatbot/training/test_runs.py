"""Runs on disk: which go on, and which were stopped."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from chatbot.training.runs import list_runs


def run(folder: Path, moments: list[float]) -> None:
    folder.mkdir(parents=True)
    lines = [{"at": at, "step": n, "steps": 40, "loss": 1.0} for n, at in enumerate(moments, 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("pace_s", "quiet_s", "going_on"),
    [(1.0, 5.0, True), (1.0, 400.0, False), (120.0, 400.0, True), (120.0, 1300.0, False)],
)
def test_a_run_goes_on_while_its_last_step_is_no_longer_ago_than_its_pace_explains(
    tmp_path: Path, pace_s: float, quiet_s: float, going_on: bool
) -> None:
    last = time.time() - quiet_s
    run(tmp_path / "a", [last - pace_s * n for n in (3, 2, 1, 0)])
    assert [(found.state, found.going_on) for found in list_runs(tmp_path)] == [("unfinished", going_on)]


def test_a_run_that_was_stopped_and_goes_on_again_is_not_slow(tmp_path: Path) -> None:
    now = time.time()
    run(tmp_path / "a", [now - 90_000 + n for n in range(5)] + [now - 400])
    assert not list_runs(tmp_path)[0].going_on


def test_a_run_without_a_moment_counts_as_stopped(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "metrics.jsonl").write_text('{"step": 1, "at": null}\n')
    assert not list_runs(tmp_path)[0].going_on
