"""``kefu bench``: every speed beside its floor, measured in the same run."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.table import Table

from chatbot.assembly import Parts, build_parts, sample_entries
from chatbot.channels import configure_logging
from chatbot.commands import bench_channels as channels
from chatbot.commands.output import console, print_json, progress_bar, stage_bars
from chatbot.generate import Generation, Generator
from chatbot.memory import Memory, NoHistory
from chatbot.prompt import Prompt, answer_prompt
from chatbot.settings import Settings
from chatbot.turn import Action, Message
from knowledge_base.entry import Entry
from knowledge_base.search import KnowledgeBase

__all__ = ["Figure", "run_bench"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its floor."""

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    bar: str
    met: bool


def run_bench(settings: Settings, *, as_json: bool, quick: bool) -> None:
    """Measures and prints all figures."""
    configure_logging("ERROR")  # of the requests that are measured; the standard output is for figures
    with stage_bars() as report:
        parts = build_parts(settings, report)
    entries = sample_entries()
    figures: list[Figure] = []
    try:
        with progress_bar("measuring") as progress:
            steps = _steps(parts, entries, quick)
            for number, step in enumerate(steps, 1):
                figures.extend(step())
                progress(number, len(steps) + 1)
        rate = channels.batch_rate(parts, channels.questions(entries)[:320])
    finally:
        parts.close()
    if not quick:
        figures.append(_training(settings))
    with progress_bar("asking a served assistant") as progress:
        figures.extend(_served(entries, 40 if quick else 200, rate, progress))
    if as_json:
        print_json({"figures": [asdict(figure) for figure in figures]})
        return
    table = Table("figure", "value", "floor", "ratio", "bar", "met")
    for f in figures:
        floor = "" if f.floor is None else f"{f.floor:g} {f.unit}"
        ratio = "" if f.ratio is None else f"{f.ratio:.2f}"
        table.add_row(f.name, f"{f.value:g} {f.unit}", floor, ratio, f.bar, "yes" if f.met else "no")
    console.print(table)


def _steps(parts: Parts, entries: Sequence[Entry], quick: bool) -> list[Callable[[], list[Figure]]]:
    steps: list[Callable[[], list[Figure]]] = [
        lambda: _verbatim(parts, entries, 30 if quick else 100),
        lambda: _channels(parts, entries, 40 if quick else 150),
    ]
    if parts.generator is not None:
        generator = parts.generator
        steps.append(lambda: _composed(generator, entries, 4 if quick else 12))
    if not quick:
        steps.append(lambda: _growth(parts))
    return steps


def _training(settings: Settings) -> Figure:
    """Pace of a fine-tuning run over that of the bare training step."""
    from chatbot.training.generator.pace import training_paces

    pace, bare = training_paces(settings)
    return _ratio("fine-tuning on this processor", round(pace, 1), "tokens/s", round(bare, 1), at_least=0.85)


def _p50(values: Sequence[float]) -> float:
    return round(statistics.median(values), 2)


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def _verbatim(parts: Parts, entries: Sequence[Entry], rounds: int) -> list[Figure]:
    """A whole verbatim turn over one encoder call on the same text, alternating."""
    bot = parts.bot(KnowledgeBase.in_memory(entries, parts.embedder), Memory(NoHistory()))
    variants = [variant for entry in entries if entry.verbatim for variant in entry.variants]
    questions = [channels.typed(variant) for variant in variants[: rounds + 3]]
    turns, encoder = [], []
    for number, question in enumerate(questions):
        encode = _timed(partial(parts.embedder.encode_queries, [question]))
        message = Message(question, f"bench-{number}", "bench")
        start = time.perf_counter()
        reply = bot.respond(message)
        total = (time.perf_counter() - start) * 1000
        if number >= 3 and reply.action is Action.VERBATIM:
            turns.append(total)
            encoder.append(encode)
    value, floor = _p50(turns), _p50(encoder)
    return [_ratio("verbatim answer, p50", value, "ms", floor, at_most=1.5)]


