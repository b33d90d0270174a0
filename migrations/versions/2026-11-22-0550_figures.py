"""What reports count, narrow enough to be counted quickly.

Revision: 0019, after 0018. Made 2026-11-22 05:50:00+00:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TABLES = ("lead_figures", "deal_figures", "stage_stays")


def upgrade() -> None:
    # A migration that waits for a lock holds up everybody behind it: fail soon, and be run again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _figures("lead", "One narrow row for each lead: where it stands and what judging it gave; what reports count.")
    _figures("deal", "One narrow row for each deal: where it stands and what judging it gave; money in RUB.")
    op.create_index("ix_deal_figures_company", "deal_figures", ["portal_id", "company_id", "closed_on"])
    op.create_index(
        "ix_deal_figures_lead",
        "deal_figures",
        ["portal_id", "lead_id"],
        postgresql_where=sa.text("lead_id IS NOT NULL"),
    )
    op.create_table(
        "stage_stays",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity_type_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("history_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pipeline", sa.Integer(), nullable=False),
        sa.Column("stage_id", sa.Text(), nullable=False),
        sa.Column("semantics", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_stage", sa.Text(), nullable=True),
        sa.Column("how_left", sa.Text(), nullable=True),
        sa.CheckConstraint("semantics IN ('process', 'success', 'failure')", name=op.f("ck_stage_stays_semantics")),
        sa.CheckConstraint(
            "how_left IN ('moved', 'won', 'lost', 'pipeline', 'reopened')", name=op.f("ck_stage_stays_how_left")
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_stage_stays_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "entity_type_id", "card_id", "history_id", name=op.f("pk_stage_stays")),
        comment="How long each lead and deal stood in each stage and how it left, from its stage moves.",
    )
    _fill()
    op.create_index("ix_stage_stays_entered_at", "stage_stays", ["portal_id", "entity_type_id", "entered_at"])
    op.create_index("ix_stage_stays_left_at", "stage_stays", ["portal_id", "entity_type_id", "left_at"])


def _figures(kind: str, comment: str) -> None:
    table = f"{kind}_figures"
    of_lead = [
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("heat", sa.Text(), nullable=True),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("solvent", sa.Text(), nullable=True),
        sa.Column("failed", postgresql.ARRAY(sa.Text()), nullable=True),
    ]
    of_deal = [
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column("pipeline", sa.Integer(), nullable=False),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("heat", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("profit", sa.Numeric(), nullable=True),
        sa.Column("declined", sa.Boolean(), nullable=True),
        sa.Column("exemption", sa.Text(), nullable=True),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("checklist", sa.Text(), nullable=True),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=True),
    ]
    op.create_table(
        table,
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("stage_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("responsible", sa.BigInteger(), nullable=True),
        sa.Column("company_id", sa.BigInteger(), nullable=True),
        *(of_lead if kind == "lead" else of_deal),
        sa.CheckConstraint("ending IN ('open', 'won', 'lost')", name=op.f(f"ck_{table}_ending")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f(f"fk_{table}_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", "card_id", name=op.f(f"pk_{table}")),
        comment=comment,
    )
    op.create_index(f"ix_{table}_created_at", table, ["portal_id", "created_at"])
    op.create_index(
        f"ix_{table}_closed_on",
        table,
        ["portal_id", "closed_on"],
        postgresql_where=sa.text("closed_on IS NOT NULL"),
    )


def _number(name: str) -> str:
    return f"CASE WHEN run.facts->'{name}'->>'kind' = 'number' THEN (run.facts->'{name}'->>'value')::numeric END"


# What runs, lists of closed deals and stage moves have told so far. How hot a card is, whether its client can pay and
# which rules failed comes with its next run.
_STANDING = """
    card.portal_id, card.card_id, coalesce(card.created_time, card.first_seen_at), card.updated_time, card.judged_at,
    CASE WHEN run.seen->>'semantics' IN ('success', 'failure')
         THEN coalesce((run.seen->>'close_date')::date, card.moved_time::date) END,
    card.state = 'deleted',
    CASE run.seen->>'semantics' WHEN 'success' THEN 'won' WHEN 'failure' THEN 'lost' ELSE 'open' END,
    card.stage_id, run.seen->>'source', card.assigned_by_id, card.company_id
