"""Numbers of calls and letters open to their cards: touches are found by what they are and by their days.

Revision: 0024, after 0023. Made 2026-11-22 07:30:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Of a client they are found by `ix_touches_company`.
    op.create_index(
        "ix_touches_day", "touches", ["portal_id", "kind", "day", "user_id"], postgresql_where=sa.text("main")
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_touches_day", "touches")
