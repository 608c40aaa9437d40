"""Kept prompt prefixes: the state of an engine's slots, saved and put back.

An engine keeps the last prompt of each slot, and a prompt that starts alike is
read from where the two part.  Here the states of earlier prompts are kept beside
the slots as well, so that a question about an entry that was asked before does
not read the instruction and the entry again.  Prompts are compared as bytes of
their messages; the engine compares tokens itself, so a wrong guess here costs
time and never a wrong answer.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from chatbot.prompt import Prompt

__all__ = ["PrefixCache", "SlotControl", "common_length", "prompt_bytes"]

MIN_GAIN = 48
"""Least gain, in bytes of prompt (about 12 tokens), for which a state is put back."""
MIN_SAVE = 160
"""Least loss, in bytes of prompt (about 40 tokens), for which a state is saved."""
PINNED_SHARE = 0.66
"""Share of the budget that may be pinned; the rest is for what is asked besides."""
BUSY_FACTOR = 4
"""While another slot works, each move of a state waits for its batch: move for more only."""


class SlotControl(Protocol):
    """Moves the state of one idle slot to or from an open file."""

    def save(self, slot: int, file: int) -> bool:
        """Writes the slot's state to the file descriptor; False when that failed."""

    def restore(self, slot: int, file: int) -> bool:
        """Reads the slot's state from the file descriptor; False when that failed."""


@dataclass(eq=False, slots=True)
class _Slot:
    number: int
    prompt: bytes = b""
    used: float = 0.0
    taken: bool = False


@dataclass(eq=False, slots=True)
class _Kept:
    prompt: bytes
    file: int
    size: int
    pinned: bool = False
    used: float = field(default_factory=time.monotonic)
    readers: int = 0
    dropped: bool = False


def prompt_bytes(prompt: Prompt) -> bytes:
    """The prompt as bytes whose common start is the common start of the messages."""
    return b"".join(f"\x02{m.role}\x03{m.content}".encode() for m in prompt.messages)


def common_length(one: bytes, other: bytes) -> int:
    """How many bytes two prompts share at their start."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


class PrefixCache:
    """Which slot a prompt goes to, and which states are kept.

    Args:
        slots: how many the engine has.
        budget: bytes for kept states; 0 keeps none beside the slots.
        control: moves states; None when the engine cannot.
    """

    def __init__(self, slots: int, budget: int, control: SlotControl | None) -> None:
        self._slots = [_Slot(number) for number in range(slots)]
        self._budget = budget if control is not None else 0
        self._control = control
        self._kept: list[_Kept] = []
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, prompt: bytes) -> Iterator[int]:
        """Holds the slot in which ``prompt`` is cheapest; as many callers as slots at most."""
        slot, kept, saving = self._take(prompt)
        try:
            if saving:
                self._save(slot, pinned=False)
            if kept is not None:
                self._restore(slot, kept)
            slot.prompt = prompt
            yield slot.number
        finally:
            with self._lock:
                slot.taken = False
                slot.used = time.monotonic()

    def _take(self, prompt: bytes) -> tuple[_Slot, _Kept | None, bool]:
        with self._lock:
            free = [slot for slot in self._slots if not slot.taken]
            factor = BUSY_FACTOR if len(free) < len(self._slots) else 1
            best = max(free, key=lambda slot: (common_length(slot.prompt, prompt), -slot.used))
            have = common_length(best.prompt, prompt)
            kept = max(self._kept, key=lambda k: common_length(k.prompt, prompt), default=None)
            if kept is not None and common_length(kept.prompt, prompt) - have < MIN_GAIN * factor:
                kept = None
            if kept is not None or have < MIN_GAIN:
                best = min(free, key=lambda slot: (slot.used, slot.number))
            best.taken = True
            if kept is not None:
                kept.readers += 1
                kept.used = time.monotonic()
            return best, kept, self._worth_saving(best, prompt, kept, factor)

    def _worth_saving(self, slot: _Slot, prompt: bytes, kept: _Kept | None, factor: int) -> bool:
        """Whether what the slot holds is lost by the new prompt and kept nowhere."""
        if not self._budget:
            return False
        covered = 0 if kept is not None else common_length(slot.prompt, prompt)
        for other in self._kept:
            covered = max(covered, common_length(slot.prompt, other.prompt))
        return len(slot.prompt) - covered >= MIN_SAVE * factor

    def _save(self, slot: _Slot, *, pinned: bool) -> None:
        assert self._control is not None
        file = os.memfd_create("kefu-prefix", os.MFD_CLOEXEC)
        if not self._control.save(slot.number, file):
            os.close(file)
            return
        self._add(_Kept(slot.prompt, file, os.fstat(file).st_size, pinned))

    def _restore(self, slot: _Slot, kept: _Kept) -> None:
        assert self._control is not None
        try:
            self._control.restore(slot.number, kept.file)
        finally:
            with self._lock:
                kept.readers -= 1
                self._close_if_unused(kept)

    def _add(self, new: _Kept) -> None:
        """Keeps a state; drops what it makes superfluous and the least used above the budget."""
        with self._lock:
            for old in list(self._kept):
                if not old.pinned and len(old.prompt) - common_length(old.prompt, new.prompt) < MIN_GAIN:
                    self._drop(old)
            self._kept.append(new)
            while sum(kept.size for kept in self._kept) > self._budget:
                self._drop(min(self._kept, key=lambda kept: (kept.pinned, kept.used)))

    def _drop(self, kept: _Kept) -> None:
        self._kept.remove(kept)
        kept.dropped = True
        self._close_if_unused(kept)

    @staticmethod
    def _close_if_unused(kept: _Kept) -> None:
        if kept.dropped and not kept.readers:
            os.close(kept.file)

    def pin(self, slot: int, prompt: bytes) -> bool:
        """Keeps the state of a slot that is held now, before any that were not pinned.

        Returns:
            Whether it is kept: not where so much is pinned that nothing else would have room.
        """
        with self._lock:
            if any(kept.pinned and kept.prompt == prompt for kept in self._kept):
                return True
            if not self._may_pin():
                return False
        self._save(self._slots[slot], pinned=True)
        return True

    def adopt(self, prompt: bytes, file: int) -> None:
        """Keeps, pinned, a state that lies in an open file, if there is room for it; takes the file over."""
        with self._lock:
            may = self._may_pin()
        if may:
            self._add(_Kept(prompt, file, os.fstat(file).st_size, pinned=True))
        else:
            os.close(file)

    def _may_pin(self) -> bool:
        pinned = sum(kept.size for kept in self._kept if kept.pinned)
        return pinned < self._budget * PINNED_SHARE

    @property
    def kept_bytes(self) -> int:
        """Bytes of the kept states."""
        with self._lock:
            return sum(kept.size for kept in self._kept)

    @property
    def kept_prompts(self) -> Sequence[bytes]:
        """The prompts whose states are kept."""
        with self._lock:
            return [kept.prompt for kept in self._kept]

    def close(self) -> None:
        """Frees all kept states."""
        with self._lock, contextlib.suppress(ValueError):
            while self._kept:
                self._drop(self._kept[-1])
