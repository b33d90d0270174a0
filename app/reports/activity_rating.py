"""The activity rating: how well clients are looked after, who was touched how often, and who was forgotten.

Over the client base, and over potential clients. Points for each touch are the ruleset's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import TextClause, text

from app.domain import interval
from app.domain.messages import Message, message
from app.domain.ruleset import ActivityPoints
from app.reports.grouped import cards_behind
from app.reports.relations import ACTIVE_CLIENTS, bought_since
from app.reports.report import Column, FoundCards, NoSuchNumber, Number, Report, Row, Table, Told
from app.reports.scope import Scope
from app.reports.sources import missing_said, sources_kept
from app.reports.touched import Touched, open_touched, worth
from app.store import calendar
from app.store.database import ReadSession
from app.store.touches import REACHING

Whom: TypeAlias = Literal["base", "potential"]
WHOM: Final[tuple[Whom, ...]] = get_args(Whom)
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Share:
    """Clients, and how many of them were touched in the period."""

    clients: int
    touched: int


@dataclass(frozen=True, slots=True)
class Rated:
    """One client. `touches` by kind in the period; `last_at`, `last_by`, `last_kind` of the last touch ever known.

    `perhaps_at`: a later call of which nobody can tell whether there was a talk. `responsible` has the company now.
    """

    company_id: int
    title: str | None
    responsible: int | None
    rating: int
    touches: Mapping[str, int]
    last_at: datetime | None
    last_by: int | None
    last_kind: str | None
    perhaps_at: datetime | None


_WHOM: Final[Mapping[Whom, str]] = {
    "base": ACTIVE_CLIENTS,
    "potential": """
        SELECT company_id FROM deal_figures
        WHERE portal_id = :portal AND ending = 'open' AND NOT deleted AND company_id IS NOT NULL AND client = 'yes'
        UNION
        SELECT company_id FROM lead_figures
        WHERE portal_id = :portal AND NOT deleted AND company_id IS NOT NULL
          AND (ending = 'open' AND client = 'yes' OR outcome = 'company')
    """,
}
_POINTS: Final = """
    CASE WHEN kind IN ('call_out', 'call_in') THEN :call WHEN kind = 'letter_out' THEN :letter
         WHEN kind = 'chat' THEN :chat WHEN kind = 'meeting' THEN :meeting WHEN kind = 'quote' THEN :proposal
         ELSE :invoice END
"""


def _clients(whom: Whom) -> str:
    return f"""
        WITH client AS (
            SELECT one.company_id, company.title, company.assigned_by_id AS responsible
            FROM ({_WHOM[whom]}) AS one
            LEFT JOIN companies AS company ON company.portal_id = :portal AND company.company_id = one.company_id
            WHERE CAST(:managers AS bigint[]) IS NULL OR company.assigned_by_id = ANY(:managers)
        ), touched AS (
            SELECT company_id, sum(count * ({_POINTS})) AS rating FROM company_days
            WHERE portal_id = :portal AND day >= :since AND day <= :until AND kind = ANY(:reaching)
            GROUP BY company_id
        )
    """  # noqa: S608 - constants


_SHARES: Final = {
    whom: text(f"""
        {_clients(whom)}
        SELECT count(*), count(touched.company_id) FROM client LEFT JOIN touched USING (company_id)
    """)  # noqa: S608 - constants
    for whom in WHOM
}
_COLUMNS: Final = """
    client.company_id, client.title, client.responsible, coalesce(touched.rating, 0) AS rating, last.last_at,
    nullif(last.last_by_id, 0) AS last_by, last.last_kind, last.perhaps_at, count(*) OVER () AS total
"""
_JOINED: Final = """
    FROM client LEFT JOIN touched USING (company_id)
    LEFT JOIN company_touches AS last ON last.portal_id = :portal AND last.company_id = client.company_id
