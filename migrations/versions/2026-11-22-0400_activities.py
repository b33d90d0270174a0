"""What people did, kept by us: activities with the cards they belong to, calls, owners of cards, how far each reaches.

Revision: 0012, after 0011. Made 2026-11-22 04:00:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KINDS = "'call_out', 'call_in', 'letter_out', 'letter_in', 'meeting', 'chat', 'todo', 'task', 'other'"
_TABLES = ("activities", "activity_bindings", "calls", "owner_changes", "histories")


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "activities",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("owner_type_id", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("responsible_id", sa.BigInteger(), nullable=True),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("talk_seconds", sa.Integer(), nullable=True),
        sa.Column("happened", sa.Text(), nullable=False),
        sa.Column("why_unknown", sa.Text(), nullable=True),
        sa.Column("bindings_known", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_activities_kind")),
        sa.CheckConstraint("happened IN ('yes', 'no', 'unknown')", name=op.f("ck_activities_happened")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_activities_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "activity_id", name=op.f("pk_activities")),
        comment="What people did: calls, letters, meetings, chats, to-dos, as the portal's activities tell it.",
    )
    op.create_index("ix_activities_owner", "activities", ["portal_id", "owner_type_id", "owner_id", "activity_id"])
    op.create_index("ix_activities_responsible", "activities", ["portal_id", "responsible_id", "start_at"])
    op.create_table(
        "activity_bindings",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("activity_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_activity_bindings_portal_id")),
        sa.PrimaryKeyConstraint(
            "portal_id", "entity_type_id", "card_id", "activity_id", name=op.f("pk_activity_bindings")
        ),
        comment="Every card that an activity belongs to, the owner among them.",
    )
    op.create_index("ix_activity_bindings_activity", "activity_bindings", ["portal_id", "activity_id"])
    op.create_table(
        "calls",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("statistic_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("talk_seconds", sa.Integer(), nullable=True),
        sa.Column("failed_code", sa.Text(), nullable=True),
        sa.Column("entity_type_id", sa.Integer(), nullable=True),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("activity_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_calls_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "statistic_id", name=op.f("pk_calls")),
        comment="Each call by the portal's call statistics: who, when, how long, with what result.",
    )
    op.create_index("ix_calls_activity", "calls", ["portal_id", "activity_id"])
    op.create_index("ix_calls_user", "calls", ["portal_id", "user_id", "started_at"])
    op.create_table(
        "owner_changes",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_owner_changes_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "card_id", "since", name=op.f("pk_owner_changes")),
        comment="Who was responsible for a card since when, as we saw it; the portal keeps no such history.",
    )
    op.create_table(
        "histories",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("whole_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_histories_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "source", name=op.f("pk_histories")),
        comment="From when on each source of a portal's past is kept whole, and whether it can be read at all.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(_TABLES):
        op.drop_table(table)
