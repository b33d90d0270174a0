"""Closed deals from before the first run and their companies, read by lists; how far that reading is.

Revision: 0013, after 0012. Made 2026-11-22 04:10:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = ("past_deals", "past_companies", "past_readings")


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "past_deals",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("deal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=True),
        sa.Column("responsible", sa.BigInteger(), nullable=True),
        sa.Column("stage_id", sa.Text(), nullable=True),
        sa.Column("semantics", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("profit", sa.Numeric(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("turnover", sa.Numeric(), nullable=True),
        sa.Column("steam_tph", sa.Numeric(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("semantics IN ('success', 'failure')", name=op.f("ck_past_deals_semantics")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_past_deals_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "deal_id", name=op.f("pk_past_deals")),
        comment="Closed deals as lists of the portal tell them, also from before any run; money in RUB.",
    )
    op.create_index("ix_past_deals_company", "past_deals", ["portal_id", "company_id"])
    op.create_table(
        "past_companies",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("turnover", sa.Numeric(), nullable=True),
        sa.Column("steam_tph", sa.Numeric(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_past_companies_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "company_id", name=op.f("pk_past_companies")),
        comment="Companies of closed deals: industry and size as last read; money in RUB.",
    )
    op.create_table(
        "past_readings",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("names", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_from", sa.Date(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("whole_from", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_past_readings_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", name=op.f("pk_past_readings")),
        comment="How far the reading of each portal's closed deals is, and how far back it goes.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(_TABLES):
        op.drop_table(table)
