"""The clock of a card in its run: whether a step is due, whether really nobody called, and who is told.

Called by `process.py` before it plans, and again in the transaction that ends the run. The steps are actions of the
plan like any other write, so they are committed before they go out and never taken twice. A run whose clock has
nothing due asks the portal nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.bitrix24.lanes import Lane
from app.domain import printed
from app.domain.actions import MoveItem, Notify, Plan
from app.domain.clock_steps import Moment, Step, due, step_key
from app.domain.destination import place, semantics_of, stage_at
from app.domain.difference import link
from app.domain.first_response import Owned
from app.domain.notices import NOBODY_LEFT, PASSES, STAYS, Late, breach, passed_on, warning
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Entity, PortalDictionary, RawCard
from app.domain.verdict import DealVerdict, LeadVerdict, Verdict
from app.pipeline import assigning
from app.pipeline.card import CardRef
from app.pipeline.connections import Connection, Kept
from app.pipeline.contacts import read_fresh
from app.pipeline.recomputing import OfRun, Place, recompute, rounds_of, steps_of
from app.store import assignments, card_origins, histories, people, reactions, team
from app.store.assignments import Assignment
from app.store.card_origins import Origin
from app.store.cards import CardKey
from app.store.database import Database, WriteSession
from app.store.portals import Portal
from app.store.reactions import Round
from app.store.requests import KeptRequest, gather
from app.store.runs import FinishedAction

_WHY: Final = "breach"
_SECONDS: Final = 20.0
"""How old calendars and histories may be that a clock is reckoned by."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the clock asks of a run: notices to plan, and of which round and step they are."""

    notices: tuple[Notify, ...] = ()
    arrived_at: datetime | None = None
    step: Step | None = None

    def beside(self, planned: Plan, card: CardRef, dictionary: PortalDictionary) -> "Watched":
        """Nothing when the same plan closes the card: whoever goes on with the request is told in time."""
        for action in planned.actions:
            if isinstance(action, MoveItem) and (action.entity, action.item_id) == (card.entity, card.card_id):
                stage = stage_at(dictionary, card.entity, (action.pipeline or 0, action.stage))
                if stage is not None and stage.semantics != "process":
                    return QUIET
        return self


QUIET: Final = Watched()


@dataclass(frozen=True, slots=True)
class Judged:
    """The card as the run has just read and judged it."""

    connection: Connection
    card: CardRef
    raw: RawCard
    verdict: Verdict
    ruleset: Ruleset
    dictionary: PortalDictionary
    read_at: datetime


