"""The queue: procrastinate's own schema, as the pinned version 3.10 ships it.

Revision: 0002, after 0001. Made 2026-11-21 23:01:00+00:00.

A newer procrastinate brings SQL files of its own (`SchemaManager.get_migrations_path`): each becomes a
migration here, and this one then has to keep the old text. `tests/store/test_store_migrate.py` notices.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DROP = """
DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers CASCADE;
DO $$
DECLARE name regprocedure;
BEGIN
    FOR name IN SELECT oid::regprocedure FROM pg_proc
        WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = current_schema::regnamespace
    LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', name);
    END LOOP;
END $$;
DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type, procrastinate_job_status;
"""


def upgrade() -> None:
    # Without parameters: the text's percent signs and colons are its own.
    op.get_bind().exec_driver_sql(SchemaManager.get_schema(), execution_options={"no_parameters": True})


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DROP, execution_options={"no_parameters": True})
