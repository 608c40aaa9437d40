"""Models side by side: the process of a model does not outlive the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import multiprocessing, sys, time
from tests.chatbot.commands.test_sizes import ask_for_ever
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=ask_for_ever, args=(sys.argv[1],))
    process.start()
    time.sleep(120)
"""


def ask_for_ever(file: str) -> None:
    """Tells of its cases, as the process of a model does."""
    from chatbot.commands.sizes import _tell_asked

    Path(file).write_text(str(os.getpid()))
    for number in range(1, 2000):
        _tell_asked("model", number, 10_000)
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_the_process_of_a_model_ends_when_the_command_was_killed(tmp_path: Path) -> None:
    script, told = tmp_path / "parent.py", tmp_path / "pid"
    script.write_text(PARENT)
    root = str(Path(__file__).parents[3])
    parent = subprocess.Popen(
        [sys.executable, str(script), str(told)], env={**os.environ, "PYTHONPATH": root}
    )
    try:
        deadline = time.monotonic() + 60
        while not (told.exists() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        child = int(told.read_text())
        time.sleep(0.5)
        assert alive(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(child)
