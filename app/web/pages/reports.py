"""`/reports`: the reports, each with its filters, definition, coverage, chart, table and the cards behind its numbers.

Knows only the common shape of reports; a new one is shown here without a line.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, BeforeValidator, Field

from app.domain.snapshot import Entity
from app.reports import REPORTS
from app.reports.report import Column, Kind, Number, Row, Table, Told
from app.reports.scope import FilterName
from app.store import people, pools
from app.store.database import ReadSession
from app.texts import Catalogue, catalogue
from app.web import rendering
from app.web.api.queries import LARGEST_NUMBER, LARGEST_PORTAL, Day
from app.web.api.reports import ask_report, card_behind, report_as_csv, report_as_xlsx, report_view
from app.web.charts import Drawing, drawing
from app.web.figures import Figure, Writer
from app.web.pages.frame import frame_of
from app.web.report_asking import Question, ReportQuery, opened, question, report_named, told
from app.web.sign_in import Reader, SignedIn
from app.web.state import Web
from app.web.words import SEGMENTS

router = APIRouter()
_PER_PAGE = 50
_TAKEN_OF: Collection[Kind] = ("share", "seconds", "days")


def _given(value: Any) -> Any:
    """A field of a form that was left empty was not asked."""
    return None if value == "" else value


_Empty = BeforeValidator(_given)
_Id = Annotated[Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] | None, _Empty]
_Code = Annotated[Annotated[str, Field(max_length=100)] | None, _Empty]


class ReportForm(BaseModel):
    """The filters as the form sends them; what is left empty is any."""

    portal: Annotated[Annotated[int, Field(ge=1, le=LARGEST_PORTAL)] | None, _Empty] = None
    since: Annotated[Day | None, _Empty] = None
    until: Annotated[Day | None, _Empty] = None
    manager: _Id = None
    department: _Id = None
    pool: _Id = None
    source: _Code = None
    pipeline: Annotated[Annotated[int, Field(ge=0, le=LARGEST_PORTAL)] | None, _Empty] = None
    segment: _Code = None

    def asked(self, portal: int) -> ReportQuery:
        """The same as the API asks it."""
        wanted: dict[str, Any] = {**self.model_dump(include=set(ReportForm.model_fields)), "portal": portal}
        return ReportQuery(**wanted)

    def kept(self) -> Mapping[str, Any]:
        """What was asked, for links."""
        return self.model_dump(mode="json", exclude_none=True, include=set(ReportForm.model_fields))


class TableAsked(ReportForm):
    """The filters, and which table is wanted; the first if none is named."""

    table: str | None = Field(default=None, max_length=100)


class NumberAsked(ReportForm):
    """The filters, and which number is opened."""

    table: str = Field(max_length=100)
    column: str = Field(max_length=100)
    row: str | None = Field(default=None, max_length=300)
    page: int = Field(default=1, ge=1, le=100_000)


@dataclass(frozen=True, slots=True)
class Choice:
    """One filter with what may be chosen, by value; the period has no choices."""

    name: FilterName
    options: Mapping[str, str]
    chosen: str


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table as it is shown: label, cells with the address that opens each."""

    label: str
    level: int
    cells: list[tuple[Figure, str]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One table as it is shown."""

    table: Table
    title: str
    heading: str
    columns: list[tuple[str, str, Column]]
    lines: list[Line]
    totals: Line | None
    drawing: Drawing | None


@router.get("/reports")
async def reports_page(request: Request, caller: Reader) -> HTMLResponse:
    """Which reports there are."""
    texts = catalogue(rendering.language_of(request))
    known = [one for one in REPORTS.values() if caller.may(one.role)]
    return rendering.page(
        request,
        "reports.html",
        reports=[(one.name, texts.say(one.title), texts.say(one.definition)) for one in known],
    )


@router.get("/reports/{name}", dependencies=[SignedIn])
async def report_page(
    web: Web, request: Request, caller: Reader, name: str, form: Annotated[ReportForm, Query()]
) -> HTMLResponse:
    """One report over a period."""
    report = report_named(name, caller)
    async with web.database.reading() as session:
        frame = await frame_of(session, request, form.portal)
        about = await question(web, session, report, form.asked(frame.portal.id))
        answer = await told(session, about)
        choices = await _choices(session, about, form, frame.texts)
    writer = Writer(frame.texts)
    return rendering.page(
        request,
        "report.html",
        **frame.context,
        report=report,
        about=about,
        title=writer.words(report.title),
        definition=writer.words(report.definition),
        answer=report_view(about, answer, frame.texts),
        tables=_shown(answer, name, form, writer),
        choices=choices,
        asked=form.kept(),
    )


@router.get("/reports/{name}/cards", dependencies=[SignedIn])
async def number_page(
    web: Web, request: Request, caller: Reader, name: str, form: Annotated[NumberAsked, Query()]
) -> HTMLResponse:
    """The cards behind one number."""
    report = report_named(name, caller)
    async with web.database.reading() as session:
        frame = await frame_of(session, request, form.portal)
        about = await question(web, session, report, form.asked(frame.portal.id))
        number = Number(form.table, form.column, form.row)
        found = await opened(session, about, number, limit=_PER_PAGE, offset=(form.page - 1) * _PER_PAGE)
    writer = Writer(frame.texts)
    cards = [card_behind(card, frame.portal.domain) for card in found.cards]
    return rendering.page(
        request,
        "report_cards.html",
        **frame.context,
        title=writer.words(report.title),
        back=rendering.address(f"/reports/{name}", **form.kept()),
        about=about,
        cards=[(card, writer.figure(card.amount, "money").text) for card in cards],
        total=found.total,
        notes=[writer.words(note) for note in found.notes],
        page=form.page,
        pages=max(1, -(-found.total // _PER_PAGE)),
    )


@router.get("/reports/{name}/download.{kind}", dependencies=[SignedIn])
async def download(
    web: Web,
    request: Request,
    caller: Reader,
    name: str,
    kind: Literal["json", "csv", "xlsx"],
    form: Annotated[TableAsked, Query()],
) -> Response:
    """The answer as the API gives it, for who is signed in here."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, form.portal)
    asked = form.asked(frame.portal.id)
    if kind == "csv":
        return await report_as_csv(web, request, caller, name, asked, table=form.table)
    if kind == "xlsx":
        return await report_as_xlsx(web, request, caller, name, asked)
    answer = await ask_report(web, request, caller, name, asked)
    called = f"{name}-{answer.since}-{answer.until}.json"
    headers = {"Content-Disposition": f'attachment; filename="{called}"'}
    return Response(answer.model_dump_json(indent=2), media_type="application/json", headers=headers)


async def _choices(session: ReadSession, about: Question, form: ReportForm, texts: Catalogue) -> list[Choice]:
    """The filters that the report heeds and that have something to choose from, in one order."""
    portal_id = about.portal.id
    persons = (await people.people(session, portal_id)).values()
    departments = (await people.departments(session, portal_id)).values()
    words = about.scope.words
    options: Mapping[FilterName, Mapping[str, str]] = {
        "manager": {str(one.user_id): one.name for one in persons},
        "department": {str(one.department_id): one.name for one in departments},
        "pool": {str(one.id): one.name for one in await pools.live(session, portal_id)},
        "source": words.sources,
        "pipeline": {
            str(number): Writer(texts).words(words.pipeline(number))
            for number in sorted({stage.pipeline for stage in words.stages if stage.entity is Entity.DEAL})
        },
        "segment": {code: texts.gettext(name) for code, name in SEGMENTS.items()},
    }
    chosen = form.model_dump()
    return [
        Choice(name, _with_chosen(known, chosen[name]), "" if chosen[name] is None else str(chosen[name]))
        for name, known in options.items()
        if name in about.report.filters and known
    ]


def _with_chosen(known: Mapping[str, str], chosen: Any) -> Mapping[str, str]:
    """What is chosen stays choosable, also where the portal no longer tells it."""
    return known if chosen is None or str(chosen) in known else {**known, str(chosen): str(chosen)}


def _shown(answer: Told, name: str, form: ReportForm, writer: Writer) -> list[Shown]:
    return [
        Shown(
            table=table,
            title=writer.words(table.title),
            heading=writer.words(table.heading),
            columns=[
                (writer.words(one.title), writer.words(one.note) if one.note else "", one) for one in table.columns
            ],
            lines=[_line(table, row, name, form, writer) for row in table.rows],
            totals=_line(table, table.totals, name, form, writer, total=True) if table.totals else None,
            drawing=drawing(table, writer),
        )
        for table in answer.tables
    ]


def _line(table: Table, row: Row, name: str, form: ReportForm, writer: Writer, *, total: bool = False) -> Line:
    cells: list[tuple[Figure, str]] = []
    for column in table.columns:
        figure = writer.figure(row.cells.get(column.name), column.kind)
        # Nothing counted has no cards behind it; no time at all, or a share of nought, has those it was taken of.
        opens = column.cards and (bool(figure.size) or (figure.size is not None and column.kind in _TAKEN_OF))
        which = {"table": table.name, "column": column.name, "row": None if total else row.key}
        cells.append((figure, rendering.address(f"/reports/{name}/cards", **form.kept(), **which) if opens else ""))
    return Line(writer.words(row.label), row.level, cells)
