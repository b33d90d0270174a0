"""What is known of each deal, as one relation that reports select from: `deal_figures`, by the stages of today.

Deals with at least one run, and closed ones without, of which the portal's lists tell. How a deal ended is what its
stage means in the portal's dictionary; where the stage is no longer there, what it meant when the deal was last read.
Of a deal without a run, what it does not say of its client is taken from the client itself.
"""

from typing import Final, Literal, get_args

Ending = Literal["won", "lost", "open", "deleted"]
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)


RECORDED_DEALS: Final = """
    SELECT
        deal.card_id, deal.company_id, deal.responsible, deal.created_at,
        CASE WHEN deal.deleted THEN 'deleted' ELSE coalesce(stage.ending, deal.ending) END AS ending,
        deal.closed_on, deal.amount, deal.profit, coalesce(deal.turnover, company.turnover) AS turnover,
        coalesce(deal.steam_tph, company.steam_tph) AS steam_tph, coalesce(deal.industry, company.industry) AS industry,
        deal.source, deal.judged_at
    FROM deal_figures AS deal
    LEFT JOIN past_companies AS company ON company.portal_id = deal.portal_id AND company.company_id = deal.company_id
        AND deal.judged_at IS NULL
    LEFT JOIN (
        SELECT DISTINCT ON (known->>2) known->>2 AS code,
            CASE known->>5 WHEN 'success' THEN 'won' WHEN 'failure' THEN 'lost' ELSE 'open' END AS ending
        FROM portal_dictionary AS dictionary, jsonb_array_elements(dictionary.document->'stages') AS known
        WHERE dictionary.portal_id = :portal AND known->>0 = '2'
        ORDER BY known->>2
    ) AS stage ON stage.code = deal.stage_id
    WHERE deal.portal_id = :portal AND (deal.judged_at IS NOT NULL OR deal.ending <> 'open')
"""
"""Binds `:portal`. `closed_on` is the close date; where there is none, the day of the last move between stages.
`judged_at` is NULL of a deal that no run has judged. Money is in RUB, of such a deal by the rates of when it was read.
Constants only: nothing that anybody sends is ever part of the text.
"""
