"""The checks in order, for whole answers (:func:`check`) and for answers being made (:class:`GuardedStream`).

A small model words answers from curated texts; here it is decided whether its
words may go out.  Pure functions of their arguments; reasons name the offending
token and nothing else of what a customer wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from chatbot.guard import claims, form, names, tongue, translation
from chatbot.guard.facts import Fact, facts
from chatbot.guard.support import KnownFacts, groups_days, weekdays
from chatbot.guard.units import plain
from chatbot.scripts import SCRIPTS
from chatbot.turn import GuardVerdict

__all__ = ["Allowed", "Violation", "check", "hard_violations"]

Kind = Literal["answer", "translation"]

LENGTH_BOUND = 1.6
"""An answer's weighted length against its sources'."""
_NAME_RUN = {"answer": 12, "translation": 0}
"""How many characters of another script may be a name that the sources have."""

LENGTH_ALLOWANCE = 12.0
"""Polite words beside a very short source, in weighted characters."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a text is refused, and where in it that begins."""

    reason: str
    start: int


@dataclass(frozen=True)
class Allowed:
    """What an answer may hold, gathered once from its sources and the question."""

    question: str
    language: str
    source: str
    source_language: str
    kind: Kind
    last: str
    facts: KnownFacts
    asked_numbers: frozenset[str]
    links: frozenset[str]
    squashed: str
    words: frozenset[str]
    brands: frozenset[str]
    text: str
    """Sources and question together."""


@lru_cache(maxsize=256)
def _allowed(question: str, language: str, sources: tuple[str, ...], kind: Kind) -> Allowed:
    source = "\n".join(sources)
    source_language = tongue.guess_language(sources[-1] if sources else "", language)
    both = f"{source}\n{question}"
    found: list[Fact] = [
        fact for text in sources for name in {source_language, language} for fact in facts(text, name)
    ]
    keys = {token.key for token in names.links(source)}
    return Allowed(
        question=question,
        language=language,
        source=source,
        source_language=source_language,
        kind=kind,
        last=sources[-1] if sources else "",
        facts=KnownFacts(found, source, (source_language, language)),
        asked_numbers=frozenset(_order_numbers(question)),
        links=frozenset(keys | {key.split("/")[0] for key in keys}),
        squashed=names.squash(both),
        words=names.latin_words(both),
        brands=frozenset(token.key for token in names.brands(both)),
        text=both,
    )


def _order_numbers(question: str) -> Iterator[str]:
    """Long figures of a question, which may be echoed: order and tracking numbers."""
    for fact in facts(question, ""):
        digits = "".join(c for c in fact.token if c.isdigit())
        if len(digits) >= 7:
            yield digits


def allowed(question: str, language: str, sources: Sequence[str], kind: Kind) -> Allowed:
    """Gathers what may be said; kept for the next look at the same turn."""
    return _allowed(question, language, tuple(sources), kind)


def hard_violations(answer: str, known: Allowed, found: Sequence[Fact]) -> Iterator[Violation]:
    """Violations that no further text can mend, where each begins: numbers, links, codes, markup, script."""
    for fact in found:
        # «a cat» is 1匹の猫 elsewhere: what is counted singly need not be counted in the original.
        single = known.kind == "translation" and fact.is_single
        if not single and not known.facts.holds(fact) and not _may_echo(answer, fact, known):
            yield Violation(f"number:{fact.token.strip()}", fact.start)
    yield from _foreign_tokens(answer, known)
    if (mark := form.markup(answer)) and answer[mark[1] : mark[1] + 12].strip() not in known.source:
        yield Violation(f"markup:{mark[0]}", mark[1])
    if script := tongue.foreign_script(answer, known.language, known.text, _NAME_RUN[known.kind]):
        yield Violation(f"script:{script[0]}", script[1])
    if rubble := tongue.latin_rubble(answer, known.language, known.text, known.kind == "translation"):
        yield Violation(f"language:{rubble[0]}", rubble[1])


def _may_echo(answer: str, fact: Fact, known: Allowed) -> bool:
    """Order numbers of the question, and numbers that belong to a name it uses (``iPhone 15``)."""
    digits = "".join(c for c in fact.token if c.isdigit())
    if digits in known.asked_numbers:
        return True
    if fact.keys or not digits:
        return False
    before = answer[: fact.start].rstrip()
    word = before.split()[-1] if before else ""
    return bool(word[:1].isupper() and f"{word} {fact.token}".lower() in known.question.lower())


def _foreign_tokens(answer: str, known: Allowed) -> Iterator[Violation]:
    taken: list[tuple[int, int]] = []
    for token in names.links(answer):
        taken.append((token.start, token.end))
        if token.key not in known.links:
            yield Violation(f"{'email' if '@' in token.key else 'link'}:{token.text}", token.start)
    for token in names.paths(answer):
        if not _inside(token, taken) and token.key not in known.source.lower():
            yield Violation(f"link:{token.text}", token.start)
    for token in names.codes(answer):
        if not _inside(token, taken) and token.key not in known.squashed:
            yield Violation(f"code:{token.text}", token.start)
    for token in names.placeholders(answer):
        if token.key not in known.source.lower():
            yield Violation(f"placeholder:{token.text}", token.start)
    for token in names.streets(answer):
        if token.key not in known.squashed and known.kind == "answer":
            yield Violation(f"address:{token.text}", token.start)
    for token in names.brands(answer):
        if not _inside(token, taken) and token.key not in known.brands:
            yield Violation(f"name:{token.text}", token.start)
    yield from _foreign_names(answer, known, taken)


