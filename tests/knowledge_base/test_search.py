"""The right entry is found, whatever happens to the index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from knowledge_base.entry import Entry
from knowledge_base.errors import IndexMismatchError
from knowledge_base.index import VectorIndex
from knowledge_base.search import KnowledgeBase
from tests.embedders import HashEmbedder

ENTRIES = [
    Entry("fee.en", "fee", "en", "How much is shipping?", "Shipping costs five dollars.", ("delivery fee",)),
    Entry("fee.zh", "fee", "zh", "运费多少钱", "运费八元。", ("邮费怎么算",)),
    Entry("return.en", "return", "en", "Can I return goods?", "Within thirty days.", products=("TP-E200",)),
]

PARKING = Entry("park.en", "park", "en", "Where do you park?", "Behind the shop.")


def base() -> KnowledgeBase:
    return KnowledgeBase.in_memory(ENTRIES, HashEmbedder())


def test_the_entry_that_is_asked_for_comes_first() -> None:
    assert base().search("how much is the shipping", "en")[0].entry.id == "fee.en"
    assert base().search("邮费怎么算", "zh")[0].entry.id == "fee.zh"


def test_a_known_wording_is_exact() -> None:
    hit = base().search("Delivery fee?", "en")[0]
    assert hit.exact
    assert hit.score == 1.0


def test_a_group_is_shown_once_in_the_customers_language() -> None:
    hits = base().search("How much is shipping?", "zh")
    assert [hit.entry.group for hit in hits].count("fee") == 1
    assert hits[0].entry.id == "fee.zh"


def test_typed_pinyin_finds_the_chinese_entry() -> None:
    assert base().search("yunfei duoshao qian", "zh")[0].entry.id == "fee.zh"


def test_a_code_is_found_across_languages_but_a_word_that_looks_alike_is_not() -> None:
    knowledge = base()
    code = {hit.entry.id: hit for hit in knowledge.search("TP-E200 zurückgeben?", "de")}
    assert code["return.en"].lexical > 0
    assert code["fee.en"].lexical == 0
    alike = {hit.entry.id: hit for hit in knowledge.search("return is shipping goods", "de")}
    assert all(hit.lexical == 0 for hit in alike.values())
    assert any(hit.lexical > 0 for hit in knowledge.search("return is shipping goods", "en"))


def test_an_empty_knowledge_base_finds_nothing() -> None:
    assert KnowledgeBase.in_memory([], HashEmbedder()).search("anything", "en") == []


def test_a_search_goes_on_with_the_state_it_began_with() -> None:
    knowledge = base()
    before = knowledge.entries
    knowledge.replace(ENTRIES[:1])
    assert len(before) == 3
    assert len(knowledge) == 1


class Counting(HashEmbedder):
    """Counts the texts it is given."""

    def __init__(self) -> None:
        self.texts = 0

    def encode_queries(self, texts):  # type: ignore[no-untyped-def]
        self.texts += len(texts)
        return super().encode_queries(texts)


def test_a_saved_index_is_used_again_and_a_changed_base_is_built_anew(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    KnowledgeBase.open(folder, ENTRIES, 1, HashEmbedder())
    again = Counting()
    KnowledgeBase.open(folder, ENTRIES, 1, again)
    assert again.texts == 0
    KnowledgeBase.open(folder, [*ENTRIES, PARKING], 2, again)
    assert again.texts > 0


def test_a_question_the_base_has_is_not_encoded_again(tmp_path: Path) -> None:
    counting = Counting()
    knowledge = KnowledgeBase.open(tmp_path / "index", ENTRIES, 1, counting)
    made = counting.texts
    known = knowledge.embed("How much is  shipping?")
    assert counting.texts == made
    assert np.allclose(known, HashEmbedder().encode_queries(["How much is shipping?"])[0])
    knowledge.embed("How much is shipping, please?")
    assert counting.texts == made + 1
    knowledge.replace([PARKING], live=False)
    assert np.allclose(
        knowledge.embed(PARKING.question), HashEmbedder().encode_queries([PARKING.question])[0]
    )


@pytest.mark.parametrize("damage", ["truncate", "flip", "manifest", "missing"])
def test_a_damaged_index_is_rebuilt_and_answers_right(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "index"
    KnowledgeBase.open(folder, ENTRIES, 1, HashEmbedder())
    vectors, manifest = folder / "vectors.faiss", folder / "manifest.json"
    content = bytearray(vectors.read_bytes())
    if damage == "truncate":
        vectors.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 0xFF
        vectors.write_bytes(content)
    elif damage == "manifest":
        manifest.write_text("{")
    else:
        vectors.unlink()
    knowledge = KnowledgeBase.open(folder, ENTRIES, 1, HashEmbedder())
    assert knowledge.search("How much is shipping?", "en")[0].entry.id == "fee.en"
    assert json.loads(manifest.read_text())["count"] > 0


def test_an_index_of_another_embedder_is_refused(tmp_path: Path) -> None:
    index = VectorIndex.build(np.eye(4, dtype=np.float32), np.arange(4))
    index.save(tmp_path / "index", embedder="one", revision=1, keys=[b"k" * 16] * 4)
    with pytest.raises(IndexMismatchError, match="other"):
        VectorIndex.load(tmp_path / "index", embedder="other")


def test_removing_a_vector_leaves_the_ids_of_the_others() -> None:
    index = VectorIndex.build(np.eye(4, dtype=np.float32), np.array([10, 20, 30, 40]))
    index.remove([20])
    _, ids = index.search(np.eye(4, dtype=np.float32), 1)
    assert ids[[0, 2, 3], 0].tolist() == [10, 30, 40]
    assert 20 not in ids
