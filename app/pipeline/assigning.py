"""Who gets a card: chosen once, in a transaction that holds the pool's row, and written down before the plan is made.

Called by `process.py` in every live run (`on_arrival`), and at a breach (`pass_on`). It only chooses: what is still to
be written to the portal is `domain/plan_assignment.py`'s. In shadow mode nobody is chosen and no turn is taken.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.bitrix24.lanes import Lane
from app.domain import destination
from app.domain.actions import Action, AssignItem
from app.domain.assignment import ARRIVAL, Arrival, Assigned, Pool, is_work, knows_client, pool_for, pool_to_pass_on
from app.domain.difference import link, links
from app.domain.plan_assignment import assignment_key
from app.domain.printed import moment
from app.domain.snapshot import DealSnapshot, Entity, Links, PortalDictionary, RawCard, Snapshot
from app.domain.team import departments_of
from app.domain.verdict import DealVerdict, Grade, LeadVerdict, Outcome, Verdict
from app.pipeline.card import CardRef, owner_of, raw_card
from app.pipeline.choosing import Asked, choose, give_back
from app.pipeline.connections import Connection
from app.pipeline.reads import optional
from app.store import assignments, cards, owner_changes, people, pools, timers
from app.store.assignments import Assignment, Counted, NewAssignment
from app.store.cards import CardKey
from app.store.database import Database, ReadSession, WriteSession
from app.store.owner_changes import SeenOwner
from app.store.runs import FinishedAction

REASON: Final = "nobody_free"
"""The timer of a card that nobody could take."""
TRY_AGAIN: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A card as a run has read and judged it."""

    card: CardRef
    snapshot: Snapshot
    verdict: Verdict
    links: Links
    dictionary: PortalDictionary

    @property
    def raw(self) -> RawCard:
        return raw_card(self.snapshot)

    @property
    def owner(self) -> int | None:
        return owner_of(self.raw)

    @property
    def is_work(self) -> bool:
        """Whether somebody has to do something about it."""
        stage = destination.stage_at(self.dictionary, self.card.entity, destination.place(self.card.entity, self.raw))
        return is_work(self.verdict) and destination.semantics_of(self.raw, stage) == "process"

    @property
    def asked_at(self) -> datetime | None:
        """When the client came with this request: a deal's lead came before the deal."""
        lead = self.snapshot.lead if isinstance(self.snapshot, DealSnapshot) else None
        return moment((lead or {}).get("createdTime")) or moment(self.raw.get("createdTime"))


async def on_arrival(
    database: Database, connection: Connection, arrived: Arrived, *, lane: Lane, clock: Callable[[], datetime]
) -> Assigned | None:
    """The card's newest assignment, chosen now where a pool takes the card for the first time; None where none does.

    Also gives back the turn for what turned out to be junk or was taken by a person. A portal without pools is asked
    nothing and nothing changes in it. Raises DatabaseAway, Bitrix24Error.
    """
    shared = await connection.pools()
    if not shared:
        return None
    async with database.reading() as session:
        known = await assignments.of_card(session, arrived.card.key)
        held = next((one for one in reversed(known) if one.user_id is not None), None)
        holder = None if held is None else await _assigned(session, held)
        departments = await _departments(session, arrived, shared)
    taken = holder is not None and holder.taken_by_person(arrived.owner)
    due = _due_back(known, junk=_is_junk(arrived.verdict), taken=held if taken else None)
    for one, why in due:
        # Each by itself: of two pools held at once another worker could hold the second and want the first.
        async with database.writing() as session:
            await give_back(session, one, why=why, at=clock())
    pool = pool_for(shared, _as_pools_see(arrived, departments)) if arrived.is_work and not taken else None
    if pool is None or any(one.pool_id == pool.id and one.reason == ARRIVAL and one.user_id for one in known):
        # A newer one that found nobody tells why the card stays where it is.
        return holder if not known or known[-1].user_id is not None else _fresh(known[-1])
    knows = await _who_knows(database, connection, arrived, pool, lane)
    asked = Asked(arrived.card.key, ARRIVAL, f"{ARRIVAL}:{pool.id}", arrived.owner, knows, frozenset())
    async with database.writing() as session:
        chosen = await choose(session, pool.id, asked, at=clock())
        if chosen is not None and chosen.user_id is None:
            due_at = clock() + TRY_AGAIN
            await timers.set_timer(session, arrived.card.key, reason=REASON, due_at=due_at, lane=lane)
    return holder if chosen is None else _fresh(chosen)


