"""`/api/v1/second-looks`: rejected leads that a person looked at again, and how many were rejected wrongly."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.domain.interval import share
from app.domain.messages import message
from app.store import audit, second_looks
from app.store.second_looks import Answer, Count, LookFilter, SecondLook, Way, Week
from app.web.access import AsHead
from app.web.api.queries import LARGEST_NUMBER, Limit, Since, Until, WhichPortal, in_order
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.state import Web

router = APIRouter(prefix="/second-looks", tags=["reports"], responses={404: {"model": ProblemAnswer}})

RejectedAs = Literal["junk", "company"]
_Said = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"\S")]


class FalseRejects(BaseModel):
    """How many of the answered verdicts were wrong, with the 95 % interval (Wilson); null without an answer."""

    drawn: int
    right: int
    wrong: int
    unanswered: int
    rate: float | None = Field(description="wrong / (wrong + right), 0 to 1.")
    low: float | None = Field(description="Lower end of the interval.")
    high: float | None = Field(description="Upper end of the interval.")


class OutcomeRejects(FalseRejects):
    """The same of one outcome."""

    outcome: str = Field(examples=["junk"])


class WeekRejects(FalseRejects):
    """The same of one week, and what it was drawn from."""

    week: str = Field(description="ISO week of the verdicts.", examples=["2026-W47"])
    monday: date
    drawn_at: datetime
    seed: int = Field(description="By which the draw can be repeated: see docs/after-publishing.md.")
    size: int = Field(description="How many leads were to be drawn.")
    population: dict[str, int] = Field(description="Leads rejected in that week, by outcome.")


class LookLine(BaseModel):
    """One lead that was drawn."""

    id: int
    week: str = Field(examples=["2026-W47"])
    lead: int = Field(description="The lead's id in the portal.")
    address: str = Field(description="The lead in the portal.")
    outcome: str
    run: int = Field(description="The run that gave the verdict.")
    answer: Answer | None
    answered_at: datetime | None
    answered_how: Way | None = Field(description="api: somebody told us; portal: read from what people did there.")
    answered_by: str | None
    why: str | None


class LookPage(BaseModel):
    """Figures of all looks that were asked for, and one page of them, those of the newest week first."""

    rejects: FalseRejects
    by_outcome: list[OutcomeRejects]
    by_week: list[WeekRejects]
    items: list[LookLine]
    total: int
    limit: int
    offset: int


class LookAnswer(BaseModel):
    """What a person says about a verdict."""

    model_config = ConfigDict(extra="forbid")

    answer: Answer = Field(description="right: it was rightly rejected; wrong: it was not.")
    who: _Said = Field(description="Who looked at the lead.")
    why: _Said = Field(description="In a sentence.")


@router.get("")
async def list_second_looks(
    web: Web,
    *,
    outcome: Annotated[RejectedAs | None, Query(description="Only leads rejected so.")] = None,
    since: Since = None,
    until: Until = None,
    answer: Annotated[
        Literal["right", "wrong", "none"] | None, Query(description="Of the listed only those so answered.")
    ] = None,
    portal: WhichPortal = None,
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> LookPage:
    """The false-reject rate with its interval, by outcome and by week; and the leads that were drawn.

    Weeks count by their Monday. An unanswered look is in no rate.
    """
    if since is not None and until is not None:
        in_order(since, until)
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        every = LookFilter(portal_id=where.id, outcome=outcome, since=since, until=until)
        counted = await second_looks.counts(session, every)
        drawn = await second_looks.weeks(session, every)
        listed = LookFilter(portal_id=where.id, outcome=outcome, since=since, until=until, answer=answer)
        items = await second_looks.page(session, listed, limit=limit, offset=offset)
        total = await second_looks.count(session, listed)
    return LookPage(
        rejects=_rejects(counted),
        by_outcome=_by_outcome(counted),
        by_week=[_by_week(week, counted) for week in drawn],
        items=[_line(look, where.domain) for look in items],
        total=total,
        limit=limit,
        offset=offset,
    )


@router.post("/{id}")
async def answer_second_look(
    web: Web,
    caller: AsHead,
    *,
    id: Annotated[int, Path(ge=1, le=LARGEST_NUMBER)],  # noqa: A002 - the API's word
    said: LookAnswer,
) -> LookLine:
    """Say whether a verdict was right. A later answer takes the place of an earlier one; the audit log keeps both."""
    async with web.database.writing() as session:
        who, why = said.who.strip(), said.why.strip()
        kept = await second_looks.answer(session, id, said.answer, who=who, why=why, now=web.clock())
        if kept is None:
            raise WebProblem(404, "second_look_unknown", message("There is no second look {number}.", number=str(id)))
        await audit.note(
            session,
            who=caller.name,
            what="second_look.answered",
            subject=f"lead {kept.card_id}",
            detail={"second_look": id, "answer": kept.answer, "who": kept.answered_by, "why": kept.why},
            portal_id=kept.portal_id,
        )
        where = await portal_asked(session, kept.portal_id)
    return _line(kept, where.domain)


def _rejects(counts: Sequence[Count]) -> FalseRejects:
    right, wrong = sum(one.right for one in counts), sum(one.wrong for one in counts)
    drawn = sum(one.drawn for one in counts)
    seen = share(wrong, right + wrong)
    return FalseRejects(
        drawn=drawn,
        right=right,
        wrong=wrong,
        unanswered=drawn - right - wrong,
        rate=seen.value if seen else None,
        low=seen.low if seen else None,
        high=seen.high if seen else None,
    )


def _by_outcome(counts: Sequence[Count]) -> list[OutcomeRejects]:
    outcomes = sorted({one.outcome for one in counts})
    return [
        OutcomeRejects(outcome=outcome, **dict(_rejects([one for one in counts if one.outcome == outcome])))
        for outcome in outcomes
    ]


def _by_week(week: Week, counts: Sequence[Count]) -> WeekRejects:
    return WeekRejects(
        week=_called(week.week),
        monday=week.week,
        drawn_at=week.drawn_at,
        seed=week.seed,
        size=week.size,
        population=dict(week.population),
        **dict(_rejects([one for one in counts if one.week == week.week])),
    )


def _called(monday: date) -> str:
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"


def _line(look: SecondLook, domain: str) -> LookLine:
    return LookLine(
        id=look.id,
        week=_called(look.week),
        lead=look.card_id,
        address=f"https://{domain}/crm/lead/details/{look.card_id}/",
        outcome=look.outcome,
        run=look.run_id,
        answer=look.answer,
        answered_at=look.answered_at,
        answered_how=look.answered_how,
        answered_by=look.answered_by,
        why=look.why,
    )
