"""BERT sentence encoders of the XLM-RoBERTa vocabulary (the e5 family's small ones), run as they lie on disk.

The same vectors as by sentence-transformers, without it: the weights stay a
mapped file, of whose table of 250,000 word vectors only the rows that texts ask
for are ever in memory, and neither sentence-transformers nor transformers and
what they bring along is loaded.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import KnowledgeError
from knowledge_base.pieces import open_pieces

__all__ = ["MIDDLE_SHARE", "BertEncoder"]

Vectors = NDArray[np.float32]

MIDDLE_SHARE = 0.2
"""Of the middle layer in the cosine.  More of it finds more translations of near-duplicates,
less of it more entries of a shop by short questions; a fifth costs little there."""

_WEIGHTS = "model.safetensors"
_MODULES = ["Transformer", "Pooling", "Normalize"]
_NETWORK = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
_POOLING = {"pooling_mode_mean_tokens": True}
_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "joined": "attention.output.dense",
    "norm": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "last": "output.LayerNorm",
}
_BATCH = 32
_EDGE_TOKENS = 2


class BertEncoder:
    """Texts to unit vectors: mean of the last layer's states, a middle layer's beside it.

    Use :meth:`open`.

    Thread-safe: encoding takes a lock, for two encoders on the same cores only
    slow each other down.
    """

    def __init__(self, folder: Path, network: dict[str, Any], pieces: Any, longest: int, middle: int) -> None:
        from safetensors.torch import load_file

        self._pieces = pieces
        self._longest = longest
        self._middle = middle
        self._heads = int(network["num_attention_heads"])
        self._epsilon = float(network["layer_norm_eps"])
        weights = load_file(folder / _WEIGHTS)
        table = "embeddings.word_embeddings.weight"
        found, expected = tuple(weights[table].shape), (network["vocab_size"], network["hidden_size"])
        if found != expected or pieces.get_piece_size() > found[0]:
            raise ValueError(
                f"word vectors {found}, expected {expected} for {pieces.get_piece_size()} pieces"
            )
        self._words = weights[table]
        self._places = weights["embeddings.position_embeddings.weight"]
        self._kind = weights["embeddings.token_type_embeddings.weight"][0]
        self._first_norm = _pair(weights, "embeddings.LayerNorm")
        self._layers = [
            {part: _pair(weights, f"encoder.layer.{number}.{name}") for part, name in _PARTS.items()}
            for number in range(int(network["num_hidden_layers"]))
        ]
        self.dimension = found[1] * (2 if middle else 1)
        self.max_tokens = longest - _EDGE_TOKENS
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, middle: int = 0) -> BertEncoder | None:
        """The encoder in a sentence-transformers folder; None where it is of another kind.

        Args:
            middle: number of the layer that counts beside the last one; 0 for none.

        Raises:
            KnowledgeError: it is of this kind but damaged.
        """
        from safetensors import SafetensorError

        if not (folder / _WEIGHTS).is_file():
            return None
        network = _json(folder / "config.json", dict)
        longest = _longest(folder, network)
        if longest is None or middle > network.get("num_hidden_layers", 0):
            return None
        try:
            pieces = open_pieces(folder)
            return None if pieces is None else cls(folder, network, pieces, longest, middle)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise KnowledgeError(
                f"the embedder in {folder} cannot be loaded ({type(error).__name__}); expected a "
                "sentence-transformers folder: run `kefu models verify`, or set KEFU_EMBEDDER__MODEL"
            ) from error

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts, shape (n, dimension), float32, L2-normalised."""
        import torch

        found = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for places, ids, mask in self._batches(texts):
            with self._lock, torch.inference_mode():
                inside = None if mask.all() else torch.from_numpy(mask)
                found[places] = self._forward(torch.from_numpy(ids), inside).numpy()
        return found

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, without those at its edges."""
        return [len(pieces) for pieces in self._pieces.encode(list(texts))]

    def _batches(
        self, texts: Sequence[str]
    ) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.bool_]]]:
        """Texts of like length together: their places, ids (b, t) and which are no padding (b, t)."""
        first, last = self._pieces.bos_id(), self._pieces.eos_id()
        ids = [[first, *pieces[: self.max_tokens], last] for pieces in self._pieces.encode(list(texts))]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            longest = len(ids[places[-1]])
            block = np.full((len(places), longest), self._pieces.pad_id(), dtype=np.int64)
            mask = np.zeros((len(places), longest), dtype=np.bool_)
            for row, place in enumerate(places):
                block[row, : len(ids[place])] = ids[place]
                mask[row, : len(ids[place])] = True
            yield places, block, mask

    def _forward(self, ids: Any, inside: Any | None) -> Any:
        """Unit vectors (b, dimension) of ids (b, t); ``inside`` (b, t) is false for padding, None without any."""
        import torch
        from torch.nn.functional import embedding, normalize

        x = embedding(ids, self._words) + self._places[: ids.shape[1]] + self._kind
        x = self._norm(x, self._first_norm)
        middle = None
        for number, layer in enumerate(self._layers, 1):
            x = self._layer(x, layer, None if inside is None else inside[:, None, None, :])
            if number == self._middle:
                middle = normalize(_mean(x, inside), dim=-1) * math.sqrt(MIDDLE_SHARE)
        sentence = normalize(_mean(x, inside), dim=-1)
        if middle is None:
            return sentence
        return normalize(torch.cat((sentence * math.sqrt(1.0 - MIDDLE_SHARE), middle), dim=-1), dim=-1)

    def _layer(self, x: Any, layer: dict[str, tuple[Any, Any]], inside: Any | None) -> Any:
        """One layer of BERT (Devlin et al. 2019), states (b, t, c) to states."""
        from torch.nn.functional import gelu, linear, scaled_dot_product_attention

        b, t, c = x.shape
        query, key, value = (
            linear(x, *layer[part]).view(b, t, self._heads, c // self._heads).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = scaled_dot_product_attention(query, key, value, attn_mask=inside)
        x = self._norm(x + linear(seen.transpose(1, 2).reshape(b, t, c), *layer["joined"]), layer["norm"])
        return self._norm(x + linear(gelu(linear(x, *layer["wide"])), *layer["narrow"]), layer["last"])

    def _norm(self, x: Any, weights: tuple[Any, Any]) -> Any:
        """Layer normalisation over the last axis."""
        from torch.nn.functional import layer_norm

        return layer_norm(x, x.shape[-1:], *weights, self._epsilon)


def _mean(x: Any, inside: Any | None) -> Any:
    """Mean over the places (b, t, c) that are no padding, shape (b, c)."""
    if inside is None:
        return x.mean(1)
    weights = inside[..., None].to(x.dtype)
    return (x * weights).sum(1) / weights.sum(1)


def _pair(weights: dict[str, Any], name: str) -> tuple[Any, Any]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _longest(folder: Path, network: dict[str, Any]) -> int | None:
    """Most tokens of a text, edges included; None where the folder asks for more than :class:`BertEncoder` does."""
    if (
        any(network.get(name, value) != value for name, value in _NETWORK.items())
        or "model_type" not in network
    ):
        return None
    modules = _json(folder / "modules.json", list)
    if [str(part.get("type", "")).rpartition(".")[2] for part in modules] != _MODULES:
        return None
    pooling = _json(folder / str(modules[1].get("path")) / "config.json", dict)
    if {
        name: value for name, value in pooling.items() if name.startswith("pooling_mode") and value
    } != _POOLING:
        return None
    reading = _json(folder / "sentence_bert_config.json", dict)
    prompts = _json(folder / "config_sentence_transformers.json", dict)
    if reading.get("do_lower_case") or prompts.get("default_prompt_name"):
        return None
    most = int(network["max_position_embeddings"])
    return min(int(reading.get("max_seq_length") or most), most)


def _json(path: Path, kind: type[Any]) -> Any:
    """What a file holds; an empty ``kind`` where it is missing or holds anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return kind()
    return found if isinstance(found, kind) else kind()