async def pass_on(
    session: WriteSession,
    card: CardKey,
    *,
    why: str,
    at: datetime,
    knows_client: int | None = None,
    owner: int | None = None,
    occasion: str | None = None,
) -> Assignment:
    """The next person of the card's pool: never one who had the card, never an absent one.

    A card that was never assigned passes on in the pool to which it belongs, else, a deal, in the one that assigned
    its lead; who had the lead has had the deal. `user_id` None: nobody is left, or the card is of no open pool; hold
    it and tell the head. `why` is kept as the reason. `owner`: whose the card is as just read, else as last seen.
    `occasion` names this one time, e.g. `breach:<round>`: asked again for it, the same answer is given and no turn is
    taken. The turn of the one it is taken from is given back. The write to the portal is planned by the card's next
    run, or by the one that asks.
    """
    if occasion is not None:
        before = await assignments.for_occasion(session, card, occasion)
        if before is not None:
            return before
    if owner is None:
        seen = await cards.get(session, card)
        owner = seen.assigned_by_id if seen else None
    past = await _past(session, card, owner)
    chosen = None
    if past.pool_id is not None:
        asked = Asked(card, why, occasion, owner, knows_client, past.had)
        chosen = await choose(session, past.pool_id, asked, at=at)
    if chosen is None:
        return await assignments.keep(session, card, _of_no_pool(why, occasion, owner, at))
    if chosen.user_id is not None and past.last is not None:
        await give_back(session, past.last, why=why, at=at)
    return chosen


@dataclass(frozen=True, slots=True)
class _Past:
    """What was with a card before it passes on: the pool that shares it, the last assignment to anybody, who had it."""

    pool_id: int | None
    last: Assignment | None
    had: frozenset[int]


async def _past(session: ReadSession, card: CardKey, owner: int | None) -> _Past:
    known = await assignments.of_card(session, card)
    had = await assignments.had(session, card)
    counted = await assignments.as_counted(session, card)
    pool_id = next((one.pool_id for one in reversed(known) if one.pool_id is not None), None)
    if pool_id is None and counted is not None:
        pool = pool_to_pass_on(
            [kept.pool for kept in await pools.live(session, card.portal_id)],
            await _as_counted(session, card, counted, owner),
        )
        pool_id = pool.id if pool else None
    if counted is not None and counted.lead_id is not None:
        lead = CardKey(card.portal_id, int(Entity.LEAD), counted.lead_id)
        had |= await assignments.had(session, lead)
        known = [*await assignments.of_card(session, lead), *known]
        if pool_id is None:
            pool_id = next((one.pool_id for one in reversed(known) if one.pool_id is not None), None)
    last = next((one for one in reversed(known) if one.user_id is not None), None)
    return _Past(pool_id, last, had if owner is None else had | {owner})


async def _as_counted(session: ReadSession, card: CardKey, counted: Counted, owner: int | None) -> Arrival:
    everybody = await people.people(session, card.portal_id)
    return Arrival(
        entity=Entity(card.entity_type_id),
        created_at=counted.created_at,
        created_by=None,
        owner=owner,
        departments=departments_of(owner, everybody, await people.departments(session, card.portal_id)),
        source=counted.source,
        pipeline=counted.pipeline,
        outcome=Outcome(counted.outcome) if counted.outcome else None,
        grade=Grade(counted.grade) if counted.grade else None,
    )


def _of_no_pool(why: str, occasion: str | None, owner: int | None, at: datetime) -> NewAssignment:
    return NewAssignment(
        pool_id=None,
        user_id=None,
        from_user=owner,
        reason=why,
        occasion=occasion,
        why=None,
        barred={},
        shares={},
        cost_turn=False,
        chosen_at=at,
    )


