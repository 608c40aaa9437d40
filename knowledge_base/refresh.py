"""Keeps a running service in agreement with the entries, whichever process changes them."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from knowledge_base.errors import KefuError
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import EntryStore

__all__ = ["KnowledgeRefresher"]

log = logging.getLogger(__name__)

EVERY_S = 2.0
"""Pause between two looks at the revision, in seconds; one look costs some 0.2 ms."""
_LONGEST_PAUSE_S = 60.0


class KnowledgeRefresher:
    """Takes over new revisions of the store while searches go on.

    Args:
        store: the truth.
        knowledge: what is served.
        folder: where its index is kept.
        every_s: pause between two looks, in seconds; doubled up to a minute after a failure.
    """

    def __init__(
        self, store: EntryStore, knowledge: KnowledgeBase, folder: Path, *, every_s: float = EVERY_S
    ) -> None:
        self._store = store
        self._knowledge = knowledge
        self._folder = folder
        self._every_s = every_s

    def check(self) -> bool:
        """Takes over the store's revision if it is another one; says whether it was.

        Raises:
            KefuError: the database cannot be read, or the texts cannot be embedded.
        """
        if self._store.revision() == self._knowledge.revision:
            return False
        snapshot = self._store.snapshot()
        self._knowledge.replace(snapshot.entries, folder=self._folder, revision=snapshot.revision)
        log.info("knowledge of revision %d with %d entries", snapshot.revision, len(snapshot.entries))
        return True

    def run(self, stopped: threading.Event) -> None:
        """Looks again and again until ``stopped`` is set; trouble is logged and waited out."""
        pause = self._every_s
        while not stopped.wait(pause):
            try:
                self.check()
            except KefuError as error:
                log.warning("changed entries are not taken over yet: %s", error)
            except Exception as error:
                log.error("changed entries are not taken over yet: %s", type(error).__name__)
            else:
                pause = self._every_s
                continue
            pause = min(2 * pause, max(_LONGEST_PAUSE_S, self._every_s))
