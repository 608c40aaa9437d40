"""What a thing stands for: the word of its kind, not one that lies near everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from chatbot.followup import Exchange, FollowUp
from chatbot.kinds import Kinds
from chatbot.turn import Past, Turn
from knowledge_base.embed import Embedder
from tests.embedders import HashEmbedder


class Placed(HashEmbedder):
    """Puts a few words where the test wants them."""

    places: dict[str, tuple[float, float, float]]

    def __init__(self, places: dict[str, tuple[float, float, float]]) -> None:
        self.places = places
        self.asked: list[str] = []
        self.dimension = 3

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        rows = np.array([self.places[text.removeprefix("the ")] for text in texts], dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


PLACES = {
    "watch": (1.0, 0.6, 0.0),
    "earphones": (0.6, 0.6, 0.4),
    "return": (1.0, 0.3, 0.1),
    "parcel": (1.0, 0.1, 0.0),
    "order": (1.0, 0.0, 0.1),
}
EXCHANGES = (Exchange("return", "Can I watch earphones?"), Exchange("earphones", "Can I return watch?"))


def test_a_word_that_lies_near_all_words_is_not_of_the_things_kind() -> None:
    placed = Placed(PLACES)
    plain = Kinds(placed, lambda _: ()).likeliest("watch", EXCHANGES, "en")
    assert plain.word == "return"
    compared = Kinds(placed, lambda _: ("return a parcel", "return an order"))
    assert compared.likeliest("watch", EXCHANGES, "en").word == "earphones"


def test_words_in_general_are_looked_at_once_a_language_and_not_all_of_a_huge_base() -> None:
    placed = Placed(PLACES)
    drawn = 0

    def endless(_language: str) -> Iterator[str]:
        nonlocal drawn
        while True:
            drawn += 1
            yield "return a parcel"

    kinds = Kinds(placed, endless)
    for _ in range(2):
        kinds.likeliest("watch", EXCHANGES, "en")
    assert drawn <= 2001
    assert placed.asked.count("the parcel") == 1
    assert placed.asked.count("the watch") == 2


FOLLOWED = [
    ("en", "Do you repair phones?", "and the tablets?", "phones"),
    ("en", "Is the pool heated?", "what about the sauna?", "pool"),
    ("zh", "剪发多少钱？", "染发呢？", "剪发"),
    ("zh", "狗能带进房间吗？", "那猫呢", "狗"),
    ("es", "¿Puedo llevar a mi perro?", "¿y el gato?", "perro"),
    ("ja", "朝食は付いていますか？", "夕食は？", "朝食"),
    ("de", "Was kostet ein Zimmer mit Balkon?", "Und mit Terrasse?", "Balkon"),
    ("fr", "Puis-je amener mon chien ?", "et le chat ?", "chien"),
]
GENERAL = {
    "en": ("How long is the delivery?", "Can I cancel my order?", "What are the opening hours of the shop?"),
    "zh": ("订单怎么取消？", "快递几天能到？", "店里几点开门？"),
    "es": ("¿Cuánto tarda el envío?", "¿Cómo cancelo mi pedido?", "¿Qué horario tiene la tienda?"),
    "ja": ("配送は何日かかりますか？", "注文をキャンセルできますか？", "お店の営業時間は？"),
    "de": (
        "Wie lange dauert die Lieferung?",
        "Kann ich die Bestellung stornieren?",
        "Wann ist das Geschäft offen?",
    ),
    "fr": (
        "Quel est le délai de livraison ?",
        "Comment annuler ma commande ?",
        "Quels sont les horaires du magasin ?",
    ),
}


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    from chatbot.assembly import build_embedder
    from chatbot.settings import load_settings

    return build_embedder(load_settings())


@pytest.mark.models
@pytest.mark.parametrize(("language", "before", "text", "word"), FOLLOWED, ids=[row[1] for row in FOLLOWED])
def test_what_is_named_takes_the_place_of_its_like_in_six_languages(
    embedder: Embedder, language: str, before: str, text: str, word: str
) -> None:
    past = Past((Turn(before, "…", language, "verbatim"),), language)
    completion = FollowUp().complete(text, past, language)
    kinds = Kinds(embedder, GENERAL.__getitem__)
    found = kinds.likeliest(completion.thing, completion.exchanges, language)
    assert word in found.word
    assert completion.thing in found.question
    assert word not in found.question
