"""`/api/v1/activity`: what managers did for which clients, how well clients are looked after, and who was forgotten."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from app.reports import activity, activity_rating
from app.reports.activity import NOBODY, Figures
from app.reports.activity_rating import Rated, Whom
from app.reports.report import Report
from app.reports.scope import Scope
from app.reports.sources import SourceKept, sources_kept
from app.texts import Catalogue, catalogue
from app.web.api.queries import LARGEST_NUMBER, Since, Until, WhichPortal
from app.web.problems import ProblemAnswer
from app.web.rendering import language_of
from app.web.report_asking import ReportQuery, question
from app.web.state import Web

router = APIRouter(prefix="/activity", tags=["reports"], responses={404: {"model": ProblemAnswer}})

_Id = Annotated[int | None, Query(ge=0, le=LARGEST_NUMBER)]
_Limit = Annotated[int, Query(ge=1, le=500, description="At most so many.")]
_Offset = Annotated[int, Query(ge=0, le=10**9, description="Pass over so many.")]
_Whom = Annotated[Whom, Query(description="base: active clients; potential: target clients at work or in nurture.")]


class SourceCoverage(BaseModel):
    """How far one source reaches. What is missing is no zero."""

    source: str
    title: str
    whole: bool = Field(description="Whether all of the period is kept.")
    whole_from: date | None = Field(description="The first day of which all is kept; null: none so far.")
    refused: str | None = Field(description="Why the portal does not let us read it.")


class ActivityFigures(BaseModel):
    """Figures of one person, one client or all."""

    calls_out: int = Field(description="Calls made that were talked on.")
    calls_in: int = Field(description="Calls taken.")
    calls_missed: int
    calls_unanswered: int = Field(description="Calls made that nobody took.")
    calls_unknown: int = Field(description="Calls of which nobody can tell whether there was a talk.")
    talk_seconds: int
    letters_out: int
    letters_in: int
    meetings: int
    chats: int = Field(description="Chats that a person of ours answered.")
    quotes: int = Field(description="Proposals.")
    quotes_amount: Decimal = Field(description="RUB, of those whose amount is known; so are the other amounts.")
    quotes_amount_known: int = Field(description="Of how many the amount is known.")
    invoices: int
    invoices_amount: Decimal
    invoices_amount_known: int
    payments: int = Field(description="Invoices seen paid.")
    payments_amount: Decimal
    payments_amount_known: int
    sales: int = Field(description="Deals won.")
    sales_amount: Decimal
    sales_amount_known: int
    touches: int = Field(description="How often a client was surely reached: talks, letters, chats, meetings, papers.")


class ManagerActivity(BaseModel):
    """One person."""

    user: int | None = Field(description="The user's id in the portal; null: nobody is named.")
    name: str
    figures: ActivityFigures


class ClientActivity(BaseModel):
    """One client."""

    company: int = Field(description="The company's id in the portal.")
    title: str | None
    figures: ActivityFigures


class ActivityAnswer(BaseModel):
    """Activity in a period, by manager or by client."""

    since: date
    until: date
    by: Literal["manager", "client"]
    managers: list[ManagerActivity] = Field(description="By manager only.")
    clients: list[ClientActivity] = Field(description="By client only, the most touched first.")
    total: int = Field(description="How many managers or clients there are.")
    limit: int
    offset: int
    totals: ActivityFigures = Field(description="All together; what was done for several clients counts once.")
    coverage: list[SourceCoverage]


class RatedClient(BaseModel):
    """One client in the rating."""

    company: int = Field(description="The company's id in the portal.")
    title: str | None
    responsible: int | None = Field(description="Who is responsible for it now.")
    rating: int = Field(description="Points of the period's touches, as the rules weigh them.")
    touches: dict[str, int] = Field(description="Touches of the period by kind.")
    last_at: datetime | None = Field(description="The last touch ever known.")
    days: int | None = Field(description="Days from the last touch to the period's end; null: none is known.")
    last_by: int | None
    last_kind: str | None
    perhaps_at: datetime | None = Field(description="A later call of which nobody can tell whether there was a talk.")


class RatingAnswer(BaseModel):
    """How well clients are looked after."""

    since: date
    until: date
    whom: Whom
    clients: int
    touched: int = Field(description="Clients touched in the period.")
    share: float | None = Field(description="0 to 1; null where there are no clients.")
    items: list[RatedClient]
    total: int = Field(description="How many there are on all pages.")
    limit: int
    offset: int
    coverage: list[SourceCoverage]


def _asked(
    *,
    portal: WhichPortal = None,
    since: Since = None,
    until: Until = None,
    manager: Annotated[_Id, Query(description="Only this user of the portal.")] = None,
    department: Annotated[_Id, Query(description="Only people of this department and those below.")] = None,
    pool: Annotated[_Id, Query(description="Only people of this open pool, by our number.")] = None,
) -> ReportQuery:
    return ReportQuery(portal=portal, since=since, until=until, manager=manager, department=department, pool=pool)


_Asked = Annotated[ReportQuery, Depends(_asked)]


@router.get("")
async def activity_of(
    web: Web,
    request: Request,
    asked: _Asked,
    *,
    by: Annotated[Literal["manager", "client"], Query(description="Whose figures are told.")] = "manager",
    company: Annotated[_Id, Query(description="By manager: only what was done for this company.")] = None,
    limit: _Limit = 50,
    offset: _Offset = 0,
) -> ActivityAnswer:
    """Calls, letters, meetings, chats, proposals, invoices and sales; the last 30 days if no period is given."""
    texts = catalogue(language_of(request))
    async with web.database.reading() as session:
        scope = (await question(web, session, activity.REPORT, asked)).scope
        people = await activity.by_manager(session, scope, company=company)
        clients, of = (
            await activity.by_client(session, scope, limit=limit, offset=offset) if by == "client" else ([], 0)
        )
        kept = await sources_kept(session, scope)
    order = sorted(people, key=lambda user: (-people[user].touches, user)) if by == "manager" else []
    return ActivityAnswer(
        since=scope.filter.since,
        until=scope.filter.until,
        by=by,
        managers=[_manager(scope, user, people[user], texts) for user in order[offset : offset + limit]],
        clients=[
            ClientActivity(company=one.company_id, title=one.title, figures=_figures(one.figures)) for one in clients
        ],
        total=of if by == "client" else len(order),
        limit=limit,
        offset=offset,
        totals=_figures(activity.together(people)),
        coverage=_coverage(kept, texts),
    )


@router.get("/rating")
async def rating_of_clients(
    web: Web, request: Request, asked: _Asked, *, whom: _Whom = "base", limit: _Limit = 50, offset: _Offset = 0
) -> RatingAnswer:
    """The share of clients touched in the period, and each client's rating, the highest first."""
    return await _rating(web, request, asked, (whom, limit, offset), forgotten=False)