def _inside(token: names.Token, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= token.start < end for start, end in spans)


def _foreign_names(answer: str, known: Allowed, taken: Sequence[tuple[int, int]]) -> Iterator[Violation]:
    """Capitalised names that nobody gave; renderings of names from another script cannot be judged."""
    latin_source = known.source_language not in SCRIPTS
    if known.kind == "translation" and not latin_source and known.language not in SCRIPTS:
        return
    for token in names.capitals(answer, german=known.language == "de"):
        parts = {token.key, *token.key.replace("’", "'").split("'"), *token.key.split("-")}
        if parts & known.words or token.key.rstrip("s") in known.words or _inside(token, taken):
            continue
        if any(word.startswith(token.key[:5]) for word in known.words if len(token.key) > 5):
            continue
        if names.squash(token.text) in known.squashed or any(c.isdigit() for c in token.text):
            continue
        if known.kind == "translation" and not token.text.isupper() and known.language not in SCRIPTS:
            continue
        yield Violation(f"name:{token.text}", token.start)


def check(
    answer: str,
    *,
    question: str,
    language: str,
    sources: Sequence[str],
    kind: Kind,
    language_of: Callable[[str], str],
    finished: bool = True,
) -> GuardVerdict:
    """May this wording go out?

    Args:
        answer: the wording, whole.
        question: what the customer asked; names and codes of it may be echoed, its numbers may not.
        language: the language the answer has to be in, primary subtag.
        sources: the curated texts; of a translation the last one is the text that was translated.
        kind: ``answer`` for an answer worded from the sources, ``translation`` for the whole
            source answer in another language.
        language_of: gives the dominant language of a text, empty if it cannot tell.
        finished: False when the wording was cut off by a limit.
    """
    text = answer.strip()
    if not text:
        return GuardVerdict(False, ("form:empty",))
    known = allowed(question, language, sources, kind)
    reasons = [violation.reason for violation in hard_violations(text, known, facts(text, language))]
    reasons += _form(text, known, finished)
    reasons += _language(text, known, language_of)
    reasons += _days(text, known)
    if kind == "translation":
        reasons += _translation(text, known)
    elif known.source_language == language:
        reasons += _claims(text, known)
    return GuardVerdict(not reasons, tuple(dict.fromkeys(reasons)))


def _form(text: str, known: Allowed, finished: bool) -> Iterator[str]:
    if not finished or form.ends_open(text, known.source):
        yield "form:cut"
    if not any(c.isalnum() for c in text):
        yield "form:empty"
    asking = text.endswith(("?", "？")) and not known.source.rstrip().endswith(("?", "？"))
    if form.echoes(text, known.question) or (
        known.kind == ("answer") and asking and len(form.sentences(text)) == 1
    ):
        yield "form:echo"
    if form.loops(text, known.source):
        yield "form:loop"
    for name in form.refusals(text, known.source, known.kind == "answer"):
        yield f"form:{name}"
    if (
        known.kind == ("answer")
        and form.weight(text) > LENGTH_BOUND * form.weight(known.source) + LENGTH_ALLOWANCE
    ):
        yield "form:long"


def _language(text: str, known: Allowed, language_of: Callable[[str], str]) -> Iterator[str]:
    if (other := tongue.wrong_language(text, known.language, known.source, language_of)) or (
        other := tongue.wrong_sentence(text, known.language)
    ):
        yield f"language:{other}"


def _days(text: str, known: Allowed) -> Iterator[str]:
    if (named := weekdays(text)) and not groups_days(known.source):
        given = weekdays(known.source)
        yield from (f"day:{word}" for day, word in named.items() if day not in given)


def _translation(text: str, known: Allowed) -> Iterator[str]:
    yield from translation.missing(text, known.last, known.language, known.source_language)
    if change := translation.reshaped(text, known.last):
        yield f"length:{change}"
    if translation.negation_lost(text, known.last, known.language, known.source_language):
        yield "negation:lost"
    if plain(text) == plain(known.last) and known.source_language != known.language:
        yield "language:untranslated"


def _claims(text: str, known: Allowed) -> Iterator[str]:
    if part := claims.unsupported(text, known.source, known.question, known.language):
        yield f"claims:{part}"
    if claims.contradicts(text, known.source, known.question, known.language):
        yield "negation:flipped"
    elif claims.drops_condition(text, known.source, known.question, known.language):
        yield "condition:dropped"
    if token := claims.misplaced(text, known.source, known.question, known.language):
        yield f"misplaced:{token.strip()}"
