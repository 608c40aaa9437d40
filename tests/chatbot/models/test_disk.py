"""Checking what is on disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from chatbot.errors import ModelError
from chatbot.models import installed, pull, resolve_generator, verify
from chatbot.models.disk import is_whole

from .conftest import Parcel


@pytest.fixture
def models_dir(parcel: Parcel, tmp_path: Path) -> Path:
    """A models folder with the toy model in it."""
    folder = tmp_path / "models" / "toy"
    folder.mkdir(parents=True)
    (folder / "toy.gguf").write_bytes(parcel.data)
    pull(parcel.model, tmp_path / "models")
    return tmp_path / "models"


def damage(path: Path, *, keep_time: bool) -> None:
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    shift = 0 if keep_time else 1_000_000
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + shift))


def test_a_start_hashes_nothing_while_the_stamp_agrees(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.models.disk.sha256_of", lambda *_: pytest.fail("hashed"))
    assert resolve_generator("toy", models_dir) == models_dir / "toy" / "toy.gguf"


def test_a_copied_folder_is_hashed_once_and_then_believed(
    parcel: Parcel, models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copy" / "toy").mkdir(parents=True)
    shutil.copyfile(models_dir / "toy" / "toy.gguf", tmp_path / "copy" / "toy" / "toy.gguf")
    assert [state.state for state in installed(tmp_path / "copy")] == ["unchecked"]
    assert is_whole(parcel.model, tmp_path / "copy")
    monkeypatch.setattr("chatbot.models.disk.sha256_of", lambda *_: pytest.fail("hashed"))
    assert is_whole(parcel.model, tmp_path / "copy")


def test_a_changed_file_is_found_at_the_start(models_dir: Path) -> None:
    damage(models_dir / "toy" / "toy.gguf", keep_time=False)
    with pytest.raises(ModelError, match=r"toy\.gguf is damaged: found sha256 .*kefu models pull toy"):
        resolve_generator("toy", models_dir)


def test_verify_finds_damage_that_hides_behind_size_and_time(parcel: Parcel, models_dir: Path) -> None:
    damage(models_dir / "toy" / "toy.gguf", keep_time=True)
    assert is_whole(parcel.model, models_dir)
    check = verify(parcel.model, models_dir)
    assert not check.ok
    assert check.files[0].found != parcel.model.files[0].sha256
    assert not is_whole(parcel.model, models_dir)


def test_a_file_cut_short_is_told_with_both_sizes(parcel: Parcel, models_dir: Path) -> None:
    os.truncate(models_dir / "toy" / "toy.gguf", 100)
    with pytest.raises(ModelError, match=f"found 100 bytes instead of {len(parcel.data)}"):
        resolve_generator("toy", models_dir)


@pytest.mark.parametrize("stamp", ["", "[]", "{}", '{"files": {"toy.gguf": 3}}', "\x00"])
def test_an_unreadable_stamp_only_costs_time(parcel: Parcel, models_dir: Path, stamp: str) -> None:
    (models_dir / "toy" / "kefu-model.json").write_text(stamp)
    assert is_whole(parcel.model, models_dir)
