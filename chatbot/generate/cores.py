"""How many CPU cores this process may really use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["usable_cores"]

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpus: Path = _CPUS, quota: Path = _QUOTA) -> int:
    """Physical cores among the CPUs given to this process, bounded by a container's quota.

    Two hardware threads of one core share its arithmetic units: a second
    thread there slows matrix products down instead of speeding them up.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_siblings(cpus, cpu) for cpu in allowed}
    return max(1, min(len(cores), _quota_cores(quota) or len(cores)))


def _siblings(cpus: Path, cpu: int) -> str:
    try:
        return (cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _quota_cores(quota: Path) -> int:
    """Whole cores a cgroup (version 2) grants; 0 where there is no limit."""
    try:
        granted, period = quota.read_text().split()
        return 0 if granted == "max" else max(1, int(granted) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return 0
