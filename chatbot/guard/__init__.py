"""May this machine-made wording go out to a customer?"""

from chatbot.guard.checking import check
from chatbot.guard.stream import GuardedStream

__all__ = ["GuardedStream", "check"]
