"""The ledger of exceptions: every deal let through below the minimum, why, on whose word, and how it ended.

One entry for a deal and a kind of exception, with the run that first let it through. `regular` and `trial` are the
exceptions of the rules; `undecided`: an unknown could still make one true, so the deal was not declined; `person`: the
rules declined and a person kept the deal or won it all the same. A deal that was lost already is let through nowhere.

Who set the facts is known as far as the portal tells: the card says who changed it last, and the first run that saw
the deciding facts as they are read the card soon after they were set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from sqlalchemy import text

from app.domain.messages import Message, message
from app.reports.report import Column, FoundCard, FoundCards, NoSuchNumber, Number, Report, Row, Table, Told
from app.reports.scope import Scope
from app.store import calendar
from app.store.database import ReadSession
from app.store.recorded_deals import ENDINGS, RECORDED_DEALS, Ending

TITLE: Final = message("Exceptions: deals let through below the minimum")
ExceptionKind = Literal["regular", "trial", "undecided", "person"]
KINDS: Final[tuple[ExceptionKind, ...]] = get_args(ExceptionKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionFilter:
    """Which entries; None is any. Days are of the portal's calendar, both counted; `manager` had the deal then."""

    since: date | None = None
    until: date | None = None
    kind: ExceptionKind | None = None
    manager: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One deal let through. `number` is the run that did so first: the entry's place in the ledger.

    `why` is that run's reason as a stored message. `profit` and `amount` (RUB) are as that run read them,
    `final_profit` as the latest did. `set_by` changed the card last before the deciding facts were first read, at
    `set_at`; None where that was we ourselves or is not recorded. `stands`: the latest run says the same.
    """

    number: int
    deal: int
    title: str | None
    company: int | None
    manager: int | None
    kind: ExceptionKind
    at: datetime
    mode: str
    ruleset_version: int | None
    why: Mapping[str, Any]
    profit: Decimal | None
    amount: Decimal | None
    set_by: int | None
    set_at: datetime | None
    stands: bool
    ending: Ending
    final_profit: Decimal | None


@dataclass(frozen=True, slots=True)
class Total:
    """Entries of one kind that ended one way; `final_profit` (RUB) sums the `profit_known` of them."""

    kind: ExceptionKind
    ending: Ending
    deals: int
    final_profit: Decimal
    profit_known: int


_KIND = """
    CASE
        WHEN run.verdict->>'exemption' IS NOT NULL THEN run.verdict->>'exemption'
        WHEN NOT (run.verdict->>'declined')::boolean THEN 'undecided'
        WHEN run.plan->'held' @> '["person_moved"]' OR run.plan->'held' @> '["deal_closed"]' THEN 'person'
    END
"""


def _number(name: str) -> str:
    fact = f"first.facts->'{name}'"
    return f"CASE WHEN {fact}->>'kind' = 'number' THEN ({fact}->>'value')::numeric END"


def _deciding(run: str) -> str:
    values = [f"{run}.facts->'{name}'->'value'" for name in ("margin", "amount", "trial", "prospects")]
    return f"jsonb_build_array({', '.join(values)})"


_LEDGER = f"""
    WITH passed AS (
        SELECT run.id, run.card_id, {_KIND} AS kind FROM runs AS run
        WHERE run.portal_id = :portal AND run.entity_type_id = 2 AND run.verdict->>'above_minimum' = 'no'
          AND run.seen->>'semantics' IS DISTINCT FROM 'failure'
    ), ledger AS (
        SELECT passed.card_id AS deal, passed.kind, min(passed.id) AS number, max(passed.id) AS last_number
        FROM passed WHERE passed.kind IS NOT NULL GROUP BY passed.card_id, passed.kind
    ), entry AS (
        SELECT ledger.number, ledger.deal, card.title, recorded.company_id AS company, ledger.kind,
            coalesce((first.seen->>'responsible')::bigint, recorded.responsible) AS manager,
            first.opened_at AS at, first.mode, first.ruleset_version, first.verdict->'why' AS why,
            {_number("margin")} AS profit, {_number("amount")} AS amount,
            ledger.last_number >= card.last_run_id AS stands,
            recorded.ending, recorded.profit AS final_profit, {_deciding("first")} AS deciding
        FROM ledger JOIN runs AS first ON first.id = ledger.number
        JOIN cards AS card ON card.portal_id = :portal AND card.entity_type_id = 2 AND card.card_id = ledger.deal
        JOIN ({RECORDED_DEALS}) AS recorded ON recorded.card_id = ledger.deal
    ), wanted AS (
        SELECT * FROM entry
        WHERE (CAST(:starts AS timestamptz) IS NULL OR at >= :starts)
          AND (CAST(:ends AS timestamptz) IS NULL OR at < :ends)
          AND (CAST(:kind AS text) IS NULL OR kind = :kind)
          AND (CAST(:manager AS bigint) IS NULL OR manager = :manager)
    )
"""  # noqa: S608 - constants

_PAGE = text(f"""
    {_LEDGER}
    SELECT wanted.*, setting.opened_at AS set_at,
        nullif((setting.seen->>'updated_by')::bigint, portal.integration_user_id) AS set_by
    FROM wanted JOIN portals AS portal ON portal.id = :portal
    LEFT JOIN LATERAL (
        SELECT run.id FROM runs AS run
        WHERE run.portal_id = :portal AND run.entity_type_id = 2 AND run.card_id = wanted.deal
          AND run.id < wanted.number AND {_deciding("run")} IS DISTINCT FROM wanted.deciding
        ORDER BY run.id DESC LIMIT 1
    ) AS otherwise ON true
    LEFT JOIN LATERAL (
        SELECT run.opened_at, run.seen FROM runs AS run
        WHERE run.portal_id = :portal AND run.entity_type_id = 2 AND run.card_id = wanted.deal
          AND run.id > coalesce(otherwise.id, 0)
        ORDER BY run.id LIMIT 1
    ) AS setting ON true
    WHERE CAST(:before AS bigint) IS NULL OR wanted.number < :before
    ORDER BY wanted.number DESC LIMIT :limit