"""
_CARDS = """
    FROM cards AS card LEFT JOIN runs AS run ON run.id = card.last_run_id
    WHERE card.entity_type_id = {kind} AND (run.id IS NOT NULL OR card.state = 'deleted')
"""
_PIPELINE = r"coalesce(substring({stage} FROM '^C(\d{{1,9}}):')::int, 0)"
_FILL_LEADS = f"""
    INSERT INTO lead_figures (portal_id, card_id, created_at, updated_at, judged_at, closed_on, deleted, ending,
        stage_id, source, responsible, company_id, outcome, client, request)
    SELECT {_STANDING}, card.outcome, run.verdict->>'client', run.verdict->>'request' {_CARDS.format(kind=1)}
"""
_FILL_DEALS = f"""
    INSERT INTO deal_figures (portal_id, card_id, created_at, updated_at, judged_at, closed_on, deleted, ending,
        stage_id, source, responsible, company_id, pipeline, grade, amount, profit, declined, exemption, client,
        checklist)
    SELECT {_STANDING}, {_PIPELINE.format(stage="card.stage_id")}, card.grade, {_number("amount")},
        {_number("margin")}, (run.verdict->>'declined')::boolean, run.verdict->>'exemption', run.verdict->>'client',
        (SELECT string_agg(left(replace(item->>'truth', 'unknown', 'u'), 1), '' ORDER BY place)
         FROM jsonb_array_elements(run.verdict->'checklist') WITH ORDINALITY AS items (item, place))
    {_CARDS.format(kind=2)}
"""  # noqa: S608 - constants
_FILL_PAST = f"""
    INSERT INTO deal_figures (portal_id, card_id, created_at, closed_on, pipeline, stage_id, ending, source,
        responsible, company_id, amount, profit)
    SELECT portal_id, deal_id, coalesce(created_at, closed_on::timestamptz), closed_on,
        {_PIPELINE.format(stage="stage_id")}, stage_id, CASE semantics WHEN 'success' THEN 'won' ELSE 'lost' END,
        source, responsible, company_id, amount, profit
    FROM past_deals ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
_FILL_STAYS = """
    INSERT INTO stage_stays (portal_id, entity_type_id, card_id, history_id, pipeline, stage_id, semantics, entered_at,
        left_at, next_stage, how_left)
    SELECT portal_id, entity_type_id, card_id, history_id, coalesce(category_id, 0), stage_id,
        CASE semantics WHEN 'S' THEN 'success' WHEN 'F' THEN 'failure' ELSE 'process' END,
        created_time, CASE WHEN lead(created_time) OVER turns IS NOT NULL
            THEN greatest(lead(created_time) OVER turns, created_time) END, lead(stage_id) OVER turns,
        CASE
            WHEN lead(history_id) OVER turns IS NULL THEN NULL
            WHEN lead(semantics) OVER turns = 'S' THEN 'won'
            WHEN lead(semantics) OVER turns = 'F' THEN 'lost'
            WHEN semantics IN ('S', 'F') THEN 'reopened'
            WHEN lead(coalesce(category_id, 0)) OVER turns <> coalesce(category_id, 0) THEN 'pipeline'
            ELSE 'moved'
        END
    FROM stage_moves WHERE created_time IS NOT NULL
    WINDOW turns AS (PARTITION BY portal_id, entity_type_id, card_id ORDER BY history_id)
"""


def _fill() -> None:
    for statement in (_FILL_LEADS, _FILL_DEALS, _FILL_PAST, _FILL_STAYS):
        # As the driver takes it: a colon in a pattern is no place for a value.
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(_TABLES):
        op.drop_table(table)
