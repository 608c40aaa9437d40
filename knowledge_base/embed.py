"""Sentences to vectors.

The only module of the serving path that knows sentence-transformers.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge_base.encoder_adapter import EncoderAdapter, quick_digest, weights_digest
from knowledge_base.errors import KnowledgeError

__all__ = ["Embedder", "JointEmbedder", "SentenceEmbedder"]

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors; questions and answers may be treated differently."""

    fingerprint: str
    """Changes whenever the same text would get another vector."""
    dimension: int

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count for its vector; what comes after them is not read."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), float32, L2-normalised."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, dimension), float32, L2-normalised."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text."""


class JointEmbedder:
    """Two encoders side by side: the cosine is the weighted sum of their cosines.

    Encoders that were trained differently err differently, above all across
    languages.  The weights make both spread alike: cosines of the e5 family lie
    close together (standard deviation 0.027 between unrelated questions), those
    of the second far apart (0.085).

    Args:
        share: of the first encoder's cosine in the sum, between 0 and 1.
    """

    def __init__(self, first: Embedder, second: Embedder, *, share: float = 0.83) -> None:
        self._encoders = (first, second)
        self._weights = (math.sqrt(share), math.sqrt(1.0 - share))
        self.dimension = first.dimension + second.dimension
        self.fingerprint = f"{first.fingerprint}+{second.fingerprint}@{share:g}"

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), L2-normalised."""
        return self._beside([encoder.encode_queries(texts) for encoder in self._encoders])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, dimension), L2-normalised."""
        return self._beside([encoder.encode_passages(texts) for encoder in self._encoders])

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count for its vector."""
        return min(encoder.max_tokens for encoder in self._encoders)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text as the first encoder reads it."""
        return self._encoders[0].count_tokens(texts)

    def _beside(self, vectors: Sequence[Vectors]) -> Vectors:
        parts = [part * weight for part, weight in zip(vectors, self._weights, strict=True)]
        return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)


