"""People, departments, calendars and absences of a portal.

Revision: 0014, after 0013. Made 2026-11-22 05:00:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLES = ("people", "departments", "team_readings", "calendars", "absences")


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "people",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("department_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_people_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "user_id", name=op.f("pk_people")),
        comment="Users of the portal as last read; those who were dismissed stay, not active.",
    )
    op.create_table(
        "departments",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("head_id", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_departments_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "department_id", name=op.f("pk_departments")),
        comment="Departments of the portal as last read.",
    )
    op.create_table(
        "team_readings",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.CheckConstraint("source IN ('people', 'departments', 'calendar')", name=op.f("ck_team_readings_source")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_team_readings_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "source", name=op.f("pk_team_readings")),
        comment="When people, departments and working hours were last read, or why the portal does not let us.",
    )
    op.create_table(
        "calendars",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope IN ('portal', 'desk', 'person')", name=op.f("ck_calendars_scope")),
        sa.CheckConstraint("source IN ('portal', 'set')", name=op.f("ck_calendars_source")),
        sa.CheckConstraint("(scope = 'portal') = (subject_id = 0)", name=op.f("ck_calendars_subject")),
        sa.CheckConstraint("source = 'set' OR scope = 'portal'", name=op.f("ck_calendars_portal_source")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_calendars_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "scope", "subject_id", "source", name=op.f("pk_calendars")),
        comment="Working time in layers: a person's over a desk's over the portal's; each says what it wants to.",
    )
    op.create_table(
        "absences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_absences_span")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_absences_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
        comment="Who is away from when until when; withdrawn ones stay, and count no more.",
    )
    op.create_index("ix_absences_portal_id_ends_at", "absences", ["portal_id", "ends_at"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(_TABLES):
        op.drop_table(table)
