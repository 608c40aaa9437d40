"""Making a follow-up question whole before it is searched.

"And how much?" finds nothing.  The question before it told what is talked about,
so the searched text becomes "shipping to Japan: how much?".  Rules alone do this:
they cost microseconds, never invent a word, and leave a question that stands on
its own exactly as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import regex

from chatbot.followup_rules import PLACES, RULES, Rules
from chatbot.turn import Past, Turn
from knowledge_base.normalise import cut

__all__ = ["Completion", "Exchange", "FollowUp", "content_words", "places"]

MAX_DEPTH = 3
"""How many follow-ups in a row are traced back."""
MAX_CONTENT_WORDS = 4
"""A question with more words of content than this stands on its own."""
MAX_CONTENT_CHARACTERS = 9
"""The same for languages written without blanks."""
MAX_TOPIC_WORDS = 9
MAX_EXCHANGES = 24
"""Words of a question that are looked at, alone and two together."""
_FEW_CHARACTERS = 6
"""Length of a bare thing in a language written without blanks."""

_ON_TOPIC = {"answer", "verbatim", "clarify", "recommend", "decline"}
_CODE = regex.compile(
    r"(?<![\p{Latin}\p{N}])(?=[\p{Latin}-]*\p{N})\p{Latin}[\p{Latin}\p{N}]*(?:-[\p{Latin}\p{N}]+)*"
)
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’.-][\p{L}\p{M}\p{N}]+)*")
_WHOLE_WORD = r"(?<![\p{L}\p{M}\p{N}])(?<![\p{L}\p{M}\p{N}]['’.-])%s(?!['’.-]?[\p{L}\p{M}\p{N}])"
_CLAUSE = regex.compile(r"[,，、.。;；:：?？!！]|\b(?:and|but|y|pero|und|aber|et|mais)\b", regex.IGNORECASE)
_CONDITION = regex.compile(r"(?:if|si|s'|wenn|falls)\b", regex.IGNORECASE)
_EMPTY = regex.compile(r"[\p{P}\p{S}\s的了吗呢吧到はがをにので]*")
_EDGES = " \t\n，,。.、；;：:！!？?¿¡~～…"


@dataclass(frozen=True, slots=True)
class _Language:
    """The compiled rules of one language."""

    rules: Rules
    lead: regex.Pattern[str]
    elliptic: regex.Pattern[str]
    pronoun: regex.Pattern[str]
    own: regex.Pattern[str]
    focus: regex.Pattern[str] | None
    asks: regex.Pattern[str]
    social: regex.Pattern[str]
    topics: regex.Pattern[str]
    clause: regex.Pattern[str] | None
    stop: frozenset[str]
    prepositions: frozenset[str]

    @property
    def spaced(self) -> bool:
        """Are words divided by blanks?"""
        return bool(self.stop)


@dataclass(frozen=True, slots=True)
class _Leaning:
    """A question that needs the one before it."""

    turn: Turn
    """The turn that it leans on."""
    earlier: str
    """That turn's question, itself made whole."""
    rest: str
    """The question without its connectives."""
    table: _Language

    @property
    def named(self) -> str:
        """The question without its "what about"."""
        return self.table.elliptic.sub("", self.rest).strip(_EDGES)

    @property
    def names_only(self) -> bool:
        """Does it name a thing and ask nothing of its own?"""
        return self.named != self.rest.strip(_EDGES) or not self.table.asks.match(self.rest.casefold())


@dataclass(frozen=True, slots=True)
class Exchange:
    """The earlier question, asked of another thing."""

    word: str
    """What was exchanged."""
    question: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A question made whole."""

    question: str
    """What to search; the customer's own text when it stands alone."""
    certain: bool = True
    """False: the text may as well mean something by itself ("is it safe to pay by card");
    what the knowledge base has to say to either tells which one is meant."""
    thing: str = ""
    """What a follow-up names in another thing's place ("what about the watch?"), where
    no place, code or product tells what it stands for; else empty."""
    exchanges: tuple[Exchange, ...] = ()
    """What it may stand for."""
    turn: Turn | None = None
    """The earlier turn that the text leans on; None where it stands alone."""


