"""Pools, the people who share incoming cards, and who got which card.

Revision: 0015, after 0014. Made 2026-11-22 05:10:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "pools",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.Column("turns", _JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.CheckConstraint("entity_type_id IN (1, 2)", name=op.f("ck_pools_entity_type_id")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_pools_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pools")),
        comment="People who share out cards of one kind, and whose turn it is; the first that takes a card wins.",
    )
    op.create_index(
        "uq_pools_live_name",
        "pools",
        ["portal_id", "entity_type_id", "name"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "assignments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), nullable=False),
        sa.Column("card_id", sa.BigInteger(), nullable=False),
        sa.Column("pool_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("from_user", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("barred", _JSON, nullable=False),
        sa.Column("shares", _JSON, nullable=False),
        sa.Column("cost_turn", sa.Boolean(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_back_why", sa.Text(), nullable=True),
        sa.CheckConstraint("why IN ('knows_client', 'turn', 'free_turn')", name=op.f("ck_assignments_why")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_assignments_portal_id")),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_assignments_pool_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
        sa.UniqueConstraint(
            "portal_id",
            "entity_type_id",
            "card_id",
            "occasion",
            name=op.f("uq_assignments_portal_id_entity_type_id_card_id_occasion"),
        ),
        comment="Whom a pool chose for a card, when and why, who was passed over, and whether it cost a turn.",
    )
    op.create_index("ix_assignments_card", "assignments", ["portal_id", "entity_type_id", "card_id", "id"])
    op.create_index("ix_assignments_chosen_at", "assignments", ["portal_id", "entity_type_id", "chosen_at"])
    # How many open cards each member of a pool has, for his cap.
    op.create_index(
        "ix_cards_open_owner",
        "cards",
        ["portal_id", "entity_type_id", "assigned_by_id"],
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_cards_open_owner", table_name="cards")
    op.drop_table("assignments")
    op.drop_table("pools")
