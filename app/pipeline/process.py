"""The story of one card: fetch it, judge it, plan what is missing, write that down, apply it, close the run.

Called by the queue with one card at a time; never two at once for the same card. The order is the promise:
the run with its plan is committed before the first write leaves, and no transaction is held across a REST call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.actions import CreateItem, Plan, action_from_json, action_to_json
from app.domain.facts import Facts
from app.domain.kept_cards import kept_to_json
from app.domain.plan import plan
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
from app.pipeline import made
from app.pipeline.apply import Applied, Between, apply, settle, waves
from app.pipeline.card import CardRef, after_moves, card_values, raw_card, seen
from app.pipeline.communications import communications_of
from app.pipeline.connections import Connection, Connections
from app.pipeline.dictionaries import unknown_codes
from app.pipeline.duplicates import fetch_links
from app.pipeline.fetch import CardGone, fetch_deal, fetch_lead
from app.pipeline.retry import Park, TryAgain, after
from app.store import cards, owner_changes, portals, runs, timers
from app.store.claims import Claimed, Claims
from app.store.database import Database, DatabaseAway
from app.store.memory import PastAction, recall
from app.store.owner_changes import SeenOwner

_log = structlog.get_logger()
_DATABASE_SECONDS = 2.0


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
        self._troubled: set[int] = set()

    async def judge(self, card: CardRef, lane: Lane) -> None:
        """Judge one card now. A failure becomes a timer or a parked card.

        Raises only when it was cancelled and could not even hand the card back: DatabaseAway or CancelledError.
        """
        try:
            await self._judge(card, lane)
        except CardGone:
            await self._for_certain(lambda: self._forget(card))
        except asyncio.CancelledError:
            # The worker is stopping: another one, or this one after the restart, takes the card up again at once.
            await asyncio.shield(self._again(card, lane, timedelta(0), "interrupted"))
        except Exception as error:  # noqa: BLE001 - one bad card never holds back another
            failure = error
            await self._for_certain(lambda: self._failed(card, lane, failure))

    async def _for_certain(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write down what became of a card, whenever the database is back: forgotten it would be a lost card."""
        while True:
            try:
                await write()
                return
            except DatabaseAway:
                await asyncio.sleep(_DATABASE_SECONDS)

    async def _judge(self, card: CardRef, lane: Lane) -> None:
        connection = await self._connections.of(card.portal_id)
        async with AsyncExitStack() as claimed:
            judged = await self._think(connection, card, lane, claimed)
            if Hold.STAGE_UNKNOWN in judged.plan.held:
                # The portal's stages may have changed since we read them.
                await connection.dictionary(refresh=True)
                await claimed.aclose()
                judged = await self._think(connection, card, lane, claimed)
            run_id = await self._open(card, judged)
            applied = Applied()
            if self._live and judged.plan:
                between = self._between(card, run_id, judged.plan, claimed)
                applied = await apply(connection.client, judged.plan.actions, between=between, lane=lane)
            await asyncio.shield(self._close(card, judged, run_id, applied))
        if applied.error is not None:
            raise applied.error
        # The connection knows the portal as it was a moment ago, when nothing may have been wrong yet.
        if connection.portal.trouble is not None or card.portal_id in self._troubled:
            self._troubled.discard(card.portal_id)
            async with self._database.writing() as session:
                await portals.set_trouble(session, card.portal_id, None, now=self._clock())

    async def _think(self, connection: Connection, card: CardRef, lane: Lane, claimed: AsyncExitStack) -> Judged:
        now = self._clock()
        ruleset = await connection.ruleset()
        dictionary = await connection.dictionary()
        snapshot = await _fetch(connection, card, ruleset, dictionary, now=now, lane=lane)
        if unknown_codes(dictionary, card.entity, raw_card(snapshot)):
            dictionary = await connection.dictionary(refresh=True)
        facts = _facts(snapshot, ruleset, dictionary)
        verdict = qualify(card.entity, facts, ruleset, _today(now, dictionary))
        links = NO_LINKS
        if _may_convert(verdict, snapshot):
            links = await self._links(connection, snapshot, lane, claimed)
        planned = plan(
            verdict,
            snapshot,
            await self._recall(connection.client, card, snapshot, lane),
            links,
            facts=facts,
            ruleset=ruleset,
            dictionary=dictionary,
            now=now,
            say=connection.say,
        )
        return Judged(now, snapshot, facts, verdict, planned, ruleset, dictionary)

    async def _links(self, connection: Connection, snapshot: Snapshot, lane: Lane, claimed: AsyncExitStack) -> Links:
        """What a conversion can reuse; where it would have to make a client, with that client's people claimed.

        Whoever makes cards for the same people at this moment is waited for, and then what he made is found. Leads of
        a client who is there already need not wait for each other.
        """
        portal_id = connection.portal.id
        people = communications_of(raw_card(snapshot))
        values = [*people.phones, *people.emails]
        if not self._live:
            return await fetch_links(connection.client, snapshot, lane=lane)
        try:
            await claimed.enter_async_context(self._claims.held(portal_id, values, wait=False))
        except Claimed:
            links = await fetch_links(connection.client, snapshot, lane=lane)
            if _client_is_there(links, snapshot):
                return links
            await claimed.enter_async_context(self._claims.held(portal_id, values))
            return await fetch_links(connection.client, snapshot, lane=lane)
        links = await fetch_links(connection.client, snapshot, lane=lane)
        if _client_is_there(links, snapshot):
            await claimed.aclose()
        return links

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

    async def _open(self, card: CardRef, judged: Judged) -> int:
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
            plan={"actions": [action["key"] for action in actions], "held": list(judged.plan.held)},
            snapshot=kept_to_json(judged.snapshot),
        )
        first = waves(judged.plan.actions)[0] if self._live and judged.plan else ()
        going_out = {action.key for action in first}
        planned = [
            runs.PlannedAction(action["key"], action["kind"], action, started=action["key"] in going_out)
            for action in actions
        ]
        async with self._database.writing() as session:
            return await runs.open_run(session, run, planned)

    def _between(self, card: CardRef, run_id: int, planned: Plan, claimed: AsyncExitStack) -> Between:
        making = {action.key for action in planned.actions if isinstance(action, CreateItem)}

        async def between(finished: Sequence[runs.FinishedAction], starting: Sequence[str]) -> None:
            async with self._database.writing() as session:
                await runs.progress(session, run_id, finished=finished, starting=starting)
                await made.expect(session, card.portal_id, planned.actions, finished, now=self._clock())
            if making.isdisjoint(starting):
                # All cards are made: whoever waits for these people finds them now.
                await claimed.aclose()

        return between

    async def _close(self, card: CardRef, judged: Judged, run_id: int, applied: Applied) -> None:
        raw = raw_card(judged.snapshot)
        error = applied.error
        standing = after_moves(raw, judged.plan) if error is None and self._live else raw
        values = card_values(card.entity, standing, judged.verdict, judged.dictionary)
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
        async with self._database.writing() as session:
            await runs.progress(session, run_id, finished=applied.finished)
            await made.expect(session, card.portal_id, judged.plan.actions, applied.finished, now=self._clock())
            await made.seen(session, card)
            await runs.close_run(session, run_id, status="failed" if error else "done", error=_said(error))
            owner = SeenOwner(card.card_id, values.get("assigned_by_id"), values.get("updated_time"), judged.read_at)
            await owner_changes.note(session, card.portal_id, int(card.entity), [owner])
            await cards.save(session, card.key, **values)

    async def _failed(self, card: CardRef, lane: Lane, error: Exception) -> None:
        async with self._database.writing() as session:
            attempts = await cards.count_attempt(session, card.key)
        match after(error, attempts):
            case TryAgain(delay, counts, trouble):
                _log.warning("a card will be judged again", card=str(card), seconds=delay.seconds, error=_said(error))
                await self._again(card, lane, delay, "retry", uncounted=not counts)
                if trouble is not None:
                    self._troubled.add(card.portal_id)
                    async with self._database.writing() as session:
                        await portals.set_trouble(session, card.portal_id, trouble, now=self._clock())
            case Park(reason, again):
                _log.error("a card is parked", card=str(card), reason=reason, exc_info=error)
                if again is not None:
                    await self._again(card, lane, again, "retry")
                async with self._database.writing() as session:
                    await cards.park(session, card.key, reason=reason)

    async def _again(
        self, card: CardRef, lane: Lane, delay: timedelta, reason: str, *, uncounted: bool = False
    ) -> None:
        """Judge the card anew after a while, as urgently as it was: a new lead does not go behind old ones."""
        async with self._database.writing() as session:
            await timers.set_timer(session, card.key, reason=reason, due_at=self._clock() + delay, lane=lane)
            if uncounted:
                await cards.save(session, card.key, attempts=0)

    async def _forget(self, card: CardRef) -> None:
        async with self._database.writing() as session:
            await cards.save(session, card.key, state="deleted", judged_at=self._clock())


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
