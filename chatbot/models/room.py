"""Is there room enough?  Said before anything long begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from chatbot.errors import ModelError

__all__ = ["check_disk", "check_memory", "free_bytes", "free_memory", "whole_memory"]

_CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
"""Limit and use of the container, in both versions of the kernel's interface."""


def whole_memory() -> int:
    """Bytes that the machine has, or the container's limit; who uses how much of them does not count."""
    import psutil

    limits = (_bytes_in(limit) for limit, _ in _CGROUPS)
    return min([int(psutil.virtual_memory().total), *(limit for limit in limits if limit is not None)])


def free_memory() -> int:
    """Bytes that can be taken now: the machine's, or what the container's limit leaves of them."""
    import psutil

    told = [(_bytes_in(limit), _bytes_in(used)) for limit, used in _CGROUPS]
    left = [max(0, limit - used) for limit, used in told if limit is not None and used is not None]
    return min([int(psutil.virtual_memory().available), *left])


def _bytes_in(file: Path) -> int | None:
    """The number in a file of the kernel's; None without a container, or where there is no limit («max»)."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def free_bytes(folder: Path) -> int:
    """Free disk at ``folder``, which may not be there yet, for this user, in bytes."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_memory(what: str, needed: int, instead: str) -> None:
    """Refuses what cannot fit.

    Args:
        what: begins the sentence, as «training x».
        needed: bytes.
        instead: what would fit, or what to do.

    Raises:
        ModelError: less is free.
    """
    free = free_memory()
    if free < needed:
        raise ModelError(
            f"{what} needs about {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free; stop what else "
            f"runs (the service, too), or {instead}"
        )


def check_disk(what: str, folder: Path, needed: int, instead: str) -> None:
    """The same for the disk at ``folder``.

    Raises:
        ModelError: less is free.
    """
    free = free_bytes(folder)
    if free < needed:
        raise ModelError(
            f"{what} needs about {max(1, needed >> 20)} MB of disk, {free >> 20} MB are free at {folder}; free some "
            f"space, or {instead}"
        )
