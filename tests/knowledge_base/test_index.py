"""The index on disk is whole and belongs to the entries, whatever happens to process, disk or database."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from knowledge_base.entry import Entry
from knowledge_base.errors import IndexMismatchError
from knowledge_base.index import VectorIndex
from knowledge_base.search import KnowledgeBase
from tests.embedders import HashEmbedder

KILLS = int(os.environ.get("KEFU_KILLS", "8"))
"""Processes killed in mid-write; set it to 200 for the long run."""


def entries(words: str, count: int = 6) -> list[Entry]:
    return [
        Entry(f"e{n}.en", f"e{n}", "en", f"{words} question number{n}", f"{words} answer number{n}")
        for n in range(count)
    ]


class Counting(HashEmbedder):
    """Keeps the texts it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode_queries(self, texts: Sequence[str]):  # type: ignore[no-untyped-def]
        self.texts.extend(texts)
        return super().encode_queries(texts)

    encode_passages = encode_queries


def first(knowledge: KnowledgeBase, text: str) -> str:
    return knowledge.search(text, "en")[0].entry.question


def test_an_index_of_the_same_revision_and_size_but_other_texts_is_not_used(tmp_path: Path) -> None:
    """As after a backup of the database was restored and other entries were changed."""
    KnowledgeBase.open(tmp_path / "index", entries("apple"), 6, HashEmbedder())
    mixed = [*entries("pear")[3:], *entries("pear")[:3]]
    knowledge = KnowledgeBase.open(tmp_path / "index", mixed, 6, HashEmbedder())
    vector = knowledge.embed("pear question number4")
    assert first(knowledge, "pear question number4") == "pear question number4"
    hit = knowledge.search("pear question number4", "en", vector=vector)[0]
    assert hit.question_similarity == pytest.approx(1.0, abs=1e-4)


def test_after_a_change_only_what_is_new_is_embedded(tmp_path: Path) -> None:
    KnowledgeBase.open(tmp_path / "index", entries("apple"), 1, HashEmbedder())
    embedder = Counting()
    changed = [*entries("apple"), Entry("new.en", "new", "en", "brand new thing", "very fresh")]
    knowledge = KnowledgeBase.open(tmp_path / "index", changed, 2, embedder)
    assert embedder.texts == ["brand new thing", "brand new thing very fresh"]
    embedder.texts.clear()
    knowledge.replace(changed[1:])
    assert embedder.texts == []
    assert first(knowledge, "apple question number3") == "apple question number3"


def test_vectors_of_another_embedder_are_never_taken_over(tmp_path: Path) -> None:
    KnowledgeBase.open(tmp_path / "index", entries("apple"), 1, HashEmbedder())
    other = Counting()
    other.fingerprint = "other"
    KnowledgeBase.open(tmp_path / "index", entries("apple"), 1, other)
    assert len(other.texts) == 12


def test_the_manifest_names_the_revision_that_is_served(tmp_path: Path) -> None:
    KnowledgeBase.open(tmp_path / "index", entries("apple"), 1, HashEmbedder())
    KnowledgeBase.open(tmp_path / "index", entries("apple"), 9, HashEmbedder())
    assert json.loads((tmp_path / "index" / "manifest.json").read_text())["revision"] == 9


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dimension", 3), ("count", 2), ("count", -1), ("embedder", None), ("sha256", ""), ("format", 0),
        ("revision", "x"), ("keys_sha256", "0"), ("unknown", 1),
    ],
)  # fmt: skip
def test_a_wrong_manifest_is_refused(tmp_path: Path, field: str, value: object) -> None:
    folder = tmp_path / "index"
    KnowledgeBase.open(folder, entries("apple"), 1, HashEmbedder())
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, field: value}))
    with pytest.raises(IndexMismatchError):
        VectorIndex.load(folder, embedder="hash-64")
    knowledge = KnowledgeBase.open(folder, entries("apple"), 1, HashEmbedder())
    assert first(knowledge, "apple question number3") == "apple question number3"
    assert VectorIndex.load(folder, embedder="hash-64").revision == 1


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    KnowledgeBase.open(folder, entries("apple"), 1, HashEmbedder())
    chance = random.Random(7)
    for file in sorted(folder.iterdir()):
        whole = file.read_bytes()
        for _ in range(40):
            damaged = bytearray(whole)
            place = chance.randrange(len(whole))
            damaged[place] ^= 1 << chance.randrange(8)
            file.write_bytes(damaged)
            if file.name != "manifest.json":  # there a flip may give another number, which is put right
                with pytest.raises(IndexMismatchError):
                    VectorIndex.load(folder, embedder="hash-64")
            knowledge = KnowledgeBase.open(folder, entries("apple"), 1, HashEmbedder())
            assert first(knowledge, "apple question number5") == "apple question number5"
            VectorIndex.load(folder, embedder="hash-64")
        file.write_bytes(whole)


def test_a_full_disk_leaves_the_index_in_memory_and_the_answers_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("knowledge_base.index.VectorIndex.save", full)
    knowledge = KnowledgeBase.open(tmp_path / "index", entries("apple"), 1, HashEmbedder())
    assert first(knowledge, "apple question number2") == "apple question number2"
    assert "could not be saved" in caplog.text


def test_many_savers_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def save(number: int) -> None:
        index = VectorIndex.build(np.eye(4, dtype=np.float32), np.arange(4))
        try:
            for turn in range(25):
                index.save(
                    tmp_path / "index", embedder="e", revision=100 * number + turn, keys=[b"k" * 16] * 4
                )
                VectorIndex.load(tmp_path / "index", embedder="e")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index"]


def test_a_process_killed_between_the_two_renames_leaves_the_old_index(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    KnowledgeBase.open(folder, entries("apple"), 3, HashEmbedder())
    (tmp_path / "index.old-abc").mkdir()
    folder.rename(tmp_path / "index.old-abc" / "index")
    (tmp_path / "index.new-abc").mkdir()
    assert VectorIndex.load(folder, embedder="hash-64").revision == 3
    embedder = Counting()
    KnowledgeBase.open(folder, entries("apple"), 3, embedder)
    assert embedder.texts == []


_SAVER = """
import sys
from pathlib import Path
import numpy as np
from knowledge_base.index import VectorIndex

index = VectorIndex.build(np.random.default_rng(1).standard_normal((2000, 64)).astype(np.float32), np.arange(2000))
print("ready", flush=True)
for revision in range(1, 10**9):
    index.save(Path(sys.argv[1]), embedder="e", revision=revision, keys=[b"k" * 16] * 2000)
    print(revision, flush=True)
"""


def test_a_process_killed_while_it_saves_leaves_the_old_index_or_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    chance = random.Random(11)
    said = 0
    for _ in range(KILLS):
        saver = subprocess.Popen(
            [sys.executable, "-c", _SAVER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert saver.stdout is not None
        assert saver.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.15))
        saver.kill()
        lines = saver.stdout.read().splitlines()
        saver.wait()
        said = int(lines[-1]) if lines else said if folder.exists() else 0
        if said:
            loaded = VectorIndex.load(folder, embedder="e")
            assert loaded.revision in (said, said + 1) or not lines
            assert len(loaded.keys) == 2000
    index = VectorIndex.build(np.eye(4, dtype=np.float32), np.arange(4))
    index.save(folder, embedder="e", revision=1, keys=[b"k" * 16] * 4)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index"]
