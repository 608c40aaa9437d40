"""A larger model teaches a smaller one: it words every prompt, and what the guard lets out is learnt.

Learning a teacher's words rather than its probabilities is sequence-level
distillation (Kim and Rush 2016).  The guard stands between the two, so the
smaller model learns nothing that the larger one has made up; and as nobody needs
to have written anything, an installation's own entries can be taught from, in
the languages they are missing in.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chatbot.errors import BusyError, EngineError
from chatbot.generate import Generator
from chatbot.guard import check
from chatbot.prompt import ChatMessage, Prompt
from chatbot.training.generator.examples import Example, Material, Turn

__all__ = ["TAUGHT", "Lesson", "teach"]

TAUGHT = "taught.jsonl"
"""What the teacher said, in the run's folder; a stopped lesson goes on behind it."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What came of it."""

    material: Material
    asked: int
    """Texts the teacher worded."""
    passed: int
    """Of these, those that the guard let out."""
    refused: dict[str, int]
    """The others by the guard's reason; what was written for them is learnt, where there is any."""


def teach(
    examples: Sequence[Example],
    teacher: Generator,
    language_of: Callable[[str], str],
    notes: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Lesson:
    """The examples in the teacher's words.

    Where the guard refuses these, what was written stays; a text for which nothing
    was written ends its example, and an example with no text left is dropped.

    Args:
        notes: file of what was said so far; it is gone on with.

    Raises:
        EngineError: the teacher failed.
        OSError: the notes cannot be written.
    """
    notes.parent.mkdir(parents=True, exist_ok=True)
    known = _noted(notes)
    found: list[Example] = []
    asked = passed = done = 0
    refused: Counter[str] = Counter()
    total = sum(len(example.turns) for example in examples)
    with notes.open("a", encoding="utf-8") as file:
        for example in examples:
            messages = list(example.prefix)
            kept: list[Turn] = []
            for number, turn in enumerate(example.turns):
                messages.append(ChatMessage("user", turn.said))
                prompt = Prompt(tuple(messages), example.language)
                key = _key(teacher.model_id, prompt)
                if key not in known:
                    known[key] = _said(teacher, prompt)
                    told = {"key": key, "example": example.id, "turn": number, "text": known[key]}
                    file.write(json.dumps(told, ensure_ascii=False) + "\n")
                    file.flush()
                asked, done = asked + 1, done + 1
                reasons = _reasons(known[key], turn, example, language_of)
                if reasons:
                    refused.update(reason.partition(":")[0] for reason in reasons)
                else:
                    passed += 1
                made = turn.made if reasons else known[key]
                if not made:
                    done += len(example.turns) - number - 1
                    break
                kept.append(replace(turn, made=made))
                messages.append(ChatMessage("assistant", made))
                progress(done, total)
            if kept:
                found.append(replace(example, turns=tuple(kept)))
    return Lesson(Material(tuple(found), ()), asked, passed, dict(refused))


def _said(teacher: Generator, prompt: Prompt) -> str:
    """The teacher's words; empty where they do not end."""
    try:
        made = teacher.generate(prompt)
    except BusyError as error:
        raise EngineError("the teacher is busy with something else; let it teach alone") from error
    return made.text.strip() if made.finish == "stop" else ""


def _reasons(text: str, turn: Turn, example: Example, language_of: Callable[[str], str]) -> tuple[str, ...]:
    if not text:
        return ("unfinished",)
    verdict = check(
        text,
        question=turn.question,
        language=example.language,
        sources=turn.sources,
        kind=example.kind,
        language_of=language_of,
    )
    return () if verdict.passed else verdict.reasons


def _key(model: str, prompt: Prompt) -> str:
    """Changes with the teacher and any word of the prompt."""
    return hashlib.sha256(repr((model, prompt)).encode()).hexdigest()[:24]


def _noted(notes: Path) -> dict[str, str]:
    """What was said so far; a half-written last line is taken out."""
    if not notes.is_file():
        return {}
    found = {}
    whole = []
    for line in notes.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(line)
            found[str(row["key"])] = str(row["text"])
        except (ValueError, KeyError, TypeError):
            continue
        whole.append(line + "\n")
    notes.write_text("".join(whole), encoding="utf-8")
    return found
