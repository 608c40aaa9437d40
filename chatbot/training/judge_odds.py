"""What the judge says of every entry beside every question of the knowledge bases it has not seen.

The judge does not depend on the encoder, so with its values on disk the decision
is fitted for another encoder in a minute, without reading anything again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import ModelError
from chatbot.models import probe_fingerprint, shipped_probe
from chatbot.models.probe import Probe
from chatbot.training.judge import Case, Pair
from chatbot.training.tune import read_with

__all__ = ["ODDS_FILE", "JudgeOdds", "every_pair", "read_odds", "shipped_odds"]

ODDS_FILE = "judge_odds.npz"
Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class JudgeOdds:
    """Natural log-odds by case; rows are questions, columns entries."""

    probe: str
    """Fingerprint of the judge."""
    values: Mapping[str, Halves]
    texts: Mapping[str, str]
    """Fingerprint of each case's texts."""

    def __call__(self, case: Case, entry: int, question: int) -> float:
        """Log-odds that the entry answers the question."""
        return float(self.values[case.id][question, entry])

    def known(self, cases: Sequence[Case]) -> list[Case]:
        """Those of ``cases`` whose values are here and whose texts are as they were."""
        return [case for case in cases if self.texts.get(case.id) == _fingerprint(case)]

    def save(self, path: Path) -> None:
        """Writes the values as a compressed npz file."""
        names = sorted(self.values)
        parts = {f"v{number}": self.values[name] for number, name in enumerate(names)}
        np.savez_compressed(
            path,
            probe=np.array(self.probe),
            cases=np.array(names),
            texts=np.array([self.texts[name] for name in names]),
            **parts,  # type: ignore[arg-type]
        )

    @classmethod
    def load(cls, path: Path) -> JudgeOdds:
        """Reads the values.

        Raises:
            ModelError: the file is missing or holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as content:
                names = [str(name) for name in content["cases"]]
                return cls(
                    str(content["probe"]),
                    {name: content[f"v{number}"] for number, name in enumerate(names)},
                    dict(zip(names, map(str, content["texts"]), strict=True)),
                )
        except (OSError, EOFError, KeyError, ValueError) as error:
            raise ModelError(
                f"{path} holds no values of the answer judge ({type(error).__name__}); run `kefu train judge`"
            ) from error


def shipped_odds() -> JudgeOdds:
    """The values of the shipped judge.

    Raises:
        ModelError: they are missing, or of another judge.
    """
    path = Path(__file__).resolve().parent.parent / ODDS_FILE
    odds = JudgeOdds.load(path)
    if odds.probe != probe_fingerprint(shipped_probe()):
        raise ModelError(
            f"{path} is of another answer judge than the one that is here; run `kefu train judge`"
        )
    return odds


def read_odds(
    cases: Sequence[Case], probe: Probe, base: Path, report: Callable[[str], None] = lambda _line: None
) -> JudgeOdds:
    """Lets the judge read every entry beside every question.

    Args:
        base: GGUF file the probe was trained on.
        report: gets a line of progress now and then.
    """
    pairs = every_pair(cases)
    found = read_with(probe, cases, pairs, base, report)
    values = {case.id: np.zeros((len(case.questions), len(case.entries)), np.float16) for case in cases}
    for pair, value in zip(pairs, found, strict=True):
        values[pair.case][pair.question, pair.entry] = value
    return JudgeOdds(probe_fingerprint(probe), values, {case.id: _fingerprint(case) for case in cases})


def every_pair(cases: Sequence[Case]) -> list[Pair]:
    """Every question of a case beside every entry of it."""
    return [
        Pair(case.id, entry, number, entry in question.answers)
        for case in cases
        for number, question in enumerate(case.questions)
        for entry in range(len(case.entries))
    ]


def _fingerprint(case: Case) -> str:
    told = repr(([(e.question, e.answer) for e in case.entries], [q.text for q in case.questions]))
    return hashlib.sha256(told.encode()).hexdigest()[:16]
