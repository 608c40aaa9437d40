"""What a custom action needs to know of a conversation: slots and the question that is open."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "slots",
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", name="pk_slots"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], "fk_slots_conversation_id"),
    )


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("slots")
