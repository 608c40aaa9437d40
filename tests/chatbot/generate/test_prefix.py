from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.generate.cores import usable_cores
from chatbot.generate.prefix import PrefixCache, common_length, prompt_bytes
from chatbot.generate.states import StateFiles
from chatbot.prompt import ChatMessage, Prompt

SYSTEM = "S" * 400
ENTRIES = {name: SYSTEM + name * 300 for name in "ABCDEFGH"}


class FakeEngine:
    """Slots that hold bytes; what a prompt shares with its slot need not be read."""

    def __init__(self, slots: int) -> None:
        self.held = [b""] * slots
        self.moves: list[str] = []
        self.broken = False

    def save(self, slot: int, file: int) -> bool:
        self.moves.append("save")
        if not self.broken:
            os.pwrite(file, self.held[slot], 0)
        return not self.broken

    def restore(self, slot: int, file: int) -> bool:
        self.moves.append("restore")
        if not self.broken:
            self.held[slot] = os.pread(file, 1 << 20, 0)
        return not self.broken


def ask(cache: PrefixCache, engine: FakeEngine, text: str) -> int:
    """Reads a prompt; returns how many of its bytes had to be read."""
    prompt = text.encode()
    with cache.slot(prompt) as slot:
        read = len(prompt) - common_length(engine.held[slot], prompt)
        engine.held[slot] = prompt
    return read


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_common_length_is_that_of_the_common_start(start: bytes, one: bytes, other: bytes) -> None:
    length = common_length(start + one, start + other)
    left, right = start + one, start + other
    assert left[:length] == right[:length]
    assert length in {len(left), len(right)} or left[length] != right[length]


def test_prompts_share_what_their_messages_share() -> None:
    long = Prompt((ChatMessage("system", "s"), ChatMessage("user", "text q1")))
    other = Prompt((ChatMessage("system", "s"), ChatMessage("user", "text q2")))
    more = Prompt((*long.messages, ChatMessage("assistant", "Yes"), ChatMessage("user", "now answer")))
    assert prompt_bytes(more).startswith(prompt_bytes(long))
    assert common_length(prompt_bytes(long), prompt_bytes(other)) == len(prompt_bytes(long)) - 1


def test_fixed_start_is_read_once_for_all_slots() -> None:
    engine = FakeEngine(2)
    cache = PrefixCache(2, 1 << 20, engine)
    prompt = (SYSTEM + "x").encode()
    with cache.slot(prompt) as slot:
        engine.held[slot] = prompt
        cache.pin(slot, prompt)
    with cache.slot(ENTRIES["A"].encode()) as first, cache.slot(ENTRIES["B"].encode()) as second:
        assert first != second
        assert all(held.startswith(SYSTEM.encode()) for held in engine.held)


def test_entry_asked_before_is_not_read_again() -> None:
    engine = FakeEngine(1)
    cache = PrefixCache(1, 1 << 20, engine)
    for text in ENTRIES.values():
        ask(cache, engine, text + " first?")
    assert ask(cache, engine, ENTRIES["A"] + " second?") <= len(" second?")


def test_second_turn_on_a_judged_prompt_reads_the_new_part_only() -> None:
    engine = FakeEngine(1)
    cache = PrefixCache(1, 1 << 20, engine)
    ask(cache, engine, ENTRIES["A"] + " question?")
    ask(cache, engine, ENTRIES["B"] + " question?")
    assert ask(cache, engine, ENTRIES["A"] + " question? Yes. Now answer") == len(" Yes. Now answer")


def test_prompt_that_continues_a_slot_moves_nothing() -> None:
    engine = FakeEngine(2)
    cache = PrefixCache(2, 1 << 20, engine)
    ask(cache, engine, ENTRIES["A"])
    ask(cache, engine, ENTRIES["A"] + " and more")
    assert engine.moves == []


