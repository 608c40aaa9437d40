"""Is every customer answered equally well?  By language, length, script and tone.

Script and tone are measured in pairs: the same question is asked in simplified and
in traditional characters, politely and bluntly.  Language and length differ with the
question itself, so a gap there also has to be more than chance (Fisher's exact test).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from chatbot.training.evaluate import AnswerCase, CaseResult
from chatbot.training.report import Bars, Report, Section, Table

__all__ = ["BAR", "Fairness", "Gap", "as_forms", "fairness_of", "page"]

BAR = 0.05
"""Largest difference of correct answers between two groups."""
_FEWEST = 10
"""Cases of a group below which nothing is said of it."""
_CHANCE = 0.05
_SHORT, _LONG = 25.0, 70.0
"""Lengths in Latin letters; a Chinese character counts 2.5."""

_FRAMES: Mapping[str, tuple[str, str]] = {
    "zh": ("您好，麻烦请问一下，{}谢谢您！", "{}快点说！！"),
    "en": ("Hello, could you please help me? {} Thank you very much!", "{} answer me already!!"),
    "es": ("Buenos días, ¿me podría ayudar, por favor? {} ¡Muchas gracias!", "{} ¡contesten ya!"),
    "ja": ("お世話になっております。{}よろしくお願いいたします。", "{}早く答えて!"),
    "de": ("Guten Tag, könnten Sie mir bitte helfen? {} Vielen Dank!", "{} antwortet endlich!!"),
    "fr": ("Bonjour, pourriez-vous m'aider s'il vous plaît ? {} Merci beaucoup !", "{} répondez enfin !!"),
}
"""Polite and blunt."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Groups of one kind, and the widest difference between two of them."""

    kind: str
    groups: dict[str, tuple[float, int]]
    """Share of correct answers, and cases."""
    gap: float
    best: str
    worst: str
    paired: bool
    met: bool
    """The gap is within the bar, or no more than chance."""


@dataclass(frozen=True, slots=True)
class Fairness:
    """All gaps."""

    cases: int
    gaps: tuple[Gap, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"cases": self.cases, "bar": BAR, "gaps": [asdict(gap) for gap in self.gaps]}


def as_forms(cases: Sequence[AnswerCase], traditional: Callable[[str], str]) -> list[AnswerCase]:
    """Each case as it is, and again in the other script, politely and bluntly, marked by its id.

    Args:
        traditional: writes simplified characters as traditional ones.
    """
    found = []
    for case in cases:
        found.append(replace(case, id=f"{case.id}|as written"))
        if case.language == "zh":
            other = traditional(case.question)
            if other != case.question:
                found.append(replace(case, id=f"{case.id}|simplified"))
                found.append(replace(case, id=f"{case.id}|traditional", question=other))
        if case.language in _FRAMES:
            for tone, frame in zip(("polite", "blunt"), _FRAMES[case.language], strict=True):
                found.append(replace(case, id=f"{case.id}|{tone}", question=frame.format(_closed(case))))
    return found


def fairness_of(results: Sequence[CaseResult]) -> Fairness:
    """The gaps in the results of :func:`as_forms`."""
    forms: dict[str, list[CaseResult]] = {}
    for result in results:
        forms.setdefault(result.id.rpartition("|")[2], []).append(result)
    plain = forms.get("as written", [])
    framed = [r for r in plain if r.language in _FRAMES]
    return Fairness(
        cases=len(plain),
        gaps=(
            _gap("language", _by(plain, lambda r: r.language)),
            _gap("length", _by(plain, lambda r: _length(r.question))),
            _gap(
                "script", {name: forms.get(name, []) for name in ("simplified", "traditional")}, paired=True
            ),
            _gap(
                "tone",
                {"plain": framed, "polite": forms.get("polite", []), "blunt": forms.get("blunt", [])},
                paired=True,
            ),
        ),
    )


def page(found: Fairness) -> Report:
    """The gaps as a report."""
    return Report(
        "Is every customer answered equally well?",
        {"cases": found.cases, "bar": BAR, **{f"gap by {gap.kind}": gap.gap for gap in found.gaps}},
        [
            Section(
                f"By {gap.kind}",
                ("The same questions in each form. " if gap.paired else "") + _told(gap),
                [
                    Bars(
                        {name: share for name, (share, _) in gap.groups.items()}, "Share of correct answers"
                    ),
                    Table(
                        ["group", "cases", "correct"],
                        [(name, count, share) for name, (share, count) in gap.groups.items()],
                    ),
                ],
            )
            for gap in found.gaps
            if gap.groups
        ],
    )


def _told(gap: Gap) -> str:
    if gap.gap <= BAR:
        return "Within the bar."
    if gap.met:
        return "Over the bar, but no more than chance with so few cases; more of them would tell."
    return f"«{gap.worst}» is answered worse than «{gap.best}»."


def _closed(case: AnswerCase) -> str:
    """The question with a mark at its end, so that another sentence can follow."""
    text = case.question.strip()
    if text and not text.endswith(("?", "？", ".", "。", "!", "！")):
        text += "？" if case.language in ("zh", "ja") else "?"
    return text


def _by(results: Sequence[CaseResult], group: Callable[[CaseResult], str]) -> dict[str, list[CaseResult]]:
    found: dict[str, list[CaseResult]] = {}
    for result in results:
        found.setdefault(group(result), []).append(result)
    return dict(sorted(found.items()))


def _length(question: str) -> str:
    width = sum(2.5 if ord(letter) > 0x2E80 else 1.0 for letter in question)
    return "short" if width < _SHORT else "long" if width > _LONG else "medium"


def _gap(kind: str, groups: Mapping[str, Sequence[CaseResult]], *, paired: bool = False) -> Gap:
    right = {
        name: [r.correct for r in results] for name, results in groups.items() if len(results) >= _FEWEST
    }
    shares = {name: (round(sum(hits) / len(hits), 4), len(hits)) for name, hits in right.items()}
    if len(shares) < 2:
        return Gap(kind, shares, 0.0, "", "", paired, True)
    best = max(shares, key=lambda name: shares[name][0])
    worst = min(shares, key=lambda name: shares[name][0])
    gap = round(shares[best][0] - shares[worst][0], 4)
    met = gap <= BAR or (not paired and _by_chance(right[best], right[worst]))
    return Gap(kind, shares, gap, best, worst, paired, met)


def _by_chance(first: Sequence[bool], second: Sequence[bool]) -> bool:
    """Could two groups that are answered equally well differ so much?"""
    from scipy.stats import fisher_exact

    table = [[sum(first), len(first) - sum(first)], [sum(second), len(second) - sum(second)]]
    return float(fisher_exact(table)[1]) > _CHANCE
