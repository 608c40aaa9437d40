"""Tuning an encoder on labels and on texts that mean the same; what is saved gives the same vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chatbot.errors import BadRequestError
from chatbot.intent import IntentModel
from chatbot.training.encoder import (
    EncoderProgress,
    EncoderSettings,
    Meaning,
    Other,
    anchors_found,
    tune_on_labels,
    tune_on_meanings,
)
from chatbot.training.encoder.run import train_encoder
from chatbot.training.runs import list_runs
from chatbot.training.tuned_intents import fit_tuned
from knowledge_base.embed import SentenceEmbedder
from knowledge_base.encoder_adapter import ADAPTER, EncoderAdapter, EncoderManifest
from knowledge_base.errors import KnowledgeError

Fresh = Callable[[], SentenceEmbedder]

SETTINGS = EncoderSettings(rank=4, frozen=1, epochs=8, rate=5e-3, batch=8, dropout=0.0)
MANY_EPOCHS = replace(SETTINGS, epochs=40)
NAMES = ("anna", "boris", "carla", "dario", "elena", "fritz", "greta", "henry", "irina", "jonas")
REFUND = [f"{name} asks {NAMES[n - 3]} for {n} coins back" for n, name in enumerate(NAMES)]
PARCEL = [f"{name} asks {NAMES[n - 3]} for {n} coins more" for n, name in enumerate(NAMES)]


def of_pair(name: str, other: str, topic: str = "t") -> Meaning:
    return Meaning(name, topic, name, (Other(other, "xx", "here"),))


MEANINGS = [of_pair(f"the {name} is {name[::-1]}", f"{name.upper()} {name[0]}", name[0]) for name in NAMES]


def test_texts_of_one_label_come_closer_than_those_of_another(fresh: Fresh) -> None:
    encoder = fresh()
    one, other = REFUND[::2] + PARCEL[::2], REFUND[1::2] + PARCEL[1::2]

    def gap() -> float:
        a, b = encoder.encode_queries(one), encoder.encode_queries(other)
        return float((a @ a.T).mean() + (b @ b.T).mean() - 2 * (a @ b.T).mean())

    before = gap()
    tune_on_labels(encoder.network, [*one, *other], ["one"] * 10 + ["other"] * 10, MANY_EPOCHS)
    assert gap() > 2 * before


def test_a_tuned_text_lies_nearer_to_its_meaning_and_the_anchor_stays(fresh: Fresh) -> None:
    encoder = fresh()
    anchors = [meaning.anchor for meaning in MEANINGS]
    old = encoder.encode_queries(anchors)
    before = anchors_found(encoder.encode_queries, MEANINGS, [])["xx"][0]
    tune_on_meanings(encoder.network, MEANINGS, "", replace(SETTINGS, epochs=30))
    after = anchors_found(encoder.encode_queries, MEANINGS, [])["xx"][0]
    assert after > before
    assert after >= 0.8
    moved = 1 - (encoder.encode_queries(anchors) * old).sum(1)
    assert float(moved.mean()) < 0.1


def test_a_saved_adapter_gives_the_tuned_vectors_and_another_fingerprint(
    fresh: Fresh, encoder_folder: Path, tmp_path: Path
) -> None:
    encoder = fresh()
    matrices = tune_on_labels(encoder.network, [*REFUND, *PARCEL], ["a", "b"] * 10, MANY_EPOCHS)
    tuned = encoder.encode_queries(REFUND)
    EncoderAdapter(EncoderManifest(encoder.weights, "d", "run"), matrices).save(tmp_path / ADAPTER)
    read = EncoderAdapter.load(tmp_path / ADAPTER)
    served = SentenceEmbedder(str(encoder_folder), middle=2, adapter=read)
    np.testing.assert_allclose(served.encode_queries(REFUND), tuned, atol=1e-5)
    assert np.abs(tuned - fresh().encode_queries(REFUND)).max() > 1e-3
    assert served.fingerprint != fresh().fingerprint
    assert not any(".0." in name for name in read.matrices), "the lowest layer stays as it is"


def test_an_adapter_of_another_encoder_is_refused(fresh: Fresh, encoder_folder: Path) -> None:
    one = np.ones((1, 32), np.float32)
    adapter = EncoderAdapter(
        EncoderManifest("other", "d", "r"), {"encoder.layer.1.output.dense": (one, one.T)}
    )
    with pytest.raises(KnowledgeError, match="belongs to another encoder"):
        SentenceEmbedder(str(encoder_folder), adapter=adapter)
    wrong = EncoderAdapter(EncoderManifest(fresh().weights, "d", "r"), {"no.such.matrix": (one, one.T)})
    with pytest.raises(KnowledgeError, match=r"no matrix no\.such\.matrix"):
        SentenceEmbedder(str(encoder_folder), adapter=wrong)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x00" * 64])
def test_a_file_that_is_no_adapter_is_told_apart(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ADAPTER
    path.write_bytes(content)
    with pytest.raises(KnowledgeError, match="no adapter of an encoder"):
        EncoderAdapter.load(path)


def test_a_run_leaves_adapter_report_figures_and_a_curve(fresh: Fresh, tmp_path: Path) -> None:
    encoder = fresh()
    meanings = [
        of_pair(f"{m.anchor} {n}", f"{m.others[0].text} {n}", f"{n}") for n in range(4) for m in MEANINGS
    ]
    seen: list[EncoderProgress] = []
    run = train_encoder("small", encoder, encoder, "", meanings, tmp_path / "first", SETTINGS, seen.append)
    folder = tmp_path / "first"
    assert EncoderAdapter.load(folder / ADAPTER).manifest.figures == run.figures
    assert seen[-1].step == seen[-1].steps
    assert "found first" in (folder / "report.html").read_text(encoding="utf-8")
    listed = list_runs(tmp_path)[0]
    assert (listed.name, listed.kind, listed.state) == ("first", "encoder", "finished")
    assert run.by_language["xx"]["texts"] == run.held_out_examples > 0


def test_too_little_to_learn_from_is_said_before_anything_is_done(fresh: Fresh, tmp_path: Path) -> None:
    encoder = fresh()
    with pytest.raises(BadRequestError, match="expected at least 20"):
        train_encoder("small", encoder, encoder, "", MEANINGS, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_intents_over_a_tuned_encoder_know_what_they_have_not_learnt(fresh: Fresh) -> None:
    outside = [f"the weather in {name} land is {n}" for n, name in enumerate(NAMES)]
    texts = [*REFUND, *PARCEL, *outside]
    labels = ["refund"] * 10 + ["parcel"] * 10 + ["__out_of_scope__"] * 10
    model, embedder = fit_tuned(labels, texts, fresh, lambda encoder: encoder, SETTINGS)
    asked = ["gustav asks nora for 7 coins back", "nora asks gustav for 4 coins more"]
    found = [each.label for each in model.predict(embedder.encode_queries(asked))]
    assert found == ["refund", "parcel"]
    assert model.predict(embedder.encode_queries(["the weather in peter land is 12"]))[0].out_of_scope > 0.5
    frozen = IntentModel.fit(labels, fresh().encode_queries(texts))
    assert model.temperature != frozen.temperature
