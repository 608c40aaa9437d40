"""Two encoders count as one, and the second finds translations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chatbot.models import resolve_second
from chatbot.settings import load_settings
from knowledge_base.embed import JointEmbedder
from knowledge_base.errors import KnowledgeError
from knowledge_base.use import WEIGHTS, WORDS, UniversalSentenceEncoder
from tests.embedders import HashEmbedder

TEXTS = ["How long does a refund take?", "退款需要多长时间？", "Is the shop open on Sunday?"]


def test_the_joint_cosine_is_the_weighted_sum() -> None:
    first, second = HashEmbedder(), HashEmbedder()
    joint = JointEmbedder(first, second, share=0.75)
    one, both = first.encode_queries(TEXTS), joint.encode_queries(TEXTS)
    assert both.shape == (3, joint.dimension)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(both @ both.T, one @ one.T, atol=1e-5)


def test_the_fingerprint_tells_the_weights_apart() -> None:
    one, other = (
        JointEmbedder(HashEmbedder(), HashEmbedder()),
        JointEmbedder(HashEmbedder(), HashEmbedder(), share=0.5),
    )
    assert one.fingerprint != other.fingerprint


def test_a_missing_encoder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="kefu models verify"):
        UniversalSentenceEncoder(tmp_path)


@pytest.mark.models
def test_damaged_weights_say_what_to_do(tmp_path: Path) -> None:
    folder = _folder()
    (tmp_path / WORDS).write_bytes((folder / WORDS).read_bytes())
    (tmp_path / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100_000])
    with pytest.raises(KnowledgeError, match="cannot be loaded"):
        UniversalSentenceEncoder(tmp_path)


@pytest.mark.models
def test_translations_lie_close_together() -> None:
    encoder = UniversalSentenceEncoder(_folder())
    vectors = encoder.encode_queries(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    assert vectors[0] @ vectors[1] > 0.7
    assert vectors[0] @ vectors[2] < 0.5


@pytest.mark.models
def test_a_text_has_the_same_vector_alone_and_in_a_batch() -> None:
    encoder = UniversalSentenceEncoder(_folder())
    texts = [*TEXTS, "", "a", "很长" * 900]
    together = encoder.encode_queries(texts)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(encoder.encode_queries([text])[0], together[row], atol=1e-4)


def _folder() -> Path:
    settings = load_settings()
    return resolve_second(settings.embedder.resolved_second, settings.models_dir)
