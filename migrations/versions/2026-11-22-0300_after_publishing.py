"""What follows the publishing of rules: judging again, the effect after 14 days, the second look at rejections.

Revision: 0006, after 0005. Made 2026-11-22 03:00:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
# As with the audit log: by statement, and whatever session_replication_role says.
_EFFECTS_ARE_KEPT = """
CREATE FUNCTION ruleset_effects_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The effect of a version is written once and never changed.';
END
$$;
CREATE TRIGGER ruleset_effects_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ruleset_effects
    FOR EACH STATEMENT EXECUTE FUNCTION ruleset_effects_are_kept();
ALTER TABLE ruleset_effects ENABLE ALWAYS TRIGGER ruleset_effects_are_kept;
"""


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "rejudgings",
        sa.Column("portal_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entity_type_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("card_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("waiting", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("judged", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("parked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("deleted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("changes", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["portal_id", "version"], ["rulesets.portal_id", "rulesets.version"], name=op.f("fk_rejudgings_portal_id")
        ),
        sa.PrimaryKeyConstraint("portal_id", "version", name=op.f("pk_rejudgings")),
        comment="How far the open cards are that each published version of the rules has judged again.",
    )
    op.create_table(
        "ruleset_effects",
        sa.Column("portal_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["portal_id", "version"],
            ["rulesets.portal_id", "rulesets.version"],
            name=op.f("fk_ruleset_effects_portal_id"),
        ),
        sa.PrimaryKeyConstraint("portal_id", "version", name=op.f("pk_ruleset_effects")),
        comment="What a version of the rules made of its first 14 days' cards; computed once, never changed.",
    )
    op.execute(_EFFECTS_ARE_KEPT)
    op.create_table(
        "second_look_weeks",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("population", _JSON, nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_second_look_weeks_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "week", name=op.f("pk_second_look_weeks")),
        comment="The weekly draw of rejected leads: a row for each portal and week, so that it happens once.",
    )
    op.create_table(
        "second_looks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("card_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("facts_digest", sa.Text(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_how", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.CheckConstraint("answer IN ('right', 'wrong')", name=op.f("ck_second_looks_answer")),
        sa.CheckConstraint("answered_how IN ('api', 'portal')", name=op.f("ck_second_looks_answered_how")),
        sa.ForeignKeyConstraint(
            ["portal_id", "week"],
            ["second_look_weeks.portal_id", "second_look_weeks.week"],
            name=op.f("fk_second_looks_portal_id"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_second_looks_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_looks")),
        sa.UniqueConstraint("portal_id", "card_id", "week", name=op.f("uq_second_looks_portal_id_card_id_week")),
        comment="Leads whose rejection was drawn for a person to look at again, and what the person said.",
    )
    op.create_index("ix_runs_opened_at", "runs", ["opened_at"], postgresql_using="brin")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_runs_opened_at", table_name="runs")
    op.drop_table("second_looks")
    op.drop_table("second_look_weeks")
    op.drop_table("ruleset_effects")
    op.execute("DROP FUNCTION ruleset_effects_are_kept")
    op.drop_table("rejudgings")
