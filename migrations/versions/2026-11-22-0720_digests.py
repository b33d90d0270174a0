"""Digests: who switched them on or off, which went out; and whose a token is.

Revision: 0023, after 0022. Made 2026-11-22 07:20:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "digest_switches",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("daily", sa.Boolean(), nullable=True),
        sa.Column("weekly", sa.Boolean(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_digest_switches_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "user_id", name=op.f("pk_digest_switches")),
        comment="Who switched a person's digests on or off; null: on for who leads people.",
    )
    op.create_table(
        "digests",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'started'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("said", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('daily', 'weekly')", name=op.f("ck_digests_kind")),
        sa.CheckConstraint("state IN ('started', 'done', 'failed')", name=op.f("ck_digests_state")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_digests_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "user_id", "kind", "day", name=op.f("pk_digests")),
        comment="One digest of one person and day or week: a row for each, so that it goes out once.",
    )
    op.create_index("ix_digests_started_at", "digests", ["started_at"])
    op.add_column("api_tokens", sa.Column("portal_id", sa.Integer(), nullable=True))
    op.add_column("api_tokens", sa.Column("user_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_api_tokens_portal_id"), "api_tokens", "portals", ["portal_id"], ["id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("api_tokens", "user_id")
    op.drop_column("api_tokens", "portal_id")
    op.drop_table("digests")
    op.drop_table("digest_switches")
