"""Named API tokens with roles, and the audit log that cannot be edited.

Revision: 0005, after 0004. Made 2026-11-22 02:45:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# By statement, not by row: a TRUNCATE has no rows, and a statement that would hit none is refused too.
# ALWAYS: it fires even where session_replication_role switches ordinary triggers off.
AUDIT_IS_KEPT = """
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is only ever added to.';
END
$$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_is_kept;
"""


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('viewer', 'head', 'admin')", name=op.f("ck_api_tokens_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        comment="Who may use the API and the pages, with which role; of each secret only a hash. Kept for ever.",
    )
    op.create_index(
        "uq_api_tokens_live_name",
        "api_tokens",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=True),
        sa.Column("detail", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_audit_log_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        comment="Who changed what and when; a trigger refuses every UPDATE, DELETE and TRUNCATE.",
    )
    op.create_index("ix_audit_log_who", "audit_log", ["who", "id"], unique=False)
    op.create_index("ix_audit_log_what", "audit_log", ["what", "id"], unique=False)
    op.create_index("ix_audit_log_subject", "audit_log", ["subject", "id"], unique=False)
    op.execute(AUDIT_IS_KEPT)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION audit_is_kept")
    op.drop_table("api_tokens")
