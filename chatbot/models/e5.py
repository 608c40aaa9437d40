"""Unpacks the 4-bit multilingual-e5-small into an ordinary sentence-transformers folder.

The packed file (magic ``E5S1``) holds the weights in blocks of 32 with one
half-precision scale each: ``weight = (nibble - 8) * scale``.  A product of a
4-bit whole number and a half-precision number is exact in single precision, so
the unpacked file has the same bytes on every machine and its sha256 is known
beforehand.  The network is a ``BertModel`` with the tokenizer of XLM-RoBERTa
(Wang et al. 2024, "Multilingual E5 Text Embeddings").
"""

from __future__ import annotations

import json
import math
import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import ModelError

__all__ = ["CANONICAL_COSINE", "CANONICAL_PAIR", "PackedE5", "canonical_cosine", "check_folder", "unpack"]

MAGIC = b"E5S1"
VERSION = 1
BLOCK = 32
BLOCK_BYTES = 2 + BLOCK // 2
CHUNK_BYTES = BLOCK_BYTES << 16
KIND_FLOAT, KIND_4BIT = 0, 1

CANONICAL_PAIR = ("query: How long does a refund take?", "query: 退款需要多长时间？")
CANONICAL_COSINE = 0.8770
"""Cosine of the two sentences of :data:`CANONICAL_PAIR`, measured once in float32."""
CANONICAL_TOLERANCE = 2e-3

_LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDING_PARTS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network, as the file's header gives them."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    layer_norm_epsilon: float


@dataclass(frozen=True, slots=True)
class Tensor:
    """One line of the file's directory: where a tensor lies and how it is packed."""

    name: str
    kind: int
    elements: int
    offset: int
    nbytes: int