def _ratio(
    name: str,
    value: float,
    unit: str,
    floor: float,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    ratio = round(value / floor, 3)
    if at_most is not None:
        return Figure(name, value, unit, floor, ratio, f"≤ {at_most} × floor", ratio <= at_most)
    if at_least is None:
        return Figure(name, value, unit, floor, ratio, "", True)
    return Figure(name, value, unit, floor, ratio, f"≥ {at_least} × floor", ratio >= at_least)


def _composed(generator: Generator, entries: Sequence[Entry], rounds: int) -> list[Figure]:
    """First token and pace of composed answers, through the product's way and the bare engine.

    Both read the same prompts in the same state of the cache: the entry's part
    has been read before (entries asked most are kept), the question is new.
    """
    chosen = [e for e in entries if not e.verbatim and e.language in ("zh", "en") and len(e.variants) >= 2]
    chosen = sorted(chosen, key=lambda e: -len(e.answer))[: rounds * 2 : 2]
    ours: list[Generation] = []
    bare: list[dict[str, Any]] = []
    for entry in chosen:
        first, second = (
            answer_prompt(entry.question, entry.answer, question, entry.language)
            for question in entry.variants[:2]
        )
        generator.warm(answer_prompt(entry.question, entry.answer, "…", entry.language))
        ours.append(generator.generate(first))
        bare.append(_bare(generator, second))
    first_ours = _p50([g.first_token_ms for g in ours])
    first_bare = _p50([b["first_ms"] for b in bare])
    pace_ours = _p50([_pace(g.completion_tokens, g.total_ms - g.first_token_ms) for g in ours])
    pace_bare = _p50([_pace(b["tokens"], b["total_ms"] - b["first_ms"]) for b in bare])
    absolute = Figure(
        "composed answer: first token, p50", first_ours, "ms", None, None, "≤ 1000 ms", first_ours <= 1000
    )
    return [
        absolute,
        _ratio(
            "composed answer: first token over the bare engine", first_ours, "ms", first_bare, at_most=1.25
        ),
        _ratio("tokens a second while composing", pace_ours, "tokens/s", pace_bare, at_least=0.9),
    ]


def _pace(tokens: int, ms: float) -> float:
    return (tokens - 1) / ms * 1000 if tokens > 1 and ms > 0 else 0.0


def _bare(generator: Generator, prompt: Prompt) -> dict[str, Any]:
    """The engine asked directly, nothing of ours between."""
    engine = getattr(generator, "_server", None)
    if engine is None:
        made = generator.generate(prompt)
        return {"first_ms": made.first_token_ms, "total_ms": made.total_ms, "tokens": made.completion_tokens}
    messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
    start = time.perf_counter()
    first: list[float] = []
    tokens = 0

    def take(piece: Any) -> bool:
        nonlocal tokens
        for chunk in piece if isinstance(piece, list) else [piece]:
            choice = (chunk.get("choices") or [{}])[0]
            if (choice.get("delta") or {}).get("content"):
                tokens += 1
                if not first:
                    first.append((time.perf_counter() - start) * 1000)
        return False

    request = {
        "messages": messages,
        "max_tokens": 220,
        "temperature": 0,
        "stream": True,
        "cache_prompt": True,
    }
    engine.handle_chat_completions(request, take)
    total = (time.perf_counter() - start) * 1000
    return {"first_ms": first[0] if first else total, "total_ms": total, "tokens": tokens}


def _growth(parts: Parts) -> list[Figure]:
    """Time of one search with 1,000 and with 100,000 entries (random unit vectors, real encoder)."""
    chance = np.random.default_rng(0)
    times = {}
    for size in (1_000, 100_000):
        vectors = chance.standard_normal((size, parts.embedder.dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        base = KnowledgeBase.in_memory(
            [Entry(str(i), str(i), "en", f"question {i} about topic {i % 977}", "") for i in range(size)],
            _Prepared(parts, vectors),
        )
        questions = [f"how about question {i} of topic {i % 977}?" for i in range(40)]
        for question in questions[:5]:
            base.search(question, "en")
        times[size] = _p50([_timed(partial(base.search, question, "en")) for question in questions])
    return [_ratio("query with 100,000 entries over 1,000", times[100_000], "ms", times[1_000], at_most=2.0)]


class _Prepared:
    """The real encoder for questions asked; prepared vectors for the entries, which would take an hour."""

    def __init__(self, parts: Parts, vectors: np.ndarray) -> None:
        self.fingerprint = "bench"
        self.dimension = parts.embedder.dimension
        self._parts = parts
        self._vectors = vectors
        self._next = 0

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """The prepared vectors in order while building, then real ones."""
        if self._next < len(self._vectors):
            self._next += len(texts)
            return self._vectors[self._next - len(texts) : self._next]
        return self._parts.embedder.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
        """Real vectors."""
        return self._parts.embedder.encode_passages(texts)

    @property
    def max_tokens(self) -> int:
        """The real encoder's."""
        return self._parts.embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The real encoder's."""
        return self._parts.embedder.count_tokens(texts)


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int, float]]:
    """A served assistant: its address, process id and seconds from start to ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "KEFU_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "chatbot.cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            if process.poll() is not None or time.perf_counter() - start > 300:
                raise RuntimeError("the served assistant did not become ready")
            try:
                if httpx.get(address + "/readyz", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        yield address, process.pid, time.perf_counter() - start
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _channels(parts: Parts, entries: Sequence[Entry], rounds: int) -> list[Figure]:
    """What the way over HTTP adds to the bot's own time."""
    added = channels.overhead_ms(parts, entries, channels.questions(entries)[:rounds])
    first = channels.first_byte_ms(parts, 20)
    return [
        Figure("REST overhead over Bot.respond, p50", added, "ms", None, None, "≤ 5 ms", added <= 5),
        Figure(
            "first streamed byte after the bot's first piece, p50",
            first,
            "ms",
            None,
            None,
            "≤ 20 ms",
            first <= 20,
        ),
    ]


def _crowd(address: str, entries: Sequence[Entry], rate: float) -> list[Figure]:
    """50 conversations at once that are answered from the knowledge base; ``rate`` is the bare encoder's."""
    texts = channels.questions(entries)
    channels.talk(address, texts, messages=1)
    load = channels.talk(address, texts[50:])
    clicked = channels.talk(address, channels.suggestions(entries)[50:])
    return [
        Figure("50 conversations at once: errors", load.errors, "", None, None, "0", load.errors == 0),
        Figure(
            "50 conversations at once, p95", load.p95_ms, "ms", None, None, "≤ 1000 ms", load.p95_ms <= 1000
        ),
        _ratio(
            "50 conversations at once over the encoder's batches",
            load.per_second,
            "messages/s",
            round(rate, 1),
            at_least=0.7,
        ),
        _ratio(
            "50 conversations at once that click on suggestions",
            clicked.per_second,
            "messages/s",
            round(rate, 1),
        ),
    ]


def _served(
    entries: Sequence[Entry], questions: int, rate: float, progress: Callable[[int, int], None]
) -> list[Figure]:
    """Second start and memory of the whole served product."""
    texts = [variant for entry in entries for variant in entry.variants]
    texts = texts[:: max(len(texts) // questions, 1)][:questions]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _server(folder):
            pass
        with _server(folder) as (address, pid, seconds):
            for number, text in enumerate(texts):
                body = {"sender": f"bench-{number % 20}", "message": text}
                httpx.post(f"{address}/webhooks/rest/webhook", json=body, timeout=120)
                progress(number + 1, len(texts))
            memory = _resident_gib(pid)
            crowd = _crowd(address, entries, rate)
    return [
        *crowd,
        Figure("second start to ready", round(seconds, 1), "s", None, None, "≤ 15 s", seconds <= 15),
        Figure(
            f"memory after {len(texts)} questions", memory, "GiB", None, None, "≤ 4 GB", memory * 1.0737 <= 4
        ),
    ]


def _resident_gib(pid: int) -> float:
    """Resident memory of a process, in GiB, mapped files included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024**2, 2)
    return 0.0
