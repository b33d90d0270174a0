"""Why leads and deals are lost and declined, and from which stage."""

from typing import Any, Final

from app.domain.messages import Message, message
from app.domain.wording import called
from app.reports.grouped import CARDS, CLOSED, Grouped, Known, Tables, counted, shared, summed
from app.reports.relations import DEALS, LEAD_FILTERS, LEADS, by_stage, stage_label
from app.reports.report import Chart, Report
from app.reports.scope import Scope

_LEAD, _DEAL = 1, 2

# The last hop into a failure is how the card was lost; a deal that was reopened since is not lost.
_LOST_FROM: Final = """
    SELECT came.entity_type_id, came.card_id, came.responsible, came.amount, came.at, came.pipeline,
        came.stage_id AS reason, hop.stage_id AS from_stage, {extra} AS declined
    FROM ({cards}) AS came LEFT JOIN LATERAL (
        SELECT stay.stage_id FROM stage_stays AS stay
        WHERE stay.portal_id = :portal AND stay.entity_type_id = {kind} AND stay.card_id = came.card_id
          AND stay.how_left = 'lost' AND stay.semantics = 'process'
        ORDER BY stay.history_id DESC LIMIT 1
    ) AS hop ON true
"""
_DEALS_LOST: Final = (
    _LOST_FROM.replace("{cards}", DEALS).replace("{kind}", "2").replace("{extra}", "coalesce(came.declined, false)")
)
_LEADS_LOST: Final = (
    _LOST_FROM.replace("{cards}", LEADS).replace("{kind}", "1").replace("{extra}", "came.outcome = 'junk'")
)
_FAILED: Final = f"""
    SELECT came.*, why.criterion FROM ({LEADS}) AS came
    LEFT JOIN LATERAL unnest(came.failed) AS why (criterion) ON true
"""  # noqa: S608 - constants
_LOST_IN_PERIOD: Final = f"one.ending = 'lost' AND {CLOSED}"
_FROM: Final = "pipeline || ':' || from_stage"
_REASON: Final = "pipeline || ':' || from_stage || ' ' || reason"


def _reason(entity_type_id: int) -> Any:
    def label(scope: Scope, key: str) -> str | Message:
        if not key:
            return message("not known")
        before, _, reason = key.partition(" ")
        pipeline = before.partition(":")[0]
        first, second = (scope.words.stage_said(entity_type_id, one) for one in (before, f"{pipeline}:{reason}"))
        return message("{stage}: {reason}", stage=first, reason=second)

    return label


def _criterion(_scope: Scope, key: str) -> Message:
    return called(key) if key else message("no rule failed for certain")


_DECLINED: Final = "declined"
_HISTORY: Final = Known(message("Stage before the loss"), "from_stage IS NOT NULL")
_MONEY: Final = summed("money", message("Money lost"), "amount")

_TABLES: Final = Tables(
    (
        Grouped(
            name="deals",
            title=message("Lost deals by the stage they were lost from"),
            heading=message("Stage"),
            base=_DEALS_LOST,
            key=_FROM,
            label=stage_label(_DEAL),
            measures=(
                counted("lost", message("Lost")),
                shared("declined", message("Declined by the rules"), _DECLINED),
                _MONEY,
            ),
            period=_LOST_IN_PERIOD,
            known=(_HISTORY, Known(message("Amount of lost deals"), "amount IS NOT NULL")),
            chart=Chart("bars", ("lost",)),
            finish=by_stage(_DEAL),
        ),
        Grouped(
            name="reasons",
            title=message("Lost deals by stage and reason"),
            heading=message("Stage and reason"),
            base=_DEALS_LOST,
            key=_REASON,
            label=_reason(_DEAL),
            measures=(counted("lost", message("Lost")), _MONEY),
            period=_LOST_IN_PERIOD,
        ),
        Grouped(
            name="leads",
            title=message("Lost leads by stage and reason"),
            heading=message("Stage and reason"),
            base=_LEADS_LOST,
            key=_REASON,
            label=_reason(_LEAD),
            measures=(counted("lost", message("Lost")), counted("junk", message("Junk by the rules"), _DECLINED)),
            period=_LOST_IN_PERIOD,
            filters=LEAD_FILTERS,
        ),
        Grouped(
            name="rules",
            title=message("Rules that lost leads did not meet"),
            heading=message("Rule"),
            base=_FAILED,
            key="criterion",
            label=_criterion,
            measures=(
                counted("lost", message("Lost leads"), each=CARDS),
                counted("junk", message("Junk by the rules"), "outcome = 'junk'", each=CARDS),
            ),
            period=_LOST_IN_PERIOD,
            filters=LEAD_FILTERS,
        ),
    )
)

REPORT: Final = Report(
    name="losses",
    title=message("Losses and declines: why, and from which stage"),
    definition=message(
        "Leads and deals that stand in a failure stage, by the day they closed. The stage is the working one from "
        "which the card was lost the last time; the reason is the failure stage in which it stands, as the portal "
        "names it. Declined: by the rules of its last run. A lead that failed several rules counts under each."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
)