class Clocks:
    """The clocks of all portals in this process. `live` False: nobody is told anything."""

    def __init__(self, database: Database, *, live: bool, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._live = live
        self._clock = clock
        self._places: dict[int, Kept[Place]] = {}

    async def look(self, judged: Judged, *, told: frozenset[str], lane: Lane) -> Watched:
        """What is due now. Reads the card's contacts at the portal only when something is. Raises as reads do.

        `told`: keys of notices that went out or were refused.
        """
        connection = judged.connection
        place = await self._place(judged)
        if not self._live or place.portal.clocks_since is None:
            return QUIET
        now, key = judged.read_at, judged.card.key
        kept = await self._kept(judged)
        found = self._due(judged, kept, place, told=told)
        if found is None:
            return QUIET
        one, moment = found
        family = _family(key, kept)
        if not _read_since(kept, moment.at):
            arrived = one.reaction.response.arrived_at
            await read_fresh(connection.client, self._database, family, since=arrived, lane=lane, now=now)
            kept = await self._kept(judged)
            found = self._due(judged, kept, place, told=told)
        if found is None or not found[0].reaction.silent:
            return QUIET
        return await self._step(judged, place, *found)

    async def keep(self, session: WriteSession, judged: Judged, run_id: int, *, now: datetime) -> None:
        """Keep the card's reactions as this run has left it, and set its timer; at the end of the run."""
        origin = Origin(judged.card.card_id, printed.moment(judged.raw.get("createdTime")), _lead_of(judged))
        await card_origins.note(session, judged.card.portal_id, int(judged.card.entity), [origin])
        place = await self._place(judged)
        key = judged.card.key
        await recompute(session, place, [key], now=now, run=OfRun(key, run_id, judged.read_at))

    async def _place(self, judged: Judged) -> Place:
        portal, ruleset = judged.connection.portal, judged.ruleset
        kept = self._places.setdefault(portal.id, Kept(_SECONDS, self._clock))
        known = await kept.get(lambda: self._read_place(portal, ruleset))
        return replace(known, portal=portal, targets=ruleset.targets)

    async def _read_place(self, portal: Portal, ruleset: Ruleset) -> Place:
        async with self._database.reading() as session:
            times = await team.calendars(session, portal.id, around=self._clock())
            return Place(portal, ruleset.targets, times, await histories.of_portal(session, portal.id), self._live)

    async def _kept(self, judged: Judged) -> KeptRequest:
        key = judged.card.key
        async with self._database.reading() as session:
            kept = (await gather(session, key.portal_id, [key]))[key]
            lead = _lead_of(judged)
            if lead is not None and kept.request.lead is None:
                source = CardKey(key.portal_id, int(Entity.LEAD), lead)
                known = (await gather(session, key.portal_id, [source]))[source].request.card
                kept = replace(kept, request=replace(kept.request, lead=known))
        return _as_read(kept, judged)

    def _due(
        self, judged: Judged, kept: KeptRequest, place: Place, *, told: frozenset[str]
    ) -> tuple[Round, Moment] | None:
        now, card = judged.read_at, judged.card
        rounds = rounds_of(card.key, kept, place, now=now)
        if not rounds or not place.watched(rounds[-1]):
            return None
        one = rounds[-1]
        moment = due(steps_of(one, place), now=now)
        if moment is None:
            return None
        key = step_key(card.entity, card.card_id, one.reaction.response.arrived_at, moment)
        return None if any(one.startswith(f"{key}:") for one in told) else (one, moment)

    async def _step(self, judged: Judged, place: Place, one: Round, moment: Moment) -> Watched:
        card, arrived = judged.card, one.reaction.response.arrived_at
        key = step_key(card.entity, card.card_id, arrived, moment)
        late = _late(judged, place, one, moment)
        owner = moment.stretch.user
        if moment.step is Step.WARN and owner is not None:
            return Watched((warning(late, owner, key=key, say=judged.connection.say),), arrived, Step.WARN)
        notices = await self._breached(judged, late, owner, key)
        return Watched(notices, arrived, Step.BREACH)

    async def _breached(self, judged: Judged, late: Late, owner: int | None, key: str) -> tuple[Notify, ...]:
        """The head is told; the card passes on where the rules say so. The plan's own part gives it to the next one."""
        targets, say = judged.ruleset.targets, judged.connection.say
        passed: Assignment | None = None
        if targets.pass_on:
            async with self._database.writing() as session:
                passed = await assigning.pass_on(
                    session, judged.card.key, why=_WHY, at=judged.read_at, owner=owner, occasion=key
                )
        next_one = passed.user_id if passed else None
        then = STAYS if passed is None else PASSES if next_one is not None else NOBODY_LEFT
        notices: list[Notify] = []
        head, name = await self._head(judged, owner, passed)
        whom = head or owner
        if whom is not None and (targets.escalate or then is NOBODY_LEFT):
            to_owner = head is None and then is STAYS
            notices.append(breach(late, whom, owner=name, then=then, key=key, to_owner=to_owner, say=say))
        if next_one is not None:
            notices.append(passed_on(late, next_one, key=key, say=say))
        return tuple(notices)

    async def _head(
        self, judged: Judged, owner: int | None, passed: Assignment | None
    ) -> tuple[int | None, str | None]:
        """The head of the card's pool, else of the owner's department; and the owner's name."""
        key = judged.card.key
        async with self._database.reading() as session:
            known = passed or next(reversed(await assignments.of_card(session, key)), None)
            head = await assigning.head_of_pool(session, known) if known is not None else None
            person = (await people.people(session, key.portal_id)).get(owner) if owner is not None else None
        if head is None and owner is not None:
            head = judged.dictionary.heads.get(owner)
        name = person.name if person and person.name else None if owner is None else str(owner)
        return (None if head == owner else head), name


async def told(
    session: WriteSession, card: CardKey, watched: Watched, finished: Sequence[FinishedAction], *, now: datetime
) -> None:
    """Write down with the round that people were told of it."""
    keys = {notice.key for notice in watched.notices}
    if watched.arrived_at is not None and any(one.key in keys and one.state == "done" for one in finished):
        warned, breached = watched.step is Step.WARN, watched.step is Step.BREACH
        await reactions.told(session, card, watched.arrived_at, warned=warned, breached=breached, at=now)


def _as_read(kept: KeptRequest, judged: Judged) -> KeptRequest:
    """What is kept of the card, with what the run has just read: owner, creation, stage and verdict."""
    raw, own = judged.raw, kept.request.card
    owner = link(raw.get("assignedById"))
    owners = own.owners
    if not owners or owners[-1].user != owner:
        since = printed.moment(raw.get("updatedTime")) or judged.read_at
        owners = (*owners, Owned(max([since, *(one.since for one in owners)]), owner))
    stage = stage_at(judged.dictionary, judged.card.entity, place(judged.card.entity, raw))
    final = semantics_of(raw, stage) != "process"
    known = replace(
        own,
        created_at=printed.moment(raw.get("createdTime")) or own.created_at,
        owners=owners,
        closed_at=(printed.moment(raw.get("movedTime")) or judged.read_at) if final else None,
    )
    match judged.verdict:
        case LeadVerdict(outcome=outcome):
            known = replace(known, outcome=outcome.value)
        case DealVerdict(grade=grade):
            known = replace(known, grade=grade.value)
    return replace(kept, request=replace(kept.request, card=known))


def _lead_of(judged: Judged) -> int | None:
    return link(judged.raw.get("leadId")) if judged.card.entity is Entity.DEAL else None


def _family(key: CardKey, kept: KeptRequest) -> list[CardKey]:
    """The card and those that share its clock."""
    related = (kept.request.lead, *kept.request.deals)
    return [key, *(CardKey(key.portal_id, int(one.entity), one.card_id) for one in related if one is not None)]


def _read_since(kept: KeptRequest, at: datetime) -> bool:
    """Whether the contacts of the whole request were read at the portal since then."""
    request = kept.request
    members = [one for one in (request.card, request.lead, *request.deals) if one is not None]
    return all(len(one.read) and all(read >= at for read in one.read.values()) for one in members)


def _late(judged: Judged, place: Place, one: Round, moment: Moment) -> Late:
    card = judged.card
    zone = place.times.of(moment.stretch.user).zone
    return Late(
        entity=card.entity,
        card_id=card.card_id,
        title=str(judged.raw.get("title") or ""),
        url=card.address(judged.connection.portal.domain),
        since=one.reaction.response.arrived_at.astimezone(zone),
        until=(moment.stretch.due_at or moment.at).astimezone(zone),
    )
