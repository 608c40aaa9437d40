"""Packages of npm for tests, installed once into a folder of the user's cache, never into the repository."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["npm_packages"]

_LIMIT_S = 240


def npm_packages(name: str, *packages: str) -> Path:
    """The ``node_modules`` folder with these packages; the test is skipped where they cannot be had.

    Args:
        name: of the folder; two tests that give the same name must want the same packages.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm or node is missing; install Node.js to try the clients that are written for it")
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(cache) / "kefu-tests" / name
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "installed.txt"
    wanted = "\n".join(packages)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != wanted:
            _install(npm, folder, packages)
            done.write_text(wanted)
    return folder / "node_modules"


def _install(npm: str, folder: Path, packages: tuple[str, ...]) -> None:
    command = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--legacy-peer-deps",
        "--prefix",
    ]
    try:
        done = subprocess.run(
            [*command, str(folder), *packages], capture_output=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {', '.join(packages)} within {_LIMIT_S} s")
    if done.returncode:
        pytest.skip(
            f"npm could not install {', '.join(packages)} (status {done.returncode}); is there a network?"
        )
