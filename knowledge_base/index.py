"""The vector index: FAISS, with ids that survive deletion, saved with a manifest.

Small collections are searched exhaustively, larger ones through an HNSW graph.
Removing a vector from a flat FAISS index shifts the ids behind it, so vectors
are always addressed through an id map, and a graph marks the removed ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import IndexMismatchError

__all__ = ["HNSW_FROM", "KEY_BYTES", "Manifest", "SavedIndex", "VectorIndex"]

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]

HNSW_FROM = 20_000
"""Vectors from which a graph is used.  Measured on two cores, 384 dimensions, one
query: an exhaustive search takes 0.15 ms at 1,000 vectors and 3 ms at 20,000; the
graph 0.3 ms at any of these sizes but minutes to build from 100,000 on."""

KEY_BYTES = 16
"""Length of the key of one vector: a digest of the text it stands for."""

_FORMAT = 2
_FILE = "vectors.faiss"
_KEYS = "keys.bin"
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index on disk was built from; it is used only if all of it agrees."""

    format: int
    embedder: str
    revision: int
    count: int
    dimension: int
    sha256: str
    keys_sha256: str


@dataclass(frozen=True, slots=True)
class SavedIndex:
    """An index from disk, found whole."""

    index: VectorIndex
    keys: tuple[bytes, ...]
    """What each vector stands for, by id; compared with the entries before a search trusts it."""
    revision: int


