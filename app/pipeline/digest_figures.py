"""What a digest tells, by the very reports and counts that the pages show: asked here, worded in `domain/digest.py`.

Called by `digests.py` and the preview of the CLI. Reads only.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from app.domain.digest import Digest, Due, Kind, Led, Part, Week
from app.domain.interval import Share
from app.domain.messages import Message
from app.reports import REPORTS
from app.reports.report import Table, Value
from app.reports.scope import Filter, Scope, scope_of
from app.store import calendar, completeness, reactions, today
from app.store.database import ReadSession

_MOST_PARTS: Final = 5


async def gather(session: ReadSession, portal_id: int, due: Due, leads: Sequence[Led], *, now: datetime) -> Digest:
    """The figures of a digest about these people. Raises RulesetInvalid."""
    told = leads[:_MOST_PARTS]
    day = calendar.day_of(now, await calendar.offset(session, portal_id))
    waiting = await reactions.waiting(session, portal_id, now=now)
    return Digest(
        due=due,
        parts=[await _part(session, portal_id, due, led, now=now) for led in told],
        nobodys=waiting.nobodys,
        unjudged=(await completeness.of_day(session, portal_id, day, limit=0)).difference,
        left_out=len(leads) - len(told),
    )


async def _part(session: ReadSession, portal_id: int, due: Due, led: Led, *, now: datetime) -> Part:
    wanted = Filter(since=due.since, until=due.until, manager=led.manager, department=led.department, pool=led.pool)
    scope = await scope_of(session, portal_id, wanted, now=now)
    whose = scope.managers
    reaction = _totals(await _table(session, scope, "reaction", "targets"))
    grades = await _table(session, scope, "grades", "made")
    waiting = await reactions.waiting(session, portal_id, now=now, holders=whose)
    within, median = reaction.get("within"), reaction.get("median")
    return Part(
        led=led,
        leads=_count(_totals(await _table(session, scope, "channels", "sources")).get("leads")),
        grades=[(row.key if row.key.isupper() else row.label, _count(row.cells["deals"])) for row in grades.rows],
        within=within if isinstance(within, Share) else None,
        median=median if isinstance(median, float) else None,
        waiting=waiting.total,
        overdue=waiting.overdue,
        hot=waiting.hot,
        parked=(await today.parked(session, portal_id, limit=0, whose=whose)).total,
        week=await _week(session, scope) if due.kind is Kind.WEEKLY else None,
    )


async def _week(session: ReadSession, scope: Scope) -> Week:
    money = _totals(await _table(session, scope, "money", "months"))
    forecast = _totals(await _table(session, scope, "forecast", "open"))
    shares = await _table(session, scope, "shares", "people")
    given: list[tuple[str | Message, int]] = [(row.label, _count(row.cells["given"])) for row in shares.rows]
    return Week(
        won=_count(money.get("won")),
        revenue=_money(money.get("revenue")),
        profit=_money(money.get("profit")),
        expected=_money(forecast.get("money_expected")),
        shares=given,
    )


async def _table(session: ReadSession, scope: Scope, report: str, table: str) -> Table:
    told = await REPORTS[report].tell(session, scope)
    return next(one for one in told.tables if one.name == table)


def _totals(table: Table) -> dict[str, Value]:
    return dict(table.totals.cells) if table.totals else {}


def _count(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _money(value: Value) -> Decimal | None:
    return value if isinstance(value, Decimal) else None
