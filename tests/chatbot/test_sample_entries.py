"""The sample company says the same in every language."""

from __future__ import annotations

from collections import defaultdict

import pytest
import yaml

from chatbot.assembly import SAMPLE, sample_entries
from chatbot.guard.facts import facts
from chatbot.guard.support import KnownFacts
from knowledge_base.entry import Entry
from knowledge_base.normalise import key

ENTRIES = sample_entries()
GROUPS: dict[str, dict[str, Entry]] = defaultdict(dict)
for _entry in ENTRIES:
    GROUPS[_entry.group][_entry.language] = _entry
SHARED = [
    *sorted(SAMPLE.glob("products.yml")),
    *sorted((SAMPLE / "entries").glob("company.yml")),
    *sorted((SAMPLE / "entries").glob("shipping.yml")),
]
"""Where prices, telephone numbers and postage stand that a market's own answer may bring in."""
LANGUAGES = ("zh", "en", "es", "ja", "de", "fr")


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.language not in ("zh", "en")], ids=lambda e: e.id)
def test_every_number_stands_in_another_language_or_in_the_catalogue(entry: Entry) -> None:
    others = [e for e in GROUPS[entry.group].values() if e is not entry]
    shared = "\n".join(path.read_text(encoding="utf-8") for path in SHARED)
    digits = {"".join(c for c in word if c.isdigit()) for word in shared.split()}
    text = "\n".join(f"{e.question} {e.answer}" for e in others)
    known = KnownFacts(
        [fact for e in others for fact in facts(f"{e.question} {e.answer}", e.language)], text, LANGUAGES
    )
    unknown = [
        fact.token
        for fact in facts(entry.answer, entry.language)
        if not fact.is_single and not known.holds(fact) and not _written(fact.token, digits)
    ]
    assert not unknown


def _written(token: str, digits: set[str]) -> bool:
    """Whether a number stands in the shared files, a telephone's also without its country."""
    wanted = "".join(c for c in token if c.isdigit())
    return wanted in digits or (len(wanted) > 9 and any(each.endswith(wanted[-9:]) for each in digits))


def test_what_is_binding_is_written_in_six_languages() -> None:
    binding = {e.group for e in ENTRIES if e.verbatim}
    assert len(binding) >= 40
    missing = {group: set(LANGUAGES) - set(GROUPS[group]) for group in binding}
    assert not {group: languages for group, languages in missing.items() if languages}


def test_no_wording_belongs_to_two_topics() -> None:
    of: dict[str, set[str]] = defaultdict(set)
    for entry in ENTRIES:
        for text in (entry.question, *entry.variants):
            of[key(text)].add(entry.group)
    assert not {text: groups for text, groups in of.items() if len(groups) > 1}


def test_the_golden_questions_are_about_the_sample_and_in_its_languages() -> None:
    from chatbot.training.evaluate import read_golden

    golden = read_golden(SAMPLE / "golden.jsonl")
    assert {case.language for case in golden} == set(LANGUAGES)
    answers = " ".join(entry.answer for entry in ENTRIES)
    assert all(must in answers for case in golden for must in case.must)


def test_the_files_are_readable_yaml_with_languages_in_one_order() -> None:
    for path in sorted((SAMPLE / "entries").glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            written = [language for language in LANGUAGES if language in group["entries"]]
            assert list(group["entries"]) == written, group["group"]
