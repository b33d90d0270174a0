"""Companies by name, quotes, invoices and chats, and what people did, counted by days.

Revision: 0017, after 0016. Made 2026-11-22 05:30:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TABLES = (
    "companies", "quotes", "invoices", "chats", "activity_marks", "touches", "activity_days", "company_days",
    "company_touches",
)  # fmt: skip
_KINDS = (
    "'call_out', 'call_in', 'call_missed', 'call_unanswered', 'call_unknown', 'letter_out', 'letter_in', 'meeting',"
    " 'chat', 'quote', 'invoice', 'payment', 'sale'"
)

# Whoever writes what counts leaves a mark in the same transaction, so that no writer can forget to; one follower
# takes marks and counts anew (`app/store/touches.py`). Statement by statement, and only what changed.
_MARKS = """
CREATE FUNCTION mark_activities() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO activity_marks (portal_id, source, source_id)
        SELECT portal_id, 'activity', activity_id FROM new_rows WHERE kind NOT IN ('todo', 'task', 'other');
    ELSE
        INSERT INTO activity_marks (portal_id, source, source_id)
        SELECT now.portal_id, 'activity', now.activity_id FROM new_rows AS now
        JOIN old_rows AS before USING (portal_id, activity_id)
        WHERE (now.kind NOT IN ('todo', 'task', 'other') OR before.kind NOT IN ('todo', 'task', 'other'))
          AND (now.kind, now.happened, now.direction, now.done_at, now.done_by_id, now.owner_type_id, now.owner_id)
              IS DISTINCT FROM (before.kind, before.happened, before.direction, before.done_at, before.done_by_id,
                                before.owner_type_id, before.owner_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER activities_new_are_counted AFTER INSERT ON activities
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_activities();
CREATE TRIGGER activities_changed_are_counted AFTER UPDATE ON activities
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_activities();

CREATE FUNCTION mark_bindings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO activity_marks (portal_id, source, source_id)
    SELECT DISTINCT portal_id, 'activity', activity_id FROM changed_rows;
    RETURN NULL;
END
$$;
CREATE TRIGGER bindings_new_are_counted AFTER INSERT ON activity_bindings
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_bindings();
CREATE TRIGGER bindings_gone_are_counted AFTER DELETE ON activity_bindings
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_bindings();

CREATE FUNCTION mark_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO activity_marks (portal_id, source, source_id)
    SELECT portal_id, 'call', statistic_id FROM new_rows
    UNION
    SELECT portal_id, 'activity', activity_id FROM new_rows WHERE activity_id IS NOT NULL;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO activity_marks (portal_id, source, source_id)
        SELECT DISTINCT portal_id, 'activity', activity_id FROM old_rows WHERE activity_id IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER calls_new_are_counted AFTER INSERT ON calls
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_calls();
CREATE TRIGGER calls_changed_are_counted AFTER UPDATE ON calls
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_calls();
"""

_PAPER_MARKS = """
CREATE FUNCTION mark_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO activity_marks (portal_id, source, source_id) SELECT portal_id, '{name}', {name}_id FROM new_rows;
    RETURN NULL;
END
$$;
CREATE TRIGGER {table}_new_are_counted AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_{table}();
CREATE TRIGGER {table}_changed_are_counted AFTER UPDATE ON {table}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_{table}();
"""

# What was kept before this version counts as well.
_DONE_BEFORE = """
    UPDATE activities SET
        done_at = least(coalesce(start_at, created_at), updated_at),
        done_by_id = CASE WHEN kind = 'letter_out' THEN coalesce(author_id, responsible_id)
                          ELSE coalesce(responsible_id, author_id) END
    WHERE kind IN ('call_out', 'call_in', 'letter_out', 'letter_in', 'meeting')
      AND (happened <> 'no' OR kind = 'call_in')
"""


def _portal(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f(f"fk_{table}_portal_id"))


def _paper(table: str, name: str, comment: str) -> None:
    op.create_table(
        table,
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column(f"{name}_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("deal_id", sa.BigInteger(), nullable=True),
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column("company_id", sa.BigInteger(), nullable=True),
        sa.Column("responsible_id", sa.BigInteger(), nullable=True),
        sa.Column("made_by_id", sa.BigInteger(), nullable=True),
        sa.Column("stage_id", sa.Text(), nullable=True),
        sa.Column("semantics", sa.Text(), nullable=True),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("amount_in_currency", sa.Numeric(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("semantics IN ('process', 'success', 'failure')", name=op.f(f"ck_{table}_semantics")),
        _portal(table),
        sa.PrimaryKeyConstraint("portal_id", f"{name}_id", name=op.f(f"pk_{table}")),
        comment=comment,
    )
    op.create_index(f"ix_{table}_deal", table, ["portal_id", "deal_id"])
    op.create_index(f"ix_{table}_lead", table, ["portal_id", "lead_id"])
    op.execute(_PAPER_MARKS.format(table=table, name=name))


def _counts() -> list[sa.Column]:
    return [
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("amount_known", sa.Integer(), nullable=False),
    ]


def _counted() -> None:
    op.create_table(
        "activity_marks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_marks")),
        comment="What changed and is not counted anew yet; rows live for one sweep.",
    )
    op.create_index("ix_activity_marks_portal_id", "activity_marks", ["portal_id", "id"])
    op.create_table(
        "touches",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("main", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("talk_seconds", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_touches_kind")),
        sa.PrimaryKeyConstraint("portal_id", "source", "source_id", "company_id", name=op.f("pk_touches")),
        comment="Each thing that counts, once for each company it belongs to: what, when, who.",
    )
    op.create_index("ix_touches_company", "touches", ["portal_id", "company_id", "at"])
    op.create_table(
        "activity_days",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *_counts(),
        sa.PrimaryKeyConstraint("portal_id", "day", "user_id", "kind", name=op.f("pk_activity_days")),
        comment="What each person did on each day of the portal's calendar, added up; user 0 is nobody.",
    )
    op.create_table(
        "company_days",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *_counts(),
        sa.PrimaryKeyConstraint("portal_id", "company_id", "day", "user_id", "kind", name=op.f("pk_company_days")),
        comment="What was done for each company on each day, added up, and by whom; company 0 is none known.",
    )
    op.create_index(
        "ix_company_days_day",
        "company_days",
        ["portal_id", "day", "company_id", "user_id", "kind"],
        postgresql_include=["count"],
    )
    op.create_table(
        "company_touches",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_by_id", sa.BigInteger(), nullable=True),
        sa.Column("last_kind", sa.Text(), nullable=True),
        sa.Column("perhaps_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("portal_id", "company_id", name=op.f("pk_company_touches")),
        comment="When somebody of ours last reached each company, who and how.",
    )


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "companies",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("assigned_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        _portal("companies"),
        sa.PrimaryKeyConstraint("portal_id", "company_id", name=op.f("pk_companies")),
        comment="The portal's companies: what each is called and who is responsible for it now.",
    )
    op.add_column("activities", sa.Column("done_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("activities", sa.Column("done_by_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_calls_entity", "calls", ["portal_id", "entity_type_id", "entity_id"])
    op.execute(_DONE_BEFORE)
    op.create_table(
        "chats",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=True),
        sa.Column("user_code", sa.Text(), nullable=True),
        sa.Column("first_client_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_operator_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operator_id", sa.BigInteger(), nullable=True),
        sa.Column("client_messages", sa.Integer(), nullable=True),
        sa.Column("operator_messages", sa.Integer(), nullable=True),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wanted", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        _portal("chats"),
        sa.PrimaryKeyConstraint("portal_id", "activity_id", name=op.f("pk_chats")),
        comment="Each session of an open line: when the client wrote first, when a person answered first, who.",
    )
    op.create_index("ix_chats_wanted", "chats", ["portal_id", "read_at"], postgresql_where=sa.text("wanted"))
    _counted()
    _paper("quotes", "quote", "Proposals (CRM quotes); money in RUB by the rates of when it was read.")
    _paper("invoices", "invoice", "Invoices (smart invoices); money in RUB by the rates of when it was read.")
    op.execute(_MARKS)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for function in ("activities", "bindings", "calls", "quotes", "invoices"):
        op.execute(f"DROP FUNCTION mark_{function}() CASCADE")
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_index("ix_calls_entity", table_name="calls")
    op.drop_column("activities", "done_by_id")
    op.drop_column("activities", "done_at")