@router.get("/forgotten")
async def forgotten_clients(
    web: Web, request: Request, asked: _Asked, *, whom: _Whom = "base", limit: _Limit = 50, offset: _Offset = 0
) -> RatingAnswer:
    """Clients whom nobody touched in the period, by name, the longest forgotten first."""
    return await _rating(web, request, asked, (whom, limit, offset), forgotten=True)


async def _rating(
    web: Web, request: Request, asked: ReportQuery, page: tuple[Whom, int, int], *, forgotten: bool
) -> RatingAnswer:
    whom, limit, offset = page
    report: Report = activity_rating.REPORT
    read = activity_rating.forgotten if forgotten else activity_rating.rated
    async with web.database.reading() as session:
        scope = (await question(web, session, report, asked)).scope
        share = await activity_rating.share(session, scope, whom)
        found, total = await read(session, scope, whom, limit=limit, offset=offset)
        kept = await sources_kept(session, scope)
    return RatingAnswer(
        since=scope.filter.since,
        until=scope.filter.until,
        whom=whom,
        clients=share.clients,
        touched=share.touched,
        share=round(share.touched / share.clients, 4) if share.clients else None,
        items=[_rated(scope, one) for one in found],
        total=total if found or not offset else share.clients - (share.touched if forgotten else 0),
        limit=limit,
        offset=offset,
        coverage=_coverage(kept, catalogue(language_of(request))),
    )


def _manager(scope: Scope, user: int, figures: Figures, texts: Catalogue) -> ManagerActivity:
    named = None if user == NOBODY else user
    said = scope.words.person(None if named is None else str(named))
    name = said if isinstance(said, str) else texts.say(said)
    return ManagerActivity(user=named, name=name, figures=_figures(figures))


def _figures(figures: Figures) -> ActivityFigures:
    cells = {name: figures[kind].count for kind, (name, _) in activity.KINDS.items()}
    money = {
        f"{name}{tail}": value
        for kind, name in (("quote", "quotes"), ("invoice", "invoices"), ("payment", "payments"), ("sale", "sales"))
        for tail, value in (("_amount", figures[kind].amount), ("_amount_known", figures[kind].amount_known))
    }
    return ActivityFigures.model_validate(
        {**cells, **money, "talk_seconds": figures.talk_seconds, "touches": figures.touches}
    )


def _rated(scope: Scope, one: Rated) -> RatedClient:
    return RatedClient(
        company=one.company_id,
        title=one.title,
        responsible=one.responsible,
        rating=one.rating,
        touches=dict(one.touches),
        last_at=one.last_at,
        days=activity_rating.days_since(one, scope),
        last_by=one.last_by,
        last_kind=one.last_kind,
        perhaps_at=one.perhaps_at,
    )


def _coverage(kept: Sequence[SourceKept], texts: Catalogue) -> list[SourceCoverage]:
    return [
        SourceCoverage(
            source=one.source,
            title=texts.say(one.title),
            whole=one.whole,
            whole_from=one.whole_from,
            refused=one.refused,
        )
        for one in kept
    ]
