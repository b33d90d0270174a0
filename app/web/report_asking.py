"""What a reader asks a report, and the asking of it. Called by the API, the pages and the sheets alike."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import Depends, Query

from app.domain.messages import message
from app.reports import REPORTS
from app.reports.report import FoundCards, NoSuchNumber, Number, Report, Told
from app.reports.scope import Filter, Scope, scope_of
from app.store import completeness
from app.store.database import ReadSession
from app.store.portals import Portal
from app.web.access import Caller, demand
from app.web.api.queries import LARGEST_NUMBER, LARGEST_PORTAL, Since, Until, WhichPortal, in_order
from app.web.asking import portal_asked
from app.web.problems import WebProblem
from app.web.state import WebState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    """The filters as they stand in the address; None is any."""

    portal: int | None = None
    since: date | None = None
    until: date | None = None
    manager: int | None = None
    department: int | None = None
    pool: int | None = None
    source: str | None = None
    pipeline: int | None = None
    segment: str | None = None


_Id = Annotated[int | None, Query(ge=0, le=LARGEST_NUMBER)]
_Code = Annotated[str | None, Query(max_length=100)]


def _report_query(
    *,
    portal: WhichPortal = None,
    since: Since = None,
    until: Until = None,
    manager: Annotated[_Id, Query(description="Cards of this user of the portal.")] = None,
    department: Annotated[_Id, Query(description="Cards of the people of this department and those below.")] = None,
    pool: Annotated[_Id, Query(description="Cards of the people of this open pool, by our number.")] = None,
    source: Annotated[_Code, Query(description="Cards from this source, by its code.")] = None,
    pipeline: Annotated[
        int | None, Query(ge=0, le=LARGEST_PORTAL, description="Cards of this pipeline; 0 is the first.")
    ] = None,
    segment: Annotated[_Code, Query(description="Cards of companies of this segment: new, regular, sleeping…")] = None,
) -> ReportQuery:
    return ReportQuery(
        portal=portal,
        since=since,
        until=until,
        manager=manager,
        department=department,
        pool=pool,
        source=source,
        pipeline=pipeline,
        segment=segment,
    )


AskedOfReport = Annotated[ReportQuery, Depends(_report_query)]


@dataclass(frozen=True, slots=True)
class Question:
    """A report, and what it is asked of which portal."""

    report: Report
    portal: Portal
    scope: Scope


def report_named(name: str, caller: Caller) -> Report:
    """Raises WebProblem: 404 for a report that is none, 403 for one that the caller may not read."""
    report = REPORTS.get(name)
    if report is None:
        said = message("There is no report {name}: /api/v1/reports lists them.", name=name)
        raise WebProblem(404, "report_unknown", said, path="name")
    demand(caller, report.role)
    return report


async def question(web: WebState, session: ReadSession, report: Report, asked: ReportQuery) -> Question:
    """The report's question, with its own period where none is given. Raises WebProblem."""
    portal = await portal_asked(session, asked.portal)
    for name in ("manager", "department", "pool", "source", "pipeline", "segment"):
        if getattr(asked, name) is not None and name not in report.filters:
            said = message("This report cannot be narrowed by {filter}: leave it out.", filter=name)
            raise WebProblem(422, "filter_unknown", said, path=name)
    since, until = period(report, asked, await completeness.today(session, portal.id, now=web.clock()))
    in_order(since, until)
    wanted = Filter(
        since=since,
        until=until,
        manager=asked.manager,
        department=asked.department,
        pool=asked.pool,
        source=asked.source,
        pipeline=asked.pipeline,
        segment=asked.segment,
    )
    return Question(report, portal, await scope_of(session, portal.id, wanted, now=web.clock()))


async def told(session: ReadSession, asked: Question) -> Told:
    """The report's answer."""
    return await asked.report.tell(session, asked.scope)


async def opened(session: ReadSession, asked: Question, number: Number, *, limit: int, offset: int) -> FoundCards:
    """A page of the cards behind one number. Raises WebProblem."""
    try:
        return await asked.report.open(session, asked.scope, number, limit, offset)
    except NoSuchNumber as error:
        said = message(
            "There is no such number, or no cards behind it: give table, row and column as the report tells them."
        )
        raise WebProblem(404, "number_unknown", said, path="column") from error


def period(report: Report, asked: ReportQuery, today: date) -> tuple[date, date]:
    """The days asked for; where the address leaves some open, the report's own."""
    if report.last_month and asked.since is None and asked.until is None:
        last = _before(today.replace(day=1), 1)
        return last.replace(day=1), last
    until = asked.until or today
    return asked.since or _before(until, report.days - 1), until


def _before(day: date, days: int) -> date:
    return date.fromordinal(max(day.toordinal() - timedelta(days=days).days, 1))
