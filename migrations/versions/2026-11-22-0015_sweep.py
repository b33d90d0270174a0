"""What the sweep keeps: cursors, rounds, stage moves, changed cards; and how tables of high turnover are vacuumed.

Revision: 0003, after 0002. Made 2026-11-22 00:15:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Every row of these tables is rewritten or deleted within minutes or days. By the default a table is vacuumed when
# a fifth of it is dead; here when a fiftieth is, so that deleted rows make room for new ones (docs/adr/0005).
_TURNED_OVER = ("journal", "procrastinate_jobs", "procrastinate_events", "timers")
_VACUUM = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "2000",
    "autovacuum_vacuum_cost_delay": "0",
}


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "cursors",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("floor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("through", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_cursors_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "source", name=op.f("pk_cursors")),
        comment="How far each source of the sweep has been read without an error, by portal; it resumes there.",
    )
    op.create_table(
        "sweeps",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("complete_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gap_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("utc_offset", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_sweeps_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", name=op.f("pk_sweeps")),
        comment="The state of sweeping, one row per portal: when, how far, and what went wrong.",
    )
    op.create_table(
        "stage_moves",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("history_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), nullable=False),
        sa.Column("type_id", sa.SmallInteger(), nullable=False),
        sa.Column("stage_id", sa.Text(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("semantics", sa.Text(), nullable=True),
        sa.Column("created_time", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_stage_moves_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "history_id", name=op.f("pk_stage_moves")),
        comment="Each hop of a card between stages, from the portal's stage history; kept for reports.",
    )
    op.create_index("ix_stage_moves_card", "stage_moves", ["portal_id", "entity_type_id", "card_id", "history_id"])
    op.create_table(
        "changed_cards",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_changed_cards_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "day", "entity_type_id", "card_id", name=op.f("pk_changed_cards")),
        comment="Which leads and deals a sweep saw changed, by the portal's calendar day; proof of completeness.",
    )
    op.add_column("cards", sa.Column("read_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("cards", sa.Column("swept_time", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_journal_received_at", "journal", ["received_at"], postgresql_using="brin")
    for table in _TURNED_OVER:
        values = ", ".join(f"{name} = {value}" for name, value in _VACUUM.items())
        op.execute(f"ALTER TABLE {table} SET ({values})")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in _TURNED_OVER:
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(_VACUUM)})")
    op.drop_index("ix_journal_received_at", table_name="journal")
    op.drop_column("cards", "swept_time")
    op.drop_column("cards", "read_at")
    op.drop_table("changed_cards")
    op.drop_table("stage_moves")
    op.drop_table("sweeps")
    op.drop_table("cursors")
