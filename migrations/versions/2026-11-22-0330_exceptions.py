"""The runs that saw a deal below the minimum, by themselves: the ledger of exceptions looks for them.

Revision: 0009, after 0008. Made 2026-11-22 03:30:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_runs_below_minimum",
        "runs",
        ["portal_id", "card_id", "id"],
        unique=False,
        postgresql_where=sa.text("entity_type_id = 2 AND verdict ->> 'above_minimum' = 'no'"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_runs_below_minimum", table_name="runs")
