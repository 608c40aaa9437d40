"""A run that cannot fit is refused before anything is loaded, and the refusal says what would fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatbot.errors import ModelError
from chatbot.models import room
from chatbot.training.generator.examples import Example, Material
from chatbot.training.generator.lora import LoraSettings
from chatbot.training.generator.room import check_generator_room
from chatbot.training.generator.run import train_generator
from tests.chatbot.models.test_probe import base_file

GIB = 1 << 30
SETTINGS = LoraSettings(rank=16)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Its free memory and disk, in bytes; no GPU and no container."""
    told = SimpleNamespace(memory=64 * GIB, disk=64 * GIB)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=told.memory))
    monkeypatch.setattr(room, "_CGROUPS", ())
    monkeypatch.setattr("chatbot.models.room.shutil.disk_usage", lambda _: SimpleNamespace(free=told.disk))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("chatbot.training.generator.room.half_is_faster", lambda: False)
    return told


@pytest.mark.usefixtures("machine")
def test_what_fits_is_let_through(tmp_path: Path) -> None:
    check_generator_room(base_file(tmp_path / "base.gguf"), tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("memory", "told"),
    [
        (1 * GIB, r"1\.0 GiB are free; .* even qwen2\.5-coder-0\.5b-instruct-q4 needs"),
        (int(1.9 * GIB), "use a machine with more of it"),
    ],
)
def test_too_little_memory_names_what_would_fit(
    tmp_path: Path, machine: SimpleNamespace, memory: int, told: str
) -> None:
    machine.memory = memory
    with pytest.raises(ModelError, match=told):
        check_generator_room(base_file(tmp_path / "base.gguf"), tmp_path / "run", SETTINGS)


def test_a_large_model_is_told_the_smaller_one_that_fits(
    tmp_path: Path, machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.memory = 8 * GIB
    many = SimpleNamespace(n_elements=3_000_000_000, name="blk.0.attn_q.weight", shape=(8, 8))
    monkeypatch.setattr(
        "chatbot.training.generator.room.opened", lambda _base: SimpleNamespace(tensors=[many])
    )
    with pytest.raises(ModelError, match=r"train a smaller model: --model qwen2\.5-coder-0\.5b-instruct-q4$"):
        check_generator_room(tmp_path / "large.gguf", tmp_path / "run", SETTINGS)


def test_the_disk_must_hold_the_checkpoints_and_the_rank_that_fits_is_named(
    tmp_path: Path, machine: SimpleNamespace
) -> None:
    base = base_file(tmp_path / "base.gguf")
    machine.disk = 60 << 20
    check_generator_room(base, tmp_path / "run", replace(SETTINGS, rank=64))
    with pytest.raises(ModelError, match=r"of disk, 60 MB are free .* or take --rank \d+$") as refused:
        check_generator_room(base, tmp_path / "run", replace(SETTINGS, rank=20_000))
    fitting = int(str(refused.value).rpartition(" ")[2])
    check_generator_room(base, tmp_path / "run", replace(SETTINGS, rank=fitting))
    with pytest.raises(ModelError):
        check_generator_room(base, tmp_path / "run", replace(SETTINGS, rank=fitting + 1))
    machine.disk = 10 << 20
    with pytest.raises(ModelError, match=r"10 MB are free .* or set KEFU_DATA_DIR to another folder"):
        check_generator_room(base, tmp_path / "run", SETTINGS)


def test_training_asks_for_room_before_it_begins(
    tmp_path: Path, machine: SimpleNamespace, examples: list[Example]
) -> None:
    machine.disk = 1 << 20
    material = Material(tuple(examples), ())
    with pytest.raises(ModelError, match="of disk"):
        train_generator(base_file(tmp_path / "base.gguf"), "base", material, material, tmp_path / "run")
    assert not (tmp_path / "run").exists()
