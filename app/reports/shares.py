"""Shares of the pools: who was given how many cards, by turn or as the one who knows the client, what came back."""

from typing import Final

from app.domain import interval
from app.domain.messages import Message, message
from app.reports.grouped import Grouped, Tables, counted
from app.reports.report import Chart, Column, Report, Row
from app.reports.scope import Scope

_GIVEN: Final = """
    SELECT one.*, one.chosen_at AS at, NULL::numeric AS amount FROM (
        SELECT given.*, given.user_id AS responsible, pool.name AS pool
        FROM assignments AS given JOIN pools AS pool ON pool.id = given.pool_id
        WHERE given.portal_id = :portal AND given.chosen_at >= :starts AND given.chosen_at < :ends
    ) AS one WHERE {where}
"""


# A pool of leads and one of deals may bear one name, and their cards the same numbers.
_CARDS: Final = "DISTINCT card_id * 8 + entity_type_id"


def _label(scope: Scope, key: str) -> Message:
    pool, _, user = key.rpartition(" ")
    return message("{pool}: {person}", pool=pool, person=scope.words.person(user.strip("-")))


def _shares(_scope: Scope, rows: list[Row]) -> list[Row]:
    """Pool by pool, who got most first, each with the share of the pool's cards."""
    pools: dict[str, int] = {}
    for row in rows:
        pools[_pool(row)] = pools.get(_pool(row), 0) + _given(row)
    ordered = sorted(rows, key=lambda row: (_pool(row), -_given(row), row.key))
    return [
        Row(row.key, row.label, {**row.cells, "share": interval.share(_given(row), pools[_pool(row)])})
        for row in ordered
    ]


def _pool(row: Row) -> str:
    return row.key.rpartition(" ")[0]


def _given(row: Row) -> int:
    value = row.cells["given"]
    return value if isinstance(value, int) else 0


_TABLES: Final = Tables(
    (
        Grouped(
            name="people",
            title=message("Who was given how many cards"),
            heading=message("Pool and person"),
            base=_GIVEN,
            key="pool || ' ' || coalesce(user_id::text, '-')",
            label=_label,
            measures=(
                counted("given", message("Cards"), each=_CARDS),
                counted("turn", message("By turn"), "why = 'turn'", each=_CARDS),
                counted("knows_client", message("Own client"), "why = 'knows_client'", each=_CARDS),
                counted("given_back", message("Turn given back"), "given_back_at IS NOT NULL", each=_CARDS),
                counted("turns", message("Turns that counted"), "cost_turn AND given_back_at IS NULL", each=_CARDS),
            ),
            filters=("managers",),
            totals=False,
            chart=Chart("bars", ("given",)),
            finish=_shares,
            more=(Column("share", message("Share of the pool"), "share"),),
        ),
    )
)

REPORT: Final = Report(
    name="shares",
    title=message("Shares of the pools"),
    definition=message(
        "Cards that a pool gave to its people in the period. A card that was passed on counts for each who was given "
        "it. Own clients and turns that were given back, for junk or because the card was taken away, cost no turn."
    ),
    tell=_TABLES.tell,
    open=_TABLES.open,
    filters=frozenset({"period", "manager", "department", "pool"}),
    days=30,
)
