"""The story of one card: fetch it, judge it, plan what is missing, write that down, apply it, close the run.

Called by the queue with one card at a time; never two at once for the same card. The order is the promise:
the run with its plan is committed before the first write leaves, and no transaction is held across a REST call.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import structlog

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain import figures
from app.domain.actions import CreateItem, Plan, action_from_json, action_to_json
from app.domain.facts import Facts
from app.domain.kept_cards import kept_to_json
from app.domain.plan import plan
from app.domain.printed import moment
from app.domain.qualify import qualify
from app.domain.reading import deal_facts, lead_facts
from app.domain.record import verdict_to_json
from app.domain.ruleset import Ruleset
from app.domain.snapshot import (
    LINKING_OUTCOMES,
    NO_LINKS,
    Entity,
    LeadSnapshot,
    Links,
    Memory,
    PortalDictionary,
    Snapshot,
)
from app.domain.touch import Hold
from app.domain.verdict import LeadVerdict, Verdict
from app.pipeline import assigning, clocks, held, made
from app.pipeline.aftermath import Aftermath
from app.pipeline.apply import Applied, Between, Sight, apply, settle, waves
from app.pipeline.card import CardRef, after_moves, card_values, owner_of, raw_card, seen, standing
from app.pipeline.communications import communications_of
from app.pipeline.connections import Connection, Connections
from app.pipeline.dictionaries import unknown_codes
from app.pipeline.duplicates import fetch_links
from app.pipeline.fetch import CardGone, fetch_deal, fetch_lead
from app.pipeline.segmenting import Segmenting, tell_company
from app.store import card_figures, cards, owner_changes, queue, runs
from app.store.claims import Claim, Claimed, Claims
from app.store.database import Database, WriteSession
from app.store.memory import PastAction, recall
from app.store.owner_changes import SeenOwner
from app.store.queue import TakenOver

_log = structlog.get_logger()
_LONGEST_RUN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Judged:
    """A card as it was read and what it should be: all that a run records before anything is written.

    `read_at`: nothing that happened after it is surely in the snapshot.
    """

    read_at: datetime
    snapshot: Snapshot
    facts: Facts
    verdict: Verdict
    plan: Plan
    ruleset: Ruleset
    dictionary: PortalDictionary
    claim: Claim | None
    clock: clocks.Judged
    watched: clocks.Watched


class Process:
    """Judges cards of all portals. `live` False is shadow mode: judge and record, write nothing to the portal."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        claims: Claims,
        *,
        live: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._connections = connections
        self._claims = claims
        self._live = live
        self._clock = clock
        self._aftermath = Aftermath(database, connections, clock=clock)
        self._segmenting = Segmenting(database, self._settle, clock=clock)
        self._clocks = clocks.Clocks(database, live=live, clock=clock)

    async def judge(self, card: CardRef, lane: Lane, job: int | None = None) -> None:
        """Judge one card now. A failure becomes a timer or a parked card.

        `job` holds the card on the queue: without it nothing is written. Raises only when it was cancelled and could
        not even hand the card back: DatabaseAway or CancelledError.
        """
        try:
            await self._judge(card, lane, job)
        except CardGone:
            await self._aftermath.forget(card)
        except TakenOver as left:
            _log.warning("a card is left to the worker that has it now", card=str(card), reason=str(left))
        except asyncio.CancelledError:
            # The worker is stopping: another one, or this one after the restart, takes the card up again at once.
            await asyncio.shield(self._aftermath.again(card, lane, timedelta(0), "interrupted"))
        except Exception as error:  # noqa: BLE001 - one bad card never holds back another
            await self._aftermath.failed(card, lane, error)

    async def _judge(self, card: CardRef, lane: Lane, job: int | None) -> None:
        connection = await self._connections.of(card.portal_id)
        if card.entity is Entity.COMPANY:
            if self._live:
                await self._segmenting.judge(connection, card, lane, lambda: self._holding(job))
                await self._aftermath.went_well(connection)
            return
        async with AsyncExitStack() as claimed:
            judged = await self._think(connection, card, lane, claimed, job)
            if Hold.STAGE_UNKNOWN in judged.plan.held:
                # The portal's stages may have changed since we read them.
                await connection.dictionary(refresh=True)
                await claimed.aclose()
                judged = await self._think(connection, card, lane, claimed, job)
            run_id = await self._open(card, judged, job)
            if judged.claim is not None:
                # From here on our open run is seen by whoever claims these people after us.
                await self._claims.make_sure(judged.claim)
            applied = Applied()
            if self._live and judged.plan:
                between = self._between(card, run_id, judged, claimed, job)
                applied = await apply(
                    connection.client, judged.plan.actions, between=between, lane=lane, sight=self._sight(judged)
                )
            await asyncio.shield(self._close(card, judged, run_id, applied, job))
        if applied.error is not None:
            raise applied.error
        await self._aftermath.went_well(connection)

    async def _think(
        self, connection: Connection, card: CardRef, lane: Lane, claimed: AsyncExitStack, job: int | None
    ) -> Judged:
        now = self._clock()
        ruleset = await connection.ruleset()
        dictionary = await connection.dictionary()
        snapshot = await _fetch(connection, card, ruleset, dictionary, now=now, lane=lane)
        if unknown_codes(dictionary, card.entity, raw_card(snapshot)):
            dictionary = await connection.dictionary(refresh=True)
        facts = _facts(snapshot, ruleset, dictionary)
        verdict = qualify(card.entity, facts, ruleset, _today(now, dictionary))
        links, claim = NO_LINKS, None
        if _may_convert(verdict, snapshot):
            links, claim = await self._links(connection, card, snapshot, lane, claimed, job)
        memory = await self._recall(connection.client, card, snapshot, lane)
        clock = clocks.Judged(connection, card, raw_card(snapshot), verdict, ruleset, dictionary, now)
        watched = clocks.QUIET
        assigned = None
        arrived = assigning.Arrived(card, snapshot, verdict, links, dictionary)
        if self._live:
            watched = await self._clocks.look(clock, told=memory.told, lane=lane)
            assigned = await assigning.on_arrival(self._database, connection, arrived, lane=lane, clock=self._clock)
        planned = plan(
            verdict,
            snapshot,
            memory,
            links,
            facts=facts,
            ruleset=ruleset,
            dictionary=dictionary,
            now=now,
            say=connection.say,
            assigned=assigned,
        )
        watched = watched.beside(planned, card, dictionary)
        notices = watched.notices
        if Hold.NOBODY_FREE in planned.held and not notices:
            notices = await held.notices(self._database, connection, arrived, told=memory.told)
        planned = replace(planned, actions=(*planned.actions, *notices))
        return Judged(now, snapshot, facts, verdict, planned, ruleset, dictionary, claim, clock, watched)

    async def _links(
        self,
        connection: Connection,
        card: CardRef,
        snapshot: Snapshot,
        lane: Lane,
        claimed: AsyncExitStack,
        job: int | None,
    ) -> tuple[Links, Claim | None]:
        """What a conversion can reuse; where it would have to make a client, with that client's people claimed.

        Whoever makes cards for the same people at this moment is waited for, and then what he made is found. Leads of
        a client who is there already need not wait for each other.
        """
        people = communications_of(raw_card(snapshot))
        values = [*people.phones, *people.emails]
        if not self._live:
            return await fetch_links(connection.client, snapshot, lane=lane), None
        try:
            claim = await claimed.enter_async_context(self._claims.held(card.portal_id, values, wait=False))
            alone = await self._alone(card, claim, job)
        except Claimed:
            claim, alone = None, False
        links = await fetch_links(connection.client, snapshot, lane=lane)
        if _client_is_there(links, snapshot):
            await claimed.aclose()
            return links, None
        if claim is None:
            claim = await claimed.enter_async_context(self._claims.held(card.portal_id, values))
            alone = await self._alone(card, claim, job)
            links = await fetch_links(connection.client, snapshot, lane=lane)
        if not alone:
            raise Claimed
        return links, claim

    async def _alone(self, card: CardRef, claim: Claim, job: int | None) -> bool:
        """Whether nobody who lost his claim, or his life, is in the midst of making cards for these people."""
        async with self._holding(job) as session:
            # Our own that was cut off is ours to go on with, and keeps nobody else waiting.
            await runs.abandon(session, card.key)
            since = self._clock() - _LONGEST_RUN
            return not await runs.making(session, card.portal_id, claim.keys, since=since)

    async def _recall(self, client: PortalClient, card: CardRef, snapshot: Snapshot, lane: Lane) -> Memory:
        async with self._database.reading() as session:
            known = await recall(
                session,
                card.key,
                moved_time=raw_card(snapshot).get("movedTime"),
                stage=raw_card(snapshot).get("stageId"),
                now=self._clock(),
            )
        if not (known.in_doubt and self._live):
            return known.memory
        # A run died between a write and its record: first find out what was done, then remember again.
        for action in known.in_doubt:
            await self._settle(client, card, action, lane)
        return await self._recall(client, card, snapshot, lane)

    async def _settle(self, client: PortalClient, card: CardRef, past: PastAction, lane: Lane) -> None:
        action = action_from_json(past.payload)
        found = await settle(client, action, lane=lane)
        finished = [runs.FinishedAction(past.key, "skipped" if found is None else "done", found)]
        async with self._database.writing() as session:
            await runs.progress(session, past.run_id, finished=finished)
            await made.expect(session, card.portal_id, [action], finished, now=self._clock())

    async def _open(self, card: CardRef, judged: Judged, job: int | None) -> int:
        actions = [action_to_json(action) for action in judged.plan.actions]
        run = runs.NewRun(
            card=card.key,
            ruleset_version=judged.ruleset.version,
            mode="live" if self._live else "shadow",
            opened_at=self._clock(),
            seen=seen(card.entity, judged.snapshot, judged.dictionary),
            facts=judged.facts.to_json(),
            facts_digest=judged.facts.digest(),
            verdict={**verdict_to_json(judged.verdict), "decision": judged.verdict.decision},
            plan={
                "actions": [action["key"] for action in actions],
                "held": list(judged.plan.held),
                **({"claims": [str(key) for key in sorted(judged.claim.keys)]} if judged.claim else {}),
            },
            snapshot=kept_to_json(judged.snapshot),
        )
        first = waves(judged.plan.actions)[0] if self._live and judged.plan else ()
        going_out = {action.key for action in first}
        planned = [
            runs.PlannedAction(action["key"], action["kind"], action, started=action["key"] in going_out)
            for action in actions
        ]
        raw = raw_card(judged.snapshot)
        owner = SeenOwner(card.card_id, owner_of(raw), moment(raw.get("updatedTime")), judged.read_at)
        async with self._holding(job) as session:
            await owner_changes.note(session, card.portal_id, int(card.entity), [owner])
            return await runs.open_run(session, run, planned)

    def _sight(self, judged: Judged) -> Sight:
        return Sight(raw_card(judged.snapshot), judged.read_at, self._clock)

    @asynccontextmanager
    async def _holding(self, job: int | None) -> AsyncGenerator[WriteSession]:
        """A transaction of a worker that has the card until it ends. Raises TakenOver, DatabaseAway."""
        async with self._database.writing() as session:
            if job is not None:
                await queue.keep(session, job)
            yield session

    def _between(self, card: CardRef, run_id: int, judged: Judged, claimed: AsyncExitStack, job: int | None) -> Between:
        making = {action.key for action in judged.plan.actions if isinstance(action, CreateItem)}

        async def between(finished: Sequence[runs.FinishedAction], starting: Sequence[str]) -> None:
            async with self._holding(job) as session:
                await runs.progress(session, run_id, finished=finished, starting=starting)
                await self._follow_up(session, card, judged, finished)
            if making.isdisjoint(starting):
                # All cards are made: whoever waits for these people finds them now.
                await claimed.aclose()

        return between

    async def _follow_up(
        self, session: WriteSession, card: CardRef, judged: Judged, finished: Sequence[runs.FinishedAction]
    ) -> None:
        """What follows from writes that are done, in the transaction that records them."""
        now, actions = self._clock(), judged.plan.actions
        await made.expect(session, card.portal_id, actions, finished, now=now)
        await assigning.note_owners(session, card.portal_id, actions, finished, now=now)
        await clocks.told(session, card.key, judged.watched, finished, now=now)

    async def _close(self, card: CardRef, judged: Judged, run_id: int, applied: Applied, job: int | None) -> None:
        raw = raw_card(judged.snapshot)
        error = applied.error
        left = after_moves(raw, judged.plan) if error is None and self._live else raw
        values = card_values(card.entity, left, judged.verdict, judged.dictionary)
        values["facts_digest"] = judged.facts.digest()
        values["last_run_id"] = run_id
        values["judged_at"] = self._clock()
        values["read_at"] = judged.read_at
        if error is None:
            values["parked_reason"] = None
            values["attempts"] = 0
        else:
            # Whether the card is parked now is decided with the failure, not here.
            del values["state"]
        async with self._holding(job) as session:
            await runs.progress(session, run_id, finished=applied.finished)
            await self._follow_up(session, card, judged, applied.finished)
            await made.seen(session, card)
            await runs.close_run(session, run_id, status="failed" if error else "done", error=_said(error))
            if self._live:
                await tell_company(session, card, judged.snapshot, judged.ruleset)
            await cards.save(session, card.key, **values)
            stands = standing(card.entity, left, judged.snapshot, judged.dictionary, judged.read_at)
            counted = figures.judged(judged.verdict, judged.facts, judged.ruleset)
            await card_figures.judged(session, card.key, stands, counted, at=judged.read_at)
            await self._clocks.keep(session, judged.clock, run_id, now=self._clock())


