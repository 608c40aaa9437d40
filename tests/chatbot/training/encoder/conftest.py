"""A small sentence encoder with random weights, in a folder as sentence-transformers keeps them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge_base.embed import SentenceEmbedder


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={"[PAD]": 0, **{a: i for i, a in enumerate(alphabet, 1)}}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", model_max_length=128).save_pretrained(
        folder / "bert"
    )
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(alphabet) + 1,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=130,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config).save_pretrained(folder / "bert")
    words = Transformer(str(folder / "bert"))
    pooling = Pooling(words.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[words, pooling, Normalize()], device="cpu").save(str(folder / "whole"))
    return folder / "whole"


@pytest.fixture
def fresh(encoder_folder: Path) -> Callable[[], SentenceEmbedder]:
    """Loads the encoder as it is."""
    return lambda: SentenceEmbedder(str(encoder_folder), middle=2)
