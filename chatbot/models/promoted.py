"""Which trained adapters are served: a small file beside the runs that also keeps what was served before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from chatbot.errors import ModelError
from knowledge_base.whole_file import whole_file

__all__ = ["SERVED", "AdapterKind", "promote", "promoted", "roll_back"]

SERVED = "served.json"
"""Name of the file in the folder of the runs."""
AdapterKind = Literal["generator", "encoder"]
_KEPT = 20
"""Earlier promotions that can be gone back to."""


def promoted(folder: Path, kind: AdapterKind) -> str:
    """Name of the run that is served; empty where none was promoted.

    Raises:
        ModelError: the file is damaged.
    """
    history = _read(folder).get(kind, [])
    return history[-1] if history else ""


def promote(folder: Path, kind: AdapterKind, name: str) -> None:
    """Serves a run from the next start on; the one before is kept in mind.

    Raises:
        ModelError: the file is damaged or cannot be written.
    """
    served = _read(folder)
    served[kind] = [*(served.get(kind) or [""]), name][-_KEPT:]
    _write(folder, served)


def roll_back(folder: Path, kind: AdapterKind) -> str:
    """Serves again what was served before the last promotion; gives its name, empty for none.

    Raises:
        ModelError: nothing was promoted, or the file is damaged or cannot be written.
    """
    served = _read(folder)
    history = served.get(kind, [])
    if len(history) < 2:
        raise ModelError(
            f"no {kind} was promoted, so there is none to go back from; `kefu train list` shows the runs"
        )
    served[kind] = history[:-1]
    _write(folder, served)
    return history[-2]


def _read(folder: Path) -> dict[AdapterKind, list[str]]:
    path = folder / SERVED
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {kind: [str(name) for name in told.get(kind, [])] for kind in ("generator", "encoder")}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(
            f"{path} cannot be read ({type(error).__name__}: {error}); expected what `kefu train promote` wrote: "
            "delete it to serve the models as they come"
        ) from error


def _write(folder: Path, served: dict[AdapterKind, list[str]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / SERVED) as part:
            part.write_text(json.dumps(served, indent=1), encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{folder / SERVED} cannot be written ({error.strerror or error})") from error