class SentenceEmbedder:
    """Any sentence-transformers model, from a folder or by hub id.

    Args:
        path_or_id: a folder made by sentence-transformers or a hub id.
        query_prefix: put before each question; None means what the model asks
            for (``query: `` for the e5 family, nothing otherwise).
        passage_prefix: the same for answers (``passage: `` for e5).
        threads: CPU threads of torch; 0 leaves torch's own choice.
        middle: number of a layer whose pooled states count beside the last
            layer's; 0 for none.  The middle layers of multilingual encoders are
            where translations lie closest (Conneau et al. 2020, "Emerging
            cross-lingual structure"); for e5-small the eighth makes up for
            near-duplicates that the last one confuses, at no extra pass.
        adapter: added to the weights; the vectors are others then.

    Raises:
        KnowledgeError: the model cannot be loaded, or the adapter belongs to another.

    Thread-safe: encoding takes a lock, for two encoders on the same cores only
    slow each other down.
    """

    def __init__(
        self,
        path_or_id: str,
        *,
        query_prefix: str | None = None,
        passage_prefix: str | None = None,
        threads: int = 0,
        middle: int = 0,
        adapter: EncoderAdapter | None = None,
    ) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        if threads:
            torch.set_num_threads(threads)
        is_e5 = "e5" in Path(path_or_id).name.lower()
        self._query_prefix = query_prefix if query_prefix is not None else ("query: " if is_e5 else "")
        self._passage_prefix = (
            passage_prefix if passage_prefix is not None else ("passage: " if is_e5 else "")
        )
        try:
            self._model = SentenceTransformer(path_or_id, device="cpu", model_kwargs={"dtype": torch.float32})
        except (OSError, ValueError, KeyError) as error:
            raise KnowledgeError(
                f"the embedder {path_or_id!r} cannot be loaded ({type(error).__name__}); expected a "
                "sentence-transformers folder or id: run `kefu models verify`, or set KEFU_EMBEDDER__MODEL"
            ) from error
        _map_words(self._model, Path(path_or_id) / "model.safetensors")
        self._source = path_or_id
        if adapter is not None:
            adapter.merge(self._model[0].auto_model, self.weights)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self._middle = middle
        if middle:
            self._model[0].auto_model.config.output_hidden_states = True
            self._model.append(_beside_middle_layer(middle))
            self.dimension *= 2
        self._model.eval()
        self.fingerprint = self._fingerprint(path_or_id, adapter)
        self._lock = threading.Lock()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), L2-normalised."""
        return self._encode([self._query_prefix + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, dimension), L2-normalised."""
        return self._encode([self._passage_prefix + text for text in texts])

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count for its vector, without those of the prefix and at the edges."""
        prefixes = sorted({self._query_prefix, self._passage_prefix})
        read = self._model.get_max_seq_length()
        longest = _LONGEST if read is None else int(read) - _EDGE_TOKENS
        return longest - max(self.count_tokens(prefixes))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, without those at its edges."""
        if not texts:
            return []
        with self._lock:  # a tokenizer is not to be used by two threads
            ids = self._model.tokenizer(
                list(texts), add_special_tokens=False, truncation=False, verbose=False
            )
        return [len(each) for each in ids["input_ids"]]

    def _encode(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:
            vectors = self._model.encode(
                texts,
                batch_size=32,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    @property
    def weights(self) -> str:
        """Digest of the weights without adapter: what an adapter belongs to."""
        return weights_digest(self._source)

    @property
    def query_prefix(self) -> str:
        """What is put before each question."""
        return self._query_prefix

    @property
    def network(self) -> Any:
        """The sentence-transformers model, for training."""
        return self._model

    def _fingerprint(self, path_or_id: str, adapter: EncoderAdapter | None) -> str:
        digest = hashlib.sha256()
        folder = Path(path_or_id)
        read = f"{self._query_prefix}|{self._passage_prefix}|{self.dimension}"
        digest.update((f"{read}|{self._middle}" if self._middle else read).encode())
        if folder.is_dir():
            for file in sorted(folder.glob("*.safetensors")) + sorted(folder.glob("*.bin")):
                digest.update(quick_digest(file))
        else:
            digest.update(path_or_id.encode())
        if adapter is not None:
            digest.update(adapter.digest.encode())
        return digest.hexdigest()[:16]


_LONGEST = 8192
"""Tokens read of one text where the model names no limit."""
_EDGE_TOKENS = 2

_MIDDLE_SHARE = 0.2
"""Of the middle layer in the cosine.  More of it finds more translations of near-duplicates,
less of it more entries of a shop by short questions; a fifth costs little there."""


def _map_words(model: Any, weights: Path) -> None:
    """Leaves the table of word vectors in its file, of which only the rows that texts ask for come into memory.

    Of a small multilingual encoder it is most of the weights: 384 of 470 MB of
    e5-small.  Models without such a file or table stay as they are.
    """
    import torch
    from safetensors import safe_open

    words = model[0].auto_model.get_input_embeddings() if hasattr(model[0], "auto_model") else None
    if not isinstance(words, torch.nn.Embedding) or not weights.is_file():
        return
    with safe_open(weights, "pt") as content:
        names = [name for name in content.keys() if name.endswith("word_embeddings.weight")]  # noqa: SIM118
        table = content.get_tensor(names[0]) if len(names) == 1 else None
    if table is not None and table.shape == words.weight.shape and table.dtype == words.weight.dtype:
        words.weight = torch.nn.Parameter(table, requires_grad=False)


def _beside_middle_layer(layer: int) -> Any:
    """A last module that puts a layer's mean beside the sentence's vector, each with its weight."""
    import torch

    class BesideMiddleLayer(torch.nn.Module):
        def forward(self, features: dict[str, Any]) -> dict[str, Any]:
            mask = features["attention_mask"][..., None].to(torch.float32)
            middle = (features["all_layer_embeddings"][layer] * mask).sum(1) / mask.sum(1)
            unit = torch.nn.functional.normalize
            parts = (
                unit(features["sentence_embedding"], dim=-1) * math.sqrt(1.0 - _MIDDLE_SHARE),
                unit(middle, dim=-1) * math.sqrt(_MIDDLE_SHARE),
            )
            return {**features, "sentence_embedding": torch.cat(parts, dim=-1)}

    return BesideMiddleLayer()
