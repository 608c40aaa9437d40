"""How messages come in and replies go out over the network."""

from chatbot.channels.app import create_app
from chatbot.channels.loader import BotLoader
from chatbot.channels.logs import configure_logging

__all__ = ["BotLoader", "configure_logging", "create_app"]
