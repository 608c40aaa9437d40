"""From conversations to what can be learnt: cleaned, masked, split, and paired with the entries that ground them.

An agent's answer is learnt only where an entry of the knowledge base says the
same: it passes the guard with the entry as its source and means the same by the
encoder.  What no entry says is proposed to the operators instead.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

from chatbot.guard import check
from chatbot.masking import mask_all
from chatbot.training.dialogues.conversation import Conversation, Role, Said
from knowledge_base.entry import Hit
from knowledge_base.normalise import normalise
from knowledge_base.search import KnowledgeBase, Vectors

__all__ = ["Pair", "PrepareSettings", "Prepared", "Proposal", "prepare"]

Side = Literal["train", "held_out"]
_BATCH = 64
_NEAREST = 6
"""Entries that an answer is held against."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """How strict the preparation is."""

    held_out: float = 0.15
    """Share of the conversations, the latest ones, that are not learnt from."""
    same: float = 0.8
    """Least similarity (cosine of the encoder) of an answer and the entry that grounds it."""
    context: int = 2
    """Earlier messages of the customer that are kept with his question."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A customer's question and what an agent answered from an entry."""

    conversation: str
    source: str
    side: Side
    language: str
    before: tuple[str, ...]
    """What the customer had said earlier."""
    question: str
    answer: str
    entry_id: str
    similarity: float
    rating: float | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A question whose answer no entry has: for the operators."""

    conversation: str
    language: str
    question: str
    answer: str
    nearest: str
    """Id of the entry that comes closest."""
    similarity: float
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What came of it, with what was left out and why."""

    pairs: tuple[Pair, ...]
    proposals: tuple[Proposal, ...]
    conversations: dict[str, int]
    """Read, empty, duplicate, before the cut (a customer of the other side), train, held_out."""
    masked: dict[str, int]
    small_talk: int
    languages: dict[str, int] = field(default_factory=dict)
    grounded_by: dict[str, int] = field(default_factory=dict)
    """How often each entry grounds an answer."""