""")  # noqa: S608 - constants

_TOTALS = text(f"""
    {_LEDGER}
    SELECT kind, ending, count(*) AS deals, coalesce(sum(final_profit), 0) AS final_profit,
        count(final_profit) AS profit_known
    FROM wanted GROUP BY kind, ending ORDER BY kind, ending
""")  # noqa: S608 - constants

_OPENED = text(f"""
    {_LEDGER}
    SELECT deal, title, manager, amount, at, count(*) OVER () AS total FROM wanted
    WHERE CAST(:ending AS text) IS NULL OR ending = :ending
    ORDER BY number DESC LIMIT :limit OFFSET :offset
""")  # noqa: S608 - constants

_COLUMNS = tuple(field.name for field in fields(LedgerEntry))


async def ledger(
    session: ReadSession,
    portal_id: int,
    wanted: ExceptionFilter,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[LedgerEntry]:
    """Entries, the newest first; go on with `before` set to the last one's number."""
    values = await _values(session, portal_id, wanted)
    rows = (await session.execute(_PAGE, values | {"before": before, "limit": limit})).mappings()
    return [LedgerEntry(**{name: row[name] for name in _COLUMNS}) for row in rows]


async def totals(session: ReadSession, portal_id: int, wanted: ExceptionFilter) -> list[Total]:
    """How many entries there are by kind and ending, on all pages together."""
    rows = await session.execute(_TOTALS, await _values(session, portal_id, wanted))
    return [Total(row.kind, row.ending, row.deals, row.final_profit, row.profit_known) for row in rows]


async def _values(session: ReadSession, portal_id: int, wanted: ExceptionFilter) -> dict[str, Any]:
    ahead = await calendar.offset(session, portal_id)
    return {
        "portal": portal_id,
        "starts": None if wanted.since is None else calendar.starts(wanted.since, ahead),
        "ends": None if wanted.until is None else calendar.ends(wanted.until, ahead),
        "kind": wanted.kind,
        "manager": wanted.manager,
    }


_KIND_SAID: Final[Mapping[str, Message]] = {
    "regular": message("A regular buyer who took little this once"),
    "trial": message("A trial delivery to a target client with prospects"),
    "undecided": message("Not decided: an answer that is missing could still make an exception"),
    "person": message("The rules declined, a person kept or won it"),
}
_ENDING_SAID: Final[Mapping[Ending, Message]] = {
    "won": message("Won"),
    "lost": message("Lost"),
    "open": message("In work"),
    "deleted": message("Deleted"),
}
_TABLE: Final = "kinds"


async def _tell(session: ReadSession, scope: Scope) -> Told:
    wanted = ExceptionFilter(since=scope.filter.since, until=scope.filter.until, manager=scope.filter.manager)
    found = await totals(session, scope.portal_id, wanted)
    rows = [_row(kind, _KIND_SAID[kind], [one for one in found if one.kind == kind]) for kind in KINDS]
    columns = (
        Column("deals", message("Deals"), cards=True),
        *(Column(ending, _ENDING_SAID[ending], cards=True) for ending in ENDINGS),
        Column("profit", message("Profit in the end"), "money"),
        Column("profit_known", message("Profit is known"), note=message("Deals whose profit is known.")),
    )
    table = Table(_TABLE, TITLE, message("Exception"), columns, tuple(rows), _row("", message("Total"), found))
    return Told((table,))


def _row(key: str, label: Message, found: list[Total]) -> Row:
    endings = {ending: sum(one.deals for one in found if one.ending == ending) for ending in ENDINGS}
    sums = {
        "deals": sum(one.deals for one in found),
        "profit": sum((one.final_profit for one in found), Decimal(0)),
        "profit_known": sum(one.profit_known for one in found),
    }
    return Row(key, label, {**endings, **sums})


async def _open(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    kind: ExceptionKind | None = next((one for one in KINDS if one == number.row), None)
    ending = next((one for one in ENDINGS if one == number.column), None)
    known_row = number.row is None or kind is not None
    if number.table != _TABLE or not known_row or (ending is None and number.column != "deals"):
        raise NoSuchNumber(str(number))
    wanted = ExceptionFilter(
        since=scope.filter.since, until=scope.filter.until, manager=scope.filter.manager, kind=kind
    )
    values = await _values(session, scope.portal_id, wanted) | {"ending": ending, "limit": limit, "offset": offset}
    rows = (await session.execute(_OPENED, values)).all()
    found = [FoundCard(2, row.deal, row.title, row.manager, row.amount, row.at) for row in rows]
    return FoundCards(tuple(found), rows[0].total if rows else 0)


REPORT: Final = Report(
    name="exceptions",
    title=TITLE,
    definition=message(
        "Deals that were let through below the minimum in the period, each once for each kind of exception, by the "
        "day on which a run first let them through, and by how they ended. The manager is whose deal it was then."
    ),
    tell=_tell,
    open=_open,
    filters=frozenset({"period", "manager"}),
    days=365,
    role="head",
)
