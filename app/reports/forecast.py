"""What the deals at work will bring, by what became of deals that stood where they stand; and how good that was before.

What deals of a stage come to is learned from those that closed within the twelve calendar months before, each counted
once for a stage in which it ever stood. The forecasts of past months are made anew as they would have been made then,
from what was closed by then, and held beside what came of the deals.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

from sqlalchemy import text

from app.domain.messages import message
from app.reports.grouped import Binds, Grouped, Known, Measure, Tables, counted, summed
from app.reports.relations import DEALS, ENDED, WON, stage_label, stage_order
from app.reports.report import Chart, Column, FoundCards, Number, Report, Row, Told
from app.reports.scope import Scope
from app.store.database import ReadSession

_DEAL: Final = 2
_MONTHS_BACK: Final = 3
_MONTHS_LEARNED: Final = 12
_LEAST: Final = 10
"""Closed deals of a stage before anything is learned from them."""

# The longest way of all, so it is gone once for both tables.
_COME_OF: Final = text("""
    SELECT deal.pipeline, stood.stage_id, month, count(*) AS closed, count(*) FILTER (WHERE won) AS won
    FROM (
        SELECT card_id, pipeline, ending = 'won' AS won, date_trunc('month', closed_on::timestamp)::date AS month
        FROM deal_figures
        WHERE portal_id = :portal AND NOT deleted AND ending <> 'open' AND closed_on >= CAST(:learned_from AS date)
    ) AS deal CROSS JOIN LATERAL (
        SELECT DISTINCT stay.stage_id FROM stage_stays AS stay
        WHERE stay.portal_id = :portal AND stay.entity_type_id = 2 AND stay.semantics = 'process'
          AND stay.card_id = deal.card_id AND stay.pipeline = deal.pipeline
    ) AS stood
    GROUP BY deal.pipeline, stood.stage_id, month
""")
_CAME_OF: Final = """
    came_of AS (
        SELECT * FROM unnest(CAST(:came_pipelines AS int[]), CAST(:came_stages AS text[]), CAST(:came_months AS date[]),
            CAST(:came_closed AS bigint[]), CAST(:came_won AS bigint[])) AS came (pipeline, stage_id, month, closed,
            won)
    )
"""
_OPEN: Final = f"""
    WITH {_CAME_OF}, learned AS (
        SELECT pipeline, stage_id, sum(won) AS won, sum(closed) AS closed FROM came_of
        WHERE month >= CAST(:learned_from AS date) GROUP BY pipeline, stage_id HAVING sum(closed) >= {_LEAST}
    )
    SELECT came.entity_type_id, came.card_id, came.responsible, came.amount, came.at, came.pipeline, came.stage_id,
        learned.won AS hits, learned.closed AS of, learned.won / learned.closed AS chance
    FROM ({DEALS}) AS came
    LEFT JOIN learned ON learned.pipeline = came.pipeline AND learned.stage_id = came.stage_id
"""  # noqa: S608 - constants
_THEN: Final = f"""
    WITH {_CAME_OF}, month AS (SELECT * FROM unnest(CAST(:months AS date[]), CAST(:moments AS timestamptz[]))
        AS month (day, moment)
    ), learned AS (
        SELECT month.day, pipeline, stage_id, sum(won) / sum(closed) AS chance FROM month JOIN came_of
            ON came_of.month < month.day AND came_of.month >= month.day - interval '{_MONTHS_LEARNED} months'
        GROUP BY month.day, pipeline, stage_id HAVING sum(closed) >= {_LEAST}
    )
    SELECT came.entity_type_id, came.card_id, came.responsible, came.amount, came.at, came.ending,
        to_char(month.day, 'YYYY-MM') AS month, learned.chance
    FROM month JOIN stage_stays AS stay ON stay.portal_id = :portal AND stay.entity_type_id = 2
        AND stay.semantics = 'process' AND stay.entered_at <= month.moment
        AND (stay.left_at > month.moment OR stay.left_at IS NULL)
        AND (stay.left_at > CAST(:first_moment AS timestamptz) OR stay.left_at IS NULL)
    JOIN ({DEALS}) AS came ON came.card_id = stay.card_id
    LEFT JOIN learned ON learned.day = month.day AND learned.pipeline = stay.pipeline
        AND learned.stage_id = stay.stage_id