def prepare(
    conversations: Sequence[Conversation],
    knowledge: KnowledgeBase,
    language_of: Callable[[str], str],
    *,
    own: Collection[str] = (),
    settings: PrepareSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Cleans, masks, splits and pairs.

    Args:
        own: the company's own mailboxes and numbers, which stay.
        language_of: dominant language of a text, empty if it cannot tell.
    """
    chosen = settings or PrepareSettings()
    counts: Counter[str] = Counter(read=len(conversations))
    masked: Counter[str] = Counter()
    kept: list[Conversation] = []
    seen: set[str] = set()
    for conversation in conversations:
        clean = _clean(conversation)
        if not {"customer", "agent"} <= {said.role for said in clean.messages}:
            counts["empty"] += 1
            continue
        covered = mask_all([said.text for said in clean.messages], own)
        told = tuple(replace(s, text=m.text) for s, m in zip(clean.messages, covered, strict=True))
        key = _key(told)
        if key in seen:
            counts["duplicate"] += 1
            continue
        seen.add(key)
        for each in covered:
            masked.update(each.found)
        kept.append(replace(clean, messages=told))
    sides = _sides(kept, chosen.held_out)
    counts.update(sides.values())
    exchanges = [
        (conversation, exchange)
        for conversation in kept
        if sides[conversation.id] != "before the cut"
        for exchange in _exchanges(conversation, chosen.context)
    ]
    pairs: list[Pair] = []
    proposals: list[Proposal] = []
    small_talk = 0
    for number, (conversation, exchange) in enumerate(exchanges):
        if number % _BATCH == 0:
            part = exchanges[number : number + _BATCH]
            vectors = knowledge.embedder.encode_queries([normalise(each.answer) for _, each in part])
        found = _ground(
            conversation, exchange, knowledge, vectors[number % _BATCH], language_of, chosen, sides
        )
        if isinstance(found, Pair):
            pairs.append(found)
        elif isinstance(found, Proposal):
            proposals.append(found)
        else:
            small_talk += 1
        if progress is not None:
            progress(number + 1, len(exchanges))
    return Prepared(
        pairs=tuple(pairs),
        proposals=tuple(proposals),
        conversations=dict(counts),
        masked=dict(masked),
        small_talk=small_talk,
        languages=dict(Counter(pair.language for pair in pairs)),
        grounded_by=dict(Counter(pair.entry_id for pair in pairs).most_common()),
    )


@dataclass(frozen=True, slots=True)
class _Exchange:
    before: tuple[str, ...]
    question: str
    answer: str


def _clean(conversation: Conversation) -> Conversation:
    """Without empty messages and those that only stand for a file."""
    said = tuple(
        Said(message.role, text, message.at)
        for message in conversation.messages
        if (text := " ".join(message.text.split()))
        and any(letter.isalnum() for letter in text)
        and not _is_file(text)
    )
    return replace(conversation, messages=said)


def _is_file(text: str) -> bool:
    bare = text.strip().casefold()
    return bare in {
        "<media omitted>",
        "<medien ausgeschlossen>",
        "<multimedia omitido>",
        "<médias omis>",
    } or (bare.startswith("[") and bare.endswith("]") and len(bare) <= 40 and " " not in bare.strip("[]"))


def _key(messages: Sequence[Said]) -> str:
    """The same for conversations that say the same but for a letter or two of punctuation."""
    words = "\n".join(
        f"{said.role}:{''.join(letter for letter in said.text.casefold() if letter.isalnum())}"
        for said in messages
    )
    return hashlib.sha256(words.encode()).hexdigest()


def _sides(conversations: Sequence[Conversation], share: float) -> dict[str, str]:
    """Which side each conversation is on; no customer and no day stands on both.

    The latest conversations are held out.  Earlier ones of their customers are
    used on neither side.
    """
    ordered = sorted(conversations, key=lambda each: (each.started_at or _EARLIEST, each.id))
    cut = round(len(ordered) * (1 - share))
    late = {conversation.customer for conversation in ordered[cut:]}
    sides = {}
    for place, conversation in enumerate(ordered):
        if place >= cut:
            sides[conversation.id] = "held_out"
        else:
            sides[conversation.id] = "before the cut" if conversation.customer in late else "train"
    return sides


def _exchanges(conversation: Conversation, context: int) -> Iterable[_Exchange]:
    """Each answer with the question it follows; messages of one side in a row are one."""
    blocks: list[tuple[Role, list[str]]] = []
    for said in conversation.messages:
        if blocks and blocks[-1][0] == said.role:
            blocks[-1][1].append(said.text)
        else:
            blocks.append((said.role, [said.text]))
    asked: list[str] = []
    for (role, texts), (next_role, answers) in pairwise(blocks):
        if role != "customer":
            continue
        if next_role == "agent":
            yield _Exchange(tuple(asked[-context:]), " ".join(texts), " ".join(answers))
        asked += texts


def _ground(
    conversation: Conversation,
    exchange: _Exchange,
    knowledge: KnowledgeBase,
    vector: Vectors,
    language_of: Callable[[str], str],
    settings: PrepareSettings,
    sides: dict[str, str],
) -> Pair | Proposal | None:
    """The entry that an answer says, or a proposal; None where the answer tells nothing of the company's."""
    language = language_of(exchange.answer) or language_of(exchange.question)
    hits = knowledge.search(exchange.answer, language, vector=vector, limit=_NEAREST)
    if not hits:
        return None
    hits.sort(key=lambda hit: -hit.answer_similarity)
    best: Hit | None = None
    why: tuple[str, ...] = ()
    for hit in hits:
        entry = hit.entry
        verdict = check(
            exchange.answer,
            question=exchange.question,
            language=language,
            sources=(entry.question, entry.answer),
            kind="answer",
            language_of=language_of,
        )
        reasons = tuple(r for r in verdict.reasons if r.partition(":")[0] not in _FORM)
        if not reasons and hit.answer_similarity >= settings.same:
            best = hit
            break
        why = why or reasons
    if best is not None:
        side: Side = "held_out" if sides[conversation.id] == "held_out" else "train"
        return Pair(
            conversation.id,
            conversation.source,
            side,
            language,
            exchange.before,
            exchange.question,
            exchange.answer,
            best.entry.id,
            round(best.answer_similarity, 3),
            conversation.rating,
        )
    if not _informs(exchange):
        return None
    return Proposal(
        conversation.id,
        language,
        exchange.question,
        exchange.answer,
        hits[0].entry.id,
        round(hits[0].answer_similarity, 3),
        why,
    )


_FORM = frozenset({"form", "length", "claims", "tongue", "placeholder"})
"""Checks of the guard that tell nothing of whether an entry says it."""


def _informs(exchange: _Exchange) -> bool:
    """Does the answer tell something, or is it small talk, a request for details, a word of comfort?"""
    answer = exchange.answer
    if answer.rstrip().endswith(("?", "？")) or "[ORDER]" in answer + exchange.question:
        return False
    width = sum(2.5 if ord(letter) > 0x2E80 else 1.0 for letter in answer)
    asks = "?" in exchange.question or "？" in exchange.question
    return width > 40 and (asks or any(letter.isdigit() for letter in answer))
