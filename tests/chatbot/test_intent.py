"""The intent classifier, on small made-up clusters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chatbot.errors import ModelError
from chatbot.intent import OUT_OF_SCOPE, IntentClassifier, IntentModel
from chatbot.intent_fit import Scored, fit_ridge, fit_temperature, held_out_rows, nearest_others
from chatbot.turn import Intent, Route

DIMENSION = 24
Floats = NDArray[np.float32]


def unit(vectors: NDArray[np.float64]) -> Floats:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clusters(
    rows: int, *, intents: int = 5, noise: float = 0.12, outside: int = 0, seed: int = 0
) -> tuple[list[str], Floats]:
    """Labelled vectors around fixed centres; the out-of-scope ones lie anywhere."""
    centres = np.random.default_rng(7).normal(size=(intents, DIMENSION)) + 1.0
    random = np.random.default_rng(seed)
    labels = [f"intent_{index % intents}" for index in range(rows)] + [OUT_OF_SCOPE] * outside
    inner = centres[np.arange(rows) % intents]
    inner = inner / np.linalg.norm(inner, axis=1, keepdims=True) + noise * random.normal(size=inner.shape)
    outer = random.normal(size=(outside, DIMENSION)) + 1.0
    return labels, unit(np.vstack([inner, outer]))


@pytest.fixture(scope="module")
def model() -> IntentModel:
    labels, vectors = clusters(200, outside=40)
    return IntentModel.fit(labels, vectors, fingerprint="fake-1")


def test_intents_are_told_apart_with_probabilities_that_sum_to_one(model: IntentModel) -> None:
    labels, vectors = clusters(100, seed=1)
    chances = model.predict_proba(vectors)
    assert chances.shape == (100, 5)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-5)
    right = [
        model.labels[index] == label for index, label in zip(chances.argmax(axis=1), labels, strict=True)
    ]
    assert np.mean(right) >= 0.97


def test_what_no_intent_covers_is_rejected_and_what_one_covers_is_not(model: IntentModel) -> None:
    _, outer = clusters(0, outside=100, seed=2)
    _, inner = clusters(100, seed=3)
    assert np.mean([found.label == OUT_OF_SCOPE for found in model.predict(outer)]) >= 0.8
    assert np.mean([found.label == OUT_OF_SCOPE for found in model.predict(inner)]) <= 0.05


def test_without_out_of_scope_examples_nothing_is_rejected() -> None:
    labels, vectors = clusters(60)
    model = IntentModel.fit(labels, vectors)
    _, outer = clusters(0, outside=30, seed=2)
    assert model.gate is None
    assert all(found.label != OUT_OF_SCOPE for found in model.predict(outer))


def test_probabilities_are_calibrated() -> None:
    labels, vectors = clusters(600, noise=0.45)
    model = IntentModel.fit(labels, vectors)
    tested, queries = clusters(600, noise=0.45, seed=9)
    chances = model.predict_proba(queries)
    right = np.array([model.labels[i] == label for i, label in zip(chances.argmax(1), tested, strict=True)])
    assert 0.5 < right.mean() < 0.98
    assert abs(chances.max(axis=1).mean() - right.mean()) < 0.05


def test_what_unseen_examples_were_worth_sets_how_sure_the_model_is() -> None:
    labels, vectors = clusters(200, outside=40)
    mixed = np.random.default_rng(1).permutation(len(labels))
    labels, vectors = [labels[i] for i in mixed], vectors[mixed]
    names = sorted({label for label in labels if label != OUT_OF_SCOPE})
    own = np.array([names.index(label) if label in names else len(names) for label in labels])
    right = np.full((len(labels), len(names) + 1), -1.0, np.float32)
    right[np.arange(len(labels)), own] = 1.0
    near = np.where(own < len(names), 0.9, 0.1).astype(np.float32)
    sure = Scored(right, near, (1.0 - near).astype(np.float32), 1.0)
    unsure = replace(sure, scores=np.random.default_rng(0).permutation(right))
    asked = vectors[own < len(names)][:20]
    chances = [
        IntentModel.fit(labels, vectors, unseen=seen).predict_proba(asked).max(axis=1).mean()
        for seen in (sure, unsure)
    ]
    assert chances[0] > 0.95
    assert chances[1] < 0.7, "an encoder that helped only what it was tuned on is not believed"

    unmeasured = np.arange(len(labels)) % 3 == 0
    partly = replace(
        sure,
        scores=np.where(unmeasured[:, None], np.float32(-1.0), right),
        near=np.where(unmeasured, np.nan, near).astype(np.float32),
    )
    model = IntentModel.fit(labels, vectors, unseen=partly)
    assert model.predict_proba(asked).max(axis=1).mean() > 0.95
    assert model.gate is not None
    assert np.isfinite([*model.gate.weights, model.gate.threshold]).all(), "what was not measured is left out"


def test_leave_one_out_scores_equal_those_of_models_trained_without_the_row() -> None:
    labels, vectors = clusters(40, noise=0.3, outside=6)
    own = np.array([int(label[-1]) if label != OUT_OF_SCOPE else 5 for label in labels])
    probe = np.array([0, 7, 13, 39, 42])
    weights, held_out = fit_ridge(vectors, own, 6, 2.0, 0.1, probe)
    kernel = np.exp(2.0 * (vectors @ vectors.T - 1.0)).astype(np.float64)
    targets = np.where(np.arange(6) == own[:, None], 1.0, -1.0)
    np.testing.assert_allclose(weights, np.linalg.solve(kernel + 0.1 * np.eye(46), targets), atol=2e-3)
    for place, row in enumerate(probe):
        rest = np.setdiff1d(np.arange(46), [row])
        dual = np.linalg.solve(kernel[np.ix_(rest, rest)] + 0.1 * np.eye(45), targets[rest])
        np.testing.assert_allclose(held_out[place], kernel[row, rest] @ dual, atol=2e-3)


def test_the_nearest_other_example_is_never_the_example_itself() -> None:
    vectors = unit(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]))
    near, near_out = nearest_others(vectors, np.array([0, 0, 1, 1]), 1, np.arange(4))
    assert near[0] == pytest.approx(float(vectors[0] @ vectors[1]))
    assert near_out[3] == pytest.approx(float(vectors[3] @ vectors[2]))
    lonely, none = nearest_others(vectors[:1], np.array([0]), 1, np.arange(1))
    assert lonely[0] == -1.0
    assert none[0] == -1.0


def test_held_out_rows_keep_every_out_of_scope_example() -> None:
    own = np.array([0] * 50 + [2] * 7)
    rows = held_out_rows(own, 2, most=10)
    assert len(rows) == 17
    assert set(range(50, 57)) <= set(rows.tolist())


def test_the_temperature_sharpens_right_scores_and_softens_wrong_ones() -> None:
    scores = np.eye(3, dtype=np.float32)[np.tile([0, 1, 2], 30)]
    right = np.tile([0, 1, 2], 30)
    assert fit_temperature(scores, right) < 0.2
    assert fit_temperature(scores, np.roll(right, 45) * 0 + np.repeat([0, 1, 2], 30)) > 1.0


def test_training_twice_gives_the_same_model() -> None:
    labels, vectors = clusters(80, outside=10)
    first, second = IntentModel.fit(labels, vectors), IntentModel.fit(labels, vectors)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
    assert first.gate == second.gate


def test_a_saved_model_decides_as_before(model: IntentModel, tmp_path: Path) -> None:
    _, vectors = clusters(30, outside=10, seed=5)
    model.save(tmp_path)
    loaded = IntentModel.load(tmp_path, "fake-1")
    assert loaded.predict(vectors) == model.predict(vectors)
    assert loaded.labels == model.labels


def test_a_model_of_another_embedder_is_refused(model: IntentModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    with pytest.raises(ModelError, match=r"fake-1.*fake-2.*train the intents again"):
        IntentModel.load(tmp_path, "fake-2")


@pytest.mark.parametrize("harm", ["missing", "truncated", "not json", "other format", "no labels"])
def test_a_damaged_model_is_refused_with_a_remedy(model: IntentModel, tmp_path: Path, harm: str) -> None:
    model.save(tmp_path)
    manifest = tmp_path / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    if harm == "missing":
        (tmp_path / "model.npz").unlink()
    elif harm == "truncated":
        arrays = (tmp_path / "model.npz").read_bytes()
        (tmp_path / "model.npz").write_bytes(arrays[: len(arrays) // 2])
    elif harm == "not json":
        manifest.write_text("{", encoding="utf-8")
    elif harm == "other format":
        manifest.write_text(json.dumps(content | {"format": 99}), encoding="utf-8")
    else:
        del content["labels"]
        manifest.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError, match="train"):
        IntentModel.load(tmp_path, "fake-1")


@pytest.mark.parametrize("labels", [["a", "a"], ["a", OUT_OF_SCOPE], ["a", "b", "c"]])
def test_examples_that_cannot_be_learnt_are_refused(labels: list[str]) -> None:
    with pytest.raises(ModelError, match="at least two intents"):
        IntentModel.fit(labels, np.eye(2, dtype=np.float32))


def routes(name: str) -> Route:
    return {"intent_0": Route.SMALL_TALK, "out_of_scope": Route.DECLINE}.get(name, Route.ANSWER)


def test_the_stage_names_the_route(model: IntentModel) -> None:
    stage = IntentClassifier(model, routes)
    labels, vectors = clusters(5, noise=0.02, seed=8)
    for label, vector in zip(labels, vectors, strict=True):
        found = stage.classify("…", vector)
        assert found.name == label
        assert found.route == routes(label)
        assert 0.5 < found.confidence <= 1.0


def test_the_route_s_confidence_is_that_of_all_its_intents(model: IntentModel) -> None:
    def two_chatty(name: str) -> Route:
        return Route.SMALL_TALK if name in {"intent_0", "intent_1"} else Route.ANSWER

    _, vectors = clusters(2, noise=0.0)
    between = unit((vectors[0] + vectors[1])[None].astype(np.float64))[0]
    ungated = replace(model, gate=None, temperature=1.0)
    found = IntentClassifier(ungated, two_chatty).classify("…", between)
    alone = IntentClassifier(ungated, lambda name: Route.SMALL_TALK if name == found.name else Route.ANSWER)
    assert found.route is Route.SMALL_TALK
    assert found.route_confidence > found.confidence + 0.1
    assert alone.classify("…", between).route_confidence == pytest.approx(found.confidence)


def test_a_rejected_message_has_the_out_of_scope_intent(model: IntentModel) -> None:
    assert model.gate is not None
    strict = replace(model, gate=replace(model.gate, threshold=0.0))
    _, vectors = clusters(1)
    found = IntentClassifier(strict, routes).classify("…", vectors[0])
    assert found.name == "out_of_scope"
    assert found.route is Route.DECLINE


def test_a_training_example_has_its_own_intent_whatever_the_vector(model: IntentModel) -> None:
    _, vectors = clusters(5)
    stage = IntentClassifier(model, routes, {"转人工": "intent_3"})
    assert stage.classify(" 轉人工！", vectors[0]) == Intent("intent_3", 1.0, Route.ANSWER)


def test_an_intent_is_found_by_its_name_and_an_opening_is_a_greeting(model: IntentModel) -> None:
    stage = IntentClassifier(model, routes)
    assert stage.named("intent_0") == Intent("intent_0", 1.0, Route.SMALL_TALK, 1.0)
    assert stage.named("get_started") is None
    greeting = replace(model, labels=("Greeting", *model.labels[1:]))
    assert stage.named("nonsense") is None
    found = IntentClassifier(greeting, routes).named("get_started")
    assert found is not None
    assert found.name == "Greeting"


def test_one_query_takes_a_fraction_of_an_encoder_call(model: IntentModel) -> None:
    from chatbot.training.intents import measure

    labels, vectors = clusters(50)
    assert measure(model, labels, vectors).ms_per_query < 20
