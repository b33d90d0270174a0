"""What a replay forecast of a version when it was published: replays themselves are deleted in time.

Revision: 0011, after 0010. Made 2026-11-22 03:50:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "ruleset_forecasts",
        sa.Column("portal_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["portal_id", "version"],
            ["rulesets.portal_id", "rulesets.version"],
            name=op.f("fk_ruleset_forecasts_portal_id"),
        ),
        sa.PrimaryKeyConstraint("portal_id", "version", name=op.f("pk_ruleset_forecasts")),
        comment="What the last replay of a draft forecast when it was published; none where nobody replayed it.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("ruleset_forecasts")
