from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from chatbot.errors import ModelError
from chatbot.models import room

GIB = 1 << 30


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight GiB are free, and no container is around."""
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8 * GIB, total=16 * GIB))
    monkeypatch.setattr(room, "_CGROUPS", ())


def container(folder: Path, limit: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "max").write_text(limit + "\n")
    (folder / "current").write_text(used + "\n")
    monkeypatch.setattr(room, "_CGROUPS", ((folder / "max", folder / "current"),))


@pytest.mark.usefixtures("machine")
def test_a_container_has_what_its_limit_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    container(tmp_path, str(4 * GIB), str(3 * GIB), monkeypatch)
    assert room.free_memory() == GIB


@pytest.mark.usefixtures("machine")
def test_a_machine_is_as_large_as_the_containers_limit_whatever_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert room.whole_memory() == 16 * GIB
    container(tmp_path, str(4 * GIB), str(3 * GIB), monkeypatch)
    assert room.whole_memory() == 4 * GIB


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("limit", "used"), [("max", "5"), ("", ""), (str(64 * GIB), str(GIB))])
def test_a_container_without_a_limit_has_what_the_machine_has(
    limit: str, used: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container(tmp_path, limit, used, monkeypatch)
    assert (room.free_memory(), room.whole_memory()) == (8 * GIB, 16 * GIB)


@pytest.mark.usefixtures("machine")
def test_a_container_over_its_limit_has_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    container(tmp_path, "100", "200", monkeypatch)
    assert room.free_memory() == 0


@pytest.mark.usefixtures("machine")
def test_too_little_memory_says_how_much_and_what_to_do() -> None:
    room.check_memory("training x", 8 * GIB, "train y")
    with pytest.raises(
        ModelError, match=r"training x needs about 9\.0 GiB of memory, 8\.0 GiB .* or train y"
    ):
        room.check_memory("training x", 9 * GIB, "train y")


def test_too_little_disk_is_found_where_the_folder_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def usage(folder: Path) -> SimpleNamespace:
        asked.append(folder)
        return SimpleNamespace(free=5 << 20)

    monkeypatch.setattr("chatbot.models.room.shutil.disk_usage", usage)
    room.check_disk("a run", tmp_path / "not" / "yet", 5 << 20, "go elsewhere")
    with pytest.raises(ModelError, match=r"a run needs about 6 MB of disk, 5 MB are free .* or go elsewhere"):
        room.check_disk("a run", tmp_path / "not" / "yet", 6 << 20, "go elsewhere")
    assert asked == [tmp_path, tmp_path]
