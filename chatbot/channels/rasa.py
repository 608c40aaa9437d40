"""All that speaks like Rasa, put into the application in one place."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.routing import Mount

from chatbot.channels import rasa_api, rest
from chatbot.channels.background import Service
from chatbot.channels.callback import CallbackChannel
from chatbot.channels.errors import Sentences
from chatbot.channels.loader import BotProvider
from chatbot.channels.rasa_auth import RasaGuard
from chatbot.channels.sockets import SocketChannel
from chatbot.channels.turns import TurnQueue
from chatbot.settings import Settings
from chatbot.storage import Conversations
from chatbot.storage.trackers import Trackers

__all__ = ["add_rasa"]


def add_rasa(
    app: FastAPI,
    provider: BotProvider,
    turns: TurnQueue,
    conversations: Conversations,
    sentences: Sentences,
    settings: Settings,
) -> Sequence[Service]:
    """Adds the REST, callback and socket.io channels and Rasa's HTTP API.

    Returns:
        What has to run as long as the application does.
    """
    guard = RasaGuard(settings)
    limit = settings.max_message_chars
    app.include_router(rest.build_router(provider, turns, sentences, guard, limit))
    callback = CallbackChannel(provider, turns, sentences, guard, settings.callback, max_chars=limit)
    app.include_router(callback.router())
    app.include_router(rasa_api.build_router(provider, Trackers(conversations.database), guard, settings))
    if not settings.socketio.enabled:
        return [callback]
    sockets = SocketChannel(
        provider,
        turns,
        conversations,
        sentences,
        settings.socketio,
        origins=settings.cors_origins,
        max_chars=limit,
    )
    app.router.routes.append(Mount("/socket.io", app=sockets.app, name="socket.io"))
    return [callback, sockets]
