"""The self-check list over many deals: which item is missing most, and how deals with and without it ended."""

from typing import Final

from app.domain.messages import Message, message
from app.reports.grouped import CREATED, Grouped, Known, Tables, counted, shared
from app.reports.relations import DEALS, ENDED, WON
from app.reports.report import Chart, Report, Row
from app.reports.scope import Scope

ITEMS: Final = (
    message("Amount over the limit"),
    message("Target client"),
    message("Within our nomenclature"),
    message("Buying centre covered: economic, technical, user"),
    message("The whole need, not a part"),
    message("Budget allocated"),
    message("Delivery date known"),
)
"""As `domain/checklist.py` orders and says them."""

_ITEMS_OF_DEALS: Final = f"""
    SELECT came.*, item.place, substr(came.checklist, item.place, 1) AS mark
    FROM ({DEALS}) AS came CROSS JOIN generate_series(1, {len(ITEMS)}) AS item (place)
    WHERE came.checklist IS NOT NULL
"""  # noqa: S608 - constants
_DONE: Final = "mark = 'y'"
_MISSING: Final = "mark <> 'y'"


def _label(_scope: Scope, key: str) -> Message:
    return ITEMS[int(key) - 1]


def _most_missing(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-_count(row, "missing"), row.key))


def _count(row: Row, name: str) -> int:
    value = row.cells[name]
    return value if isinstance(value, int) else 0


_TABLES: Final = Tables(
    (
        Grouped(
            name="items",
            title=message("Items of the self-check list, those missing most first"),
            heading=message("Item"),
            base=_ITEMS_OF_DEALS,
            key="place",
            label=_label,
            measures=(
                counted("missing", message("Missing"), _MISSING),
                counted("no", message("Certainly not"), "mark = 'n'"),
                counted("unknown", message("Not known"), "mark = 'u'"),
                counted("done", message("Done"), _DONE),
                shared("missing_share", message("Missing, share"), _MISSING),
                shared("won_with", message("Win rate with it"), WON, f"{_DONE} AND {ENDED}"),
                shared("won_without", message("Win rate without it"), WON, f"{_MISSING} AND {ENDED}"),
            ),
            period=CREATED,
            totals=False,
            chart=Chart("bars", ("missing_share",)),
            finish=_most_missing,
        ),
        Grouped(
            name="scores",
            title=message("Deals by how many items are done"),
            heading=message("Done"),
            base=DEALS,
            key="length(replace(replace(checklist, 'n', ''), 'u', ''))",
            label=lambda _scope, key: (
                message("{done} of {all}", done=key, all=len(ITEMS)) if key else message("not judged")
            ),
            measures=(
                counted("deals", message("Deals")),
                counted("won", message("Won"), WON),
                shared("win_rate", message("Win rate"), WON, ENDED),
            ),
            period=CREATED,
            known=(Known(message("Self-check list"), "checklist IS NOT NULL"),),
            finish=lambda _scope, rows: sorted(rows, key=lambda row: row.key, reverse=True),
        ),
    )
)

REPORT: Final = Report(
    name="checklist",
    title=message("Self-check list: which item is missing most"),
    definition=message(
        "Deals made in the period, as their last run found them. An item is done only when it is known and true; "
        "missing is both: certainly not, and not known. Win rates are of the closed ones among them."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
)
