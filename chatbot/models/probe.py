"""The answer judge: the lower layers of a language model and a trained read-out.

Deep inside a language model, at the end of a prompt that shows a text and a
question, the state tells whether the text answers the question far better than
the words «Yes» and «No» that the untrained model would go on to say: half-way
up, a linear read-out of that state separates near misses from answers (linear
probing: Alain and Bengio 2016; Azaria and Mitchell 2023).

So the judge is a model file of its own, written here once from the generator's
small sibling: its first layers, the upper ones of them with what tuning added
(low-rank adapters, merged), and an output matrix whose rows for
the tokens ``Yes`` and ``No`` are the read-out.  Any engine for GGUF files then
runs it, prefix cache included, and the log-odds of Yes against No are the
read-out's value.  A third of the layers is saved, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from chatbot.errors import ModelError
from chatbot.models.gguf_reading import GgufFile
from chatbot.models.gguf_writing import written_like

__all__ = ["ADAPTED", "Adapter", "Probe", "write_judge"]

ADAPTED = {
    "self_attn.q_proj": "attn_q.weight",
    "self_attn.k_proj": "attn_k.weight",
    "self_attn.v_proj": "attn_v.weight",
    "self_attn.o_proj": "attn_output.weight",
    "mlp.gate_proj": "ffn_gate.weight",
    "mlp.up_proj": "ffn_up.weight",
    "mlp.down_proj": "ffn_down.weight",
}
"""Matrices of a layer that may have an adapter: place in transformers, name in a GGUF file."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What tuning adds to one matrix W of shape (out, in): ``W + up @ down``."""

    down: NDArray[np.float16]
    """Shape (rank, in)."""
    up: NDArray[np.float16]
    """Shape (out, rank)."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A trained read-out.

    The value for a state x (after ``layers`` layers, at the prompt's last
    token, divided by its root mean square) is ``(scale * x) @ weights``; ``level``
    is a direction on which every state has about the same, high value, which
    keeps the two answers above all other tokens.
    """

    base_sha256: str
    """Of the model file it was trained on."""
    prompt_version: int
    layers: int
    scale: NDArray[np.float32]
    """Shape (hidden,)."""
    weights: NDArray[np.float32]
    """Shape (hidden,)."""
    level: NDArray[np.float32]
    """Shape (hidden,)."""
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    """By the tensor's name in the GGUF file."""

    def save(self, path: Path) -> None:
        """Writes the probe as a compressed npz file."""
        parts: dict[str, Any] = {f"down:{name}": adapter.down for name, adapter in self.adapters.items()}
        parts.update({f"up:{name}": adapter.up for name, adapter in self.adapters.items()})
        np.savez_compressed(
            path,
            base_sha256=np.array(self.base_sha256),
            prompt_version=np.array(self.prompt_version),
            layers=np.array(self.layers),
            scale=self.scale,
            weights=self.weights,
            level=self.level,
            **parts,
        )

    @classmethod
    def load(cls, path: Path) -> Probe:
        """Reads a probe.

        Raises:
            ModelError: the file is missing or not a probe.
        """
        try:
            with np.load(path, allow_pickle=False) as content:
                return cls(
                    base_sha256=str(content["base_sha256"]),
                    prompt_version=int(content["prompt_version"]),
                    layers=int(content["layers"]),
                    scale=content["scale"].astype(np.float32),
                    weights=content["weights"].astype(np.float32),
                    level=content["level"].astype(np.float32),
                    adapters={
                        name[5:]: Adapter(content[name], content[f"up:{name[5:]}"])
                        for name in content.files
                        if name.startswith("down:")
                    },
                )
        except (OSError, EOFError, KeyError, ValueError) as error:
            raise ModelError(
                f"{path} is no answer-judge probe ({type(error).__name__}); train it anew"
            ) from error


def write_judge(base: Path, probe: Probe, target: Path, yes: int, no: int) -> None:
    """Writes the judge's model file from its base and the probe, by rename.

    Args:
        base: GGUF file the probe was trained on.
        yes, no: ids of the tokens that carry the read-out.

    Raises:
        ModelError: the base is not of the shape the probe needs.
    """
    reader = GgufFile(base)
    names = {tensor.name for tensor in reader.tensors}
    if f"blk.{probe.layers - 1}.attn_q.weight" not in names or "token_embd.weight" not in names:
        raise ModelError(f"{base} has no {probe.layers} layers of the kind the answer judge was trained on")
    with written_like(reader, target, probe.layers) as writer:
        _copy_tensors(reader, writer, probe, yes, no)


_TUNED = GGMLQuantizationType.Q8_0
"""How tuned matrices are stored: what tuning added would drown in four bits."""


def _copy_tensors(reader: GGUFReader, writer: GGUFWriter, probe: Probe, yes: int, no: int) -> None:
    hidden = len(probe.weights)
    vocabulary = 0
    for tensor in reader.tensors:
        if tensor.name == "token_embd.weight":
            vocabulary = int(tensor.shape[1])
            if int(tensor.shape[0]) != hidden:
                raise ModelError(
                    f"the model's states have {tensor.shape[0]} values, the probe expects {hidden}"
                )
        if tensor.name in ("output.weight", "output_norm.weight"):
            continue
        if tensor.name.startswith("blk.") and int(tensor.name.split(".")[1]) >= probe.layers:
            continue
        adapter = probe.adapters.get(tensor.name)
        if adapter is None:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        matrix = dequantize(tensor.data, tensor.tensor_type)
        matrix = matrix + adapter.up.astype(np.float32) @ adapter.down.astype(np.float32)
        writer.add_tensor(tensor.name, quantize(matrix, _TUNED), raw_dtype=_TUNED)
    writer.add_tensor("output_norm.weight", probe.scale.astype(np.float32))
    rows = np.stack([np.zeros(hidden), probe.level + probe.weights / 2, probe.level - probe.weights / 2])
    nothing, *carried = quantize(rows.astype(np.float32), GGMLQuantizationType.Q8_0)
    packed = np.tile(nothing, (vocabulary, 1))
    packed[[yes, no]] = carried
    writer.add_tensor("output.weight", packed, raw_dtype=GGMLQuantizationType.Q8_0)