class FollowUp:
    """Joins a question that leans on earlier ones with what they were about.

    Args:
        names: names of products and services; they are what pronouns stand for
            and what "what about …" exchanges.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        ordered = sorted({name.strip() for name in names if name.strip()}, key=len, reverse=True)
        self._names = _alternatives(ordered) if ordered else None

    def complete(self, text: str, past: Past, language: str) -> Completion:
        """The question to search: ``text`` itself when it stands alone.

        Args:
            text: the customer's message.
            past: earlier turns, oldest first.
            language: language of ``text``.
        """
        leaning = self._leaning(text, past.turns, language, MAX_DEPTH)
        if leaning is None:
            return Completion(text)
        exchanged = self._exchanged(leaning)
        question = self._joined(leaning) if exchanged is None else exchanged
        certain = question == text or self._says_little(text, language)
        thing = self._thing(leaning) if exchanged is None else ""
        if not thing or leaning.turn.language != language:
            return Completion(question, certain, turn=leaning.turn)
        exchanges = _exchanges(leaning.earlier, thing, leaning.table)
        return Completion(question, certain, thing, exchanges, leaning.turn)

    def is_social(self, text: str, language: str) -> bool:
        """Is the text a greeting, thanks or the like, and so nothing that a later question leans on?"""
        table = _compiled(language)
        plain = _plain(text).strip("?？!！.。 ")
        return table is not None and table.social.fullmatch(plain) is not None

    def _complete(self, text: str, turns: Sequence[Turn], language: str, depth: int) -> str:
        leaning = self._leaning(text, turns, language, depth)
        if leaning is None:
            return text
        exchanged = self._exchanged(leaning)
        return self._joined(leaning) if exchanged is None else exchanged

    def _leaning(self, text: str, turns: Sequence[Turn], language: str, depth: int) -> _Leaning | None:
        """What a question leans on; None when it stands alone."""
        table = _compiled(language)
        before = _last_on_topic(turns)
        if table is None or before is None or depth == 0:
            return None
        plain = _plain(text)
        if not plain or table.social.fullmatch(plain.strip("?？ ")):
            return None
        rest = _without_lead(plain, table)
        led = rest != plain
        if table.social.fullmatch(rest.strip("?？ ")) or not self._leans(rest, led, table):
            return None
        turn = turns[before]
        earlier = turn.searched or self._complete(turn.question, turns[:before], turn.language, depth - 1)
        return _Leaning(turn, earlier, _restore_case(rest, text), table)

    def _says_little(self, text: str, language: str) -> bool:
        """Is a text that leans on the one before it nothing without it?"""
        table = _compiled(language)
        if table is None:
            return True
        plain = _plain(text)
        rest = _without_lead(plain, table)
        if rest != plain or (table.spaced and _is_elliptic(rest, False, table)):
            return True
        size, _ = self._content_size(rest, table)
        return size == 0

    def _told_inside(self, rest: str, table: _Language) -> bool:
        """Does the pronoun stand for what an earlier clause of the same text names?

        "How much is shipping, and when is it free?" needs no question before it.
        """
        pronouns = list(table.pronoun.finditer(rest)) or list(table.elliptic.finditer(rest))
        if not pronouns:
            return False
        clauses = list(_CLAUSE.finditer(rest, 0, pronouns[-1].start()))
        if not clauses:
            return False
        head = rest[: clauses[-1].start()]
        if table.pronoun.search(head) or table.social.fullmatch(head.strip(_EDGES)):
            return False
        size, _ = self._content_size(head, table)
        if not table.spaced:
            return size > 3
        return size > 2 or (size > 0 and table.asks.match(head) is not None)

    def _leans(self, rest: str, led: bool, table: _Language) -> bool:
        """Does the question need the one before it, or might it?"""
        if not led and self._told_inside(rest, table):
            return False
        size, limit = self._content_size(rest, table)
        standing = bool(table.own.search(rest))
        if _is_elliptic(rest, led, table) and not standing:
            return size <= limit
        if table.pronoun.search(rest) and not standing:
            return size <= limit
        if led and _CONDITION.match(rest):
            return size <= limit
        if size == 0:
            return led or bool(table.asks.match(rest))
        if not led or table.topics.search(rest):
            return False
        few = 2 if table.spaced else 6
        if table.asks.match(rest):
            return size <= few
        # "and the fee?": a connective and a bare thing, no clause of its own
        if table.clause is not None and table.clause.match(rest):
            return False
        return size <= few and len(_WORD.findall(rest)) <= 4

    def _content_size(self, rest: str, table: _Language) -> tuple[int, int]:
        """How much the question says by itself, and how much a follow-up may say."""
        bare = table.elliptic.sub(" ", table.pronoun.sub(" ", rest))
        if table.spaced:
            empty = table.stop | table.prepositions
            words = [word for word in _WORD.findall(bare) if word not in empty]
            return len(words), MAX_CONTENT_WORDS
        if table.focus is not None:
            bare = table.focus.sub("", bare)
        letters = regex.sub(r"[\p{P}\p{S}\s的了到は が を に の]", "", _CODE.sub("号", bare))
        return len(letters), MAX_CONTENT_CHARACTERS

    def _joined(self, leaning: _Leaning) -> str:
        """The earlier question's topic and this question in one text."""
        earlier, rest, table = leaning.earlier, leaning.rest, leaning.table
        thing = leaning.named
        topic = self._topic(earlier, leaning.turn.language)
        if not topic:
            return f"{earlier.strip()} {thing or rest}".strip()
        match = table.pronoun.search(rest.casefold())
        if match is not None and len(topic.split()) <= MAX_TOPIC_WORDS:
            gap = " " if table.spaced else ""
            joined = f"{rest[: match.start()]}{gap}{topic}{gap}{rest[match.end() :]}"
            return str(regex.sub(r"\s+(?=\s|[?!,.])", "", joined)).strip()
        tail = thing if _is_elliptic(rest.casefold(), True, table) else rest.strip()
        return f"{topic}: {tail}" if table.spaced else f"{topic} {tail}"

    def _exchanged(self, leaning: _Leaning) -> str | None:
        """The earlier question about another place, code or product, where this one names one."""
        if not leaning.names_only:
            return None
        return self._exchange(leaning.earlier, leaning.named, leaning.table)

    @staticmethod
    def _thing(leaning: _Leaning) -> str:
        """The one bare thing that the question names in place of another; empty where it says more."""
        table = leaning.table
        if not leaning.names_only or table.pronoun.search(leaning.named.casefold()):
            return ""
        words = _cut(leaning.named, table)
        few = len(words) <= 2 if table.spaced else sum(map(len, words)) <= _FEW_CHARACTERS
        if not words or not few:
            return ""
        return (" " if table.spaced else "").join(words)

    def _exchange(self, earlier: str, thing: str, table: _Language) -> str | None:
        """The earlier question with its place or product replaced by the one now named."""
        for pattern in (places(), _CODE, self._names):
            if pattern is None:
                continue
            new = pattern.search(thing)
            if new is None:
                continue
            content, _ = self._content_size(thing[: new.start()] + " " + thing[new.end() :], table)
            if content > 1:
                return None
            old = pattern.search(earlier)
            if old is None and pattern is not places():
                old = next((m for p in (_CODE, self._names) if p and (m := p.search(earlier))), None)
            if old is not None:
                return f"{earlier[: old.start()]}{new.group()}{earlier[old.end() :]}"
            return f"{earlier.strip().rstrip(_EDGES)} {thing}"
        return None

    def _topic(self, question: str, language: str) -> str:
        """What a question is about: the product it names, else its words without the asking part."""
        for pattern in (self._names, _CODE):
            if pattern is not None and (match := pattern.search(question)):
                return str(match.group())
        table = _compiled(language)
        if table is None:
            return question.strip(_EDGES)
        if table.spaced:
            return _content_words(question, table)
        topic = question if table.focus is None else table.focus.sub(" ", question)
        topic = regex.sub(r"[\p{P}\s]+", " ", topic).strip()
        return str(regex.sub(r"(?:は|が|を|に|で|の|的|了)$", "", topic)).strip()


