"""The first schema: portals, journal, rulesets, cards, runs and what goes with them.

Revision: 0001, the first. Made 2026-11-21 23:22:04.975720+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RULESETS_ARE_KEPT = """
CREATE FUNCTION rulesets_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A published ruleset is never changed nor deleted; publish a new version.';
END
$$;
CREATE TRIGGER rulesets_are_kept BEFORE UPDATE OR DELETE ON rulesets
    FOR EACH ROW EXECUTE FUNCTION rulesets_are_kept();
"""


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("portal_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("value", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("name", "portal_id", "day", name=op.f("pk_counters")),
        comment="Daily counts of what leaves no row, e.g. rejected deliveries. Portal 0: none known.",
    )
    op.create_table(
        "gaps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gaps")),
        comment="Times in which deliveries may have been lost, and when a sweep made up for them.",
    )
    op.create_index("ix_gaps_unswept", "gaps", ["id"], unique=False, postgresql_where=sa.text("swept_at IS NULL"))
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), nullable=True),
        sa.Column("card_id", sa.BigInteger(), nullable=True),
        sa.Column("change", sa.Text(), nullable=True),
        sa.Column("lane", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("body", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "source IN ('webhook', 'robot', 'sweep', 'timer', 'replay', 'rules')", name=op.f("ck_journal_source")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        comment="Everything that ever asked for a card to be judged, in order of arrival; the queue's record.",
    )
    op.create_index(
        "ix_journal_portal_id_card", "journal", ["portal_id", "entity_type_id", "card_id", "id"], unique=False
    )
    op.create_index(
        "ix_journal_undispatched",
        "journal",
        ["lane", "id"],
        unique=False,
        postgresql_where=sa.text("dispatched_at IS NULL AND rejected IS NULL"),
    )
    op.create_table(
        "portals",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("webhook_url_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("application_tokens_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("requests_per_second", sa.DOUBLE_PRECISION(), server_default=sa.text("2"), nullable=False),
        sa.Column("burst", sa.Integer(), server_default=sa.text("50"), nullable=False),
        sa.Column("language", sa.Text(), server_default=sa.text("'ru'"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("integration_user_id", sa.BigInteger(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portals")),
        sa.UniqueConstraint("domain", name=op.f("uq_portals_domain")),
        sa.UniqueConstraint("member_id", name=op.f("uq_portals_member_id")),
        comment="One row per Bitrix24 account we serve; secrets are sealed with SECRET_KEY.",
    )
    op.create_table(
        "request_buckets",
        sa.Column("portal_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.DOUBLE_PRECISION(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("portal_id", name=op.f("pk_request_buckets")),
        comment="How full each portal's request bucket is; shared by all processes, forgotten by a crash.",
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "cards",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("stage_id", sa.Text(), nullable=True),
        sa.Column("assigned_by_id", sa.BigInteger(), nullable=True),
        sa.Column("company_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("why", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("checklist", sa.Text(), nullable=True),
        sa.Column("facts_digest", sa.Text(), nullable=True),
        sa.Column("last_run_id", sa.BigInteger(), nullable=True),
        sa.Column("created_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_by", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'final', 'deleted', 'parked')", name=op.f("ck_cards_state")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_cards_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "card_id", name=op.f("pk_cards")),
        comment="What we know of each card after its last run: one row per lead, deal or company.",
    )
    op.create_index("ix_cards_company", "cards", ["portal_id", "company_id"], unique=False)
    op.create_index("ix_cards_grade", "cards", ["portal_id", "entity_type_id", "grade", "judged_at"], unique=False)
    op.create_index("ix_cards_listing", "cards", ["portal_id", "entity_type_id", "judged_at", "card_id"], unique=False)
    op.create_index("ix_cards_outcome", "cards", ["portal_id", "entity_type_id", "outcome", "judged_at"], unique=False)
    op.create_index(
        "ix_cards_parked", "cards", ["portal_id"], unique=False, postgresql_where=sa.text("state = 'parked'")
    )
    op.create_table(
        "portal_dictionary",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_portal_dictionary_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", name=op.f("pk_portal_dictionary")),
        comment="What a portal calls things: fields, pipelines, stages, users, rates; as last read.",
    )
    op.create_table(
        "rulesets",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_rulesets_version")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_rulesets_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "version", name=op.f("pk_rulesets")),
        comment="Every version of a portal's rules; never changed nor deleted, the highest is in force.",
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), nullable=False),
        sa.Column("card_id", sa.BigInteger(), nullable=False),
        sa.Column("journal_id", sa.BigInteger(), nullable=True),
        sa.Column("ruleset_version", sa.Integer(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("seen", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("facts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("facts_digest", sa.Text(), nullable=False),
        sa.Column("verdict", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("plan", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("mode IN ('live', 'shadow')", name=op.f("ck_runs_mode")),
        sa.CheckConstraint("status IN ('open', 'done', 'failed', 'parked', 'abandoned')", name=op.f("ck_runs_status")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_runs_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        comment="Every pass of a card through the flow, with the facts it was judged on; kept for ever.",
    )
    op.create_index("ix_runs_card", "runs", ["portal_id", "entity_type_id", "card_id", "id"], unique=False)
    op.create_index(
        "ix_runs_open", "runs", ["portal_id", "opened_at"], unique=False, postgresql_where=sa.text("status = 'open'")
    )
    op.create_table(
        "timers",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_timers_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "card_id", "reason", name=op.f("pk_timers")),
        comment="When a card wants to be judged again without anything having changed; one per card and reason.",
    )
    op.create_index("ix_timers_due", "timers", ["due_at"], unique=False, postgresql_where=sa.text("fired_at IS NULL"))
    op.create_table(
        "actions",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'started', 'done', 'skipped', 'failed')", name=op.f("ck_actions_state")
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_actions_portal_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_actions_run_id")),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_actions")),
        sa.UniqueConstraint("run_id", "key", name=op.f("uq_actions_run_id_key")),
        comment="Each single write a run planned, and what became of it; the key is the same in every run.",
    )
    op.create_index("ix_actions_portal_id_key", "actions", ["portal_id", "key"], unique=False)
    op.execute(RULESETS_ARE_KEPT)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_actions_portal_id_key", table_name="actions")
    op.drop_table("actions")
    op.drop_index("ix_timers_due", table_name="timers", postgresql_where=sa.text("fired_at IS NULL"))
    op.drop_table("timers")
    op.drop_index("ix_runs_open", table_name="runs", postgresql_where=sa.text("status = 'open'"))
    op.drop_index("ix_runs_card", table_name="runs")
    op.drop_table("runs")
    op.drop_table("rulesets")
    op.execute("DROP FUNCTION rulesets_are_kept")
    op.drop_table("portal_dictionary")
    op.drop_index("ix_cards_parked", table_name="cards", postgresql_where=sa.text("state = 'parked'"))
    op.drop_index("ix_cards_outcome", table_name="cards")
    op.drop_index("ix_cards_listing", table_name="cards")
    op.drop_index("ix_cards_grade", table_name="cards")
    op.drop_index("ix_cards_company", table_name="cards")
    op.drop_table("cards")
    op.drop_table("request_buckets")
    op.drop_table("portals")
    op.drop_index(
        "ix_journal_undispatched",
        table_name="journal",
        postgresql_where=sa.text("dispatched_at IS NULL AND rejected IS NULL"),
    )
    op.drop_index("ix_journal_portal_id_card", table_name="journal")
    op.drop_table("journal")
    op.drop_index("ix_gaps_unswept", table_name="gaps", postgresql_where=sa.text("swept_at IS NULL"))
    op.drop_table("gaps")
    op.drop_table("counters")
