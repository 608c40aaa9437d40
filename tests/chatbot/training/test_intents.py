"""Training, keeping and measuring the intent classifier."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chatbot.intent import OUT_OF_SCOPE, IntentModel
from chatbot.training.intents import evaluate_intents, frozen, measure, open_intents
from chatbot.turn import Route


class LetterEmbedder:
    """Bags of hashed letter triples; has the interface of the real one and counts its calls."""

    dimension = 128

    def __init__(self, fingerprint: str = "letters-1") -> None:
        self.fingerprint = fingerprint
        self.texts = 0

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += len(texts)
        out = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            padded = f"  {text.lower()} "
            for start in range(len(padded) - 2):
                row[zlib.crc32(padded[start : start + 3].encode()) % self.dimension] += 1.0
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.encode_queries(texts)


WORDS = {
    "shipping": ["when will my parcel arrive", "how long is delivery", "delivery time for my parcel"],
    "refund": ["i want my money back", "please refund my money", "how do i get a refund"],
    OUT_OF_SCOPE: ["tell me a joke about cats", "who won the football game", "what is the capital of peru"],
}


def write_csv(path: Path, frames: Sequence[str]) -> Path:
    rows = [
        f'"{frame.format(text)}",{label}'
        for label, texts in WORDS.items()
        for text in texts
        for frame in frames
    ]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_nlu(path: Path, extra: str = "") -> Path:
    lines = ["nlu:"]
    for label, texts in WORDS.items():
        name = "out_of_scope" if label == OUT_OF_SCOPE else label
        lines += [f"- intent: {name}", "  examples: |", *(f"    - {text}" for text in texts)]
    path.write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")
    return path


def route(name: str) -> Route:
    return Route.DECLINE if name == "out_of_scope" else Route.ANSWER


def test_an_evaluation_has_the_figures_of_the_command_line(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", ["{}", "hi, {}", "{} please", "hey {}"])
    test = write_csv(tmp_path / "test.csv", ["hello, {}?"])
    figures = evaluate_intents(train, test, frozen(LetterEmbedder())).as_json()
    assert {
        "accuracy",
        "macro_f1",
        "in_scope_accuracy",
        "oos_recall",
        "oos_precision",
        "ece",
        "ms_per_query",
        "train_seconds",
    } <= set(figures)
    assert figures["accuracy"] >= 0.85
    assert figures["in_scope_accuracy"] >= 0.8
    assert figures["oos_recall"] >= 0.6
    assert figures["train_rows"] == 36
    assert figures["test_rows"] == 9


def test_the_figures_are_counted_right() -> None:
    vectors = LetterEmbedder().encode_queries([text for texts in WORDS.values() for text in texts])
    labels = [label for label, texts in WORDS.items() for _ in texts]
    model = IntentModel.fit(labels, vectors)
    perfect = measure(model, labels, vectors)
    found = [prediction.label for prediction in model.predict(vectors)]
    assert perfect.accuracy == np.mean([a == b for a, b in zip(labels, found, strict=True)])
    moved = ["refund" if label == "shipping" else label for label in labels]
    worse = measure(model, moved, vectors)
    assert worse.in_scope_accuracy <= 0.5
    assert worse.oos_recall == perfect.oos_recall
    closed = measure(model, ["shipping"] * len(labels), vectors)
    assert closed.oos_recall is None


def test_the_saved_model_is_used_until_examples_or_embedder_change(tmp_path: Path) -> None:
    nlu, folder = write_nlu(tmp_path / "nlu.yml"), tmp_path / "intents"
    embedder = LetterEmbedder()
    stage = open_intents(nlu, route, embedder, folder)
    assert embedder.texts == 9 + 2, "the examples and the names of their two labels"
    again = open_intents(nlu, route, embedder, folder)
    assert embedder.texts == 9 + 2
    vector = embedder.encode_queries(["where is my parcel"])[0]
    assert stage.classify("where is my parcel", vector) == again.classify("where is my parcel", vector)

    other = LetterEmbedder("letters-2")
    open_intents(nlu, route, other, folder)
    assert other.texts == 9 + 2
    write_nlu(nlu, "- intent: thanks\n  examples: |\n    - thank you\n    - thanks a lot\n")
    open_intents(nlu, route, other, folder)
    assert other.texts == 9 + 2 + 11 + 3


def test_a_damaged_model_is_trained_again(tmp_path: Path) -> None:
    nlu, folder = write_nlu(tmp_path / "nlu.yml"), tmp_path / "intents"
    embedder = LetterEmbedder()
    open_intents(nlu, route, embedder, folder)
    (folder / "model.npz").write_bytes(b"broken")
    open_intents(nlu, route, embedder, folder)
    assert embedder.texts == 2 * (9 + 2)
    assert IntentModel.load(folder, embedder.fingerprint).labels == ("refund", "shipping")


def test_spelling_variants_are_embedded_alike_in_training_and_service(tmp_path: Path) -> None:
    seen: list[str] = []

    class Recorder(LetterEmbedder):
        def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
            seen.extend(texts)
            return super().encode_queries(texts)

    extra = "- intent: greeting\n  examples: |\n    - 請問有人嗎\n    - ＨＥＬＬＯ\n"
    open_intents(write_nlu(tmp_path / "nlu.yml", extra), route, Recorder(), tmp_path / "intents")
    assert {"请问有人吗", "hello"} <= set(seen)


def test_a_message_that_is_an_example_gets_its_intent(tmp_path: Path) -> None:
    stage = open_intents(write_nlu(tmp_path / "nlu.yml"), route, LetterEmbedder(), tmp_path / "intents")
    anything = np.ones(128, dtype=np.float32) / np.sqrt(128)
    found = stage.classify("How do I get a refund?", anything)
    assert found.name == "refund"
    assert found.confidence == 1.0


@pytest.mark.models
def test_the_sample_company_s_intents_generalise_across_languages(tmp_path: Path) -> None:
    from chatbot.assembly import SAMPLE, build_embedder
    from chatbot.phrases import Routes
    from chatbot.settings import load_settings

    embedder = build_embedder(load_settings())
    routes = Routes.load(SAMPLE / "routes.yml")
    stage = open_intents(SAMPLE / "nlu.yml", routes.route, embedder, tmp_path)
    for text, name in [
        ("Ich möchte bitte mit einem echten Menschen reden", "human"),
        ("帮我找个真人客服来处理", "human"),
        ("un grand merci pour votre aide", "thanks"),
        ("good evening to you", "greeting"),
    ]:
        assert stage.classify(text, embedder.encode_queries([text])[0]).name == name