def _last_on_topic(turns: Sequence[Turn]) -> int | None:
    """Index of the last turn that was about something, at most three turns back."""
    for index in range(len(turns) - 1, max(-1, len(turns) - 4), -1):
        if turns[index].action in _ON_TOPIC:
            return index
    return None


def _plain(text: str) -> str:
    """The text as the rules are written: lower case, straight apostrophes."""
    return text.strip().casefold().replace("’", "'")


def _without_lead(plain: str, table: _Language) -> str:
    """The text without the connectives at its start."""
    rest = plain
    for _ in range(3):
        match = table.lead.match(rest)
        if match is None or not rest[match.end() :].strip(_EDGES):
            break
        rest = rest[match.end() :]
    return rest


def _is_elliptic(rest: str, led: bool, table: _Language) -> bool:
    """Does the question only name another thing ("what about …", "to Canada?")?"""
    if table.elliptic.search(rest):
        return not (not table.spaced and table.asks.match(rest) and not led)
    first = rest.split(maxsplit=1)[0] if rest.split() else ""
    return first in table.prepositions and len(rest.split()) <= (6 if led else 4)


def _restore_case(rest: str, text: str) -> str:
    """``rest`` as it stands in the customer's own text, which it ends."""
    tail = text.strip().replace("’", "'")[-len(rest) :] if rest else ""
    return tail if tail.casefold() == rest else rest