"""  # noqa: S608 - constants


def _month_start(day: date, months_back: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months_back, 12)
    return date(year, month + 1, 1)


def _times(scope: Scope) -> Mapping[str, Any]:
    today = scope.today
    months = [_month_start(today, back) for back in range(1, _MONTHS_BACK + 1)]
    moments = [scope.starts_of(month) for month in months]
    return {"months": months, "moments": moments, "first_moment": min(moments)}


async def _tables(session: ReadSession, scope: Scope) -> Tables:
    """The tables with what deals have come to so far."""
    learned_from = _month_start(scope.today, _MONTHS_LEARNED + _MONTHS_BACK)
    rows = (await session.execute(_COME_OF, {"portal": scope.portal_id, "learned_from": learned_from})).all()
    came = {
        "came_pipelines": [row.pipeline for row in rows],
        "came_stages": [row.stage_id for row in rows],
        "came_months": [row.month for row in rows],
        "came_closed": [row.closed for row in rows],
        "came_won": [row.won for row in rows],
    }
    return Tables(tuple(replace(table, binds=_adding(table.binds, came)) for table in _TABLES))


def _adding(binds: Binds, came: Mapping[str, Any]) -> Binds:
    return lambda scope: {**binds(scope), **came}


async def _tell(session: ReadSession, scope: Scope) -> Told:
    return await (await _tables(session, scope)).tell(session, scope)


async def _open(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    return await (await _tables(session, scope)).open(session, scope, number, limit, offset)


def _year(scope: Scope) -> Mapping[str, Any]:
    return {"learned_from": _month_start(scope.today, _MONTHS_LEARNED)}


def _by_stage(scope: Scope, rows: list[Row]) -> list[Row]:
    places = {key: place for place, key in enumerate(stage_order(scope.words, _DEAL))}
    return sorted(rows, key=lambda row: (places.get(row.key, len(places)), row.key))


def _month_said(_scope: Scope, key: str) -> str:
    year, _, month = key.partition("-")
    return f"{month}.{year}"


def _newest_first(_scope: Scope, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key, reverse=True)


_CHANCE: Final = Column(
    "chance",
    message("Chance"),
    "share",
    message(
        "Won of the deals that stood here and closed in the last twelve months; of at least {least}.", least=_LEAST
    ),
)
_LEARNED: Final = "chance IS NOT NULL"
_KNOWN_END: Final = f"{_LEARNED} AND {ENDED}"


def _expected(where: str) -> Measure:
    column = Column("expected", message("Expected to be won"), "number", cards=True)
    return Measure(column, f"round(sum(chance) FILTER (WHERE {where}), 2)", cards=where)


_EXPECTED_MONEY: Final = Measure(
    Column("money_expected", message("Money expected"), "money", cards=True),
    "round(sum(amount * chance), 2)",
    cards="amount * chance IS NOT NULL",
)

_TABLES: Final = (
    Grouped(
        name="open",
        title=message("Deals at work and what they should bring"),
        heading=message("Stage"),
        base=_OPEN,
        key="pipeline || ':' || stage_id",
        label=stage_label(_DEAL),
        measures=(
            counted("deals", message("Deals at work")),
            summed("money", message("Money"), "amount"),
            _expected(_LEARNED),
            _EXPECTED_MONEY,
            Measure(_CHANCE, "CAST(max(hits) AS bigint)", of="CAST(max(of) AS bigint)", sums=False),
        ),
        period="one.ending = 'open'",
        known=(
            Known(message("Chance of the stage"), _LEARNED),
            Known(message("Amount of deals at work"), "amount IS NOT NULL"),
        ),
        chart=Chart("bars", ("money_expected",)),
        finish=_by_stage,
        binds=_year,
    ),
    Grouped(
        name="before",
        title=message("How good the forecasts of the last months were"),
        heading=message("Forecast at the start of"),
        base=_THEN,
        key="month",
        label=_month_said,
        measures=(
            counted("deals", message("Deals at work then")),
            counted("ended", message("Closed since"), _KNOWN_END, note=message("Those of which a chance was known.")),
            _expected(_KNOWN_END),
            counted("won", message("Won in truth"), f"{_KNOWN_END} AND {WON}"),
            Measure(
                Column(
                    "error",
                    message("Mean squared error"),
                    "number",
                    message("0 is a perfect forecast, 0.25 is tossing a coin."),
                ),
                f"round(avg((chance - CASE WHEN {WON} THEN 1 ELSE 0 END) ^ 2) FILTER (WHERE {_KNOWN_END}), 4)",
            ),
        ),
        totals=False,
        chart=Chart("bars", ("expected", "won")),
        finish=_newest_first,
        binds=_times,
    ),
)

REPORT: Final = Report(
    name="forecast",
    title=message("Forecast: what the deals at work should bring"),
    definition=message(
        "Deals at work today, each with the chance of its stage: the share of won deals among those that stood in it "
        "and closed in the last twelve calendar months. Expected money is the amount times the chance. Beside it the "
        "forecasts of the last months, made as they would have been made then, against what came of the deals since; "
        "deals that are still open are left out there. It is a forecast of today: no period is asked."
    ),
    tell=_tell,
    open=_open,
    filters=frozenset({"manager", "department", "pool", "source", "pipeline", "segment"}),
)