class PackedE5:
    """A packed file, opened for reading; use as a context manager.

    Raises:
        ModelError: the file is no E5S1 file, or its directory points outside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read ({error}); run `kefu models pull` again") from error
        try:
            self.shape, self.tensors = self._read_directory()
        except (struct.error, UnicodeDecodeError) as error:
            self.close()
            raise self._damaged(f"the header ends early or is unreadable ({error})") from error
        except ModelError:
            self.close()
            raise

    def __enter__(self) -> PackedE5:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the mapping back."""
        self._map.close()

    def chunks(self, name: str) -> Iterator[bytes]:
        """The tensor ``name`` in order, as little-endian float32, some megabytes at a time."""
        tensor = self.tensors[name]
        end = tensor.offset + tensor.nbytes
        for start in range(tensor.offset, end, CHUNK_BYTES):
            raw = self._map[start : min(start + CHUNK_BYTES, end)]
            yield raw if tensor.kind == KIND_FLOAT else dequantise(raw).tobytes()

    def _damaged(self, what: str) -> ModelError:
        return ModelError(f"{self.path}: {what}; expected an E5S1 file, run `kefu models pull` again")

    def _read_directory(self) -> tuple[Shape, dict[str, Tensor]]:
        data = self._map
        if data[:4] != MAGIC:
            raise self._damaged(f"starts with {bytes(data[:4])!r}")
        version, *sizes, epsilon, block = struct.unpack_from("<I7ifi", data, 4)
        if version != VERSION or block != BLOCK:
            raise self._damaged(f"is version {version} with blocks of {block}, not {VERSION} with {BLOCK}")
        position = 4 + struct.calcsize("<I7ifi")
        pieces, *_, blob = struct.unpack_from("<5iQ", data, position)
        position += struct.calcsize("<5iQ") + 4 * (pieces + 1) + 4 * pieces + blob
        _, map_bytes = struct.unpack_from("<iI", data, position)
        position += 8 + map_bytes
        (count,) = struct.unpack_from("<i", data, position)
        position += 4
        tensors: dict[str, Tensor] = {}
        for _ in range(count):
            tensor, position = self._read_entry(position)
            tensors[tensor.name] = tensor
        hidden, layers, heads, feed_forward, vocabulary, positions, types = sizes
        shape = Shape(hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon)
        return shape, tensors

    def _read_entry(self, position: int) -> tuple[Tensor, int]:
        (length,) = struct.unpack_from("<H", self._map, position)
        name = self._map[position + 2 : position + 2 + length].decode("ascii")
        position += 2 + length
        kind, elements, offset, nbytes = struct.unpack_from("<BIQQ", self._map, position)
        expected = {KIND_FLOAT: 4 * elements, KIND_4BIT: elements // BLOCK * BLOCK_BYTES}.get(kind)
        if nbytes != expected or offset + nbytes > len(self._map):
            raise self._damaged(f"tensor {name!r} has {nbytes} bytes at {offset}, expected {expected}")
        return Tensor(name, kind, elements, offset, nbytes), position + struct.calcsize("<BIQQ")


def dequantise(raw: bytes) -> NDArray[np.float32]:
    """Blocks of 18 bytes to weights.

    Args:
        raw: n blocks; each a half-precision scale and 16 bytes whose low nibbles
            are weights 0-15 and whose high nibbles are weights 16-31.

    Returns:
        Flat array of n * 32 weights, float32.
    """
    blocks = np.frombuffer(raw, dtype=np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))]))
    weights = np.empty((len(blocks), BLOCK), dtype="<f4")
    weights[:, : BLOCK // 2] = blocks["nibbles"] & 0x0F
    weights[:, BLOCK // 2 :] = blocks["nibbles"] >> 4
    weights -= 8.0
    weights *= blocks["scale"].astype("<f4")[:, None]
    return weights.reshape(-1)


def unpack(packed: Path, tokenizer: Path, folder: Path, progress: Progress | None = None) -> None:
    """Writes the sentence-transformers folder of ``packed`` into the existing, empty ``folder``.

    Args:
        packed: the E5S1 file.
        tokenizer: the model's ``tokenizer.json``.
        folder: where the files go; the caller moves it into place when it is whole.
        progress: called with the number of bytes written since the last call.

    Raises:
        ModelError: the packed file is damaged or lacks a tensor.
        OSError: writing failed.
    """
    with PackedE5(packed) as source:
        with (folder / "model.safetensors").open("wb") as stream:
            _write_safetensors(source, stream, progress or (lambda _: None))
        shape = source.shape
    _write_tokenizer(tokenizer, folder / "tokenizer.json")
    _write_json(folder / "config.json", _network_config(shape))
    for name, content in _STATIC_FILES.items():
        _write_json(folder / name, content)
    (folder / "1_Pooling").mkdir()
    _write_json(folder / "1_Pooling" / "config.json", _pooling_config(shape))


def _write_tokenizer(source: Path, target: Path) -> None:
    """The tokenizer with XLM-RoBERTa's own split at white space written into its file.

    As published the file leaves that split to the class ``XLMRobertaTokenizer``, which
    reads the 17 MB a second time and builds the vocabulary anew: two seconds of each
    start.  With the split in the file the plain class reads it once, to the same tokens.

    Raises:
        ModelError: the file is no tokenizer of this form.
    """
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        pieces = content["pre_tokenizer"]
        if pieces["type"] != "Metaspace":
            raise KeyError(pieces["type"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{source}: not the tokenizer of the packed embedder ({error!r}); run `kefu models pull` again"
        ) from error
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, pieces]}
    target.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _layout(shape: Shape) -> Iterator[tuple[str, str | None, tuple[int, ...]]]:
    """Yields (name in BertModel, name in the packed file, shape); no packed name means zeros."""
    hidden, wide = shape.hidden, shape.feed_forward
    sizes: dict[str, tuple[int, ...]] = {
        "emb.word": (shape.vocabulary, hidden),
        "emb.pos": (shape.positions, hidden),
        "emb.type": (shape.token_types, hidden),
    }
    for packed, name in _EMBEDDING_PARTS.items():
        yield name, packed, sizes.get(packed, (hidden,))
    matrices = {"fi": (wide, hidden), "fo": (hidden, wide), "aln": (hidden,), "oln": (hidden,)}
    for layer in range(shape.layers):
        for part, name in _LAYER_PARTS.items():
            size = matrices.get(part, (hidden, hidden))
            yield f"encoder.layer.{layer}.{name}.weight", f"l{layer}.{part}.w", size
            yield f"encoder.layer.{layer}.{name}.bias", f"l{layer}.{part}.b", size[:1]
    # BertModel has a pooler that mean pooling never uses; zeros spare a random one and its warning.
    yield "pooler.dense.weight", None, (hidden, hidden)
    yield "pooler.dense.bias", None, (hidden,)


def _write_safetensors(source: PackedE5, stream: BinaryIO, progress: Progress) -> None:
    """Streams the tensors in the safetensors format, one in memory at a time."""
    layout = list(_layout(source.shape))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, packed, size in layout:
        elements = math.prod(size)
        if packed is not None and (
            packed not in source.tensors or source.tensors[packed].elements != elements
        ):
            found = source.tensors[packed].elements if packed in source.tensors else "none"
            raise ModelError(
                f"{source.path}: tensor {packed!r} has {found} elements, expected {elements}; "
                "run `kefu models pull` again"
            )
        end = position + 4 * elements
        header[name] = {"dtype": "F32", "shape": list(size), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    stream.write(struct.pack("<Q", len(text)) + text)
    for _, packed, size in layout:
        for chunk in source.chunks(packed) if packed is not None else [bytes(4 * math.prod(size))]:
            stream.write(chunk)
            progress(len(chunk))


def _network_config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "attention_probs_dropout_prob": 0.1,
        "classifier_dropout": None,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.feed_forward,
        "layer_norm_eps": float(f"{shape.layer_norm_epsilon:.6g}"),
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "tokenizer_class": "XLMRobertaTokenizer",
        "type_vocab_size": shape.token_types,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }


def _pooling_config(shape: Shape) -> dict[str, object]:
    return {
        "word_embedding_dimension": shape.hidden,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }


_STATIC_FILES: dict[str, object] = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
    "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    "tokenizer_config.json": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 512,
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "clean_up_tokenization_spaces": False,
    },
}


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def canonical_cosine(folder: Path) -> float:
    """Cosine of :data:`CANONICAL_PAIR` by the model in ``folder``, mean pooling, float32."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    shows_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    finally:
        if shows_bars:
            logging.enable_progress_bar()
    batch = tokenizer(list(CANONICAL_PAIR), padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    return float(pooled[0] @ pooled[1])


def check_folder(folder: Path) -> None:
    """Runs the model in ``folder`` on two fixed sentences.

    Raises:
        ModelError: it cannot be loaded, or its cosine is not the known one.
    """
    try:
        found = canonical_cosine(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"the unpacked embedder in {folder} cannot be loaded: {error}") from error
    if not abs(found - CANONICAL_COSINE) <= CANONICAL_TOLERANCE:
        raise ModelError(
            f"the unpacked embedder in {folder} gives cosine {found:.4f} for two fixed sentences, expected "
            f"{CANONICAL_COSINE:.4f}; remove the folder and run `kefu models pull` again"
        )