def test_kept_states_stay_in_the_budget_and_pinned_ones_go_last() -> None:
    engine = FakeEngine(1)
    cache = PrefixCache(1, 2500, engine)
    pinned = ENTRIES["H"].encode()
    with cache.slot(pinned) as slot:
        engine.held[slot] = pinned
        cache.pin(slot, pinned)
    for name in "ABCDEFG":
        ask(cache, engine, ENTRIES[name])
    assert cache.kept_bytes <= 2500
    assert pinned in cache.kept_prompts
    assert len(cache.kept_prompts) == 3


def test_what_is_pinned_first_stays_and_leaves_room_for_what_is_asked_besides() -> None:
    engine = FakeEngine(1)
    cache = PrefixCache(1, 10 * len(ENTRIES["A"]), engine)
    texts = [f"{number:03}" + ENTRIES["A"] for number in range(20)]
    pinned = []
    for text in texts:
        with cache.slot(text.encode()) as slot:
            engine.held[slot] = text.encode()
            pinned.append(cache.pin(slot, text.encode()))
    assert pinned == sorted(pinned, reverse=True)
    assert 5 <= sum(pinned) <= 8
    assert all(text.encode() in cache.kept_prompts for text in texts[: sum(pinned)])
    for text in ("B", "C", "B", "C"):
        ask(cache, engine, ENTRIES[text])
    assert ask(cache, engine, ENTRIES["B"] + " once more?") <= len(" once more?")
    file = os.memfd_create("more")
    os.write(file, b"state")
    cache.adopt(b"more", file)
    assert b"more" not in cache.kept_prompts


def test_without_budget_nothing_is_kept() -> None:
    engine = FakeEngine(1)
    cache = PrefixCache(1, 0, engine)
    for text in ENTRIES.values():
        ask(cache, engine, text)
    assert engine.moves == []


def test_engine_that_cannot_move_states_still_answers() -> None:
    engine = FakeEngine(2)
    engine.broken = True
    cache = PrefixCache(2, 1 << 20, engine)
    for text in [*ENTRIES.values(), *ENTRIES.values()]:
        assert ask(cache, engine, text) > 0
    assert cache.kept_bytes == 0


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
def test_closing_leaves_no_file_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    engine = FakeEngine(2)
    cache = PrefixCache(2, 4000, engine)
    for text in [*ENTRIES.values(), *ENTRIES.values()]:
        ask(cache, engine, text)
    cache.close()
    assert len(os.listdir("/proc/self/fd")) == before


def _write(data: bytes, file: int) -> bool:
    os.write(file, data)
    return True


def test_state_on_disk_comes_back_for_the_same_model_and_prompt(tmp_path: Path) -> None:
    StateFiles(tmp_path / "new", "model 1").store(b"prompt", lambda file: _write(b"state", file))
    file = StateFiles(tmp_path / "new", "model 1").load(b"prompt")
    assert file is not None
    assert os.pread(file, 99, 0) == b"state"
    os.close(file)
    assert StateFiles(tmp_path / "new", "model 2").load(b"prompt") is None
    assert StateFiles(tmp_path / "new", "model 1").load(b"other") is None


def test_damaged_state_is_removed_and_not_loaded(tmp_path: Path) -> None:
    states = StateFiles(tmp_path, "model")
    states.store(b"prompt", lambda file: _write(b"state", file))
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"stat3")
    assert states.load(b"prompt") is None
    assert list(tmp_path.iterdir()) == []


def test_state_that_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    StateFiles(tmp_path, "model").store(b"prompt", lambda _: False)
    assert list(tmp_path.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.write_text("")
    StateFiles(blocked / "folder", "model").store(b"prompt", lambda _: True)


def test_cores_are_bounded_by_the_containers_quota(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("100000 100000\n")
    assert usable_cores(quota=quota) == 1
    quota.write_text("max 100000\n")
    assert usable_cores(quota=quota) >= 1


def test_hardware_threads_of_one_core_count_once(tmp_path: Path) -> None:
    for cpu in os.sched_getaffinity(0):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text("0-63\n")
    assert usable_cores(cpus=tmp_path, quota=tmp_path / "none") == 1
