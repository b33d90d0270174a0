"""What is known of each deal, as one relation that reports select from.

Of a deal that was judged it is what its last run recorded; of a deal that closed before, what the portal's lists tell
(`past_deals`). How a deal ended is what its stage means in the portal's dictionary; where the stage is no longer
there, what it meant when the deal was last read. A value of another kind than the reports know (an admin may map a
fact anew) is unknown.
"""

from typing import Final, Literal, get_args

Ending = Literal["won", "lost", "open", "deleted"]
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)


def _number(name: str) -> str:
    fact = f"run.facts->'{name}'"
    return f"CASE WHEN {fact}->>'kind' = 'number' THEN ({fact}->>'value')::numeric END"


_INDUSTRY = "run.facts->'industry'->'value'"

_JUDGED = f"""
    SELECT
        card.card_id, card.title, card.company_id, card.assigned_by_id AS responsible,
        coalesce(card.created_time, card.first_seen_at) AS created_at,
        card.state = 'deleted' AS deleted, card.stage_id, run.seen->>'semantics' AS semantics,
        coalesce(
            (run.seen->>'close_date')::date, ((card.moved_time AT TIME ZONE 'UTC') + CAST(:ahead AS interval))::date
        ) AS closed_on,
        {_number("amount")} AS amount,
        {_number("margin")} AS profit,
        {_number("turnover")} AS turnover,
        {_number("steam_tph")} AS steam_tph,
        CASE WHEN jsonb_typeof({_INDUSTRY}) = 'string' THEN {_INDUSTRY} #>> '{{}}' END AS industry,
        run.seen->>'source' AS source,
        card.last_run_id
    FROM cards AS card
    JOIN runs AS run ON run.id = card.last_run_id
    WHERE card.portal_id = :portal AND card.entity_type_id = 2
"""  # noqa: S608 - constants

# A deal that is known to be gone is not brought back by a list that was read before.
_PAST = """
    SELECT
        past.deal_id AS card_id, NULL AS title, past.company_id, past.responsible, past.created_at,
        false AS deleted, past.stage_id, past.semantics, past.closed_on, past.amount, past.profit,
        coalesce(past.turnover, company.turnover) AS turnover,
        coalesce(past.steam_tph, company.steam_tph) AS steam_tph,
        coalesce(past.industry, company.industry) AS industry,
        past.source, NULL AS last_run_id
    FROM past_deals AS past
    LEFT JOIN past_companies AS company USING (portal_id, company_id)
    WHERE past.portal_id = :portal AND NOT EXISTS (
        SELECT FROM cards AS card
        WHERE card.portal_id = past.portal_id AND card.entity_type_id = 2 AND card.card_id = past.deal_id
          AND (card.last_run_id IS NOT NULL OR card.state = 'deleted')
    )
"""

RECORDED_DEALS: Final = f"""
    SELECT
        deal.card_id, deal.title, deal.company_id, deal.responsible, deal.created_at,
        CASE
            WHEN deal.deleted THEN 'deleted'
            WHEN coalesce(stage.semantics, deal.semantics) = 'success' THEN 'won'
            WHEN coalesce(stage.semantics, deal.semantics) = 'failure' THEN 'lost'
            ELSE 'open'
        END AS ending,
        deal.closed_on, deal.amount, deal.profit, deal.turnover, deal.steam_tph, deal.industry, deal.source,
        deal.last_run_id
    FROM (({_JUDGED}) UNION ALL ({_PAST})) AS deal
    LEFT JOIN (
        SELECT DISTINCT ON (known->>2) known->>2 AS code, known->>5 AS semantics
        FROM portal_dictionary AS dictionary, jsonb_array_elements(dictionary.document->'stages') AS known
        WHERE dictionary.portal_id = :portal AND known->>0 = '2'
        ORDER BY known->>2
    ) AS stage ON stage.code = deal.stage_id
"""  # noqa: S608 - constants
"""Deals with at least one run, and closed ones without. Binds `:portal` and `:ahead`, how far the portal's clock is
ahead of UTC.

`closed_on` is the close date; where no run has recorded one, the day of the last move between stages. `last_run_id` is
NULL of a deal that no run has judged. Money is in RUB, of such a deal by the rates of when it was read.
Constants only: nothing that anybody sends is ever part of the text.
"""
