"""`/api/v1/reports`: which reports there are, each report's answer, and the cards behind each of its numbers."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.domain.interval import Share
from app.domain.messages import Message, message
from app.reports import REPORTS
from app.reports.report import Column, FoundCard, Kind, Number, Row, Table, Told, Value
from app.store.tokens import Role
from app.texts import Catalogue, catalogue
from app.web.access import AsViewer
from app.web.problems import ProblemAnswer, WebProblem
from app.web.rendering import language_of
from app.web.report_asking import AskedOfReport, Question, opened, question, report_named, told
from app.web.shapes import TYPE_NAMES, CardType
from app.web.sheets import CSV_TYPE, XLSX_TYPE, as_csv, as_xlsx
from app.web.state import Web

router = APIRouter(prefix="/reports", tags=["reports"], responses={404: {"model": ProblemAnswer}})

ELSEWHERE: Final[Mapping[str, str]] = {
    "past-deals": "/api/v1/calculator/minimum",
    "regular-clients": "/api/v1/clients/regular",
    "exceptions": "/api/v1/exceptions",
    "activity": "/api/v1/activity",
    "activity-rating": "/api/v1/activity/rating",
}
"""Reports that also have an address of their own, which tells more."""


class ReportLine(BaseModel):
    """One report."""

    name: str
    title: str
    definition: str = Field(description="What exactly is counted, and by which date.")
    address: str
    more_at: str | None = Field(description="An address of its own, where there is one that tells more.")
    filters: list[str] = Field(description="What it can be narrowed by; each is a parameter of its address.")
    days: int = Field(description="How many days back the period goes when `since` is not given.")
    last_month: bool = Field(description="Whether the period is the last whole month when neither day is given.")
    role: Role = Field(description="The least role that may read it.")


class ColumnView(BaseModel):
    """One column of a table."""

    name: str
    title: str
    kind: Kind = Field(description="share is 0 to 1, money is RUB, seconds a length of time.")
    note: str | None
    cards: bool = Field(description="Whether its numbers open to cards.")


class RowView(BaseModel):
    """One line. A column that is not among the cells has nothing to tell there."""

    key: str = Field(description="Names the row when one of its numbers is opened; empty: not known.")
    label: str
    level: int
    cells: dict[str, Any] = Field(
        description="By column. A share is {value, low, high, hits, of}, low and high being its interval (95 %). "
        "Money is a text with every digit."
    )


class ChartView(BaseModel):
    """How the table is best drawn."""

    kind: str
    columns: list[str]


class TableView(BaseModel):
    """One table of a report."""

    name: str
    title: str
    heading: str
    columns: list[ColumnView]
    rows: list[RowView]
    totals: RowView | None
    chart: ChartView | None


class CoverageView(BaseModel):
    """Of how many something is known that the figures need."""

    said: str
    known: int
    of: int
    share: float | None = Field(description="0 to 1; null where there is none.")


class ReportAnswer(BaseModel):
    """A report's answer."""

    name: str
    title: str
    definition: str
    since: date
    until: date
    tables: list[TableView]
    coverage: list[CoverageView]
    notes: list[str] = Field(description="What must be known of these very figures.")


class CardBehind(BaseModel):
    """A card behind a number."""

    type: CardType
    id: int
    title: str | None
    address: str = Field(description="The card in the portal.")
    responsible: int | None = Field(description="The responsible user's id in the portal.")
    amount: Decimal | None = Field(description="RUB, of a deal.")
    at: datetime | date | None = Field(description="What brought it into the period.")
    known: bool = Field(description="Whether Ogon has its story, at `/api/v1/cards/{type}/{id}`.")


class CardsBehind(BaseModel):
    """A page of the cards behind one number."""

    items: list[CardBehind]
    total: int
    notes: list[str] = Field(description="Where the number does not count cards: what it counts.")
    limit: int
    offset: int


@router.get("")
async def list_reports(request: Request) -> list[ReportLine]:
    """The reports, with the role that each needs."""
    texts = catalogue(language_of(request))
    return [
        ReportLine(
            name=one.name,
            title=texts.say(one.title),
            definition=texts.say(one.definition),
            address=f"/api/v1/reports/{one.name}",
            more_at=ELSEWHERE.get(one.name),
            filters=sorted(one.filters),
            days=one.days,
            last_month=one.last_month,
            role=one.role,
        )
        for one in REPORTS.values()
    ]


@router.get("/{name}.csv", response_class=Response, responses={200: {"content": {CSV_TYPE: {}}}})
async def report_as_csv(
    web: Web,
    request: Request,
    caller: AsViewer,
    name: str,
    asked: AskedOfReport,
    *,
    table: Annotated[
        str | None, Query(max_length=100, description="A table of the report; the first if left out.")
    ] = None,
) -> Response:
    """One table of a report as CSV, UTF-8 with a byte order mark."""
    report = report_named(name, caller)
    async with web.database.reading() as session:
        answer = await told(session, await question(web, session, report, asked))
    wanted = next((one for one in answer.tables if table in {None, one.name}), None)
    if wanted is None:
        said = message(
            "The report has no such table: give one of {tables}.", tables=tuple(one.name for one in answer.tables)
        )
        raise WebProblem(404, "table_unknown", said, path="table")
    return _file(as_csv(wanted, catalogue(language_of(request))), CSV_TYPE, f"{report.name}-{wanted.name}.csv")


