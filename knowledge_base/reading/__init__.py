"""Files to entries and back."""

from knowledge_base.reading.export import write_entries
from knowledge_base.reading.files import read_entries

__all__ = ["read_entries", "write_entries"]
