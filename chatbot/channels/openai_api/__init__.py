"""The OpenAI-compatible API: any of its clients gets grounded answers."""

from chatbot.channels.openai_api.errors import PREFIX, error_body
from chatbot.channels.openai_api.routes import build_router

__all__ = ["PREFIX", "build_router", "error_body"]
