"""Tables that are counted: a row for each value of a key, a column for each measure, and the cards behind each number.

A report says from which relation it counts, by what, and what; the statement that counts and the one that opens a
number are both made here from the same words, so a number cannot open to other cards than it counted. Constants only:
what a reader gives is bound, never part of the text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text

from app.domain import interval
from app.domain.messages import Message, message
from app.reports.report import (
    NOT_KNOWN,
    Chart,
    Column,
    Coverage,
    FoundCard,
    FoundCards,
    Kind,
    NoSuchNumber,
    Number,
    Row,
    Table,
    Told,
    Value,
)
from app.reports.scope import Scope
from app.store.database import ReadSession

CREATED: Final = "one.created_at >= :starts AND one.created_at < :ends"
CLOSED: Final = "one.closed_on >= :since AND one.closed_on <= :until"
_FILTERS: Final[Mapping[str, str]] = {
    "managers": "one.responsible = ANY(CAST(:managers AS bigint[]))",
    "source": "one.source = :source",
    "pipeline": "one.pipeline = :pipeline",
    "segment": """EXISTS (SELECT FROM company_segments AS mark WHERE mark.portal_id = :portal
        AND mark.company_id = one.company_id AND mark.segment = :segment)""",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """One column: an aggregate over the relation; `of` what a share is taken of; `cards` which rows are behind it.

    `sums` False: of all rows together it says nothing.
    """

    column: Column
    value: str
    of: str | None = None
    cards: str | None = None
    sums: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """A line of coverage: of how many of the relation's rows something is known."""

    said: Message
    known: str
    of: str = "true"


ROWS: Final = "*"
CARDS: Final = "DISTINCT card_id"
"""How cards are counted where the relation may have one of them in several rows."""


def counted(
    name: str, title: Message, where: str = "true", *, each: str = ROWS, note: Message | None = None
) -> Measure:
    """How many cards."""
    value = f"count({each}) FILTER (WHERE {where})"
    return Measure(Column(name, title, "count", note, cards=True), value, cards=where)


def shared(
    name: str, title: Message, hits: str, of: str = "true", *, each: str = ROWS, note: Message | None = None
) -> Measure:
    """Which share of the cards `of`, with its interval."""
    both = f"({of}) AND ({hits})"
    value, whole = (f"count({each}) FILTER (WHERE {one})" for one in (both, of))
    return Measure(Column(name, title, "share", note, cards=True), value, of=whole, cards=both)


def summed(name: str, title: Message, what: str, where: str = "true", *, note: Message | None = None) -> Measure:
    """A sum of money; nothing where none of it is known."""
    known = f"({where}) AND {what} IS NOT NULL"
    column = Column(name, title, "money", note, cards=True)
    return Measure(column, f"sum({what}) FILTER (WHERE {known})", cards=known)


def averaged(
    name: str, title: Message, what: str, where: str = "true", *, kind: Kind = "money", note: Message | None = None
) -> Measure:
    """An average of what is known."""
    known = f"({where}) AND {what} IS NOT NULL"
    value = f"round(avg({what}) FILTER (WHERE {known}), 2)"
    return Measure(Column(name, title, kind, note, cards=True), value, cards=known)


def quantile(
    name: str, title: Message, what: str, at: float, where: str = "true", *, note: Message | None = None
) -> Measure:
    """A quantile of a length of time, between the two nearest values where it falls between them."""
    value = f"percentile_cont({at}) WITHIN GROUP (ORDER BY {what}) FILTER (WHERE {where})"
    known = f"({where}) AND {what} IS NOT NULL"
    return Measure(Column(name, title, "seconds", note, cards=True), value, cards=known)


Label = Callable[[Scope, str], str | Message]
Finish = Callable[[Scope, list[Row]], list[Row]]
Binds = Callable[[Scope], Mapping[str, Any]]


def _most_first(_scope: Scope, rows: list[Row]) -> list[Row]:
    """By the first measure, the most first; what is not known at the end."""

    def place(row: Row) -> tuple[bool, float, str]:
        first = next(iter(row.cells.values()), None)
        size = first.value if isinstance(first, interval.Share) else first
        return row.key == NOT_KNOWN, -float(size) if isinstance(size, int | float) else 0.0, row.key

    return sorted(rows, key=place)


