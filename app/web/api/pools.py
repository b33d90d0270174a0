"""`/api/v1/pools`: who shares out which cards, and how many each one had."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.domain.shares import Barred, choose
from app.domain.snapshot import Entity
from app.store import assignments, people, pool_check, pools, team
from app.store.database import ReadSession
from app.store.pool_document import MemberDocument, PoolDocument, TakesDocument
from app.store.pools import KeptPool, PoolNameTaken, PoolUnknown, WantedPool
from app.store.portals import Portal
from app.web.access import AsAdmin
from app.web.api.queries import WhichPortal
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.state import Web

router = APIRouter(prefix="/pools", tags=["pools"], responses={404: {"model": ProblemAnswer}})

SharedType = Literal["lead", "deal"]
ENTITIES: dict[SharedType, Entity] = {"lead": Entity.LEAD, "deal": Entity.DEAL}
_DAYS = 30
PoolId = Annotated[int, Path(ge=1, le=2**31 - 1, description="Our number of the pool.")]


class PoolSettings(PoolDocument):
    """A pool as somebody sets it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]*\S[^\x00]*$", examples=["First line"])
    position: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        default=None,
        description="The first pool, by position, that takes a card shares it out; null: behind the others.",
    )

    @property
    def wanted(self) -> WantedPool:
        """The same for the store."""
        document = PoolDocument(**{name: getattr(self, name) for name in PoolDocument.model_fields})
        return WantedPool(name=self.name, document=document, position=self.position)


class NewPool(PoolSettings):
    """A pool to be opened."""

    type: SharedType = Field(description="What it shares out: leads or deals.")


class PoolLine(BaseModel):
    """One open pool."""

    portal: int = Field(description="Our number of the portal.")
    id: int
    type: SharedType
    name: str
    position: int
    members: list[MemberDocument]
    takes: TakesDocument
    returning: bool = Field(description="A client who was there before goes to the member who knows him.")
    head: int | None = Field(description="Who is told when nobody of the pool can take a card.")
    since: datetime = Field(description="Cards made earlier are not shared out.")
    set_by: str
    set_at: datetime


class MemberState(BaseModel):
    """Where one member stands."""

    user: int
    name: str | None
    weight: int
    cap: int | None
    shares: float = Field(description="Turns had, each divided by the weight; whoever has fewest is next.")
    given_back: int = Field(description="Cards that come without a turn: earlier ones were junk or taken away.")
    open_cards: int = Field(description="Open leads and deals, those just assigned among them.")
    cards: int = Field(description=f"Cards that the pool chose this member for within {_DAYS} days.")
    barred: Literal["absent", "full"] | None = Field(description="Why no card comes now.")


class PoolState(PoolLine):
    """One open pool and whose turn it is."""

    states: list[MemberState]
    next: int | None = Field(description="Who would get a card of a new client now; null: nobody can.")


@router.get("")
async def list_pools(
    web: Web,
    *,
    type: Annotated[SharedType | None, Query(description="Only pools of such cards.")] = None,  # noqa: A002 - the API's word
    portal: WhichPortal = None,
) -> list[PoolLine]:
    """Open pools in the order in which they are asked; without any, nothing is ever assigned."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        known = await pools.live(session, where.id)
    return [_line(one) for one in known if type is None or ENTITIES[type] == one.entity_type_id]


@router.get("/{id}")
async def pool_state(web: Web, *, id: PoolId, portal: WhichPortal = None) -> PoolState:  # noqa: A002 - the API's word
    """One pool: who had how many shares, what is given back, who is barred now, who is next."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        with _told_plainly():
            kept = await pools.get(session, where.id, id)
        return await _state(session, kept, web.clock())


@router.post("", status_code=201, responses={409: {"model": ProblemAnswer}})
async def add_pool(web: Web, caller: AsAdmin, wanted: NewPool, *, portal: WhichPortal = None) -> PoolLine:
    """Open a pool. It shares out the cards that are made from now on, beginning within a second."""
    entity = ENTITIES[wanted.type]
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        await _check(session, where, entity, wanted)
        with _told_plainly():
            made = await pools.add(session, where.id, entity, wanted.wanted, by=caller.name, at=web.clock())
    return _line(made)


@router.put("/{id}", responses={409: {"model": ProblemAnswer}})
async def change_pool(
    web: Web,
    caller: AsAdmin,
    wanted: PoolSettings,
    *,
    id: PoolId,  # noqa: A002 - the API's word
    portal: WhichPortal = None,
) -> PoolLine:
    """Set the pool anew; turns go on. With other cards to take, it takes only those made from now on."""
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        with _told_plainly():
            known = await pools.get(session, where.id, id)
            await _check(session, where, Entity(known.entity_type_id), wanted)
            changed = await pools.change(session, where.id, id, wanted.wanted, by=caller.name, at=web.clock())
    return _line(changed)


@router.delete("/{id}")
async def close_pool(
    web: Web,
    caller: AsAdmin,
    *,
    id: PoolId,  # noqa: A002 - the API's word
    portal: WhichPortal = None,
) -> PoolLine:
    """Share out nothing more by this pool; cards stay with whom they are."""
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        with _told_plainly():
            closed = await pools.close(session, where.id, id, by=caller.name, at=web.clock())
    return _line(closed)


async def _check(session: ReadSession, where: Portal, entity: Entity, wanted: PoolSettings) -> None:
    found = await pool_check.faults(session, where.id, entity, wanted.wanted.document)
    if found:
        first = found[0]
        raise WebProblem(422, "invalid_value", first.said, path=f"body.{first.path}")


async def _state(session: ReadSession, kept: KeptPool, now: datetime) -> PoolState:
    pool, turns = kept.pool, kept.standing
    named = await people.people(session, kept.portal_id)
    absent = await team.absent(session, kept.portal_id, pool.users, at=now)
    held = await assignments.open_cards(session, kept.portal_id, pool.users, at=now)
    had = await assignments.count_by_user(session, kept.id, since=now - timedelta(days=_DAYS))
    choice, _ = choose(pool.members, turns, absent=absent, open_cards=held)
    states = [
        MemberState(
            user=one.user,
            name=named[one.user].name if one.user in named else None,
            weight=one.weight,
            cap=one.cap,
            shares=round(float(turns.of(one.user)), 3),
            given_back=turns.given_back.get(one.user, 0),
            open_cards=held.get(one.user, 0),
            cards=had.get(one.user, 0),
            barred=_barred(choice.barred.get(one.user)),
        )
        for one in pool.members
    ]
    return PoolState(**_line(kept).model_dump(), states=states, next=choice.user)


def _barred(why: Barred | None) -> Literal["absent", "full"] | None:
    match why:
        case Barred.ABSENT:
            return "absent"
        case Barred.FULL:
            return "full"
        case _:
            return None


def _line(kept: KeptPool) -> PoolLine:
    written = kept.written
    return PoolLine(
        portal=kept.portal_id,
        id=kept.id,
        type="lead" if kept.entity_type_id == Entity.LEAD else "deal",
        name=kept.name,
        position=kept.position,
        members=written.members,
        takes=written.takes,
        returning=written.returning,
        head=written.head,
        since=kept.since,
        set_by=kept.set_by,
        set_at=kept.set_at,
    )


@contextmanager
def _told_plainly() -> Generator[None]:
    """Errors of the store as answers of the API."""
    try:
        yield
    except PoolUnknown as error:
        raise WebProblem(404, "pool_unknown", error.said, path="id") from error
    except PoolNameTaken as error:
        raise WebProblem(409, "name_taken", error.said, path="body.name") from error
