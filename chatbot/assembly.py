"""The one place where objects meet: settings in, a working bot out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import knowledge_base
from chatbot.actions import ActionPlans, ActionServer, ActionStage
from chatbot.bot import Bot
from chatbot.decide import Answerability, Decider
from chatbot.errors import ModelError
from chatbot.followup import FollowUp
from chatbot.generate import Generator, build_generator
from chatbot.intent import IntentClassifier
from chatbot.judge import AnswerJudge
from chatbot.language import LanguageDetector, dominant_language
from chatbot.memory import Memory
from chatbot.models import (
    ADAPTER,
    AdapterKind,
    check_adapter,
    chosen_generator,
    promoted,
    resolve_embedder,
    resolve_generator,
    resolve_judge,
    resolve_second,
    shipped_adapter,
)
from chatbot.phrases import Phrases, Routes
from chatbot.settings import SAMPLE_COMPANY, Settings
from chatbot.storage import Conversations, Database
from chatbot.training.intents import open_intents
from chatbot.writer import Writer
from knowledge_base.batching import BatchingEmbedder
from knowledge_base.calibration import Calibration
from knowledge_base.embed import Embedder, JointEmbedder, SentenceEmbedder
from knowledge_base.encoder_adapter import ADAPTER as ENCODER_ADAPTER
from knowledge_base.encoder_adapter import EncoderAdapter
from knowledge_base.entry import Entry
from knowledge_base.reading import read_entries
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import EntryStore
from knowledge_base.use import UniversalSentenceEncoder

log = logging.getLogger(__name__)

__all__ = [
    "SAMPLE",
    "SAMPLE_COMPANY",
    "Parts",
    "beside_second",
    "build_actions",
    "build_bot",
    "build_embedder",
    "build_encoder",
    "build_parts",
    "calibrated_folder",
    "open_database",
    "open_knowledge",
    "open_store",
    "sample_entries",
    "search_calibration",
]

SAMPLE = Path(knowledge_base.__file__).parent / "sample"
"""Folder of the sample company."""

Report = Callable[[str, int, int], None]
"""Called with (what is being done, done, in all)."""


def _silent(_what: str, _done: int, _total: int) -> None:
    """Reports nothing."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of a running installation; :meth:`bot` puts them together around a knowledge base."""

    settings: Settings
    embedder: Embedder
    language: LanguageDetector
    intents: IntentClassifier
    generator: Generator | None
    judge: AnswerJudge
    judge_engine: Generator | None
    phrases: Phrases
    routes: Routes
    answerability: Answerability

    def language_of(self, text: str) -> str:
        """Dominant language of a text among the configured ones."""
        return dominant_language(text, self.settings.languages) or self.settings.default_language

    def bot(self, knowledge: KnowledgeBase, memory: Memory, actions: ActionStage | None = None) -> Bot:
        """A bot that answers from ``knowledge``, remembers in ``memory`` and runs custom ``actions``."""
        return Bot(
            knowledge=knowledge,
            language=self.language,
            intents=self.intents,
            followup=FollowUp(),
            judge=self.judge,
            decider=Decider(
                self.answerability, compose=self.settings.generator.compose if self.generator else "none"
            ),
            writer=Writer(self.generator, self.phrases, self.routes, self.language_of),
            memory=memory,
            phrases=self.phrases,
            actions=actions,
            max_message_chars=self.settings.max_message_chars,
        )

    def close(self) -> None:
        """Stops the engines."""
        for engine in (self.generator, self.judge_engine):
            if engine is not None:
                engine.close()


