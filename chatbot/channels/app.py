"""The web application: every channel on one port.  Assembled here, run by ``kefu serve``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from chatbot import __version__
from chatbot.channels import action_server, chat, health, openai_api
from chatbot.channels.action_server import Executors
from chatbot.channels.background import Service, running
from chatbot.channels.described import describe_keys
from chatbot.channels.door import guard, surround
from chatbot.channels.errors import Sentences, install_error_handlers
from chatbot.channels.kefu_actions import KefuActions
from chatbot.channels.keys import needs
from chatbot.channels.limits import RateLimits
from chatbot.channels.loader import BotProvider
from chatbot.channels.logs import RequestLog
from chatbot.channels.messengers import add_messengers
from chatbot.channels.outgoing import WebhookWorker
from chatbot.channels.rasa import add_rasa
from chatbot.channels.tokens import ConversationTokens, open_secret
from chatbot.channels.turns import TurnQueue
from chatbot.phrases import Phrases
from chatbot.settings import Settings
from chatbot.storage import Conversations, Keys, Tickets
from chatbot.storage.outbox import Outbox

__all__ = ["create_app"]

_ABOUT = """Send customers' messages and get answers from your own knowledge base.

The address `/webhooks/rest/webhook` speaks the protocol of Rasa's REST channel,
so clients made for Rasa work as they are.  Errors have one form everywhere;
`details.say` is a sentence that may be shown to the customer."""


def create_app(bot_provider: BotProvider, conversations: Conversations, settings: Settings) -> FastAPI:
    """The application with all webhooks, health checks and documentation, but no page.

    The bot starts to load when the application starts; until it is there,
    ``/readyz`` and the webhooks answer 503.

    Args:
        bot_provider: gives the bot; see :class:`~chatbot.channels.loader.BotLoader`.
        conversations: the storage that ``/readyz`` looks after.
        settings: of this installation.
    """
    limits = RateLimits(settings.limits)
    turns = TurnQueue(
        settings.workers,
        settings.waiting,
        Tickets(conversations.database),
        partial(limits.hit, "conversation"),
    )

    services: list[Service] = [WebhookWorker(Outbox(conversations.database), settings.webhooks)]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        bot_provider.start()
        async with running(services):
            yield
        bot_provider.close()
        await asyncio.to_thread(turns.close)

    app = FastAPIOffline(
        title="Kefu",
        summary="Customer service that answers from your own knowledge base.",
        description=_ABOUT,
        version=__version__,
        lifespan=lifespan,
        redoc_url=None,
        static_url="/docs/assets",
    )

    def phrases() -> Phrases | None:
        bot = bot_provider()
        return None if bot is None else bot.phrases

    sentences = Sentences(phrases, settings.default_language, settings.max_message_chars)
    guard(
        app,
        settings,
        limits,
        Keys(conversations.database),
        larger={"/webhook": action_server.MAX_BODY_BYTES},
    )
    install_error_handlers(app, sentences, {openai_api.PREFIX: openai_api.error_body})
    surround(app, settings)
    app.add_middleware(RequestLog)  # added last, so it is the outermost
    app.include_router(health.build_router(bot_provider, conversations))
    services += add_messengers(app, bot_provider, turns, conversations, settings)
    services += add_rasa(app, bot_provider, turns, conversations, sentences, settings)
    tokens = ConversationTokens(
        open_secret(settings.token_secret.get_secret_value(), settings.data_dir), settings.token_days * 86400
    )
    app.include_router(
        chat.build_router(bot_provider, turns, conversations, tokens, sentences, settings),
        dependencies=[needs("chat")],
    )
    app.include_router(
        openai_api.build_router(bot_provider, turns, settings.max_message_chars),
        dependencies=[needs("openai")],
    )
    kefu_actions = KefuActions(bot_provider, turns, conversations, settings)
    app.include_router(
        action_server.build_router(Executors(kefu_actions.by_name)), dependencies=[needs("chat")]
    )
    describe_keys(app, settings.auth.required)
    app.state.turns = turns
    return app
