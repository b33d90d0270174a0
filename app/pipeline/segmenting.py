"""The story of one company: read it and its won deals, judge its segment, write that down, apply it, close the run.

Called by `process.py` for cards that are companies, with the same promises as for leads and deals: one company at a
time, the run with its plan committed before the first write, what a dead run left open settled before planning. What is
judged differs so much (no stages, no conversion, a cap shared with other companies) that it has a story of its own
(docs/adr/0008). A company that neither bought nor carries a mark leaves no trace.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.actions import AddTodo, Plan, action_to_json
from app.domain.difference import digest, link
from app.domain.facts import Fact, Facts, Kind
from app.domain.kept_cards import named_to_json
from app.domain.messages import message_to_json
from app.domain.plan_company import (
    CompanyCase,
    CompanySnapshot,
    Kept,
    KnownTodo,
    Standing,
    field_code,
    plan_company,
)
from app.domain.printed import moment
from app.domain.ruleset import Ruleset
from app.domain.segment import Segment, SegmentVerdict, bounds_of, judge_segment
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary, RawCard, Snapshot
from app.pipeline.apply import Applied, Sight, apply
from app.pipeline.card import CardRef
from app.pipeline.connections import Connection
from app.pipeline.fetch import CardGone, fetch_card
from app.pipeline.fetch_company import WonDeals, read_won_deals, todo_state
from app.pipeline.reads import together
from app.store import cards, contact_turns, owner_changes, runs, segment_round, segments
from app.store.database import Database, WriteSession
from app.store.memory import PastAction, Recollection, recall
from app.store.owner_changes import SeenOwner
from app.store.segments import CompanySegment, SegmentName

Settle = Callable[[PortalClient, CardRef, PastAction, Lane], Awaitable[None]]
"""Finds out what became of an action that a dead run had started, and writes it down."""

Holding = Callable[[], AbstractAsyncContextManager[WriteSession]]
"""A transaction of a worker that has the company until it ends."""

_NOTHING_TO_MOVE: Final = None


@dataclass(frozen=True, slots=True)
class _Looked:
    """A company as it was read and what it should be."""

    case: CompanyCase
    facts: Facts
    plan: Plan
    standing: Standing
    won: WonDeals | None


class Segmenting:
    """Judges companies of all portals; `settle` is the one that leads and deals use."""

    def __init__(self, database: Database, settle: Settle, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._settle = settle
        self._clock = clock

    async def judge(self, connection: Connection, card: CardRef, lane: Lane, holding: Holding) -> None:
        """Judge the company now. Raises CardGone, Bitrix24Error, TakenOver, DatabaseAway."""
        ruleset = await connection.ruleset()
        if not ruleset.segments.written:
            return
        try:
            looked = await self._look(connection, card, ruleset, lane)
        except CardGone:
            async with self._database.writing() as session:
                known = await segments.get(session, card.portal_id, card.card_id)
                await segments.forget_todo(session, card.key)
            if known is None:
                return
            raise
        if looked is None:
            return
        run_id = await self._open(card, looked, holding)
        applied = Applied()
        if looked.plan:
            sight = Sight(looked.case.snapshot.company, looked.case.now, self._clock)
            applied = await apply(
                connection.client, looked.plan.actions, between=_no_second_wave, lane=lane, sight=sight
            )
        await asyncio.shield(self._close(card, looked, run_id, applied, holding))
        if applied.error is not None:
            raise applied.error

    async def _look(self, connection: Connection, card: CardRef, ruleset: Ruleset, lane: Lane) -> _Looked | None:
        """None when the company does not concern us."""
        now = self._clock()
        dictionary = await connection.dictionary()
        company = await fetch_card(connection.client, Entity.COMPANY, card.card_id, lane)
        code = field_code(company, ruleset, dictionary)
        async with self._database.reading() as session:
            known = await segments.get(session, card.portal_id, card.card_id)
            concerned = known is not None or code is not None
            if not concerned and not await segments.has_bought(session, card.portal_id, card.card_id):
                return None
        recalled = await self._recall(connection, card, lane)
        bounds = bounds_of(ruleset)
        async with together() as group:
            reading = group.create_task(
                read_won_deals(connection.client, card.card_id, needed=bounds.regular_won_deals, lane=lane)
            )
            asking = group.create_task(self._todo(connection, card, recalled, lane))
        won = reading.result()
        turn = await self._turn(card, company, ruleset, now.astimezone(dictionary.zone).date())
        async with self._database.reading() as session:
            contact_at = await segments.last_contact(session, card.portal_id, card.card_id, now=now)
        snapshot = CompanySnapshot(
            company, won.newest if won else None, contact_at=contact_at, todo=asking.result(), turn=turn
        )
        verdict = _verdict(snapshot, ruleset, dictionary, code, now)
        kept = _kept(known) if known else None
        case = CompanyCase(verdict, snapshot, kept, recalled.memory, ruleset, dictionary, now, connection.say)
        planned, standing = plan_company(case)
        return _Looked(case, _facts(snapshot, code), planned, standing, won)

    async def _recall(self, connection: Connection, card: CardRef, lane: Lane) -> Recollection:
        async with self._database.reading() as session:
            known = await recall(
                session, card.key, moved_time=_NOTHING_TO_MOVE, stage=_NOTHING_TO_MOVE, now=self._clock()
            )
        if not known.in_doubt:
            return known
        for action in known.in_doubt:
            await self._settle(connection.client, card, action, lane)
        return await self._recall(connection, card, lane)

    async def _todo(
        self, connection: Connection, card: CardRef, recalled: Recollection, lane: Lane
    ) -> KnownTodo | None:
        """The newest to-do that we have not closed ourselves; one that a person has closed or deleted is done."""
        todo = recalled.memory.todo
        if todo is None:
            return None
        key = f"company-{card.card_id}:contact:{todo.digest}"
        async with self._database.reading() as session:
            made = await runs.last_done_action(session, portal_id=card.portal_id, key=key)
            known = await segments.get(session, card.portal_id, card.card_id)
        now = self._clock()
        made_at = (made.started_at if made else None) or now
        if known is not None and known.todo_id == todo.activity_id and known.todo_done_at is not None:
            return KnownTodo(todo, made_at, known.todo_done_at)
        state = await todo_state(connection.client, todo.activity_id, lane=lane)
        return KnownTodo(todo, made_at, now if state in {"done", "gone"} else None)

    async def _turn(self, card: CardRef, company: RawCard, ruleset: Ruleset, today: date) -> date | None:
        """The due day that the owner's cap has a place for; taken along when the company has another owner by now."""
        async with self._database.reading() as session:
            turn = await contact_turns.of_company(session, card.portal_id, card.card_id)
        owner = link(company.get("assignedById"))
        if turn is None or owner is None or turn[1] == owner:
            return turn[0] if turn else None
        async with self._database.writing() as session:
            passed_on = await contact_turns.pass_on(
                session,
                card.portal_id,
                card.card_id,
                turn[0],
                owner=owner,
                day=today,
                cap=ruleset.segments.todos_a_day,
            )
        return turn[0] if passed_on else None

    async def _open(self, card: CardRef, looked: _Looked, holding: Holding) -> int:
        case = looked.case
        company, actions = case.snapshot.company, [action_to_json(action) for action in looked.plan.actions]
        run = runs.NewRun(
            card=card.key,
            ruleset_version=case.ruleset.version,
            mode="live",
            opened_at=case.now,
            seen={
                "updated_time": company.get("updatedTime"),
                "updated_by": link(company.get("updatedBy")),
                "responsible": link(company.get("assignedById")),
            },
            facts=looked.facts.to_json(),
            facts_digest=looked.facts.digest(),
            verdict=_verdict_to_json(looked),
            plan={"actions": [action["key"] for action in actions], "held": list(looked.plan.held)},
            snapshot=named_to_json({"company": company}),
        )
        planned = [runs.PlannedAction(one["key"], one["kind"], one, started=True) for one in actions]
        async with holding() as session:
            return await runs.open_run(session, run, planned)

    async def _close(self, card: CardRef, looked: _Looked, run_id: int, applied: Applied, holding: Holding) -> None:
        case, error = looked.case, applied.error
        company = case.snapshot.company
        async with holding() as session:
            await runs.progress(session, run_id, finished=applied.finished)
            await runs.close_run(
                session, run_id, status="failed" if error else "done", error=str(error) if error else None
            )
            owner = SeenOwner(
                card.card_id, link(company.get("assignedById")), moment(company.get("updatedTime")), case.now
            )
            await owner_changes.note(session, card.portal_id, int(Entity.COMPANY), [owner])
            values = _card_values(card, looked, run_id, judged_at=self._clock())
            if error is None:
                values |= {"state": "open", "parked_reason": None, "attempts": 0}
                await segments.save(session, _row(card, looked, applied), run_id=run_id, seen_at=case.now)
                turn = case.snapshot.turn
                if turn is not None and turn != _asked_for(looked):
                    await contact_turns.give_back(session, card.portal_id, card.card_id, turn)
            await cards.save(session, card.key, **values)


