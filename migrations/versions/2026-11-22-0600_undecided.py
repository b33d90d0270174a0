"""Leads that wait for a decision or for data are found at once, however many were judged before.

Revision: 0020, after 0019. Made 2026-11-22 06:00:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_cards_undecided",
        "cards",
        ["portal_id", "outcome", "judged_at"],
        postgresql_where=sa.text("state = 'open' AND outcome IN ('review', 'needs_data')"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_cards_undecided", table_name="cards")
