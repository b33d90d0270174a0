"""What is recorded of each deal after its last run, as one relation that reports select from.

How a deal ended is what its stage means in the portal's dictionary; where the stage is no longer there, what it meant
when the deal was last read. A value of another kind than the reports know (an admin may map a fact anew) is unknown.
"""

from typing import Final, Literal, get_args

Ending = Literal["won", "lost", "open", "deleted"]
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)


def _number(name: str) -> str:
    fact = f"run.facts->'{name}'"
    return f"CASE WHEN {fact}->>'kind' = 'number' THEN ({fact}->>'value')::numeric END"


_INDUSTRY = "run.facts->'industry'->'value'"

RECORDED_DEALS: Final = f"""
    SELECT
        card.card_id, card.title, card.company_id, card.assigned_by_id AS responsible,
        coalesce(card.created_time, card.first_seen_at) AS created_at,
        CASE
            WHEN card.state = 'deleted' THEN 'deleted'
            WHEN coalesce(stage.semantics, run.seen->>'semantics') = 'success' THEN 'won'
            WHEN coalesce(stage.semantics, run.seen->>'semantics') = 'failure' THEN 'lost'
            ELSE 'open'
        END AS ending,
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
    LEFT JOIN (
        SELECT DISTINCT ON (known->>2) known->>2 AS code, known->>5 AS semantics
        FROM portal_dictionary AS dictionary, jsonb_array_elements(dictionary.document->'stages') AS known
        WHERE dictionary.portal_id = :portal AND known->>0 = '2'
        ORDER BY known->>2
    ) AS stage ON stage.code = card.stage_id
    WHERE card.portal_id = :portal AND card.entity_type_id = 2
"""  # noqa: S608 - constants
"""Deals with at least one run. Binds `:portal` and `:ahead`, how far the portal's clock is ahead of UTC.

`closed_on` is the close date; where no run has recorded one, the day of the last move between stages.
Money is in RUB. Constants only: nothing that anybody sends is ever part of the text.
"""