async def tell_company(session: WriteSession, card: CardRef, snapshot: Snapshot, ruleset: Ruleset) -> None:
    """A lead or deal was judged: have its company looked at where it bought, or carries a mark nobody has looked at."""
    raw, company = _linked(snapshot)
    company_id = link(raw.get("companyId"))
    if company_id is None or not ruleset.segments.written:
        return
    won = card.entity is Entity.DEAL and raw.get("stageSemanticId") == "S"
    marked = company is not None and bool(company.get(ruleset.nurture.segment_field))
    if won or marked:
        await segment_round.hint(session, card.portal_id, company_id, won=won)


def bounds_digest(ruleset: Ruleset) -> str:
    """Equal for rules by which every company is judged alike, and spoken to at the same pace."""
    bounds, rules = bounds_of(ruleset), ruleset.segments
    return digest(
        [bounds.sleeping_days, bounds.regular_won_deals, bounds.regular_months],
        [rules.new, rules.regular, rules.sleeping, ruleset.nurture.segment_field, ruleset.nurture.segment],
        [rules.todos, rules.sleeping_cadence, rules.nurture_cadence],
    )


def _linked(snapshot: Snapshot) -> tuple[RawCard, RawCard | None]:
    match snapshot:
        case LeadSnapshot(lead=lead, company=company):
            return lead, company
        case DealSnapshot(deal=deal, company=company):
            return deal, company


