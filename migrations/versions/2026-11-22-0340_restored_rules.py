"""Which older version of the rules was published anew: a roll back is a version like any other.

Revision: 0010, after 0009. Made 2026-11-22 03:40:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("rulesets", sa.Column("restores", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_rulesets_restores"), "rulesets", "restores < version")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_rulesets_restores"), "rulesets")
    op.drop_column("rulesets", "restores")
