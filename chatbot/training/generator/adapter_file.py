"""A trained adapter as the GGUF file that llama.cpp loads, with what it belongs to written in it.

No package ships the converter; the form is that of llama.cpp's
``convert_lora_to_gguf.py``: ``general.type`` adapter, ``adapter.type`` lora, and
for each adapted matrix ``<tensor>.lora_a`` (rank, in) and ``<tensor>.lora_b`` (out, rank).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray

from chatbot.models.adapter import AdapterManifest, manifest_fields
from chatbot.models.probe import ADAPTED
from knowledge_base.whole_file import whole_file

__all__ = ["tensor_name", "write_adapter"]

Floats = NDArray[np.float32]


def tensor_name(module: str) -> str:
    """The GGUF tensor of a module: ``…layers.3.self_attn.q_proj`` is ``blk.3.attn_q.weight``.

    Raises:
        ValueError: it is none of a layer's matrices.
    """
    _, _, rest = module.rpartition("layers.")
    number, _, place = rest.partition(".")
    if not number.isdecimal() or place not in ADAPTED:
        raise ValueError(f"{module} is no matrix of a layer; expected one of {', '.join(ADAPTED)}")
    return f"blk.{int(number)}.{ADAPTED[place]}"


def write_adapter(
    path: Path,
    matrices: Mapping[str, tuple[Floats, Floats]],
    *,
    architecture: str,
    alpha: float,
    manifest: AdapterManifest,
) -> None:
    """Writes an adapter, whole or not at all.

    Args:
        matrices: by GGUF tensor name, down (rank, in) and up (out, rank).
        architecture: as llama.cpp names it, e.g. ``qwen2``; that of the base model's file.
        alpha: the up matrices count ``alpha / rank`` times.

    Raises:
        OSError: there is no room or no right to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        writer = GGUFWriter(part, architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        for key, value in manifest_fields(manifest).items():
            writer.add_string(key, value)
        for name, (down, up) in sorted(matrices.items()):
            writer.add_tensor(f"{name}.lora_a", np.ascontiguousarray(down, dtype=np.float16))
            writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(up, dtype=np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