def _verdict(
    snapshot: CompanySnapshot, ruleset: Ruleset, dictionary: PortalDictionary, code: str | None, now: datetime
) -> SegmentVerdict:
    days = None if snapshot.won_deals is None else [deal.close_date for deal in snapshot.won_deals]
    today = now.astimezone(dictionary.zone).date()
    return judge_segment(days, bounds_of(ruleset), marked=code == ruleset.nurture.segment, today=today)


def _facts(snapshot: CompanySnapshot, code: str | None) -> Facts:
    days = None if snapshot.won_deals is None else tuple(deal.close_date for deal in snapshot.won_deals)
    return Facts(
        [
            Fact("won_deals", Kind.DATES, days, "company.deals"),
            Fact("segment", Kind.CODE, code, "company.segment"),
            Fact("last_contact", Kind.DATE, snapshot.contact_at.date() if snapshot.contact_at else None, "activities"),
        ]
    )


def _verdict_to_json(looked: _Looked) -> dict[str, Any]:
    verdict, standing = looked.case.verdict, looked.standing
    return {
        "stage": "segment",
        "segment": standing.segment.value if standing.segment else None,
        "decided": verdict.segment.value if verdict.segment else None,
        "known": verdict.known,
        "since": standing.since.isoformat() if standing.since else None,
        "next_contact_on": standing.next_contact_on.isoformat() if standing.next_contact_on else None,
        "why": message_to_json(verdict.why),
        "findings": [],
        "decision": verdict.segment.value if verdict.segment else "none",
    }


def _kept(known: CompanySegment) -> Kept:
    return Kept(
        _segment(known.segment),
        known.since,
        _segment(known.decided),
        known.field_code,
        known.by_person,
        known.last_contact_at,
    )


def _segment(name: SegmentName | None) -> Segment | None:
    return None if name is None else Segment(name)


def _name(segment: Segment | None) -> SegmentName | None:
    return None if segment is None else segment.value


def _row(card: CardRef, looked: _Looked, applied: Applied) -> CompanySegment:
    case, standing, won = looked.case, looked.standing, looked.won
    todo_id, todo_done_at = _todo_after(looked, applied)
    return CompanySegment(
        portal_id=card.portal_id,
        company_id=card.card_id,
        segment=_name(standing.segment),
        since=standing.since,
        decided=_name(standing.decided),
        field_code=standing.left,
        by_person=standing.by_person,
        why=message_to_json(case.verdict.why),
        owner=link(case.snapshot.company.get("assignedById")),
        won_deals=won.count if won else None,
        last_purchase_on=won.newest[0].close_date if won and won.newest else None,
        changes_on=case.verdict.changes_on,
        last_contact_at=standing.contact_at,
        next_contact_on=standing.next_contact_on,
        todo_id=todo_id,
        todo_done_at=todo_done_at,
        bounds=bounds_digest(case.ruleset),
        looked_on=case.today,
    )


def _todo_after(looked: _Looked, applied: Applied) -> tuple[int | None, datetime | None]:
    """The newest to-do and when it was done: one just made, one that is open, or one that people have dealt with."""
    asked = {one.key for one in looked.plan.actions if isinstance(one, AddTodo)}
    for one in applied.finished:
        if one.key in asked and one.state == "done":
            return one.result["id"], None
    known = looked.case.snapshot.todo
    if looked.standing.open_todo is not None:
        return looked.standing.open_todo.activity_id, None
    return (known.todo.activity_id, known.done_at) if known is not None and known.done_at is not None else (None, None)


def _asked_for(looked: _Looked) -> date | None:
    """The due day that the open to-do asks for."""
    todo = looked.standing.open_todo
    return date.fromisoformat(todo.digest) if todo else None


def _card_values(card: CardRef, looked: _Looked, run_id: int, *, judged_at: datetime) -> cards.CardValues:
    company = looked.case.snapshot.company
    return {
        "title": str(company.get("title") or ""),
        "assigned_by_id": link(company.get("assignedById")),
        # A change of the company wakes every card of it, and so itself.
        "company_id": card.card_id,
        "created_time": moment(company.get("createdTime")),
        "updated_time": moment(company.get("updatedTime")),
        "why": message_to_json(looked.case.verdict.why),
        "facts_digest": looked.facts.digest(),
        "last_run_id": run_id,
        "judged_at": judged_at,
        "read_at": looked.case.now,
    }


async def _no_second_wave(_finished: Sequence[runs.FinishedAction], _starting: Sequence[str]) -> None:
    """Fields and to-dos go out side by side: a company has no cards to be made first, and no stage."""