class VectorIndex:
    """Inner-product search over unit vectors."""

    def __init__(self, dimension: int, expected: int = 0) -> None:
        self.dimension = dimension
        self._graph = expected >= HNSW_FROM
        if self._graph:
            base = faiss.IndexHNSWFlat(dimension, 32, faiss.METRIC_INNER_PRODUCT)
            base.hnsw.efConstruction = 80
            base.hnsw.efSearch = 96
        else:
            base = faiss.IndexFlatIP(dimension)
        self._index = faiss.IndexIDMap2(base)
        self._removed: set[int] = set()

    @classmethod
    def build(cls, vectors: Vectors, ids: Ids) -> VectorIndex:
        """An index of ``vectors`` (n, d) under ``ids`` (n,)."""
        index = cls(int(vectors.shape[1]), len(ids))
        index.add(vectors, ids)
        return index

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self._removed)

    def add(self, vectors: Vectors, ids: Ids) -> None:
        """Adds ``vectors`` (n, d) under ``ids`` (n,); an id must not be in use."""
        if len(ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), ids.astype(np.int64))

    def remove(self, ids: Iterable[int]) -> None:
        """Takes the vectors of these ids out; other ids keep theirs."""
        gone = np.asarray(list(ids), dtype=np.int64)
        if not len(gone):
            return
        if self._graph:
            self._removed.update(int(i) for i in gone)
        else:
            self._index.remove_ids(gone)

    def search(self, vectors: Vectors, k: int) -> tuple[Vectors, Ids]:
        """The nearest ``k``: scores (m, k) and ids (m, k); id -1 where there are fewer."""
        wanted = min(k + len(self._removed), int(self._index.ntotal))
        if wanted == 0:
            empty = np.full((len(vectors), 0), -1)
            return empty.astype(np.float32), empty.astype(np.int64)
        scores, ids = self._index.search(np.ascontiguousarray(vectors, dtype=np.float32), wanted)
        if self._removed:
            ids = np.where(np.isin(ids, list(self._removed)), -1, ids)
            order = np.argsort(ids == -1, axis=1, kind="stable")[:, :k]
            scores, ids = np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
        return scores, ids

    def vectors(self, ids: Ids) -> Vectors:
        """The stored vectors of ``ids`` (n,), shape (n, d)."""
        if not len(ids):
            return np.zeros((0, self.dimension), dtype=np.float32)
        found: Vectors = self._index.reconstruct_batch(ids.astype(np.int64))
        return found

    def similarities(self, vector: Vectors, ids: Ids) -> Vectors:
        """Inner products of ``vector`` (d,) with the stored vectors of ``ids`` (n,), shape (n,)."""
        found: Vectors = self.vectors(ids) @ vector
        return found

    def save(self, folder: Path, *, embedder: str, revision: int, keys: Sequence[bytes]) -> Manifest:
        """Writes the index beside ``folder`` and swaps it in by rename.

        A process killed at any point leaves the old index or the new one, and
        several processes that save at once follow one another.

        Args:
            keys: of each vector, by id; :data:`KEY_BYTES` long.

        Raises:
            OSError: the disk is full or cannot be written; the old index is left.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _clear(folder)
            new = Path(tempfile.mkdtemp(prefix=folder.name + _NEW, dir=folder.parent))
            try:
                manifest = self._write(new, embedder, revision, keys)
                _swap(new, folder)
            finally:
                _clear(folder)
        return manifest

    def _write(self, new: Path, embedder: str, revision: int, keys: Sequence[bytes]) -> Manifest:
        try:
            faiss.write_index(self._index, str(new / _FILE))
        except RuntimeError as error:
            raise OSError(f"the vectors could not be written to {new / _FILE}") from error
        (new / _KEYS).write_bytes(b"".join(keys))
        sums = (_sha256(new / _FILE), _sha256(new / _KEYS))
        manifest = Manifest(_FORMAT, embedder, revision, len(self), self.dimension, *sums)
        (new / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        for file in new.iterdir():
            _sync(file)
        _sync(new)
        return manifest

    @classmethod
    def load(cls, folder: Path, *, embedder: str) -> SavedIndex:
        """Reads a saved index that was made by this embedder.

        Raises:
            IndexMismatchError: it is missing, damaged or of another embedder.
        """
        try:
            with _alone(folder):
                _recover(folder)
                return cls._load(folder, embedder)
        except OSError as error:
            raise IndexMismatchError(
                f"the index in {folder} cannot be read ({error.strerror}); it is built anew"
            ) from error

    @classmethod
    def _load(cls, folder: Path, embedder: str) -> SavedIndex:
        try:
            manifest = Manifest(**json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise IndexMismatchError(f"no usable index manifest in {folder}; it is built anew") from error
        if (manifest.format, manifest.embedder) != (_FORMAT, embedder):
            raise IndexMismatchError(
                f"the index in {folder} is of format {manifest.format} and embedder {manifest.embedder}, "
                f"expected {_FORMAT} and {embedder}; it is built anew"
            )
        vectors, keys = folder / _FILE, folder / _KEYS
        for file, sha256 in ((vectors, manifest.sha256), (keys, manifest.keys_sha256)):
            if not file.is_file() or _sha256(file) != sha256:
                raise IndexMismatchError(
                    f"{file} is damaged: its checksum is not the manifest's; it is built anew"
                )
        try:
            found = faiss.read_index(str(vectors))
        except RuntimeError as error:
            raise IndexMismatchError(f"{vectors} is no FAISS index; it is built anew") from error
        sizes = (int(found.ntotal), int(found.d), keys.stat().st_size)
        expected = (manifest.count, manifest.dimension, KEY_BYTES * sizes[0])
        if sizes != expected or not isinstance(manifest.revision, int):
            raise IndexMismatchError(
                f"the index in {folder} has {sizes} (vectors, dimension, bytes of keys), the manifest says "
                f"{expected}; it is built anew"
            )
        index = cls(manifest.dimension, manifest.count)
        index._index = found
        raw = keys.read_bytes()
        cut = tuple(raw[at : at + KEY_BYTES] for at in range(0, len(raw), KEY_BYTES))
        return SavedIndex(index, cut, manifest.revision)


_NEW, _OLD = ".new-", ".old-"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the lock beside ``folder``; the system frees it even when this process is killed."""
    with (folder.parent / f"{folder.name}.lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _swap(new: Path, folder: Path) -> None:
    old = Path(tempfile.mkdtemp(prefix=folder.name + _OLD, dir=folder.parent))
    if folder.exists():
        os.replace(folder, old / "index")
    os.replace(new, folder)
    _sync(folder.parent)


def _recover(folder: Path) -> None:
    """Puts the old index back where a process was killed between the two renames of a swap."""
    if folder.exists():
        return
    for old in sorted(folder.parent.glob(f"{folder.name}{_OLD}*/index")):
        os.replace(old, folder)
        return


def _clear(folder: Path) -> None:
    """Removes what killed processes left, but for the only index there is."""
    _recover(folder)
    for kind in (_NEW, _OLD):
        for rest in folder.parent.glob(f"{folder.name}{kind}*"):
            shutil.rmtree(rest, ignore_errors=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
