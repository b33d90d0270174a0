"""`/api/v1/replays`: a draft of rules tried on the recorded cards of a period, as a job with progress and cancel."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from app.domain.messages import message
from app.domain.rejudge import Gap, gap_said
from app.domain.replay import DECLINED, Change, Duty, Tally, Truth, working_days
from app.domain.snapshot import PortalDictionary
from app.store import audit, dictionary, replays
from app.store.database import ReadSession
from app.store.json_text import storable_text
from app.store.recorded_cards import START, Place
from app.store.replays import Replay, ReplayCard, ReplayState
from app.store.ruleset_document import ruleset_to_document
from app.texts import Catalogue, catalogue
from app.web.access import AsHead
from app.web.api.preview import JudgedType, RulesToTry
from app.web.api.queries import LARGEST_NUMBER, Day, Limit, WhichPortal, in_order
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.rendering import language_of
from app.web.state import Web
from app.web.trying import rules_to_try

router = APIRouter(prefix="/replays", tags=["rules"], responses={404: {"model": ProblemAnswer}})

MOST_UNFINISHED = 3
_YEARS = range(2000, 2200)
_TYPES: dict[int, JudgedType] = {1: "lead", 2: "deal"}
_LABELS = f"A lead's outcome, or a deal's grade, with `{DECLINED}` where the deal is declined."

ReplayId = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="Number of the replay.")]
Label = Annotated[str | None, Query(max_length=40, description=_LABELS)]


class ReplayAsked(RulesToTry):
    """Rules, and the period whose recorded cards they are tried on."""

    since: Day = Field(description="First day of the period by the portal's calendar, YYYY-MM-DD.")
    until: Day | None = Field(default=None, description="Last day of the period, counted in; today if left out.")


class Cell(BaseModel):
    """Cards that were judged so and would be judged so."""

    type: JudgedType
    before: str = Field(serialization_alias="from", description=_LABELS)
    after: str = Field(serialization_alias="to", description="The same by the rules that are tried.")
    cards: int
    ended: dict[Truth, int] = Field(
        description="What became of them in truth, of those that change: won, lost, junk (junk_by_us: moved there by"
        " Ogon itself), converted (a lead whose deal is not known), open, gone (deleted before it ended)."
    )


class NotComparable(BaseModel):
    """Cards of which it would be a guess."""

    gap: Gap
    said: str = Field(description="Why, in the reader's language.")
    cards: int


class Both(BaseModel):
    """By the recorded verdicts and by the rules that are tried, of the same cards."""

    before: int
    after: int
    before_a_day: float = Field(description="Per working day of the period.")
    after_a_day: float


class PersonLoad(BaseModel):
    """What the cards of the period make one person do."""

    user: int = Field(description="The user's id in the portal.")
    deals: Both = Field(description="Leads that become deals of his.")
    todos: Both = Field(description="To-dos with questions, and with a decision where he is the head.")
    declined: Both = Field(description="Deals of his that are declined.")


class ReplayResult(BaseModel):
    """The counts so far; of a replay that is done, of all its cards."""

    compared: int
    changed: int = Field(description="Of those compared.")
    matrix: list[Cell] = Field(description="Also the cells in which nothing changes.")
    not_comparable: list[NotComparable]
    working_days: int = Field(description="Mondays to Fridays of the period.")
    load: list[PersonLoad] = Field(description="The greatest change first.")


class ReplayView(BaseModel):
    """A replay and what came of it."""

    id: int
    portal: int
    version: int = Field(description="Of the rules; of a draft, the one it was made from.")
    since: datetime
    until: datetime = Field(description="Runs before this moment are looked at.")
    asked_by: str
    asked_at: datetime
    state: ReplayState
    started_at: datetime | None
    finished_at: datetime | None
    total: int | None = Field(description="Cards to look at; null before it began.")
    looked: int = Field(description="Cards looked at; some may have no run in the period.")
    error: str | None
    result: ReplayResult


class ReplayLine(BaseModel):
    """A card that changes, or that cannot be compared."""

    type: JudgedType
    id: int
    run: int = Field(description="The recorded run that was judged again.")
    before: str = Field(serialization_alias="from")
    after: str | None = Field(serialization_alias="to", description="Null where it cannot be compared.")
    gap: Gap | None
    ended: Truth | None


class ReplayCardPage(BaseModel):
    """Cards in the order of type and id."""

    items: list[ReplayLine]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last one.")


@router.post("", status_code=202, responses={409: {"model": ProblemAnswer}})
async def ask_replay(
    web: Web, request: Request, caller: AsHead, wanted: ReplayAsked, *, portal: WhichPortal = None
) -> ReplayView:
    """Try rules on the recorded cards of a period: a worker does it within seconds, and nothing else is touched."""
    texts = catalogue(language_of(request))
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        rules = await rules_to_try(session, where, document=wanted.document, version=wanted.version, say=texts.say)
        called = await _dictionary(session, where.id)
        until = wanted.until or web.clock().astimezone(called.zone).date()
        since, end = _period(wanted.since, until, called)
        if await replays.unfinished(session, where.id) >= MOST_UNFINISHED:
            said = message("There are {most} replays under way: wait for one, or cancel it.", most=MOST_UNFINISHED)
            raise WebProblem(409, "too_many_replays", said)
        asked = await replays.ask(
            session,
            portal_id=where.id,
            draft=ruleset_to_document(rules),
            since=since,
            until=end,
            by=caller.name,
        )
        period = {"since": wanted.since.isoformat(), "until": until.isoformat()}
        await audit.note(
            session, who=caller.name, what="replay.asked", subject=str(asked.id), detail=period, portal_id=where.id
        )
    return _view(asked, called, texts)


@router.get("")
async def list_replays(web: Web, request: Request, *, portal: WhichPortal = None) -> list[ReplayView]:
    """The portal's last replays, the newest first."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        called = await _dictionary(session, where.id)
        known = await replays.latest(session, where.id)
    texts = catalogue(language_of(request))
    return [_view(one, called, texts) for one in known]


