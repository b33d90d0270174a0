"""Activity: calls, letters, meetings, chats, proposals, invoices and sales, by manager and by client.

Told from sums by days (`app/store/touches.py`): a year of a large portal is a few hundred thousand rows at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from sqlalchemy import text

from app.domain.messages import Message, message
from app.reports.report import Chart, Column, FoundCards, Kind, NoSuchNumber, Number, Report, Row, Table, Told, Value
from app.reports.scope import Scope
from app.reports.sources import missing_said, sources_kept
from app.reports.touched import Touched, open_touched
from app.store.database import ReadSession
from app.store.touches import REACHING

NOBODY: Final = 0
_CLIENTS: Final = 50

KINDS: Final[Mapping[str, tuple[str, Message]]] = {
    "call_out": ("calls_out", message("Calls made")),
    "call_in": ("calls_in", message("Calls taken")),
    "call_missed": ("calls_missed", message("Missed calls")),
    "call_unanswered": ("calls_unanswered", message("Not got through")),
    "call_unknown": ("calls_unknown", message("Calls without statistics")),
    "letter_out": ("letters_out", message("Letters sent")),
    "letter_in": ("letters_in", message("Letters received")),
    "meeting": ("meetings", message("Meetings")),
    "chat": ("chats", message("Chats")),
    "quote": ("quotes", message("Proposals")),
    "invoice": ("invoices", message("Invoices")),
    "payment": ("payments", message("Paid invoices")),
    "sale": ("sales", message("Sales")),
}
"""By the kind of touch, its figure's name and title."""
_WITH_MONEY: Final[Mapping[str, Message]] = {
    "quote": message("Proposals, RUB"),
    "invoice": message("Invoices, RUB"),
    "payment": message("Paid, RUB"),
    "sale": message("Sales, RUB"),
}


@dataclass(frozen=True, slots=True)
class Sums:
    """What is added up. `amount`: RUB, of those `amount_known` whose amount is known."""

    count: int = 0
    talk_seconds: int = 0
    amount: Decimal = Decimal(0)
    amount_known: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.count + other.count,
            self.talk_seconds + other.talk_seconds,
            self.amount + other.amount,
            self.amount_known + other.amount_known,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one person, one client, or all: sums by kind of touch."""

    of: Mapping[str, Sums] = field(default_factory=dict[str, Sums])

    def __getitem__(self, kind: str) -> Sums:
        return self.of.get(kind, Sums())

    @property
    def talk_seconds(self) -> int:
        return sum(one.talk_seconds for one in self.of.values())

    @property
    def touches(self) -> int:
        """How often somebody of ours surely reached a client."""
        return sum(self[kind].count for kind in REACHING)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures({kind: self[kind] + other[kind] for kind in {*self.of, *other.of}})


@dataclass(frozen=True, slots=True)
class OfClient:
    """A client's figures; `title` None where the company is not known by name."""

    company_id: int
    title: str | None
    figures: Figures


_SUMS = "sum(count), sum(talk_seconds), sum(amount), sum(amount_known)"
_PERIOD = """
    portal_id = :portal AND day >= :since AND day <= :until
    AND (CAST(:managers AS bigint[]) IS NULL OR user_id = ANY(:managers))
"""
_PEOPLE = text(f"SELECT user_id, kind, {_SUMS} FROM activity_days WHERE {_PERIOD} GROUP BY user_id, kind")  # noqa: S608
_PEOPLE_OF_CLIENT = text(f"""
    SELECT user_id, kind, {_SUMS} FROM company_days WHERE {_PERIOD} AND company_id = :company GROUP BY user_id, kind
""")  # noqa: S608 - constants
_CLIENT_PAGE = text(f"""
    SELECT company_id, count(*) OVER () FROM company_days WHERE {_PERIOD}
    GROUP BY company_id ORDER BY sum(count) FILTER (WHERE kind = ANY(:reaching)) DESC NULLS LAST, company_id
    LIMIT :limit OFFSET :offset
""")  # noqa: S608 - constants
_OF_CLIENTS = text(f"""
    SELECT company_id, kind, {_SUMS} FROM company_days WHERE {_PERIOD} AND company_id = ANY(:companies)
    GROUP BY company_id, kind
""")  # noqa: S608 - constants
_TITLES = text("SELECT company_id, title FROM companies WHERE portal_id = :portal AND company_id = ANY(:companies)")


async def by_manager(session: ReadSession, scope: Scope, *, company: int | None = None) -> dict[int, Figures]:
    """Figures by user, 0 for what names nobody; with `company` only what was done for it."""
    statement = _PEOPLE if company is None else _PEOPLE_OF_CLIENT
    return _figures((await session.execute(statement, scope.values | {"company": company})).all())


