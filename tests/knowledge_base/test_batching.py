from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge_base.batching import BatchingEmbedder


class Watched:
    """An encoder whose vector of a text is its number; it waits and fails on demand."""

    fingerprint = "watched"
    dimension = 2

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.hold = threading.Event()
        self.hold.set()

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.batches.append(list(texts))
        self.hold.wait(60)
        self.at_once -= 1
        if any(text.startswith("bad") for text in texts):
            raise ValueError("cannot be encoded")
        return np.array([[float(text.split()[0]), 1.0] for text in texts], dtype=np.float32)

    encode_passages = encode_queries
    max_tokens = 128

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


def until(watched: BatchingEmbedder, waiting: int) -> None:
    deadline = time.monotonic() + 30
    while len(watched._waiting) != waiting:
        assert time.monotonic() < deadline, "they never waited"
        time.sleep(0.002)


@pytest.fixture
def encoder() -> Watched:
    return Watched()


def ask(
    pool: ThreadPoolExecutor, embedder: BatchingEmbedder, texts: Sequence[str]
) -> list[Future[NDArray[np.float32]]]:
    return [pool.submit(embedder.encode_queries, [text]) for text in texts]


def test_a_question_that_comes_alone_is_encoded_at_once(encoder: Watched) -> None:
    embedder = BatchingEmbedder(encoder)
    for number in range(3):
        assert embedder.encode_queries([f"{number}"]).tolist() == [[number, 1.0]]
    assert encoder.batches == [["0"], ["1"], ["2"]]


def test_questions_that_come_meanwhile_are_encoded_together_and_each_gets_its_own_vector(
    encoder: Watched,
) -> None:
    embedder = BatchingEmbedder(encoder)
    encoder.hold.clear()
    with ThreadPoolExecutor(20) as pool:
        first = ask(pool, embedder, ["0"])
        while not encoder.batches:
            time.sleep(0.002)
        others = ask(pool, embedder, [f"{number}" for number in range(1, 20)])
        until(embedder, 19)
        encoder.hold.set()
        found = [future.result(60).tolist() for future in first + others]
    assert found == [[[number, 1.0]] for number in range(20)]
    assert [len(batch) for batch in encoder.batches] == [1, 19]
    assert encoder.most_at_once == 1


def test_one_that_cannot_be_encoded_fails_alone(encoder: Watched) -> None:
    embedder = BatchingEmbedder(encoder)
    encoder.hold.clear()
    with ThreadPoolExecutor(8) as pool:
        first = ask(pool, embedder, ["0"])
        while not encoder.batches:
            time.sleep(0.002)
        others = ask(pool, embedder, ["1", "bad", "3"])
        until(embedder, 3)
        encoder.hold.set()
        assert first[0].result(60)[0, 0] == 0
        assert others[0].result(60)[0, 0] == 1
        with pytest.raises(ValueError, match="encoded"):
            others[1].result(60)
        assert others[2].result(60)[0, 0] == 3
    assert embedder.encode_queries(["4"])[0, 0] == 4


def test_a_long_text_does_not_make_many_short_ones_as_long(encoder: Watched) -> None:
    embedder = BatchingEmbedder(encoder)
    encoder.hold.clear()
    with ThreadPoolExecutor(8) as pool:
        futures = ask(pool, embedder, ["0"])
        while not encoder.batches:
            time.sleep(0.002)
        for text in ("1", "2 " + "x" * 4000, "3"):
            futures += ask(pool, embedder, [text])
            until(embedder, len(futures) - 1)
        encoder.hold.set()
        assert [future.result(60)[0, 0] for future in futures] == [0, 1, 2, 3]
    assert all(len(batch) == 1 for batch in encoder.batches)


def test_many_threads_for_long_lose_nothing(encoder: Watched) -> None:
    embedder = BatchingEmbedder(encoder)
    with ThreadPoolExecutor(16) as pool:
        futures = ask(pool, embedder, [f"{number}" for number in range(2000)])
        assert [future.result(60)[0, 0] for future in futures] == list(range(2000))
    assert encoder.most_at_once == 1
    assert sum(map(len, encoder.batches)) == 2000


def test_lists_pass_as_they_are(encoder: Watched) -> None:
    embedder = BatchingEmbedder(encoder)
    assert embedder.encode_queries(["1", "2"]).shape == (2, 2)
    assert embedder.encode_passages(["3"]).tolist() == [[3.0, 1.0]]
    assert (embedder.fingerprint, embedder.dimension, embedder.max_tokens) == ("watched", 2, 128)
    assert embedder.count_tokens(["a b", "c"]) == [2, 1]
