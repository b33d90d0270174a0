"""The common shape of every report: what it is called, what it counts, what it may be asked, what it answers.

A report is a file with a `REPORT`, listed in `app/reports/__init__.py`. The API, the pages, CSV and XLSX know only this
shape, so that a new report is shown everywhere at once. Data and words, no HTML: what people read are messages.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias, get_args

from app.domain.interval import Share
from app.domain.messages import Message
from app.reports.scope import FilterName, Scope
from app.store.database import ReadSession

Kind = Literal["text", "count", "share", "money", "number", "days", "seconds", "date"]
"""How a column's values are written: `share` 0 to 1 as a percentage, `money` in RUB, `seconds` as a length of time."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Value: TypeAlias = "str | int | float | Decimal | date | Share | Message | None"
"""One number or text. None: nothing to tell, which is not 0. A `share` may come with its interval, as `Share`."""
ChartKind = Literal["bars", "stacked", "funnel", "line"]
CardTypeId = Literal[1, 2, 4]
NOT_KNOWN: Final = ""
"""The key of the row of those of which it is not known where they belong."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `note` says what exactly is counted, where the title does not; `cards`: each number opens."""

    name: str
    title: Message
    kind: Kind = "count"
    note: Message | None = None
    cards: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line: `key` for programs and for opening its numbers, `label` for people, `cells` by column name.

    A column that is not among the cells has nothing to tell. `level` 1 belongs to the last row of level 0 above.
    """

    key: str
    label: str | Message
    cells: Mapping[str, Value]
    level: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """Draw these columns over the rows. `funnel`: each row a step of the one above."""

    kind: ChartKind
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report. `heading` heads the row labels; `totals` None where a sum would say nothing."""

    name: str
    title: Message
    heading: Message
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    totals: Row | None = None
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of how many something is known that the figures need: printed beside them ("filled for 68 % of deals")."""

    said: Message
    known: int
    of: int


@dataclass(frozen=True, slots=True)
class Told:
    """A report's answer. `notes`: what a reader must know of these very figures, e.g. a source that is missing."""

    tables: tuple[Table, ...]
    coverage: tuple[Coverage, ...] = ()
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """Which number of a report is opened. `row` None: of the totals; NOT_KNOWN: of the row without a key."""

    table: str
    column: str
    row: str | None = None


@dataclass(frozen=True, slots=True)
class FoundCard:
    """A card behind a number. `amount` in RUB; `at`: the moment or day that brought it into the period.

    `known` False: Ogon has no story of it, as of deals that closed before it came.
    """

    entity_type_id: int
    card_id: int
    title: str | None
    responsible: int | None
    amount: Decimal | None
    at: datetime | date | None
    known: bool = True


@dataclass(frozen=True, slots=True)
class FoundCards:
    """One page of cards, the newest first by their ids, and how many there are in all.

    `notes`: where the number does not count cards, what it counts and how the cards belong to it.
    """

    cards: tuple[FoundCard, ...]
    total: int
    notes: tuple[Message, ...] = ()


class NoSuchNumber(LookupError):  # noqa: N818 - what was asked for, not a fault
    """The report has no such table, column or row, or the number has no cards behind it."""


Tell: TypeAlias = Callable[[ReadSession, Scope], Awaitable[Told]]
Open: TypeAlias = Callable[[ReadSession, Scope, Number, int, int], Awaitable[FoundCards]]
"""Session, scope, which number, limit, offset. Raises NoSuchNumber."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report. `definition` says in words what exactly is counted and by which date a card falls into the period.

    `filters`: which of the scope's filters it heeds; asked with another one, the web refuses. `days`: how long the
    period is when nobody says; with `last_month` it is the last whole month then. `role`: the least that may read it.
    """

    name: str
    title: Message
    definition: Message
    tell: Tell
    open: Open
    filters: frozenset[FilterName] = field(default_factory=lambda: frozenset(get_args(FilterName)))
    days: int = 90
    last_month: bool = False
    role: Literal["viewer", "head"] = "viewer"
