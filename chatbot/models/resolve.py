"""From the value of a setting to something that can be loaded.

A setting may be an id of the catalogue, a path, or the id of a model hub; this
module tells them apart and never fetches anything.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from chatbot.errors import ModelError
from chatbot.models.catalogue import CATALOGUE, Model
from chatbot.models.disk import is_whole, model_folder, verify

__all__ = ["resolve_embedder", "resolve_generator", "resolve_second"]

Kind = Literal["embedder", "second embedder", "generator"]
_VARIABLES: dict[Kind, str] = {
    "embedder": "KEFU_EMBEDDER__MODEL",
    "second embedder": "KEFU_EMBEDDER__SECOND",
    "generator": "KEFU_GENERATOR__MODEL",
}
GGUF_MAGIC = b"GGUF"


def resolve_embedder(setting: str, models_dir: Path) -> str:
    """What to hand to sentence-transformers for ``KEFU_EMBEDDER__MODEL``.

    Args:
        setting: catalogue id, folder, or hub id.
        models_dir: the models folder.

    Returns:
        The folder of a catalogue model or of an existing path; else the hub id as it is.

    Raises:
        ModelError: a catalogue model is not pulled or damaged, a path does not
            exist, or the id is of a generator.
    """
    model = _catalogue_model(setting, "embedder")
    if model is not None:
        return str(_whole_folder(model, models_dir))
    path = _existing_path(setting, "KEFU_EMBEDDER__MODEL")
    if path is None:
        return setting
    if not path.is_dir():
        raise ModelError(
            f"KEFU_EMBEDDER__MODEL names the file {path}; expected a folder of sentence-transformers"
        )
    return str(path)


def resolve_second(setting: str, models_dir: Path) -> Path:
    """The folder of the second encoder for ``KEFU_EMBEDDER__SECOND``.

    Args:
        setting: catalogue id or folder.
        models_dir: the models folder.

    Raises:
        ModelError: a catalogue model is not pulled or damaged, the path is no
            folder, or the id is of another kind.
    """
    model = _catalogue_model(setting, "second embedder")
    if model is not None:
        return _whole_folder(model, models_dir)
    path = _existing_path(setting, "KEFU_EMBEDDER__SECOND")
    if path is None or not path.is_dir():
        raise ModelError(
            f"KEFU_EMBEDDER__SECOND is {setting!r}; expected {', '.join(_ids('second embedder'))} or a folder "
            "with the same files"
        )
    return path


def resolve_generator(setting: str, models_dir: Path) -> Path | str:
    """What to load for ``KEFU_GENERATOR__MODEL``.

    Args:
        setting: catalogue id, GGUF file, folder of a transformers model, or hub id.
        models_dir: the models folder.

    Returns:
        The path of the GGUF file or folder; a hub id (or a server's model name) as it is.

    Raises:
        ModelError: a catalogue model is not pulled or damaged, a path does not
            exist or is no GGUF file, or the id is of an embedder.
    """
    model = _catalogue_model(setting, "generator")
    if model is not None:
        return _whole_folder(model, models_dir) / model.files[0].name
    path = _existing_path(setting, "KEFU_GENERATOR__MODEL")
    if path is None:
        return setting
    if path.is_file():
        _check_gguf(path)
    return path


def _catalogue_model(setting: str, kind: Kind) -> Model | None:
    """The catalogue's model of that id; None when the setting is something else."""
    model = CATALOGUE.get(setting)
    variable = _VARIABLES[kind]
    ids = _ids(kind)
    if model is not None and model.kind != kind:
        raise ModelError(
            f"{variable} is {setting}, which is of kind {model.kind}; expected one of {', '.join(ids)}"
        )
    if model is None and not Path(setting).exists():
        close = difflib.get_close_matches(setting, ids, n=1, cutoff=0.9)
        if close:
            raise ModelError(
                f"{variable} is {setting!r}, which is neither a path nor a known id; did you mean {close[0]}?"
            )
    return model


def _ids(kind: Kind) -> list[str]:
    return [model.id for model in CATALOGUE.values() if model.kind == kind]


def _whole_folder(model: Model, models_dir: Path) -> Path:
    """The model's folder, checked against the stamp.

    Raises:
        ModelError: it is missing or has other bytes than expected.
    """
    folder = model_folder(model, models_dir)
    if is_whole(model, models_dir):
        return folder
    command = f"run `kefu models pull {model.id}`"
    if not any((folder / file.name).exists() for file in model.files):
        raise ModelError(f"the model {model.id} is not in {models_dir}; {command}")
    wrong = next(check for check in verify(model, models_dir).files if not check.ok)
    found = wrong.found if " " in wrong.found or wrong.found == "missing" else f"sha256 {wrong.found}"
    raise ModelError(
        f"{folder / wrong.file.name} is damaged: found {found}, expected {wrong.file.bytes} bytes with "
        f"sha256 {wrong.file.sha256}; {command}"
    )


def _existing_path(setting: str, variable: str) -> Path | None:
    """The setting as a path; None when it can only be a hub id.

    Raises:
        ModelError: it is clearly meant as a path and nothing is there.
    """
    if not setting.strip():
        raise ModelError(f"{variable} is empty; expected a catalogue id, a path or a hub id")
    path = Path(setting).expanduser()
    if path.exists():
        return path
    if (
        setting.startswith(("/", "./", "../", "~"))
        or path.suffix.lower() == ".gguf"
        or setting.count("/") > 1
    ):
        raise ModelError(f"{variable} names {setting}, where nothing is; give an existing path or a known id")
    return None


def _check_gguf(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); expected a GGUF file") from error
    if magic != GGUF_MAGIC:
        raise ModelError(
            f"{path} begins with {magic!r}; expected a GGUF file, which begins with {GGUF_MAGIC!r}"
        )