@router.get("/{name}.xlsx", response_class=Response, responses={200: {"content": {XLSX_TYPE: {}}}})
async def report_as_xlsx(web: Web, request: Request, caller: AsViewer, name: str, asked: AskedOfReport) -> Response:
    """A report as a workbook: what it is, then a sheet for each table."""
    report = report_named(name, caller)
    async with web.database.reading() as session:
        about = await question(web, session, report, asked)
        answer = await told(session, about)
    book = await asyncio.to_thread(as_xlsx, about, answer, catalogue(language_of(request)))
    return _file(book, XLSX_TYPE, f"{report.name}.xlsx")


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/{name}")
async def ask_report(web: Web, request: Request, caller: AsViewer, name: str, asked: AskedOfReport) -> ReportAnswer:
    """One report over a period."""
    report = report_named(name, caller)
    async with web.database.reading() as session:
        about = await question(web, session, report, asked)
        answer = await told(session, about)
    return report_view(about, answer, catalogue(language_of(request)))


@router.get("/{name}/cards")
async def open_number(
    web: Web,
    request: Request,
    caller: AsViewer,
    name: str,
    asked: AskedOfReport,
    *,
    table: Annotated[str, Query(max_length=100, description="A table of the report, by its name.")],
    column: Annotated[str, Query(max_length=100, description="A column of the table, by its name.")],
    row: Annotated[
        str | None,
        Query(max_length=300, description="A row, by its key; empty: not known; left out: of the totals."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many.")] = 50,
    offset: Annotated[int, Query(ge=0, le=10**9, description="Pass over so many.")] = 0,
) -> CardsBehind:
    """The cards behind one number of a report; ask with the report's own filters."""
    report = report_named(name, caller)
    async with web.database.reading() as session:
        about = await question(web, session, report, asked)
        found = await opened(session, about, Number(table, column, row), limit=limit, offset=offset)
    items = [card_behind(card, about.portal.domain) for card in found.cards]
    texts = catalogue(language_of(request))
    notes = [texts.say(note) for note in found.notes]
    return CardsBehind(items=items, total=found.total, notes=notes, limit=limit, offset=offset)


def card_behind(card: FoundCard, domain: str) -> CardBehind:
    """A card with its address in the portal."""
    kind = TYPE_NAMES[card.entity_type_id]
    return CardBehind(
        type=kind,
        id=card.card_id,
        title=card.title,
        address=f"https://{domain}/crm/{kind}/details/{card.card_id}/",
        responsible=card.responsible,
        amount=card.amount,
        at=card.at,
        known=card.known,
    )


def report_view(about: Question, answer: Told, texts: Catalogue) -> ReportAnswer:
    """The answer in one language."""
    return ReportAnswer(
        name=about.report.name,
        title=texts.say(about.report.title),
        definition=texts.say(about.report.definition),
        since=about.scope.filter.since,
        until=about.scope.filter.until,
        tables=[_table(table, texts) for table in answer.tables],
        coverage=[
            CoverageView(
                said=texts.say(one.said),
                known=one.known,
                of=one.of,
                share=round(one.known / one.of, 4) if one.of else None,
            )
            for one in answer.coverage
        ],
        notes=[texts.say(note) for note in answer.notes],
    )


def _table(table: Table, texts: Catalogue) -> TableView:
    return TableView(
        name=table.name,
        title=texts.say(table.title),
        heading=texts.say(table.heading),
        columns=[_column(column, texts) for column in table.columns],
        rows=[_row(row, texts) for row in table.rows],
        totals=None if table.totals is None else _row(table.totals, texts),
        chart=None if table.chart is None else ChartView(kind=table.chart.kind, columns=list(table.chart.columns)),
    )


def _column(column: Column, texts: Catalogue) -> ColumnView:
    note = None if column.note is None else texts.say(column.note)
    return ColumnView(name=column.name, title=texts.say(column.title), kind=column.kind, note=note, cards=column.cards)


def _row(row: Row, texts: Catalogue) -> RowView:
    cells = {name: _cell(value, texts) for name, value in row.cells.items()}
    return RowView(key=row.key, label=_words(row.label, texts), level=row.level, cells=cells)


def _words(label: str | Message, texts: Catalogue) -> str:
    return texts.say(label) if isinstance(label, Message) else label


def _cell(value: Value, texts: Catalogue) -> Any:
    match value:
        case Message():
            return texts.say(value)
        case Share():
            low, high = round(value.low, 6), round(value.high, 6)
            return {"value": round(value.value, 6), "low": low, "high": high, "hits": value.hits, "of": value.of}
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
        case _:
            return value
