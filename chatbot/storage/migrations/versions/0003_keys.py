"""The door: API keys, and the places of messages in the line of their conversation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.Column("revoked_at", _MOMENT),
        sa.Column("last_used_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_table(
        "turn_holders",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_turn_holders"),
    )
    op.create_table(
        "turn_tickets",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_turn_tickets"),
        sa.ForeignKeyConstraint(
            ["holder"], ["turn_holders.id"], "fk_turn_tickets_holder", ondelete="CASCADE"
        ),
        # the number of a ticket never comes again
        sqlite_autoincrement=True,
    )
    op.create_index("ix_turn_tickets_conversation_id_number", "turn_tickets", ["conversation_id", "number"])
    op.create_index("ix_turn_tickets_holder", "turn_tickets", ["holder"])


def downgrade() -> None:
    """Drops the tables."""
    for table in ("turn_tickets", "turn_holders", "api_keys"):
        op.drop_table(table)
