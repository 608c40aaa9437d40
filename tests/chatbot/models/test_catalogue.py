"""The catalogue as it is shipped, and the models on this machine's disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import ModelError
from chatbot.models import CATALOGUE, resolve_embedder, verify


def test_a_mistyped_id_gets_a_proposal(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="did you mean multilingual-e5-small-q4"):
        resolve_embedder("multilingual-e5-smal-q4", tmp_path)


def test_the_catalogue_agrees_with_itself() -> None:
    for model_id, model in CATALOGUE.items():
        assert model.id == model_id
        downloaded = {download.file.name for download in model.downloads}
        assert model.unpack or downloaded == {file.name for file in model.files}
        for download in model.downloads:
            assert sum(part.bytes for part in download.parts) == download.file.bytes
            assert all(part.bytes > 0 for part in download.parts)
        hashes = [f.sha256 for f in model.files] + [p.sha256 for d in model.downloads for p in d.parts]
        assert all(len(value) == 64 and int(value, 16) >= 0 for value in hashes)


@pytest.mark.models
@pytest.mark.parametrize("model_id", list(CATALOGUE))
def test_the_models_on_disk_are_right(model_id: str) -> None:
    from chatbot.settings import load_settings

    models_dir = load_settings().models_dir
    model = CATALOGUE[model_id]
    if not (models_dir / model.id).exists():
        pytest.skip(f"{model_id} is not pulled")
    assert verify(model, models_dir).ok
