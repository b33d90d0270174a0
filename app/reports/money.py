"""Money of won deals: revenue, the average deal, and what a deal earns against the minimum."""

from collections.abc import Mapping
from typing import Any, Final

from app.domain.messages import Message, message
from app.reports.grouped import CLOSED, Grouped, Known, Measure, Tables, averaged, counted, shared, summed
from app.reports.relations import DEALS
from app.reports.report import Chart, Report, Row
from app.reports.scope import Scope

_MEASURES: Final[tuple[Measure, ...]] = (
    counted("won", message("Won deals")),
    summed("revenue", message("Revenue"), "amount"),
    averaged("average", message("Average deal"), "amount"),
    summed("profit", message("Profit"), "profit"),
    averaged("profit_each", message("Profit of a deal"), "profit"),
    shared(
        "below",
        message("Below the minimum"),
        "profit < CAST(:least AS numeric)",
        "profit IS NOT NULL AND CAST(:least AS numeric) IS NOT NULL",
        note=message("Of the deals whose profit is known, against the minimum of the rules in force."),
    ),
)
_WON_IN_PERIOD: Final = f"one.ending = 'won' AND {CLOSED}"
_KNOWN: Final = (Known(message("Amount"), "amount IS NOT NULL"), Known(message("Profit"), "profit IS NOT NULL"))


def _least(scope: Scope) -> Mapping[str, Any]:
    return {"least": scope.rules.minimum.profit}


def _month(_scope: Scope, key: str) -> str:
    year, _, month = key.partition("-")
    return f"{month}.{year}"


def _pipeline(_scope: Scope, key: str) -> Message:
    return message("Pipeline {number}", number=key)


def _source(scope: Scope, key: str) -> str | Message:
    return scope.words.source(key)


def _by_key(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key)


def _notes(scope: Scope) -> tuple[Message, ...]:
    least = scope.rules.minimum.profit
    if least is None:
        return (message("The rules in force set no minimum profit."),)
    return (
        message(
            "The minimum of the rules in force, which is what a deal costs by the calculator: {least} RUB.", least=least
        ),
    )


def _table(name: str, title: Message, heading: Message, key: str, **more: Any) -> Grouped:
    return Grouped(
        name=name,
        title=title,
        heading=heading,
        base=DEALS,
        key=key,
        measures=_MEASURES,
        period=_WON_IN_PERIOD,
        known=_KNOWN,
        binds=_least,
        **more,
    )


_TABLES: Final = Tables(
    (
        _table(
            "months",
            message("By month"),
            message("Month"),
            "to_char(closed_on, 'YYYY-MM')",
            label=_month,
            finish=_by_key,
            chart=Chart("line", ("revenue", "profit")),
        ),
        _table("pipelines", message("By pipeline"), message("Pipeline"), "pipeline", label=_pipeline, finish=_by_key),
        _table("sources", message("By source"), message("Source"), "source", label=_source),
    ),
    _notes,
)

REPORT: Final = Report(
    name="money",
    title=message("Money: revenue, average deal, profit against the minimum"),
    definition=message(
        "Deals won in the period by their close date. Money is in RUB, of the deals of which it is known; profit is "
        "what people filled in as expected profit. A deal whose profit is not known is neither above nor below the "
        "minimum."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
    days=365,
)
