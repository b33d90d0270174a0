"""Channels by quality: what the leads of each source were worth, not only how many they were."""

from typing import Final

from app.domain.messages import Message, message
from app.reports.grouped import CREATED, Grouped, Known, Tables, averaged, counted, shared, summed
from app.reports.relations import LEAD_FILTERS, LEADS
from app.reports.report import Chart, Report
from app.reports.scope import Scope

# A lead has one deal; where there were more in spite of that, their money counts together.
_LEADS_WITH_DEALS: Final = f"""
    WITH came AS MATERIALIZED ({LEADS})
    SELECT came.entity_type_id, came.card_id, came.responsible, came.source, came.at, came.judged_at, came.heat,
        came.solvent, came.client, sold.amount, sold.profit, sold.lead_id IS NOT NULL AS has_deal,
        coalesce(sold.won, false) AS won
    FROM came LEFT JOIN (
        SELECT lead_id, bool_or(ending = 'won') AS won, sum(amount) FILTER (WHERE ending = 'won') AS amount,
            sum(profit) FILTER (WHERE ending = 'won') AS profit
        FROM deal_figures WHERE portal_id = :portal AND NOT deleted AND lead_id IN (SELECT card_id FROM came)
        GROUP BY lead_id
    ) AS sold ON sold.lead_id = came.card_id
"""  # noqa: S608 - constants
_JUDGED: Final = "judged_at IS NOT NULL AND heat IS NOT NULL"
_SOLVENCY_KNOWN: Final = "solvent IN ('yes', 'no')"


def _label(scope: Scope, key: str) -> str | Message:
    return scope.words.source(key)


_TABLES: Final = Tables(
    (
        Grouped(
            name="sources",
            title=message("Leads by source and what became of them"),
            heading=message("Source"),
            base=_LEADS_WITH_DEALS,
            key="source",
            label=_label,
            measures=(
                counted("leads", message("Leads")),
                shared("hot", message("Hot"), "heat = 'hot'", _JUDGED),
                shared("solvent", message("Can pay"), "solvent = 'yes'", _SOLVENCY_KNOWN),
                shared("target", message("Target clients"), "client = 'yes'", "client IN ('yes', 'no')"),
                shared("with_deal", message("Became deals"), "has_deal"),
                counted("won", message("Won"), "won"),
                summed("revenue", message("Revenue"), "amount"),
                summed("profit", message("Profit"), "profit"),
                averaged("each", message("Revenue of a lead"), "coalesce(amount, 0)"),
            ),
            period=CREATED,
            filters=LEAD_FILTERS,
            known=(
                Known(message("Source"), "source IS NOT NULL"),
                Known(message("Whether the client can pay"), _SOLVENCY_KNOWN),
                Known(message("Amount of won deals"), "amount IS NOT NULL", "won"),
            ),
            chart=Chart("bars", ("revenue",)),
        ),
    )
)

REPORT: Final = Report(
    name="channels",
    title=message("Channels by quality"),
    definition=message(
        "Leads made in the period by their source. Hot: the rules call the lead so. Can pay: it meets the rules on "
        "turnover; counted of those of which it is known. Money is of the deals that were made of these leads and won "
        "until today, in RUB."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
    filters=frozenset({"period", "manager", "department", "pool", "source", "segment"}),
)
