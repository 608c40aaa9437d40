"""First tables: conversations and knowledge base."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes all tables."""
    _conversations()
    _messages()
    _about_messages()
    _knowledge_base()


def _conversations() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("customer_id", sa.String(255), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], "fk_conversations_customer_id"),
    )
    op.create_index("ix_conversations_customer_id", "conversations", ["customer_id"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("client_message_id", sa.String(255)),
        sa.Column("body_hash", sa.String(64)),
        sa.Column("answers", sa.String(32)),
        sa.Column("reply", sa.JSON),
        sa.PrimaryKeyConstraint("number", name="pk_messages"),
        sa.UniqueConstraint("id", name="uq_messages_id"),
        sa.UniqueConstraint("answers", name="uq_messages_answers"),
        sa.UniqueConstraint(
            "conversation_id", "client_message_id", name="uq_messages_conversation_id_client_message_id"
        ),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], "fk_messages_conversation_id"),
        sa.ForeignKeyConstraint(["answers"], ["messages.id"], "fk_messages_answers"),
        sa.CheckConstraint("role IN ('user', 'bot', 'agent')", name="ck_messages_role"),
    )
    op.create_index("ix_messages_conversation_id_number", "messages", ["conversation_id", "number"])


def _about_messages() -> None:
    op.create_table(
        "traces",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("message_id", sa.String(32), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_traces"),
        sa.UniqueConstraint("message_id", name="uq_traces_message_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], "fk_traces_message_id"),
    )
    op.create_table(
        "feedback",
        sa.Column("message_id", sa.String(32), nullable=False),
        sa.Column("value", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], "fk_feedback_message_id"),
        sa.CheckConstraint("value IN ('like', 'dislike')", name="ck_feedback_value"),
    )
    op.create_table(
        "hand_overs",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("closed_at", _MOMENT),
        sa.PrimaryKeyConstraint("number", name="pk_hand_overs"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], "fk_hand_overs_conversation_id"),
    )
    op.create_index("ix_hand_overs_conversation_id", "hand_overs", ["conversation_id"])


def _knowledge_base() -> None:
    op.create_table(
        "entries",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("group", sa.String(255), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("variants", sa.JSON, nullable=False),
        sa.Column("category", sa.String(255), nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("products", sa.JSON, nullable=False),
        sa.Column("verbatim", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_entries_group", "entries", ["group"])
    op.create_table(
        "kb_state",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO kb_state (id, revision) VALUES (1, 0)")


def downgrade() -> None:
    """Drops all tables."""
    for table in (
        "kb_state",
        "entries",
        "hand_overs",
        "feedback",
        "traces",
        "messages",
        "conversations",
        "customers",
    ):
        op.drop_table(table)