async def by_client(
    session: ReadSession, scope: Scope, *, limit: int = _CLIENTS, offset: int = 0
) -> tuple[list[OfClient], int]:
    """A page of clients with anything in the period, the most touched first; and how many there are."""
    values = scope.values | {"reaching": list(REACHING), "limit": limit, "offset": offset}
    page = (await session.execute(_CLIENT_PAGE, values)).all()
    which = scope.values | {"companies": [row[0] for row in page]}
    figures = _figures((await session.execute(_OF_CLIENTS, which)).all())
    titles = {row[0]: row[1] for row in await session.execute(_TITLES, which)}
    clients = [OfClient(row[0], titles.get(row[0]), figures[row[0]]) for row in page]
    return clients, page[0][1] if page else 0


def together(figures: Mapping[int, Figures]) -> Figures:
    """All of them added up."""
    return sum(figures.values(), Figures())


def cells_of(figures: Figures) -> dict[str, Value]:
    """One row's figures by column."""
    cells: dict[str, Value] = {}
    for kind, (name, _) in KINDS.items():
        cells[name] = figures[kind].count
        if kind in _WITH_MONEY:
            cells[f"{name}_amount"] = figures[kind].amount
    return cells | {"talk_seconds": figures.talk_seconds}


def _figures(rows: Sequence[Sequence[object]]) -> dict[int, Figures]:
    found: dict[int, dict[str, Sums]] = {}
    for key, kind, count, talk, amount, known in rows:
        sums = Sums(int(str(count)), int(str(talk)), Decimal(str(amount)), int(str(known)))
        found.setdefault(int(str(key)), {})[str(kind)] = sums
    return {key: Figures(of) for key, of in found.items()}


def _columns() -> tuple[Column, ...]:
    made: list[Column] = []
    money: Kind = "money"
    for kind, (name, title) in KINDS.items():
        made.append(Column(name, title, cards=True))
        if kind in _WITH_MONEY:
            made.append(Column(f"{name}_amount", _WITH_MONEY[kind], money, cards=True))
        if kind == "call_unknown":
            made.append(Column("talk_seconds", message("Talk time"), "seconds"))
    return tuple(made)


_COLUMNS: Final = _columns()
_OPENED: Final[Mapping[str, Touched]] = {
    **{name: Touched(kinds=(kind,)) for kind, (name, _) in KINDS.items()},
    **{f"{KINDS[kind][0]}_amount": Touched(kinds=(kind,), amount=True) for kind in _WITH_MONEY},
}
"""By column, the touches that it counts."""


async def tell(session: ReadSession, scope: Scope) -> Told:
    """The report: managers with their totals, and the clients that were touched most."""
    people = await by_manager(session, scope)
    clients, _ = await by_client(session, scope)
    order = sorted(people, key=lambda user: (-people[user].touches, user))
    managers = Table(
        "managers",
        message("Managers"),
        message("Manager"),
        _COLUMNS,
        tuple(Row(_key(user), _person(scope, user), cells_of(people[user])) for user in order),
        Row("", message("Total"), cells_of(together(people))),
        Chart("bars", ("calls_out", "letters_out", "meetings")),
    )
    touched = Table(
        "clients",
        message("Clients touched most"),
        message("Client"),
        _COLUMNS,
        tuple(Row(str(one.company_id), _client(one), cells_of(one.figures)) for one in clients),
    )
    return Told((managers, touched), notes=missing_said(await sources_kept(session, scope)))


async def _open(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    touched = _OPENED.get(number.column)
    match number:
        case Number("managers", _, None):
            whose: dict[str, int] = {}
        case Number("managers", _, ""):
            whose = {"user": NOBODY}
        case Number("managers" | "clients" as table, _, str(row)) if row.isdecimal():
            whose = {"user" if table == "managers" else "company": int(row)}
        case _:
            raise NoSuchNumber(str(number))
    if touched is None:
        raise NoSuchNumber(str(number))
    return await open_touched(session, scope, replace(touched, **whose), limit, offset)


def _client(one: OfClient) -> str | Message:
    return one.title or message("company {number}", number=str(one.company_id))


def _key(user: int) -> str:
    return str(user) if user != NOBODY else ""


def _person(scope: Scope, user: int) -> str | Message:
    return scope.words.person(_key(user)) if user != NOBODY else message("nobody named")


REPORT: Final = Report(
    name="activity",
    title=message("Activity of managers and by client"),
    definition=message(
        "What was done in the period, by whoever did it then: a later change of the responsible person moves nothing. "
        "Calls by the portal's call statistics, once for each person who talked; a call that nobody took counts once, "
        "for the last who was rung up; a call without statistics is told apart, since nobody knows whether there was a "
        "talk. Letters when sent, meetings when held, chats when a person of ours first answered, proposals and "
        "invoices when made, paid invoices when seen paid, sales (won deals) by their close date. A thing belongs to "
        "the companies it is bound to and to those of its leads and deals; for people and in totals it counts once. "
        "Money in RUB, as far as amounts and rates are known."
    ),
    tell=tell,
    open=_open,
    filters=frozenset({"period", "manager", "department", "pool"}),
    days=30,
)
