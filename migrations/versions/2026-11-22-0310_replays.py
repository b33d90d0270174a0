"""What previews and replays need: the cards behind a run's facts, the replays and the cards that change in them.

Revision: 0007, after 0006. Made 2026-11-22 03:10:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("runs", sa.Column("snapshot", _JSON, nullable=True))
    op.create_table(
        "replays",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("draft", _JSON, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("looked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("card_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tally", _JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'cancelled', 'failed')", name=op.f("ck_replays_state")
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_replays_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
        comment="Drafts of rules tried on recorded cards: what was asked, how far it is, what came of it.",
    )
    op.create_index(
        "ix_replays_unfinished", "replays", ["id"], postgresql_where=sa.text("state IN ('waiting', 'running')")
    )
    op.create_index("ix_replays_portal_id", "replays", ["portal_id", "id"])
    op.create_table(
        "replay_cards",
        sa.Column("replay_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("gap", sa.Text(), nullable=True),
        sa.Column("truth", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["replay_id"], ["replays.id"], name=op.f("fk_replay_cards_replay_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("replay_id", "entity_type_id", "card_id", name=op.f("pk_replay_cards")),
        comment="The cards that a replay changes, or cannot compare, with what became of them in truth.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("replay_cards")
    op.drop_table("replays")
    op.drop_column("runs", "snapshot")
