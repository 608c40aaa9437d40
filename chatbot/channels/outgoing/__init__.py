"""Outgoing webhooks by the rules of Standard Webhooks."""

from chatbot.channels.outgoing.worker import WebhookWorker

__all__ = ["WebhookWorker"]