def _client_is_there(links: Links, snapshot: Snapshot) -> bool:
    """Whether a conversion would find both the person and, where the lead names one, the company."""
    named = bool(str(raw_card(snapshot).get("companyTitle") or "").strip())
    return links.contact is not None and (links.company is not None or not named)


async def _fetch(
    connection: Connection,
    card: CardRef,
    ruleset: Ruleset,
    dictionary: PortalDictionary,
    *,
    now: datetime,
    lane: Lane,
) -> Snapshot:
    client, catalog = connection.client, connection.catalog
    if card.entity is Entity.LEAD:
        return await fetch_lead(
            client, card.card_id, ruleset=ruleset, dictionary=dictionary, lane=lane, catalog=catalog
        )
    return await fetch_deal(
        client,
        card.card_id,
        ruleset=ruleset,
        dictionary=dictionary,
        today=_today(now, dictionary),
        lane=lane,
        catalog=catalog,
    )


def _may_convert(verdict: Verdict, snapshot: Snapshot) -> bool:
    """Whether the plan may need to know what conversion would make twice: not for a lead that is converted."""
    linking = isinstance(verdict, LeadVerdict) and verdict.outcome in LINKING_OUTCOMES
    return linking and raw_card(snapshot).get("stageSemanticId") != "S"


def _facts(snapshot: Snapshot, ruleset: Ruleset, dictionary: PortalDictionary) -> Facts:
    if isinstance(snapshot, LeadSnapshot):
        return lead_facts(snapshot, ruleset, dictionary)
    return deal_facts(snapshot, ruleset, dictionary)


def _today(now: datetime, dictionary: PortalDictionary) -> date:
    return now.astimezone(dictionary.zone).date()


def _said(error: BaseException | None) -> str | None:
    return None if error is None else str(error) or type(error).__name__