def _content_words(question: str, table: _Language) -> str:
    """The words of content in their order, with the prepositions between them."""
    kept: list[str] = []
    pending = ""
    for word in _WORD.findall(question.replace("’", "'")):
        low = word.casefold()
        if low in table.prepositions:
            pending = word if kept else ""
        elif low not in table.stop and not table.stop.issuperset(low.split("-")):
            kept += [pending, word] if pending else [word]
            pending = ""
    return " ".join(kept)


def content_words(text: str, language: str) -> list[str]:
    """The words of a text that say something, in their order; none in a language without rules."""
    table = _compiled(language)
    return [] if table is None else _cut(text, table)


def _cut(text: str, table: _Language) -> list[str]:
    """The words of content of a text, in their order."""
    if table.spaced:
        empty = table.stop | table.prepositions
        return [word for word in _WORD.findall(text.replace("’", "'")) if word.casefold() not in empty]
    bare = text if table.focus is None else table.focus.sub(" ", text)
    return [word for word in cut(bare) if not _EMPTY.fullmatch(word)]


def _exchanges(earlier: str, thing: str, table: _Language) -> tuple[Exchange, ...]:
    """The earlier question with one word, or two that stand together, exchanged for ``thing``."""
    words = _cut(earlier, table)
    blank, gap = (" ", r"\s+") if table.spaced else ("", r"\s*")
    whole = _WHOLE_WORD if table.spaced else "%s"
    found: dict[str, str] = {}
    for span in [*((word,) for word in words), *pairwise(words)]:
        pattern = whole % gap.join(map(regex.escape, span))
        changed = regex.sub(pattern, lambda _: thing, earlier, count=1)
        if changed != earlier:
            found.setdefault(changed, blank.join(span))
    return tuple(Exchange(word, question) for question, word in found.items())[:MAX_EXCHANGES]


def _alternatives(words: Iterable[str]) -> regex.Pattern[str]:
    parts = []
    for word in words:
        escaped = regex.escape(word, literal_spaces=True)
        spaced = bool(regex.match(r"[\p{Latin}]", word))
        parts.append(rf"(?<![\p{{L}}\p{{N}}]){escaped}(?![\p{{Latin}}\p{{N}}])" if spaced else escaped)
    return regex.compile("|".join(parts), regex.IGNORECASE)


@lru_cache(maxsize=1)
def places() -> regex.Pattern[str]:
    """Finds the names of :data:`PLACES` in a text."""
    names = {name.replace("_", " ") for name in PLACES.split()}
    return _alternatives(sorted(names, key=len, reverse=True))


@lru_cache(maxsize=32)
def _compiled(language: str) -> _Language | None:
    rules = RULES.get(language)
    if rules is None:
        return None
    return _Language(
        rules=rules,
        lead=_pattern(rules.lead),
        elliptic=_pattern(rules.elliptic),
        pronoun=_pattern(rules.pronoun),
        own=_pattern(rules.own),
        focus=_pattern(rules.focus) if rules.focus else None,
        asks=_pattern(rules.asks),
        social=_pattern(rules.social),
        topics=_pattern(rules.topics),
        clause=_pattern(rules.clause) if rules.clause else None,
        stop=frozenset(rules.stop.split()),
        prepositions=frozenset(rules.prepositions.split()),
    )


def _pattern(source: str) -> regex.Pattern[str]:
    return regex.compile(source, regex.IGNORECASE | regex.VERBOSE)