@router.get("/{id}")
async def one_replay(web: Web, request: Request, *, id: ReplayId) -> ReplayView:  # noqa: A002 - the API's word
    """How far a replay is, and its counts so far."""
    async with web.database.reading() as session:
        replay = await _known(session, id)
        called = await _dictionary(session, replay.portal_id)
    return _view(replay, called, catalogue(language_of(request)))


@router.get("/{id}/cards")
async def replay_cards(
    web: Web,
    *,
    id: ReplayId,  # noqa: A002 - the API's word
    type: Annotated[JudgedType | None, Query(description="Only cards of this type.")] = None,  # noqa: A002 - the same
    before: Annotated[str | None, Query(alias="from", max_length=40, description=_LABELS)] = None,
    to: Label = None,
    gap: Annotated[Gap | None, Query(description="Only cards that cannot be compared for this reason.")] = None,
    ended: Annotated[Truth | None, Query(description="Only cards of which this became.")] = None,
    after: Annotated[str | None, Query(pattern="^[12]-[0-9]{1,18}$", description="`next` of the page before.")] = None,
    limit: Limit = 100,
) -> ReplayCardPage:
    """The cards that change, and those that cannot be compared."""
    kinds = {name: number for number, name in _TYPES.items()}
    async with web.database.reading() as session:
        await _known(session, id)
        found = await replays.cards(
            session,
            id,
            entity_type_id=kinds[type] if type else None,
            before=None if before is None else storable_text(before),
            after=None if to is None else storable_text(to),
            gap=gap,
            truth=ended,
            beyond=_place(after),
            limit=limit,
        )
    last = found[-1] if len(found) == limit else None
    return ReplayCardPage(
        items=[_line(card) for card in found], next=f"{last.entity_type_id}-{last.card_id}" if last else None
    )


@router.post("/{id}/cancel", responses={409: {"model": ProblemAnswer}})
async def cancel_replay(web: Web, request: Request, caller: AsHead, *, id: ReplayId) -> ReplayView:  # noqa: A002 - the API's word
    """End a replay that waits or is under way; what it has counted so far stays."""
    async with web.database.writing() as session:
        replay = await _known(session, id)
        if not await replays.cancel(session, id):
            raise WebProblem(409, "replay_ended", message("The replay has ended already."))
        await audit.note(session, who=caller.name, what="replay.cancelled", subject=str(id), portal_id=replay.portal_id)
        replay = await _known(session, id)
        called = await _dictionary(session, replay.portal_id)
    return _view(replay, called, catalogue(language_of(request)))


