"""The vector index: FAISS, with ids that survive deletion, saved with a manifest.

Small collections are searched exhaustively, larger ones through an HNSW graph.
Removing a vector from a flat FAISS index shifts the ids behind it, so vectors
are always addressed through an id map, and a graph marks the removed ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import IndexMismatchError

__all__ = ["HNSW_FROM", "Manifest", "VectorIndex"]

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]

HNSW_FROM = 20_000
"""Vectors from which a graph is used.  Measured on two cores, 384 dimensions, one
query: an exhaustive search takes 0.15 ms at 1,000 vectors and 3 ms at 20,000; the
graph 0.3 ms at any of these sizes but minutes to build from 100,000 on."""

_FORMAT = 1
_FILE = "vectors.faiss"
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

    def similarities(self, vector: Vectors, ids: Ids) -> Vectors:
        """Inner products of ``vector`` (d,) with the stored vectors of ``ids`` (n,), shape (n,)."""
        if not len(ids):
            return np.zeros(0, dtype=np.float32)
        found: Vectors = self._index.reconstruct_batch(ids.astype(np.int64)) @ vector
        return found

    def save(self, folder: Path, *, embedder: str, revision: int) -> Manifest:
        """Writes the index beside ``folder`` and swaps it in by rename.

        A process killed at any point leaves the old index or the new one.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=folder.name + ".new-", dir=folder.parent))
        try:
            faiss.write_index(self._index, str(new / _FILE))
            manifest = Manifest(_FORMAT, embedder, revision, len(self), self.dimension, _sha256(new / _FILE))
            (new / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
            _sync(new)
            old = Path(tempfile.mkdtemp(prefix=folder.name + ".old-", dir=folder.parent))
            if folder.exists():
                os.replace(folder, old / "index")
            os.replace(new, folder)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        for rest in folder.parent.glob(folder.name + ".*-*"):
            shutil.rmtree(rest, ignore_errors=True)
        return manifest

    @classmethod
    def load(cls, folder: Path, *, embedder: str, revision: int, count: int) -> VectorIndex:
        """Reads a saved index if it belongs to this embedder and knowledge.

        Raises:
            IndexMismatchError: it is missing, damaged or was built from something else.
        """
        try:
            manifest = Manifest(**json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise IndexMismatchError(f"no usable index manifest in {folder}; it is built anew") from error
        found = (manifest.format, manifest.embedder, manifest.revision, manifest.count)
        expected = (_FORMAT, embedder, revision, count)
        if found != expected:
            raise IndexMismatchError(
                f"the index in {folder} is {found} (format, embedder, revision, vectors), "
                f"expected {expected}; it is built anew"
            )
        file = folder / _FILE
        if not file.is_file() or _sha256(file) != manifest.sha256:
            raise IndexMismatchError(
                f"{file} is damaged: its checksum is not the manifest's; it is built anew"
            )
        index = cls(manifest.dimension, manifest.count)
        index._index = faiss.read_index(str(file))
        return index


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    for file in folder.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
