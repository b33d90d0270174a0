"""Managers side by side, and their departments: leads, deals, money."""

from typing import Any, Final

from app.domain.messages import Message, message
from app.reports.grouped import Grouped, Known, Measure, Tables, averaged, counted, shared, summed
from app.reports.report import Chart, Report
from app.reports.scope import Scope

# Leads made and deals closed in the period, and deals at work now; each card at most once.
_CARDS: Final = """
    SELECT 1 AS entity_type_id, one.card_id, one.responsible, NULL::numeric AS amount, NULL::numeric AS profit,
        one.created_at AS at, NULL::date AS closed_on, one.ending, one.heat, true AS made
    FROM lead_figures AS one
    WHERE one.portal_id = :portal AND NOT one.deleted AND one.created_at >= :starts AND one.created_at < :ends
      AND (CAST(:pipeline AS int) IS NULL) AND {where}
    UNION ALL
    SELECT 2, one.card_id, one.responsible, one.amount, one.profit,
        coalesce(one.closed_on::timestamptz, one.created_at), one.closed_on, one.ending, one.heat,
        one.created_at >= :starts AND one.created_at < :ends
    FROM deal_figures AS one
    WHERE one.portal_id = :portal AND NOT one.deleted
      AND (CAST(:pipeline AS int) IS NULL OR one.pipeline = :pipeline)
      AND (one.ending = 'open' OR one.created_at >= :starts AND one.created_at < :ends
           OR one.closed_on >= :since AND one.closed_on <= :until) AND {where}
"""
_OF_DEPARTMENTS: Final = f"""
    SELECT came.*, home.department FROM ({_CARDS}) AS came LEFT JOIN LATERAL (
        SELECT person.department_ids[1] AS department FROM people AS person
        WHERE person.portal_id = :portal AND person.user_id = came.responsible
    ) AS home ON true
"""  # noqa: S608 - constants
_LEAD: Final = "entity_type_id = 1"
_CLOSED: Final = "ending <> 'open' AND closed_on >= :since AND closed_on <= :until"
_WON: Final = f"{_CLOSED} AND ending = 'won'"
_LOST: Final = f"{_CLOSED} AND ending = 'lost'"

_MEASURES: Final[tuple[Measure, ...]] = (
    counted("leads", message("Leads"), _LEAD),
    counted("hot", message("Hot leads"), f"{_LEAD} AND heat = 'hot'"),
    counted("made", message("Deals made"), "entity_type_id = 2 AND made"),
    counted("open", message("Deals at work"), "entity_type_id = 2 AND ending = 'open'"),
    counted("won", message("Won"), _WON),
    counted("lost", message("Lost"), _LOST),
    shared("win_rate", message("Win rate"), "ending = 'won'", _CLOSED),
    summed("revenue", message("Revenue"), "amount", _WON),
    averaged("average", message("Average deal"), "amount", _WON),
    summed("profit", message("Profit"), "profit", _WON),
)


def _person(scope: Scope, key: str) -> str | Message:
    return scope.words.person(key)


def _department(scope: Scope, key: str) -> str | Message:
    return scope.words.department(key)


def _table(name: str, title: Message, heading: Message, **more: Any) -> Grouped:
    return Grouped(
        name=name,
        title=title,
        heading=heading,
        measures=_MEASURES,
        filters=("managers", "source", "segment"),
        known=(Known(message("Amount of won deals"), "amount IS NOT NULL", _WON),),
        **more,
    )


_TABLES: Final = Tables(
    (
        _table(
            "managers",
            message("Managers"),
            message("Manager"),
            base=_CARDS,
            key="responsible",
            label=_person,
            chart=Chart("bars", ("revenue",)),
        ),
        _table(
            "departments",
            message("Departments"),
            message("Department"),
            base=_OF_DEPARTMENTS,
            key="department",
            label=_department,
        ),
    )
)

REPORT: Final = Report(
    name="managers",
    title=message("Managers side by side"),
    definition=message(
        "Leads and deals made in the period, deals won and lost in it by their close date, deals at work today. A card "
        "is its responsible person's; a closed one is whose it was when it was closed, whoever has it today. A person "
        "counts in the first of their departments. Narrowed to a pipeline, leads are left out."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
)
