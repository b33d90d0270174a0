"""Each portal apart: a queue of its own, the name it had before it moved, and what is the matter with it as a whole.

Revision: 0008, after 0007. Made 2026-11-22 03:20:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("portals", sa.Column("former_domain", sa.Text(), nullable=True))
    op.add_column("portals", sa.Column("trouble", sa.Text(), nullable=True))
    op.add_column("portals", sa.Column("trouble_since", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE procrastinate_jobs SET queue_name = 'portal:' || (args ->> 'portal_id') WHERE queue_name = 'cards'"
    )


def downgrade() -> None:
    op.execute("UPDATE procrastinate_jobs SET queue_name = 'cards' WHERE queue_name LIKE 'portal:%'")
    op.drop_column("portals", "trouble_since")
    op.drop_column("portals", "trouble")
    op.drop_column("portals", "former_domain")
