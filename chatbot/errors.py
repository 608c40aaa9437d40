"""The errors of the conversation side.

Two kinds, told apart by who can act on them:

- :class:`OperatorError`: the installation, its settings, files or models are
  wrong.  Shown on the console with a hint; over HTTP the customer only learns
  that something went wrong.
- :class:`CustomerError`: this request cannot be served (too long, busy, not
  found).  Its text may be shown to the customer; ``status`` is the HTTP status
  the edge answers with.

Texts say what was found, what was expected and what to do.  They never carry a
customer's words.
"""

from __future__ import annotations

from knowledge_base.errors import KefuError

__all__ = [
    "BadRequestError",
    "BusyError",
    "CustomerError",
    "EngineError",
    "KefuError",
    "ModelError",
    "OperatorError",
    "SettingsError",
    "StorageError",
]


class OperatorError(KefuError):
    """Something the operator of this installation has to mend."""


class SettingsError(OperatorError):
    """A setting has a value that cannot be used; names the setting and the value."""


class ModelError(OperatorError):
    """A model is missing, damaged or of the wrong kind."""


class EngineError(OperatorError):
    """The generator failed or was stopped; the answer falls back to the entry's own text."""


class StorageError(OperatorError):
    """The database cannot be read or written."""


class CustomerError(KefuError):
    """This request cannot be served; the text may be shown to the customer."""

    status: int = 400
    phrase: str = "error"
    """Key of the sentence in the phrase book that tells the customer."""

    def __init__(self, message: str, *, phrase: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        if phrase is not None:
            self.phrase = phrase
        if status is not None:
            self.status = status


class BadRequestError(CustomerError):
    """The request is malformed: names the field, what was found and what was expected."""

    status = 422


class BusyError(CustomerError):
    """All places are taken; ``retry_after`` seconds is a fair time to come back."""

    status = 503
    phrase = "busy"

    def __init__(self, message: str, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