def build_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name, joined with the second one if there is one.

    Raises:
        ModelError: it is not on disk; the text says how to get it.
    """
    return BatchingEmbedder(beside_second(settings, build_encoder(settings, _encoder_adapter(settings))))


def build_encoder(settings: Settings, adapter: EncoderAdapter | None = None) -> SentenceEmbedder:
    """The first encoder alone, with ``adapter`` added to its weights.

    Raises:
        ModelError: it is not on disk; the text says how to get it.
        KnowledgeError: the adapter belongs to another encoder.
    """
    chosen = settings.embedder
    return SentenceEmbedder(
        resolve_embedder(chosen.model, settings.models_dir),
        query_prefix=chosen.query_prefix,
        passage_prefix=chosen.passage_prefix,
        threads=chosen.threads,
        middle=chosen.resolved_middle,
        adapter=adapter,
    )


def beside_second(settings: Settings, first: SentenceEmbedder) -> Embedder:
    """``first`` joined with the second encoder, if the settings name one.

    Raises:
        ModelError: the second is not on disk.
    """
    name = settings.embedder.resolved_second
    if not name:
        return first
    return JointEmbedder(first, UniversalSentenceEncoder(resolve_second(name, settings.models_dir)))


def _encoder_adapter(settings: Settings) -> EncoderAdapter | None:
    path = _wanted_adapter(settings, "encoder")
    return None if path is None else EncoderAdapter.load(path)


def _wanted_adapter(settings: Settings, kind: AdapterKind) -> Path | None:
    """The file of the adapter that is set, or of the promoted run; None where neither names one.

    Raises:
        ModelError: what is named does not exist.
    """
    own, file, variable = {
        "encoder": (settings.embedder.adapter, ENCODER_ADAPTER, "KEFU_EMBEDDER__ADAPTER"),
        "generator": (settings.generator.adapter, ADAPTER, "KEFU_GENERATOR__ADAPTER"),
    }[kind]
    wanted = own or promoted(settings.runs_dir, kind)
    if wanted in ("", "none"):
        return None
    run = settings.runs_dir / wanted / file
    path = run if run.is_file() else Path(wanted).expanduser()
    if not path.is_file():
        raise ModelError(
            f"the {kind}'s adapter {wanted!r} is neither a finished run in {settings.runs_dir} nor a file; "
            f"`kefu train list` shows the runs, {variable}=none uses the {kind} without one"
        )
    return path


def build_parts(settings: Settings, report: Report = _silent) -> Parts:
    """Loads everything but the knowledge base.

    Raises:
        OperatorError: a model is missing or damaged, or a setting is wrong.
    """
    report("embedder", 0, 4)
    embedder = build_embedder(settings)
    report("intents", 1, 4)
    company = settings.company or SAMPLE_COMPANY["en"]
    phrases = Phrases.load(SAMPLE / "phrases.yml", company)
    routes = Routes.load(settings.routes_path or SAMPLE / "routes.yml")
    intents = open_intents(
        settings.nlu_path or SAMPLE / "nlu.yml", routes.route, embedder, settings.data_dir / "intents"
    )
    report("judge", 2, 4)
    judge_engine = _build_judge(settings)
    report("generator", 3, 4)
    generator = _build_generator(settings)
    report("ready", 4, 4)
    return Parts(
        settings=settings,
        embedder=embedder,
        language=LanguageDetector(settings.languages, settings.default_language),
        intents=intents,
        generator=generator,
        judge=AnswerJudge(judge_engine),
        judge_engine=judge_engine,
        phrases=phrases,
        routes=routes,
        answerability=_answerability(settings, embedder),
    )


def calibrated_folder(settings: Settings, embedder: Embedder) -> Path:
    """Where `kefu train calibrate` leaves what it has fitted for an encoder."""
    name = hashlib.sha256(embedder.fingerprint.encode()).hexdigest()[:16]
    return settings.data_dir / "calibrated" / name


def search_calibration(settings: Settings, embedder: Embedder) -> Calibration:
    """How the signals of a search add up with this encoder; the shipped weights where none were fitted for it.

    Raises:
        KnowledgeError: the file there is damaged.
    """
    path = calibrated_folder(settings, embedder) / "calibration.json"
    return Calibration.load(path) if path.is_file() else Calibration.shipped()


def _answerability(settings: Settings, embedder: Embedder) -> Answerability:
    path = calibrated_folder(settings, embedder) / "answerability.json"
    return Answerability.load(path) if path.is_file() else Answerability.shipped()


def _build_generator(settings: Settings) -> Generator | None:
    chosen = settings.generator
    if chosen.kind == "none":
        return None
    choice = chosen_generator(chosen.model)
    if chosen.kind != "openai" and not choice.model:
        log.warning("no generator: %s", choice.why)
        return None
    model = chosen.model if chosen.kind == "openai" else resolve_generator(choice.model, settings.models_dir)
    return build_generator(
        chosen, model, adapter=_adapter(settings, model), state_folder=settings.data_dir / "prefixes"
    )


def _adapter(settings: Settings, model: Path | str) -> Path | None:
    """The adapter to load beside the model; it fits, or the start ends here.

    Raises:
        ModelError: the one that is set is missing, or belongs to another model or prompt format.
    """
    if settings.generator.kind != "llama_cpp" or not isinstance(model, Path):
        return None
    path = _wanted_adapter(settings, "generator")
    if path is None and settings.generator.adapter != "none":
        path = shipped_adapter(chosen_generator(settings.generator.model).model)
    if path is not None:
        check_adapter(path, model)
    return path


def _build_judge(settings: Settings) -> Generator | None:
    """The answer judge always runs in this process, whatever words the answers."""
    if not settings.judge:
        return None
    path = resolve_judge(settings.models_dir)
    engine = settings.generator.model_copy(
        update={"kind": "llama_cpp", "context_tokens": 1024, "cache_mib": 192, "slots": 2}
    )
    return build_generator(engine, path)


def open_database(settings: Settings) -> Database:
    """The database, brought up to date.

    Raises:
        StorageError: it cannot be opened or written.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database.open(settings.resolved_database_url)
    database.upgrade()
    return database


