"""The multilingual Universal Sentence Encoder, version 3.

A convolutional encoder of 16 languages that was trained to answer and to
translate (Yang et al. 2019, "Multilingual Universal Sentence Encoder for
Semantic Retrieval").  It takes some two milliseconds a sentence and finds
translations that a small transformer misses; see
:class:`knowledge_base.embed.JointEmbedder`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import KnowledgeError

__all__ = ["WEIGHTS", "WORDS", "UniversalSentenceEncoder"]

Vectors = NDArray[np.float32]

WEIGHTS, WORDS = "weights.npz", "sp.model"
"""Files of its folder: the weights and the sentencepiece model."""

_BRANCHES = ((2, 0), (3, 1), (5, 2))
"""Width of each convolution and how far it looks back, in word pieces."""
_WIDTH = 256
_TABLES = 17
"""The word vectors lie in this many tables, by word number modulo it, each with a scale of its own."""
_BATCH = 32
_LONGEST = 512
"""Word pieces read of one text."""


class UniversalSentenceEncoder:
    """Texts to unit vectors; questions and answers alike.

    Args:
        folder: with :data:`WEIGHTS` and :data:`WORDS`.

    Raises:
        KnowledgeError: a file is missing or damaged.

    Thread-safe.
    """

    dimension = 512

    def __init__(self, folder: Path) -> None:
        import torch
        from sentencepiece import SentencePieceProcessor

        try:
            self._pieces = SentencePieceProcessor(model_file=str(folder / WORDS))
            with np.load(folder / WEIGHTS, allow_pickle=False) as file:
                weights = {name: file[name] for name in file.files}
            self._table = np.empty((_TABLES * len(weights["q1"]), self.dimension), dtype=np.uint8)
            for number in range(_TABLES):
                self._table[number::_TABLES] = weights.pop(f"q{number + 1}")
            self._epsilon = float(weights["eps"])
            digest = hashlib.sha256((folder / WORDS).read_bytes())
            digest.update(self._table[:: 1 + len(self._table) // 4096].tobytes())
            digest.update(weights["cnn_W"].tobytes())
            self._scale, self._low = weights.pop("scale"), weights.pop("lo")
        except (OSError, RuntimeError, ValueError, KeyError, BadZipFile) as error:
            raise KnowledgeError(
                f"the encoder in {folder} cannot be loaded ({type(error).__name__}); expected {WEIGHTS} and "
                f"{WORDS}: run `kefu models verify`"
            ) from error
        # torch's threads, for a second pool of threads on the same cores makes both slow
        self._w = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in weights.items()}
        self._lock = threading.Lock()
        self.fingerprint = digest.hexdigest()[:16]

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, 512), L2-normalised."""
        return self._encode(texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, 512), L2-normalised."""
        return self._encode(texts)

    @property
    def max_tokens(self) -> int:
        """Word pieces of a text that count for its vector."""
        return _LONGEST

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Word pieces of each whole text."""
        return [len(pieces) for pieces in self._pieces.encode(list(texts))]

    def _encode(self, texts: Sequence[str]) -> Vectors:
        import torch

        found = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for places, ids, mask in self._batches(texts):
            table = ids % _TABLES
            words = self._table[ids] * self._scale[table][..., None] + self._low[table][..., None]
            with self._lock, torch.inference_mode():
                found[places] = self._forward(torch.from_numpy(words), torch.from_numpy(mask)).numpy()
        return found

    def _batches(
        self, texts: Sequence[str]
    ) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.float32]]]:
        """Texts of like length together: their places, ids (b, t) and mask (b, t)."""
        ids = [
            [self._pieces.bos_id(), *self._pieces.encode(text)[:_LONGEST], self._pieces.eos_id()]
            for text in texts
        ]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            longest = max(len(ids[place]) for place in places)
            block = np.zeros((len(places), longest), dtype=np.int64)
            mask = np.zeros((len(places), longest), dtype=np.float32)
            for row, place in enumerate(places):
                block[row, : len(ids[place])] = ids[place]
                mask[row, : len(ids[place])] = 1.0
            yield places, block, mask

    def _forward(self, words: Any, mask: Any) -> Any:
        """Unit vectors (b, 512) of word vectors (b, t, 512) and mask (b, t)."""
        import torch

        w = self._w
        inside = mask[..., None]
        features = [words]
        for width, back in _BRANCHES:
            x = self._norm(
                words @ w[f"proj{width}"] + w[f"proj_b{width}"], w[f"ln_g{width}"], w[f"ln_b{width}"]
            )
            for layer in ("1", "2"):
                x = x * inside
                x = x + torch.relu(_windows(x, width, back) @ w[f"w{layer}_{width}"] + w[f"b{layer}_{width}"])
            features.append(x)
        normed = self._norm(torch.cat(features, dim=-1), w["ln_g"], w["ln_b"]) * inside
        count = mask.sum(dim=1, keepdim=True)
        mean = (normed.sum(dim=1) @ w["cnn_W"] + count * w["cnn_b"]) / count.sqrt()
        first = torch.relu(mean @ w["d0"])
        second = torch.relu(mean @ w["p1"] + first @ w["d1"])
        third = torch.relu(second @ w["d2"])
        return torch.nn.functional.normalize(torch.tanh(second @ w["p3"] + third @ w["d3"]), dim=-1, eps=1e-6)

    def _norm(self, x: Any, gain: Any, shift: Any) -> Any:
        """Layer normalisation over the last axis."""
        import torch

        return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, shift, self._epsilon)


def _windows(x: Any, width: int, back: int) -> Any:
    """Each place with its neighbours side by side: (b, t, c) → (b, t, width · c), zeros beyond the ends."""
    import torch

    b, t, c = x.shape
    padded = torch.nn.functional.pad(x, (0, 0, back, width - 1 - back))
    return padded.unfold(1, width, 1).transpose(2, 3).reshape(b, t, width * c)
