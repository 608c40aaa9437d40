"""In what precision this machine trains fastest."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

__all__ = ["half_is_faster"]


@cache
def half_is_faster() -> bool:
    """Whether this processor multiplies in bfloat16 faster than in single precision; measured once."""
    import torch

    def seconds(dtype: Any) -> float:
        a, b = torch.ones(256, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
        a @ b
        start = time.perf_counter()
        for _ in range(5):
            a @ b
        return time.perf_counter() - start

    return seconds(torch.bfloat16) < seconds(torch.float32)
