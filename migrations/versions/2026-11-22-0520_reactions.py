"""Reactions: how long each card waited for its first response, and its targets.

Revision: 0016, after 0015. Made 2026-11-22 05:20:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TABLES = ("card_origins", "reactions", "reaction_targets", "reaction_holders", "stale_reactions", "contact_hints")


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("portals", sa.Column("clocks_since", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "card_origins",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column("activities_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("calls_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_card_origins_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "card_id", name=op.f("pk_card_origins")),
        comment="When each lead and deal came to be and out of which lead; up to when its contacts were read.",
    )
    op.create_index(
        "ix_card_origins_lead",
        "card_origins",
        ["portal_id", "lead_id"],
        postgresql_where=sa.text("lead_id IS NOT NULL"),
    )
    op.create_table(
        "reactions",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deal_id", sa.BigInteger(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("responded_by", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("made_from_call", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("holder", sa.BigInteger(), nullable=True),
        sa.Column("holder_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("system_seconds", sa.BigInteger(), nullable=True),
        sa.Column("person_seconds", sa.BigInteger(), nullable=True),
        sa.Column("working_seconds", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("met", sa.Text(), nullable=False),
        sa.Column(
            "missing",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "doubtful",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'met', 'missed', 'closed', 'not_seen')", name=op.f("ck_reactions_state")
        ),
        sa.CheckConstraint("target IN ('hot', 'warm', 'other')", name=op.f("ck_reactions_target")),
        sa.CheckConstraint(
            "kind IN ('call_out', 'call_in', 'letter', 'meeting', 'chat')", name=op.f("ck_reactions_kind")
        ),
        sa.CheckConstraint("met IN ('yes', 'no', 'unknown')", name=op.f("ck_reactions_met")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_reactions_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "card_id", "arrived_at", name=op.f("pk_reactions")),
        comment="How each card was answered, one row for each round: its clocks, its target, whether it was met.",
    )
    op.create_index("ix_reactions_arrived", "reactions", ["portal_id", "arrived_at"])
    op.create_index("ix_reactions_holder", "reactions", ["portal_id", "holder", "arrived_at"])
    op.create_index(
        "ix_reactions_running", "reactions", ["portal_id", "holder_due_at"], postgresql_where=sa.text("running")
    )
    op.create_index(
        "ix_reactions_waiting", "reactions", ["portal_id", "due_at"], postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_table(
        "reaction_targets",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("from_target", sa.Text(), nullable=True),
        sa.Column("from_minutes", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("target IN ('hot', 'warm', 'other')", name=op.f("ck_reaction_targets_target")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_reaction_targets_run_id")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_reaction_targets_portal_id")),
        sa.PrimaryKeyConstraint(
            "portal_id", "entity_type_id", "card_id", "arrived_at", "since", name=op.f("pk_reaction_targets")
        ),
        comment="Which target a round had since when, what it was before, and which run changed it.",
    )
    op.create_table(
        "reaction_holders",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("working_seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_reaction_holders_portal_id")),
        sa.PrimaryKeyConstraint(
            "portal_id", "entity_type_id", "card_id", "arrived_at", "since", name=op.f("pk_reaction_holders")
        ),
        comment="Who had a card before the client was reached, and how much of his working time that took.",
    )
    op.create_index("ix_reaction_holders_user", "reaction_holders", ["portal_id", "user_id", "since"])
    op.create_table(
        "stale_reactions",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_stale_reactions_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "card_id", name=op.f("pk_stale_reactions")),
        comment="Cards of which something came that may change their reactions; worked off in order.",
    )
    op.create_table(
        "contact_hints",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_contact_hints_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "activity_id", name=op.f("pk_contact_hints")),
        comment="Activities that the portal said were new or changed, to be read at once.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_column("portals", "clocks_since")
