"""What leads and deals tell leaves marks as well, so that sales and clients are counted by days.

Revision: 0021, after 0020. Made 2026-11-22 06:10:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# As in 0017: whoever writes leaves a mark, and only where something changed that is counted.
_MARKS = """
CREATE FUNCTION mark_lead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO activity_marks (portal_id, source, source_id) VALUES (NEW.portal_id, 'lead', NEW.card_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER leads_new_are_counted AFTER INSERT ON lead_figures FOR EACH ROW
    WHEN (NEW.company_id IS NOT NULL) EXECUTE FUNCTION mark_lead();
CREATE TRIGGER leads_changed_are_counted AFTER UPDATE OF company_id ON lead_figures FOR EACH ROW
    WHEN (NEW.company_id IS DISTINCT FROM OLD.company_id) EXECUTE FUNCTION mark_lead();

CREATE FUNCTION mark_deal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO activity_marks (portal_id, source, source_id) VALUES (NEW.portal_id, 'deal', NEW.card_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER deals_new_are_counted AFTER INSERT ON deal_figures FOR EACH ROW
    WHEN (NEW.company_id IS NOT NULL OR NEW.ending = 'won') EXECUTE FUNCTION mark_deal();
CREATE TRIGGER deals_changed_are_counted AFTER UPDATE ON deal_figures FOR EACH ROW
    WHEN (NEW.company_id IS DISTINCT FROM OLD.company_id
          OR (NEW.ending = 'won' OR OLD.ending = 'won')
             AND (NEW.ending, NEW.deleted, NEW.closed_on, NEW.responsible, NEW.amount)
                 IS DISTINCT FROM (OLD.ending, OLD.deleted, OLD.closed_on, OLD.responsible, OLD.amount))
    EXECUTE FUNCTION mark_deal();
"""
# What was kept before this version is counted with the next sweep.
_MARK_ALL = """
    INSERT INTO activity_marks (portal_id, source, source_id)
    SELECT portal_id, 'activity', activity_id FROM activities WHERE kind NOT IN ('todo', 'task', 'other')
    UNION ALL SELECT portal_id, 'call', statistic_id FROM calls WHERE activity_id IS NULL
    UNION ALL SELECT portal_id, 'sale', card_id FROM deal_figures WHERE ending = 'won'
"""


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_deal_figures_open",
        "deal_figures",
        ["portal_id", "company_id"],
        postgresql_where=sa.text("ending = 'open' AND NOT deleted"),
    )
    op.create_index(
        "ix_lead_figures_company",
        "lead_figures",
        ["portal_id", "company_id"],
        postgresql_where=sa.text("company_id IS NOT NULL"),
    )
    op.execute(_MARKS)
    op.execute(_MARK_ALL)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for function in ("lead", "deal"):
        op.execute(f"DROP FUNCTION mark_{function}() CASCADE")
    op.drop_index("ix_lead_figures_company", table_name="lead_figures")
    op.drop_index("ix_deal_figures_open", table_name="deal_figures")