"""
_RATED: Final = {
    whom: text(f"""
        {_clients(whom)} SELECT {_COLUMNS} {_JOINED}
        ORDER BY coalesce(touched.rating, 0) DESC, client.company_id LIMIT :limit OFFSET :offset
    """)
    for whom in WHOM
}
_FORGOTTEN: Final = {
    whom: text(f"""
        {_clients(whom)} SELECT {_COLUMNS} {_JOINED} WHERE touched.company_id IS NULL
        ORDER BY last.last_at NULLS FIRST, client.company_id LIMIT :limit OFFSET :offset
    """)
    for whom in WHOM
}
_WHICH: Final[Mapping[str, str]] = {
    "clients": "true",
    "touched": "touched.company_id IS NOT NULL",
    "share": "touched.company_id IS NOT NULL",
}
"""By column of the shares, which clients are behind it."""
_KINDS: Final = text("""
    SELECT company_id, kind, sum(count) FROM company_days
    WHERE portal_id = :portal AND day >= :since AND day <= :until AND kind = ANY(:reaching)
      AND company_id = ANY(:companies)
    GROUP BY company_id, kind
""")


async def share(session: ReadSession, scope: Scope, whom: Whom) -> Share:
    """How many there are, and how many of them were touched in the period."""
    row = (await session.execute(_SHARES[whom], _values(scope))).one()
    return Share(row[0], row[1])


async def rated(
    session: ReadSession, scope: Scope, whom: Whom, *, limit: int = _SHOWN, offset: int = 0
) -> tuple[list[Rated], int]:
    """A page of clients, the highest rating first; and how many there are."""
    return await _page(session, scope, _RATED[whom], limit, offset)


async def forgotten(
    session: ReadSession, scope: Scope, whom: Whom, *, limit: int = _SHOWN, offset: int = 0
) -> tuple[list[Rated], int]:
    """A page of clients whom nobody touched in the period, the longest forgotten first; and how many there are."""
    return await _page(session, scope, _FORGOTTEN[whom], limit, offset)


def days_since(one: Rated, scope: Scope) -> int | None:
    """Days of the calendar from the last touch to the period's end; None: never, as far as is known."""
    return None if one.last_at is None else (scope.filter.until - calendar.day_of(one.last_at, scope.ahead)).days


async def _page(
    session: ReadSession, scope: Scope, statement: TextClause, limit: int, offset: int
) -> tuple[list[Rated], int]:
    values = _values(scope) | {"limit": limit, "offset": offset}
    rows = (await session.execute(statement, values)).mappings().all()
    counted: dict[int, dict[str, int]] = {}
    which = values | {"companies": [row["company_id"] for row in rows]}
    for company, kind, count in await session.execute(_KINDS, which):
        counted.setdefault(company, {})[kind] = int(count)
    found = [
        Rated(
            company_id=row["company_id"],
            title=row["title"],
            responsible=row["responsible"],
            rating=int(row["rating"]),
            touches=counted.get(row["company_id"], {}),
            last_at=row["last_at"],
            last_by=row["last_by"],
            last_kind=row["last_kind"],
            perhaps_at=row["perhaps_at"],
        )
        for row in rows
    ]
    return found, rows[0]["total"] if rows else 0


def _values(scope: Scope) -> dict[str, Any]:
    points: ActivityPoints = scope.rules.activity
    return scope.values | {
        "reaching": list(REACHING),
        "bought_since": bought_since(scope),
        "call": points.call,
        "letter": points.letter,
        "chat": points.chat,
        "meeting": points.meeting,
        "proposal": points.proposal,
        "invoice": points.invoice,
    }


_WHOM_SAID: Final[Mapping[Whom, Message]] = {
    "base": message("Active clients"),
    "potential": message("Potential clients"),
}
_FORGOTTEN_SAID: Final[Mapping[Whom, Message]] = {
    "base": message("Active clients nobody touched"),
    "potential": message("Potential clients nobody touched"),
}


_SHARES_TABLE: Final = "shares"
_RATING_TABLE: Final = "{}_rating"
_FORGOTTEN_TABLE: Final = "{}_forgotten"


