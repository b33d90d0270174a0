"""Grades: does AAA beat BBB beat CCC? Win rate and money of closed deals by the grade they had in the end."""

from typing import Final

from app.domain.messages import Message, message
from app.domain.timeline import GRADE_SAID
from app.domain.verdict import Grade
from app.reports.grouped import CLOSED, CREATED, Grouped, Known, Tables, averaged, counted, shared, summed
from app.reports.relations import DEALS, LOST, WON
from app.reports.report import Chart, Report, Row
from app.reports.scope import Scope

_ORDER: Final = [grade.value for grade in Grade]


def _label(_scope: Scope, key: str) -> Message:
    return GRADE_SAID[Grade(key)] if key in _ORDER else message("not graded")


def _best_first(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: _ORDER.index(row.key) if row.key in _ORDER else len(_ORDER))


_TABLES: Final = Tables(
    (
        Grouped(
            name="grades",
            title=message("Win rate and money by grade"),
            heading=message("Grade"),
            base=DEALS,
            key="grade",
            label=_label,
            measures=(
                counted("closed", message("Closed")),
                counted("won", message("Won"), WON),
                counted("lost", message("Lost"), LOST),
                shared("win_rate", message("Win rate"), WON),
                summed("revenue", message("Revenue"), "amount", WON),
                averaged("average", message("Average deal"), "amount", WON),
                summed("profit", message("Profit"), "profit", WON),
                averaged("profit_each", message("Profit of a deal"), "profit", WON),
            ),
            period=f"one.ending <> 'open' AND {CLOSED}",
            known=(
                Known(message("Grade"), "grade IS NOT NULL"),
                Known(message("Amount of won deals"), "amount IS NOT NULL", WON),
                Known(message("Profit of won deals"), "profit IS NOT NULL", WON),
            ),
            chart=Chart("bars", ("win_rate",)),
            finish=_best_first,
        ),
        Grouped(
            name="made",
            title=message("Deals made in the period, by grade"),
            heading=message("Grade"),
            base=DEALS,
            key="grade",
            label=_label,
            measures=(
                counted("deals", message("Deals")),
                counted("open", message("At work"), "ending = 'open'"),
                summed("money", message("Money"), "amount"),
            ),
            period=CREATED,
            chart=Chart("bars", ("deals",)),
            finish=_best_first,
        ),
    )
)

REPORT: Final = Report(
    name="grades",
    title=message("Grades: does AAA beat BBB beat CCC?"),
    definition=message(
        "Deals closed in the period, by their close date and by the grade of their last run. The win rate is won "
        "deals of all closed ones, with the interval in which the true rate lies in 95 cases of 100: where two "
        "intervals overlap much, the grades do not differ for sure. Money is in RUB, of won deals of which it is "
        "known. Beside it the deals made in the period, by the grade of their last run."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
)
