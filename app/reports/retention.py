"""Clients who buy again, who fell asleep and who came back, and what a client brings over all the time we know."""

from collections.abc import Mapping
from typing import Any, Final

from app.domain.messages import Message, message
from app.reports.grouped import CLOSED, Grouped, Known, Tables, averaged, counted, shared, summed
from app.reports.report import Chart, Report, Row
from app.reports.scope import Scope

# What a purchase is depends on all purchases of the client, whoever asks about which of them.
_PURCHASES: Final = """
    SELECT 2 AS entity_type_id, one.*, one.closed_on::timestamptz AS at,
        CASE
            WHEN one.company_id IS NULL THEN NULL
            WHEN one.before IS NULL THEN 'first'
            WHEN one.closed_on - one.before > CAST(:sleeping AS int) THEN 'won_back'
            ELSE 'repeat'
        END AS kind
    FROM (
        SELECT deal.*, lag(deal.closed_on) OVER (PARTITION BY deal.company_id ORDER BY deal.closed_on, deal.card_id)
            AS before
        FROM deal_figures AS deal
        WHERE deal.portal_id = :portal AND NOT deal.deleted AND deal.ending = 'won' AND deal.closed_on IS NOT NULL
    ) AS one WHERE {where}
"""
_CLIENTS: Final = """
    SELECT 4 AS entity_type_id, one.company_id AS card_id, NULL::bigint AS responsible, sum(one.amount) AS amount,
        sum(one.profit) AS profit, max(one.closed_on)::timestamptz AS at, count(*) AS purchases,
        min(one.closed_on) AS first_on, (array_agg(one.closed_on ORDER BY one.closed_on, one.card_id))[2] AS second_on,
        CASE
            WHEN CAST(:until AS date) - max(one.closed_on) <= CAST(:sleeping AS int) THEN 'active'
            WHEN CAST(:since AS date) - max(one.closed_on) <= CAST(:sleeping AS int) THEN 'fell_asleep'
            ELSE 'asleep'
        END AS state
    FROM deal_figures AS one
    WHERE one.portal_id = :portal AND NOT one.deleted AND one.ending = 'won' AND one.company_id IS NOT NULL
      AND one.closed_on <= :until AND {where}
    GROUP BY one.company_id
"""
_NEW_CLIENTS: Final = f"""
    SELECT *, second_on IS NOT NULL AS again,
        coalesce(second_on - first_on <= CAST(:sleeping AS int), false) AS soon
    FROM ({_CLIENTS}) AS client WHERE first_on >= :since
"""  # noqa: S608 - constants

_KINDS: Final[Mapping[str, Message]] = {
    "first": message("First purchase"),
    "repeat": message("Repeat purchase"),
    "won_back": message("Came back after a sleep"),
    "": message("Client not known"),
}
_STATES: Final[Mapping[str, Message]] = {
    "active": message("Buying"),
    "fell_asleep": message("Fell asleep in the period"),
    "asleep": message("Asleep before"),
}


def _sleeping(scope: Scope) -> Mapping[str, Any]:
    return {"sleeping": scope.rules.segments.sleeping_days}


def _kind(_scope: Scope, key: str) -> Message:
    return _KINDS[key]


def _state(_scope: Scope, key: str) -> Message:
    return _STATES[key]


def _month(_scope: Scope, key: str) -> str:
    year, _, month = key.partition("-")
    return f"{month}.{year}"


def _as_listed(names: Mapping[str, Message]) -> Any:
    places = {key: place for place, key in enumerate(names)}

    def finish(_scope: Scope, rows: list[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: places[row.key])

    return finish


def _notes(scope: Scope) -> tuple[Message, ...]:
    days = scope.rules.segments.sleeping_days
    return (message("Asleep: no purchase for more than {days} days, by the rules in force.", days=days),)


_TABLES: Final = Tables(
    (
        Grouped(
            name="purchases",
            title=message("Purchases of the period"),
            heading=message("Purchase"),
            base=_PURCHASES,
            key="kind",
            label=_kind,
            measures=(
                counted("deals", message("Won deals")),
                summed("revenue", message("Revenue"), "amount"),
                averaged("average", message("Average deal"), "amount"),
                summed("profit", message("Profit"), "profit"),
            ),
            period=CLOSED,
            known=(
                Known(message("Client"), "company_id IS NOT NULL"),
                Known(message("Amount of won deals"), "amount IS NOT NULL"),
            ),
            chart=Chart("bars", ("revenue",)),
            finish=_as_listed(_KINDS),
            binds=_sleeping,
        ),
        Grouped(
            name="clients",
            title=message("Clients at the end of the period, with all that they bought until then"),
            heading=message("Client"),
            base=_CLIENTS,
            key="state",
            label=_state,
            measures=(
                counted("clients", message("Clients")),
                averaged("purchases", message("Purchases of a client"), "purchases", kind="number"),
                summed("revenue", message("Revenue"), "amount"),
                averaged("value", message("A client's lifetime value"), "amount"),
                averaged("profit", message("A client's lifetime profit"), "profit"),
            ),
            finish=_as_listed(_STATES),
            binds=_sleeping,
        ),
        Grouped(
            name="again",
            title=message("Clients who bought for the first time in the period, and again since"),
            heading=message("First purchase"),
            base=_NEW_CLIENTS,
            key="to_char(first_on, 'YYYY-MM')",
            label=_month,
            measures=(
                counted("clients", message("Clients")),
                shared("again", message("Bought again"), "again"),
                shared("soon", message("Before they were asleep"), "soon"),
            ),
            finish=lambda _scope, rows: sorted(rows, key=lambda row: row.key),
            binds=_sleeping,
        ),
    ),
    _notes,
)

REPORT: Final = Report(
    name="retention",
    title=message("Retention: clients who buy again, fall asleep and come back"),
    definition=message(
        "Won deals by their close date. A purchase is repeat or a coming back by the client's purchase before it; a "
        "client is its company. The lifetime value is all that a client bought until the end of the period, as far as "
        "deals are known here. In the last table purchases count until the end of the period too."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
    days=365,
)
