"""Reading labelled messages: Rasa's ``nlu.yml`` and CSV with the header ``text,label``."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chatbot.errors import SettingsError
from chatbot.intent_fit import OUT_OF_SCOPE_LABELS
from knowledge_base.normalise import normalise

__all__ = ["Example", "read_examples", "with_names"]

_ENTITY = re.compile(r"\[([^\[\]]+)\](?:\([^()]*\)|\{[^{}]*\})")
"""``[Berlin](city)`` and ``[Berlin]{"entity": "city"}``; only the text is kept."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled message."""

    text: str
    label: str


_FEW = 16
"""Examples up to which a label's name is one more of them."""
_BETWEEN = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]{3}|[\u3040-\u30ff\u3400-\u9fff]")
"""What a name must hold to say something: three letters in a row, or a character that is a word."""


def with_names(labels: Sequence[str], texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The examples, and for each label that has few of them its own name: «card_arrival» says what it is about.

    Args:
        labels: of each text.
        texts: normalised.

    Returns:
        Labels and texts; those given come first, in their order.
    """
    known = set(texts)
    added = {}
    for label, count in Counter(labels).items():
        words = normalise(_BETWEEN.sub(" ", label))
        if count <= _FEW and label not in OUT_OF_SCOPE_LABELS and _WORD.search(words) and words not in known:
            added[label] = words
    return [*labels, *added], [*texts, *added.values()]


def read_examples(path: Path) -> list[Example]:
    """Reads the examples of a file, by its suffix.

    In ``nlu.yml`` lookup tables, regular expressions and synonyms are passed
    over; of an intent ``faq/returns`` the whole name is the label.

    Args:
        path: ``.yml``/``.yaml`` in Rasa's format, or ``.csv`` with ``text,label``.

    Raises:
        SettingsError: the file cannot be read, has another form, or holds no example.
    """
    suffix = path.suffix.lower()
    if suffix not in {".yml", ".yaml", ".csv"}:
        raise SettingsError(
            f"{path} ends in {suffix or 'nothing'}; expected nlu.yml or a .csv with text,label"
        )
    try:
        examples = _from_csv(path) if suffix == ".csv" else _from_rasa(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read ({type(error).__name__}); give a readable UTF-8 file"
        ) from error
    if not examples:
        raise SettingsError(f"{path} holds no examples; expected at least one labelled message")
    return examples


def _from_csv(path: Path) -> list[Example]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        found = reader.fieldnames or []
        if not {"text", "label"} <= set(found):
            raise SettingsError(
                f"{path} has the columns {', '.join(found) or 'none'}; expected text and label"
            )
        rows = [((row["text"] or "").strip(), (row["label"] or "").strip()) for row in reader]
    return [Example(text, label) for text, label in rows if text and label]


def _from_rasa(path: Path) -> list[Example]:
    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    sections = content.get("nlu") if isinstance(content, dict) else None
    if not isinstance(sections, list):
        raise SettingsError(f"{path} has no list under «nlu»; expected Rasa's nlu.yml format")
    examples: list[Example] = []
    for number, section in enumerate(sections, start=1):
        if not isinstance(section, dict) or "intent" not in section:
            continue  # lookup, regex, synonym
        examples += [Example(text, str(section["intent"])) for text in _texts(section, path, number)]
    return examples


def _texts(section: dict[str, Any], path: Path, number: int) -> list[str]:
    """The example texts of one intent, given as a dash list in a string or as a list."""
    given = section.get("examples") or []
    if isinstance(given, str):
        lines = [line.strip() for line in given.splitlines()]
        texts = [line[1:].strip() for line in lines if line.startswith("-")]
    elif isinstance(given, list):
        texts = [str(item.get("text", "") if isinstance(item, dict) else item).strip() for item in given]
    else:
        raise SettingsError(
            f"{path}, entry {number} under «nlu»: examples are {type(given).__name__}; "
            "expected lines with dashes"
        )
    return [plain for text in texts if (plain := _ENTITY.sub(r"\1", text).strip())]