def sample_entries() -> list[Entry]:
    """All entries of the sample company."""
    found: list[Entry] = []
    for file in sorted((SAMPLE / "entries").glob("*.yml")):
        found.extend(read_entries(file))
    return found


def open_store(settings: Settings, database: Database) -> EntryStore:
    """The entries; an empty store is filled with the sample company if the settings say so."""
    store = EntryStore(database.engine)
    if settings.sample and store.revision() == 0:
        store.upsert(sample_entries())
    return store


def open_knowledge(
    settings: Settings, store: EntryStore, embedder: Embedder, report: Report = _silent
) -> KnowledgeBase:
    """The knowledge base with its index, rebuilt where it disagrees with the database."""
    snapshot = store.snapshot()
    return KnowledgeBase.open(
        index_folder(settings),
        snapshot.entries,
        snapshot.revision,
        embedder,
        calibration=search_calibration(settings, embedder),
        progress=partial(report, "index"),
    )


def index_folder(settings: Settings) -> Path:
    """Where the index lies: a trained encoder's beside its run, so that going back to another costs nothing."""
    adapter = _wanted_adapter(settings, "encoder")
    own = adapter is not None and settings.runs_dir in adapter.parents
    return (adapter.parent if adapter is not None and own else settings.data_dir) / "index"


def build_actions(parts: Parts) -> ActionStage | None:
    """The custom actions that the routes name; None if there are none or no server for them.

    Raises:
        SettingsError: routes or domain say what cannot be meant, or the server's URL cannot be used.
    """
    settings = parts.settings
    chosen = settings.actions
    plans = ActionPlans.load(settings.routes_path or SAMPLE / "routes.yml", chosen.domain_path)
    url = chosen.url
    if not url and chosen.sample and settings.routes_path is None:
        url = f"http://127.0.0.1:{chosen.sample_port}/webhook"
    if not url or not plans.by_intent:
        return None
    server = ActionServer(
        url, token=chosen.token.get_secret_value(), domain=plans.domain, timeout_s=chosen.timeout_s
    )
    return ActionStage(plans, server, parts.phrases, parts.routes.route)


def build_bot(settings: Settings, database: Database, report: Report = _silent) -> Bot:
    """A bot over the installation's own knowledge base and database."""
    parts = build_parts(settings, report)
    store = open_store(settings, database)
    knowledge = open_knowledge(settings, store, parts.embedder, report)
    return parts.bot(knowledge, Memory(Conversations(database), settings.history_turns), build_actions(parts))