async def note_owners(
    session: WriteSession,
    portal_id: int,
    actions: Iterable[Action],
    finished: Sequence[FinishedAction],
    *,
    now: datetime,
) -> None:
    """Keep the new owners, in the transaction that records what became of the writes."""
    given = {one.key: one for one in actions if isinstance(one, AssignItem)}
    for one in finished:
        if one.key in given and one.state == "done":
            action = given[one.key]
            # By the portal's clock, as all owners are kept: by ours, a change a moment later could look older.
            owner = SeenOwner(action.item_id, action.user, moment(one.result.get("updated_time")), now)
            await owner_changes.note(session, portal_id, int(action.entity), [owner])


async def head_of_pool(session: ReadSession, one: Assignment) -> int | None:
    """Who is told when the pool of this assignment has nobody left; None where the pool names nobody."""
    known = await pools.live(session, one.portal_id)
    return next((kept.pool.head for kept in known if kept.id == one.pool_id), None)


def _due_back(known: Sequence[Assignment], *, junk: bool, taken: Assignment | None) -> list[tuple[Assignment, str]]:
    """Turns to be given back and why: all of a card that is junk, that of the member from whom a person took it."""
    if junk:
        return [(one, "junk") for one in known if one.owes_turn]
    return [(taken, "person")] if taken is not None and taken.owes_turn else []


async def _assigned(session: ReadSession, one: Assignment) -> Assigned:
    key = assignment_key(Entity(one.entity_type_id), one.card_id, one.id)
    return Assigned(one.id, one.user_id, one.from_user, await assignments.carried_out(session, one, key))


def _fresh(one: Assignment) -> Assigned:
    return Assigned(one.id, one.user_id, one.from_user, carried_out=False)


async def _departments(session: ReadSession, arrived: Arrived, shared: Sequence[Pool]) -> frozenset[int]:
    """The owner's departments and those above, where a pool asks."""
    if not any(pool.takes.departments for pool in shared):
        return frozenset()
    everybody = await people.people(session, arrived.card.portal_id)
    return departments_of(arrived.owner, everybody, await people.departments(session, arrived.card.portal_id))


def _is_junk(verdict: Verdict) -> bool:
    return isinstance(verdict, LeadVerdict) and not is_work(verdict)


def _as_pools_see(arrived: Arrived, departments: frozenset[int]) -> Arrival:
    raw, verdict = arrived.raw, arrived.verdict
    lead = arrived.snapshot.lead if isinstance(arrived.snapshot, DealSnapshot) else None
    return Arrival(
        entity=arrived.card.entity,
        created_at=moment(raw.get("createdTime")),
        created_by=link(raw.get("createdBy")),
        owner=arrived.owner,
        departments=departments,
        source=raw.get("sourceId") or (lead or {}).get("sourceId") or None,
        pipeline=destination.place(arrived.card.entity, raw)[0],
        outcome=verdict.outcome if isinstance(verdict, LeadVerdict) else None,
        grade=verdict.grade if isinstance(verdict, DealVerdict) else None,
    )


async def _who_knows(
    database: Database, connection: Connection, arrived: Arrived, pool: Pool, lane: Lane
) -> int | None:
    """The member who knows the client: owner of the company, of the contact, or of the client's last deals.

    Only a client who was there before this request is one whom anybody knows.
    """
    asked_at = arrived.asked_at
    if not pool.returning or asked_at is None:
        return None

    def owner(client: RawCard | None) -> int | None:
        came = moment((client or {}).get("createdTime"))
        return owner_of(client or {}) if came is not None and came < asked_at else None

    company, contact = arrived.links.company, arrived.links.contact
    near = [owner(arrived.snapshot.company), owner(company.card if company else None)]
    person = contact.card if contact else None
    contact_id = link(arrived.raw.get("contactId")) or next(iter(links(arrived.raw.get("contactIds"))), None)
    if knows_client(pool, near) is None and person is None and contact_id is not None:
        person = await optional(connection.client.load(Entity.CONTACT, contact_id, lane=lane))
    near.append(owner(person))
    company_id = link(arrived.raw.get("companyId")) or (company.id if company else None)
    if knows_client(pool, near) is None and company_id is not None:
        async with database.reading() as session:
            near += await assignments.sellers_of(session, arrived.card.portal_id, company_id, before=asked_at)
    return knows_client(pool, near)
