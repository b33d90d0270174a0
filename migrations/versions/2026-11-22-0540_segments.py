"""Segments of companies and when each is to be spoken to next.

Revision: 0018, after 0017. Made 2026-11-22 05:40:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = ("company_segments", "segment_changes", "contact_turns")
_SEGMENTS = "('new', 'regular', 'sleeping', 'nurture')"


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "company_segments",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("decided", sa.Text(), nullable=True),
        sa.Column("field_code", sa.Text(), nullable=True),
        sa.Column("by_person", sa.Boolean(), nullable=False),
        sa.Column("why", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("owner", sa.BigInteger(), nullable=True),
        sa.Column("won_deals", sa.Integer(), nullable=True),
        sa.Column("last_purchase_on", sa.Date(), nullable=True),
        sa.Column("changes_on", sa.Date(), nullable=True),
        sa.Column("last_contact_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_contact_on", sa.Date(), nullable=True),
        sa.Column("todo_id", sa.BigInteger(), nullable=True),
        sa.Column("todo_done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bounds", sa.Text(), nullable=False),
        sa.Column("looked_on", sa.Date(), nullable=False),
        sa.CheckConstraint(f"segment IN {_SEGMENTS}", name=op.f("ck_company_segments_segment")),
        sa.CheckConstraint(f"decided IN {_SEGMENTS}", name=op.f("ck_company_segments_decided")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_company_segments_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "company_id", name=op.f("pk_company_segments")),
        comment="Each company that bought or carries a mark: its segment, since when, why; its next contact.",
    )
    op.create_index("ix_company_segments_segment", "company_segments", ["portal_id", "segment", "since"])
    op.create_index(
        "ix_company_segments_due",
        "company_segments",
        ["portal_id", "next_contact_on"],
        postgresql_where=sa.text("next_contact_on IS NOT NULL"),
    )
    op.create_table(
        "segment_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("won_back", sa.Boolean(), nullable=False),
        sa.Column("by_person", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"before IN {_SEGMENTS}", name=op.f("ck_segment_changes_before")),
        sa.CheckConstraint(f"after IN {_SEGMENTS}", name=op.f("ck_segment_changes_after")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_segment_changes_portal_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_segment_changes_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_changes")),
        comment="Each time a company came into another segment; kept for ever, for retention and winning back.",
    )
    op.create_index("ix_segment_changes_company", "segment_changes", ["portal_id", "company_id", "id"])
    op.create_index("ix_segment_changes_changed_on", "segment_changes", ["portal_id", "changed_on"])
    op.create_table(
        "contact_turns",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_contact_turns_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "company_id", "due_on", name=op.f("pk_contact_turns")),
        comment="Each place in a person's daily cap of contact to-dos that was given to a company.",
    )
    op.create_index("ix_contact_turns_day", "contact_turns", ["portal_id", "day", "user_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(_TABLES):
        op.drop_table(table)