async def tell(session: ReadSession, scope: Scope) -> Told:
    """The report: shares, and of either group the highest rated and the longest forgotten."""
    rows: list[Row] = []
    tables: list[Table] = []
    for whom in WHOM:
        best, clients = await rated(session, scope, whom)
        left, untouched = await forgotten(session, scope, whom)
        touched = clients - untouched
        cells = {"clients": clients, "touched": touched, "share": interval.share(touched, clients)}
        rows.append(Row(whom, _WHOM_SAID[whom], cells))
        tables.append(_listed(scope, _RATING_TABLE.format(whom), _WHOM_SAID[whom], best))
        tables.append(_listed(scope, _FORGOTTEN_TABLE.format(whom), _FORGOTTEN_SAID[whom], left))
    shares = Table(
        _SHARES_TABLE,
        message("Touched in the period"),
        message("Who"),
        (
            Column("clients", message("Clients"), cards=True),
            Column("touched", message("Touched"), cards=True),
            Column("share", message("Share"), "share", cards=True),
        ),
        tuple(rows),
    )
    return Told((shares, *tables), notes=missing_said(await sources_kept(session, scope)))


def _listed(scope: Scope, name: str, title: Message, clients: list[Rated]) -> Table:
    columns = (
        Column("rating", message("Rating"), "number", cards=True),
        Column("touches", message("Touches"), cards=True),
        Column("days", message("Days since the last touch"), "days"),
        Column("last_by", message("Last by"), "text"),
        Column("responsible", message("Responsible"), "text"),
    )
    rows = tuple(
        Row(
            str(one.company_id),
            one.title or message("company {number}", number=str(one.company_id)),
            {
                "rating": one.rating,
                "touches": sum(one.touches.values()),
                "days": days_since(one, scope),
                "last_by": None if one.last_by is None else scope.words.person(str(one.last_by)),
                "responsible": None if one.responsible is None else scope.words.person(str(one.responsible)),
            },
        )
        for one in clients
    )
    return Table(name, title, message("Client"), columns, rows)


async def _open(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    if number.table == _SHARES_TABLE:
        return await _open_clients(session, scope, number, limit, offset)
    kinds = {"touches": REACHING, "rating": worth(scope.rules.activity)}.get(number.column)
    listed = {table.format(whom) for table in (_RATING_TABLE, _FORGOTTEN_TABLE) for whom in WHOM}
    if number.table not in listed or kinds is None or not number.row or not number.row.isdecimal():
        raise NoSuchNumber(str(number))
    # Whoever touched the client, as it is rated.
    touched = Touched(kinds=kinds, company=int(number.row), managers=False)
    return await open_touched(session, scope, touched, limit, offset)


async def _open_clients(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    whom: Whom | None = next((one for one in WHOM if one == number.row), None)
    which = _WHICH.get(number.column)
    if whom is None or which is None:
        raise NoSuchNumber(str(number))
    behind = f"""
        {_clients(whom)}
        SELECT 4 AS entity_type_id, client.company_id AS card_id, client.responsible, CAST(NULL AS numeric) AS amount,
            last.last_at AS at
        {_JOINED} WHERE {which}
    """
    return await cards_behind(session, behind, _values(scope), limit, offset)


REPORT: Final = Report(
    name="activity-rating",
    title=message("Activity rating of clients"),
    definition=message(
        "An active client is a company with a deal at work today, or with a deal won within the months that make a "
        "regular buyer, counted back from the period's last day. A potential client is a company with a lead or deal "
        "at work that is a target client by the rules, or with a lead that went to the nurture group. Touched: in the "
        "period somebody of ours talked on the phone, sent a letter, answered in a chat, held a meeting, made a "
        "proposal or an invoice for it. The rating is the sum of the points that the rules give to each touch. "
        "Forgotten: not touched in the period. A call without statistics is no touch for sure, and is told as perhaps. "
        "Narrowed to people, it is the companies that they are responsible for now, whoever touched them."
    ),
    tell=tell,
    open=_open,
    filters=frozenset({"period", "manager", "department", "pool"}),
    days=30,
)