def _nothing_more(_scope: Scope) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """One counted table.

    `base` is a SELECT with `{where}` where the conditions on its cards `one` belong; it gives at least
    `entity_type_id`, `card_id`, `responsible`, `amount` and `at`. `period` is the condition on the period, `filters`
    the names of those heeded. `key` is an expression over the base, NULL where it is not known. `finish` puts the
    rows in order and adds what one row alone cannot tell, in the columns `more`. `binds`: further values.
    """

    name: str
    title: Message
    heading: Message
    base: str
    key: str
    label: Label
    measures: tuple[Measure, ...]
    period: str = "true"
    filters: tuple[str, ...] = tuple(_FILTERS)
    known: tuple[Known, ...] = ()
    totals: bool = True
    chart: Chart | None = None
    finish: Finish = _most_first
    more: tuple[Column, ...] = ()
    binds: Binds = _nothing_more

    async def tell(self, session: ReadSession, scope: Scope) -> tuple[Table, tuple[Coverage, ...]]:
        """The table, and how far what it counts is known."""
        wanted = [f"{one.value} AS m{place}" for place, one in enumerate(self.measures)]
        wanted += [f"{one.of} AS o{place}" for place, one in enumerate(self.measures) if one.of is not None]
        for place, one in enumerate(self.known):
            wanted.append(f"count(*) FILTER (WHERE {one.of}) AS c{place}")
            wanted.append(f"count(*) FILTER (WHERE ({one.of}) AND ({one.known})) AS k{place}")
        # Sorting by the letters of a language would cost more than all the rest.
        key = f'CAST({self.key} AS text) COLLATE "C"'
        sets = f"({key}), ()" if self.totals or self.known else f"({key})"
        statement = text(f"""
            SELECT {key} AS key, grouping({key}) AS whole, {", ".join(wanted)}
            FROM ({self._base(scope)}) AS counted GROUP BY GROUPING SETS ({sets})
        """)  # noqa: S608 - constants
        found = (await session.execute(statement, self._values(scope))).mappings().all()
        rows = [self._row(scope, row) for row in found if not row["whole"]]
        nothing: Mapping[Any, Any] = {}
        whole = next((row for row in found if row["whole"]), nothing)
        table = Table(
            self.name,
            self.title,
            self.heading,
            (*(one.column for one in self.measures), *self.more),
            tuple(self.finish(scope, rows)),
            self._whole(scope, whole) if self.totals else None,
            self.chart,
        )
        coverage = [Coverage(one.said, whole[f"k{place}"], whole[f"c{place}"]) for place, one in enumerate(self.known)]
        return table, tuple(coverage)

    async def open(self, session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
        """The cards behind one number. Raises NoSuchNumber."""
        cards = next((one.cards for one in self.measures if one.column.name == number.column), None)
        if cards is None or (number.row is None and not self.totals):
            raise NoSuchNumber(str(number))
        of_row = {None: "true", NOT_KNOWN: f"({self.key}) IS NULL"}.get(number.row, f"CAST({self.key} AS text) = :row")
        behind = f"""
            SELECT DISTINCT ON (entity_type_id, card_id) entity_type_id, card_id, responsible, amount, at
            FROM ({self._base(scope)}) AS counted WHERE ({cards}) AND {of_row} ORDER BY entity_type_id, card_id, at
        """  # noqa: S608 - constants
        return await cards_behind(session, behind, self._values(scope) | {"row": number.row}, limit, offset)

    def _base(self, scope: Scope) -> str:
        values = scope.values
        asked = [_FILTERS[name] for name in self.filters if values[name] is not None]
        return self.base.replace("{where}", " AND ".join([f"({self.period})", *asked]))

    def _values(self, scope: Scope) -> dict[str, Any]:
        return {**scope.values, **self.binds(scope)}

    def _row(self, scope: Scope, row: Mapping[Any, Any]) -> Row:
        key = NOT_KNOWN if row["key"] is None else str(row["key"])
        return Row(key, self.label(scope, key), self._cells(row))

    def _cells(self, row: Mapping[Any, Any]) -> dict[str, Value]:
        cells: dict[str, Value] = {}
        for place, one in enumerate(self.measures):
            value = row[f"m{place}"]
            cells[one.column.name] = value if one.of is None else interval.share(value or 0, row[f"o{place}"] or 0)
        return cells

    def _whole(self, scope: Scope, row: Mapping[Any, Any]) -> Row:
        cells = self._cells(row)
        summed = {one.column.name: cells[one.column.name] for one in self.measures if one.sums}
        return Row(NOT_KNOWN, message("Total"), summed)


async def cards_behind(
    session: ReadSession, behind: str, values: Mapping[str, Any], limit: int, offset: int
) -> FoundCards:
    """A page of the cards that the SELECT `behind` gives, and how many there are; see `paged`."""
    rows = (await session.execute(text(paged(behind)), {**values, "limit": limit, "offset": offset})).all()
    total = await session.scalar(text(f"SELECT count(*) FROM ({behind}) AS behind"), values)  # noqa: S608
    return FoundCards(tuple(card_of(row) for row in rows), total or 0)


def paged(behind: str) -> str:
    """A SELECT of a page of the cards that the SELECT `behind` gives, with titles; the newest first by their ids.

    That one gives each card once with `entity_type_id`, `card_id`, `responsible`, `amount` and `at`. Binds `:portal`,
    `:limit` and `:offset`.
    """
    return f"""
        SELECT behind.*, coalesce(card.title, company.title) AS title, card.card_id IS NOT NULL AS known
        FROM ({behind}) AS behind LEFT JOIN cards AS card
            ON card.portal_id = :portal AND card.entity_type_id = behind.entity_type_id
            AND card.card_id = behind.card_id
        LEFT JOIN companies AS company ON company.portal_id = :portal AND behind.entity_type_id = 4
            AND company.company_id = behind.card_id
        ORDER BY behind.card_id DESC, behind.entity_type_id LIMIT :limit OFFSET :offset
    """  # noqa: S608 - constants


def card_of(row: Any) -> FoundCard:
    """One row of `paged`."""
    return FoundCard(row.entity_type_id, row.card_id, row.title, row.responsible, row.amount, row.at, row.known)


Notes = Callable[[Scope], tuple[Message, ...]]


def _no_notes(_scope: Scope) -> tuple[Message, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Tables:
    """What a report of counted tables is told and opened by: `Report(tell=it.tell, open=it.open, …)`."""

    tables: Sequence[Grouped]
    notes: Notes = _no_notes

    async def tell(self, session: ReadSession, scope: Scope) -> Told:
        """All tables, one after the other."""
        found = [await one.tell(session, scope) for one in self.tables]
        coverage = dict.fromkeys(line for _, lines in found for line in lines)
        return Told(tuple(table for table, _ in found), tuple(coverage), self.notes(scope))

    async def open(self, session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
        """Raises NoSuchNumber."""
        for one in self.tables:
            if one.name == number.table:
                return await one.open(session, scope, number, limit, offset)
        raise NoSuchNumber(str(number))
