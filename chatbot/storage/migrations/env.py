"""Alembic's environment: runs on the connection that ``migrate.upgrade`` hands over."""

from __future__ import annotations

from alembic import context

from chatbot.storage import tables
from knowledge_base import store

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[tables.metadata, store.metadata],
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
