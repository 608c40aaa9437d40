"""Training runs on disk: listed, compared, and one of them promoted to what is served."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

__all__ = ["METRICS", "RUN", "Listed", "curve", "list_runs"]

RUN = "run.json"
METRICS = "metrics.jsonl"
_QUIET_S = 300.0
"""Seconds without a step after which a run counts as stopped; slow ones have longer."""
_LATELY = 40
_BREAK_S = 1800.0
"""A step takes less; what lies longer apart are a stop and a going on."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A run as the list shows it."""

    name: str
    kind: str
    state: Literal["finished", "unfinished", "damaged"]
    base: str = ""
    began: str = ""
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    going_on: bool = False
    """Not finished, and heard of lately; else it was stopped, and the same command goes on with it."""
    figures: Mapping[str, float] = field(default_factory=dict)


def list_runs(folder: Path) -> list[Listed]:
    """All runs below a folder, the latest first; a damaged one is listed as such."""
    if not folder.is_dir():
        return []
    found = [_listed(run) for run in folder.iterdir() if (run / RUN).is_file() or (run / METRICS).is_file()]
    return sorted(found, key=lambda run: run.began, reverse=True)


def curve(run: Path) -> list[dict[str, Any]]:
    """The points of a run's curve so far: step, loss, held-out loss.  A half-written last line is left out."""
    points = []
    try:
        lines = (run / METRICS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        try:
            point = json.loads(line)
        except ValueError:
            continue
        if isinstance(point, dict) and "step" in point:
            points.append(point)
    return points


def _listed(run: Path) -> Listed:
    points = curve(run)
    last = points[-1] if points else {}
    step, steps = int(last.get("step") or 0), int(last.get("steps") or 0)
    if not (run / RUN).is_file():
        began = _moment(points[0].get("at")) if points else ""
        going_on, left = _heard_lately(points), last.get("seconds_left")
        return Listed(run.name, "generator", "unfinished", "", began, step, steps, left, going_on)
    try:
        told = json.loads((run / RUN).read_text(encoding="utf-8"))
        return Listed(
            run.name,
            str(told["kind"]),
            "finished",
            str(told["base"]),
            _moment(told["began"]),
            step,
            steps,
            figures=dict(told["figures"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Listed(run.name, "generator", "damaged", step=step, steps=steps)


def _heard_lately(points: Sequence[Mapping[str, Any]]) -> bool:
    """Is the last step no longer ago than a few of the slowest lately took?"""
    moments = [float(point["at"]) for point in points if isinstance(point.get("at"), int | float)]
    if not moments:
        return False
    paces = [later - earlier for earlier, later in pairwise(moments[-_LATELY:])]
    slowest = max((pace for pace in paces if pace < _BREAK_S), default=0.0)
    return time.time() - moments[-1] < max(_QUIET_S, 4 * slowest)


def _moment(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