def _period(since: date, until: date, called: PortalDictionary) -> tuple[datetime, datetime]:
    """The days from midnight to midnight of the portal's calendar. Raises WebProblem."""
    in_order(since, until)
    for name, day in (("since", since), ("until", until)):
        if day.year not in _YEARS:
            said = message("Give a year from {first} to {last}.", first=str(_YEARS[0]), last=str(_YEARS[-1]))
            raise WebProblem(422, "invalid_value", said, path=f"body.{name}")
    start, last = (datetime.combine(day, time(), called.zone) for day in (since, until))
    return start, last + timedelta(days=1)


async def _known(session: ReadSession, replay_id: int) -> Replay:
    replay = await replays.get(session, replay_id)
    if replay is None:
        said = message("There is no replay {id}, or it made room for newer ones.", id=str(replay_id))
        raise WebProblem(404, "replay_unknown", said)
    return replay


async def _dictionary(session: ReadSession, portal_id: int) -> PortalDictionary:
    kept = await dictionary.load(session, portal_id)
    return kept.dictionary if kept else PortalDictionary(0, UTC)


def _place(after: str | None) -> Place:
    if after is None:
        return START
    kind, _, card_id = after.partition("-")
    return Place(int(kind), int(card_id))


def _view(replay: Replay, called: PortalDictionary, texts: Catalogue) -> ReplayView:
    return ReplayView(
        id=replay.id,
        portal=replay.portal_id,
        version=replay.draft["version"],
        since=replay.since,
        until=replay.until,
        asked_by=replay.asked_by,
        asked_at=replay.asked_at,
        state=replay.state,
        started_at=replay.started_at,
        finished_at=replay.finished_at,
        total=replay.total,
        looked=replay.looked,
        error=replay.error,
        result=_result(Tally.from_json(replay.tally), working_days(replay.since, replay.until, called), texts),
    )


def _result(tally: Tally, days: int, texts: Catalogue) -> ReplayResult:
    return ReplayResult(
        compared=tally.compared,
        changed=tally.changed,
        matrix=[_cell(change, count, tally) for change, count in sorted(tally.cells.items())],
        not_comparable=[
            NotComparable(gap=Gap(gap), said=texts.say(gap_said(Gap(gap))), cards=count)
            for gap, count in sorted(tally.gaps.items())
        ],
        working_days=days,
        load=_load(tally, days),
    )


def _cell(change: Change, count: int, tally: Tally) -> Cell:
    ended: dict[Any, int] = {truth: number for (of, truth), number in tally.truths.items() if of == change}
    return Cell(type=_TYPES[change.entity_type_id], before=change.before, after=change.after, cards=count, ended=ended)


def _load(tally: Tally, days: int) -> list[PersonLoad]:
    people = {duty.user_id for duty in (*tally.before, *tally.after)}
    loads = [
        PersonLoad(
            user=user,
            deals=_both(tally, user, "deals", days),
            todos=_both(tally, user, "todos", days),
            declined=_both(tally, user, "declined", days),
        )
        for user in sorted(people)
    ]
    return sorted(loads, key=lambda one: -abs(one.deals.after - one.deals.before))


def _both(tally: Tally, user: int, what: Literal["deals", "todos", "declined"], days: int) -> Both:
    before, after = (counted[Duty(user, what)] for counted in (tally.before, tally.after))
    return Both(
        before=before,
        after=after,
        before_a_day=round(before / (days or 1), 2),
        after_a_day=round(after / (days or 1), 2),
    )


def _line(card: ReplayCard) -> ReplayLine:
    return ReplayLine(
        type=_TYPES[card.entity_type_id],
        id=card.card_id,
        run=card.run_id,
        before=card.before,
        after=card.after,
        gap=Gap(card.gap) if card.gap else None,
        ended=cast("Truth | None", card.truth),
    )
