"""What is known of a deal's client stands in its narrow row, so that no report unpacks what runs have recorded.

Revision: 0022, after 0021. Made 2026-11-22 07:10:00+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_NUMBER = "CASE WHEN run.facts->'{0}'->>'kind' = 'number' THEN (run.facts->'{0}'->>'value')::numeric END"
_INDUSTRY = "run.facts->'industry'->'value'"
_FILL_JUDGED = f"""
    UPDATE deal_figures AS known SET
        industry = CASE WHEN jsonb_typeof({_INDUSTRY}) = 'string' THEN {_INDUSTRY} #>> '{{}}' END,
        turnover = {_NUMBER.format("turnover")}, steam_tph = {_NUMBER.format("steam_tph")}
    FROM cards AS card JOIN runs AS run ON run.id = card.last_run_id
    WHERE card.entity_type_id = 2 AND known.portal_id = card.portal_id AND known.card_id = card.card_id
      AND known.judged_at IS NOT NULL
"""  # noqa: S608 - constants
_FILL_PAST = """
    UPDATE deal_figures AS known SET
        industry = past.industry, turnover = past.turnover, steam_tph = past.steam_tph
    FROM past_deals AS past
    WHERE known.portal_id = past.portal_id AND known.card_id = past.deal_id AND known.judged_at IS NULL
"""


_ORDER = (sa.text("judged_at DESC NULLS LAST"), sa.text("card_id DESC"))


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("deal_figures", sa.Column("industry", sa.Text(), nullable=True))
    op.add_column("deal_figures", sa.Column("turnover", sa.Numeric(), nullable=True))
    op.add_column("deal_figures", sa.Column("steam_tph", sa.Numeric(), nullable=True))
    for statement in (_FILL_JUDGED, _FILL_PAST):
        op.get_bind().exec_driver_sql(statement)
    for name in ("listing", "outcome", "grade"):
        op.drop_index(f"ix_cards_{name}", table_name="cards")
    # Lists of cards are in this very order; an index in another one leaves a million rows to be sorted for a page.
    op.create_index("ix_cards_listing", "cards", ["portal_id", *_ORDER])
    op.create_index("ix_cards_type", "cards", ["portal_id", "entity_type_id", *_ORDER])
    op.create_index("ix_cards_outcome", "cards", ["portal_id", "entity_type_id", "outcome", *_ORDER])
    op.create_index("ix_cards_grade", "cards", ["portal_id", "entity_type_id", "grade", *_ORDER])
    op.create_index("ix_cards_counted", "cards", ["portal_id", "entity_type_id", "outcome", "grade", "state"])
    op.create_index(
        "ix_stage_stays_stood",
        "stage_stays",
        ["portal_id", "card_id", "pipeline", "stage_id"],
        postgresql_where=sa.text("entity_type_id = 2 AND semantics = 'process'"),
    )
    op.create_index(
        "ix_stage_stays_until",
        "stage_stays",
        ["portal_id", "left_at"],
        postgresql_include=["card_id", "pipeline", "stage_id", "entered_at"],
        postgresql_where=sa.text("entity_type_id = 2 AND semantics = 'process'"),
    )
    op.create_index(
        "ix_lead_figures_potential",
        "lead_figures",
        ["portal_id", "company_id"],
        postgresql_where=sa.text("NOT deleted AND (ending = 'open' AND client = 'yes' OR outcome = 'company')"),
    )
    op.create_index(
        "ix_deal_figures_won",
        "deal_figures",
        ["portal_id", "company_id", "closed_on", "card_id"],
        postgresql_include=["amount", "profit"],
        postgresql_where=sa.text("ending = 'won' AND NOT deleted"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_lead_figures_potential", table_name="lead_figures")
    op.drop_index("ix_deal_figures_won", table_name="deal_figures")
    op.drop_index("ix_stage_stays_until", table_name="stage_stays")
    op.drop_index("ix_stage_stays_stood", table_name="stage_stays")
    for name in ("listing", "type", "outcome", "grade", "counted"):
        op.drop_index(f"ix_cards_{name}", table_name="cards")
    op.create_index("ix_cards_listing", "cards", ["portal_id", "entity_type_id", "judged_at", "card_id"])
    for name in ("outcome", "grade"):
        op.create_index(f"ix_cards_{name}", "cards", ["portal_id", "entity_type_id", name, "judged_at"])
    for name in ("industry", "turnover", "steam_tph"):
        op.drop_column("deal_figures", name)
