"""Messengers: WeChat, WeCom, Feishu, DingTalk, WhatsApp, Telegram, Slack."""

from __future__ import annotations

from fastapi import FastAPI

from chatbot.channels.background import Service
from chatbot.channels.loader import BotProvider
from chatbot.channels.messengers.registry import build_messengers
from chatbot.channels.messengers.router import build_router
from chatbot.channels.messengers.worker import InboxWorker
from chatbot.channels.turns import TurnQueue
from chatbot.settings import Settings
from chatbot.storage import Conversations
from chatbot.storage.inbox import Inbox

__all__ = ["InboxWorker", "add_messengers", "build_messengers"]


def add_messengers(
    app: FastAPI,
    provider: BotProvider,
    turns: TurnQueue,
    conversations: Conversations,
    settings: Settings,
) -> list[Service]:
    """Adds the addresses of the messengers that are switched on.

    Returns:
        What has to run beside the requests.

    Raises:
        SettingsError: a messenger lacks a setting.
    """
    messengers = build_messengers(settings)
    if not messengers:
        return []
    inbox = Inbox(conversations.database)
    worker = InboxWorker(inbox, messengers, turns, provider, settings)
    app.include_router(build_router(messengers, inbox, worker, settings.max_message_chars))
    return [worker]
