"""How urgent a card is that a timer brings back: a lead that had to wait keeps its place among the hot ones.

Revision: 0004, after 0003. Made 2026-11-22 02:30:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("timers", sa.Column("lane", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    op.drop_column("timers", "lane")
