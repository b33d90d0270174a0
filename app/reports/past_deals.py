"""Past deals beside a minimum profit: how many of those made in a period earned less, as far as their profit is known.

Asked by the calculator. An unknown profit is neither above nor below: it is told as unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import text

from app.domain import interval
from app.domain.messages import Message, message
from app.reports.grouped import cards_behind
from app.reports.report import Column, Coverage, FoundCards, NoSuchNumber, Number, Report, Row, Table, Told
from app.reports.scope import Scope
from app.store import calendar
from app.store import past_deals as kept_past
from app.store.database import ReadSession
from app.store.recorded_deals import RECORDED_DEALS

TITLE: Final = message("Past deals below a minimum profit")


@dataclass(frozen=True, slots=True)
class Share:
    """Deals of a period, those with known profit, and of these the ones below a minimum.

    `below_other` is counted against the other minimum, None where none was given.
    """

    deals: int
    known: int
    below: int
    below_other: int | None


@dataclass(frozen=True, slots=True)
class PastDeals:
    """All known deals made in the period that are still in the portal, and the won ones among them.

    `not_judged` of them closed before any run and are as the portal's lists tell. `known_from`: the day from which on
    all closed deals are known; None until those lists are read, when only judged deals are counted.
    """

    everything: Share
    won: Share
    not_judged: int
    known_from: date | None


_BELOW: Final = "profit < CAST(:least AS numeric)"
_DEALS: Final = f"""
    SELECT * FROM ({RECORDED_DEALS}) AS recorded
    WHERE ending <> 'deleted' AND created_at >= :starts AND created_at < :ends
"""  # noqa: S608 - constants
_COUNTS = text(f"""
    WITH deal AS ({_DEALS})
    SELECT ending = 'won' AS won, count(*) AS deals, count(profit) AS known,
        count(*) FILTER (WHERE {_BELOW}) AS below,
        count(*) FILTER (WHERE profit < CAST(:other AS numeric)) AS below_other,
        count(*) FILTER (WHERE judged_at IS NULL) AS not_judged
    FROM deal GROUP BY 1
""")  # noqa: S608 - constants


_COLUMNS: Final[Mapping[str, str]] = {
    "deals": "true",
    "known": "profit IS NOT NULL",
    "below": _BELOW,
    "share": _BELOW,
}
_ROWS: Final[Mapping[str | None, str]] = {"all": "true", "won": "ending = 'won'"}
"""Which deals are behind a column, and behind a row."""


async def past_deals(
    session: ReadSession, portal_id: int, *, since: date, until: date, least: Decimal, other: Decimal | None = None
) -> PastDeals:
    """Deals made from the day `since` to the day `until`, both counted, against `least` and a second minimum (RUB)."""
    ahead = await calendar.offset(session, portal_id)
    values = {
        "portal": portal_id,
        "starts": calendar.starts(since, ahead),
        "ends": calendar.ends(until, ahead),
        "least": least,
        "other": other,
    }
    rows = (await session.execute(_COUNTS, values)).all()
    counted = {
        row.won: Share(row.deals, row.known, row.below, None if other is None else row.below_other) for row in rows
    }
    none = Share(0, 0, 0, None if other is None else 0)
    won, rest = counted.get(True, none), counted.get(False, none)
    return PastDeals(
        everything=_sum(won, rest),
        won=won,
        not_judged=sum(row.not_judged for row in rows),
        known_from=await kept_past.whole_from(session, portal_id),
    )


def _sum(one: Share, two: Share) -> Share:
    both = None if one.below_other is None or two.below_other is None else one.below_other + two.below_other
    return Share(one.deals + two.deals, one.known + two.known, one.below + two.below, both)


async def _tell(session: ReadSession, scope: Scope) -> Told:
    least = scope.rules.minimum.profit
    if least is None:
        return Told((), notes=(message("The rules in force set no minimum profit."),))
    since, until = scope.filter.since, scope.filter.until
    found = await past_deals(session, scope.portal_id, since=since, until=until, least=least)
    columns = (
        Column("deals", message("Deals"), cards=True),
        Column("known", message("Profit is known"), cards=True),
        Column("below", message("Below the minimum"), cards=True),
        Column("share", message("Share"), "share", message("Of the deals whose profit is known."), cards=True),
    )
    rows = (_row("all", message("All deals"), found.everything), _row("won", message("Won deals"), found.won))
    table = Table("deals", message("Below {least} RUB", least=least), message("Deals"), columns, rows)
    everything = found.everything
    return Told((table,), (Coverage(message("Profit of the deal"), everything.known, everything.deals),))


def _row(key: str, label: Message, share: Share) -> Row:
    cells = {"deals": share.deals, "known": share.known, "below": share.below}
    return Row(key, label, {**cells, "share": interval.share(share.below, share.known)})


async def _open(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    column, row, least = _COLUMNS.get(number.column), _ROWS.get(number.row), scope.rules.minimum.profit
    if number.table != "deals" or column is None or row is None or least is None:
        raise NoSuchNumber(str(number))
    behind = f"""
        SELECT 2 AS entity_type_id, card_id, responsible, amount, created_at AS at
        FROM ({_DEALS}) AS deal WHERE {column} AND {row}
    """  # noqa: S608 - constants
    return await cards_behind(session, behind, scope.values | {"least": least}, limit, offset)


REPORT: Final = Report(
    name="past-deals",
    title=TITLE,
    definition=message(
        "Deals made in the period that are still in the portal, against the minimum profit of the rules in force. "
        "A deal whose profit is not known is neither above nor below."
    ),
    tell=_tell,
    open=_open,
    filters=frozenset({"period"}),
    days=365,
)
