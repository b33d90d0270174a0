"""A portal's leads and deals with their whole story, made up by a seed and written as runs, sweeps and a backfill write
them: back moves, reopened cards, other pipelines, changed owners, deleted and merged cards, facts nobody filled in.

The tests reckon from these plain objects what each report must say; nothing here asks the database anything.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from sqlalchemy import text

from app.domain.figures import CardFigures, DealJudged, LeadJudged
from app.domain.snapshot import Entity
from app.reports.scope import Filter, Scope, scope_of
from app.store import card_figures, dictionary, pools, stage_moves
from app.store.cards import CardKey
from app.store.database import Database, WriteSession
from app.store.pool_document import MemberDocument, PoolDocument
from app.store.pools import WantedPool
from app.store.stage_moves import StageMove

AHEAD = timedelta(hours=3)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIRST = datetime(2025, 3, 1, tzinfo=UTC)
SINCE, UNTIL = date(2026, 2, 1), date(2026, 4, 30)
P, S, F = "process", "success", "failure"
STAGES = [
    [1, 0, "NEW", "New", 10, P, False],
    [1, 0, "WORK", "At work", 20, P, False],
    [1, 0, "CONVERTED", "Converted", 30, S, False],
    [1, 0, "JUNK", "Junk", 40, F, False],
    [1, 0, "FAR", "Too far away", 50, F, True],
    [2, 0, "NEW", "New", 10, P, False],
    [2, 0, "OFFER", "Offer", 20, P, False],
    [2, 0, "LAWYERS", "Lawyers", 30, P, False],
    [2, 0, "WON", "Won", 40, S, False],
    [2, 0, "LOSE", "Lost", 50, F, False],
    [2, 0, "DEAR", "Too dear", 60, F, True],
    [2, 4, "C4:NEW", "Service: new", 10, P, False],
    [2, 4, "C4:WON", "Service: won", 20, S, False],
    [2, 4, "C4:LOSE", "Service: lost", 30, F, False],
]
MEANS = {(kind, pipeline, code): means for kind, pipeline, code, _, _, means, _ in STAGES}
RANKED = {
    (kind, pipeline): [code for k, p, code, _, _, means, _ in STAGES if (k, p, means) == (kind, pipeline, P)]
    for kind, pipeline in ((1, 0), (2, 0), (2, 4))
}
ENDING = {P: "open", S: "won", F: "lost"}


@dataclass
class Hop:
    """The card came to a stage; whose it was then. The portal may not have told of it (`told`)."""

    at: datetime
    pipeline: int
    stage: str
    owner: int | None
    told: bool = True
    number: int = 0


@dataclass
class Card:
    """One lead or deal. `judged` None: no run has judged it. `later_owner` got it when it was closed long ago."""

    kind: Literal[1, 2]
    id: int
    hops: list[Hop]
    source: str | None
    company: int | None
    judged: LeadJudged | DealJudged | None
    deleted: bool
    later_owner: int | None
    lead: int | None = None
    stays: list[tuple[Hop, Hop | None]] = field(default_factory=list)

    @property
    def created(self) -> datetime:
        return self.hops[0].at

    @property
    def last(self) -> Hop:
        return self.hops[-1]

    @property
    def pipeline(self) -> int:
        return self.last.pipeline

    @property
    def ending(self) -> str:
        return ENDING[MEANS[self.kind, self.last.pipeline, self.last.stage]]

    @property
    def closed_on(self) -> date | None:
        return None if self.ending == "open" else (self.last.at + AHEAD).date()

    @property
    def owner(self) -> int | None:
        """Who has it; of a closed card whose it was when it closed, or who was the first to have it after that."""
        if self.ending == "open":
            return self.later_owner
        since_closed: list[int | None] = [self.later_owner]
        for hop in reversed(self.hops):
            if ENDING[MEANS[self.kind, hop.pipeline, hop.stage]] != self.ending:
                break
            since_closed.insert(0, hop.owner)
        return next((owner for owner in since_closed if owner is not None), None)

    def made_in(self, since: date = SINCE, until: date = UNTIL) -> bool:
        return since <= (self.created + AHEAD).date() <= until

    def closed_in(self, since: date = SINCE, until: date = UNTIL) -> bool:
        return self.closed_on is not None and since <= self.closed_on <= until

    def of(self, name: str) -> Any:
        """What judging gave; None where no run has judged it."""
        return getattr(self.judged, name, None)


def world(seed: int, *, leads: int = 80, deals: int = 240) -> list[Card]:
    """Leads and deals of fifteen months."""
    dice = random.Random(seed)
    made = [_card(dice, 1, number) for number in range(1, leads + 1)]
    made += [_card(dice, 2, number) for number in range(1, deals + 1)]
    for one in made:
        if one.kind == 2 and dice.random() < 0.6:
            one.lead = dice.randrange(1, leads + 1)
    hops = sorted((hop.at, one.kind, one.id, place) for one in made for place, hop in enumerate(one.hops))
    by_card = {(one.kind, one.id): one for one in made}
    for number, (_, kind, card, place) in enumerate(hops, 1):
        by_card[kind, card].hops[place].number = number
    for one in made:
        told = [hop for hop in one.hops if hop.told]
        one.stays = list(pairwise([*told, None]))
    return made


def _card(dice: random.Random, kind: Literal[1, 2], number: int) -> Card:
    pipeline = 4 if kind == 2 and dice.random() < 0.2 else 0
    at = FIRST + timedelta(minutes=dice.randrange(450 * 24 * 60))
    owner = dice.choice([7, 8, 9, None])
    told = dice.random() < 0.85
    hops = [Hop(at, pipeline, RANKED[kind, pipeline][0], owner, told)]
    for _ in range(dice.randrange(0, 7)):
        if MEANS[kind, pipeline, hops[-1].stage] != P and dice.random() < 0.6:
            break
        at += timedelta(minutes=dice.choice([0, 30, 600, 3000, 20_000]))
        if at >= NOW:
            break
        if dice.random() < 0.2:
            owner = dice.choice([7, 8, 9])
        if kind == 2 and dice.random() < 0.1:
            pipeline = 4 - pipeline
        codes = [code for k, p, code, *_ in STAGES if (k, p) == (kind, pipeline) and code != hops[-1].stage]
        hops.append(Hop(at, pipeline, dice.choice(codes), owner, told))
    closed = MEANS[kind, hops[-1].pipeline, hops[-1].stage] != P
    later = dice.choice([7, 8, 9]) if closed and dice.random() < 0.4 else owner
    judged = None if dice.random() < 0.1 else (_lead if kind == 1 else _deal)(dice)
    company = dice.choice([*range(50, 65), None])
    source = dice.choice(["WEB", "CALL", "FAIR", None])
    return Card(kind, number, hops, source, company, judged, dice.random() < 0.1, later)


def _lead(dice: random.Random) -> LeadJudged:
    return LeadJudged(
        outcome=dice.choice(["deal", "company", "junk", "review", "needs_data"]),
        heat=dice.choice(["hot", "warm", "other"]),
        client=dice.choice(["yes", "no", "unknown"]),
        request=dice.choice(["yes", "no", "unknown"]),
        solvent=dice.choice(["yes", "no", "unknown"]),
        failed=tuple(dice.sample(["steam_tph", "turnover", "industry"], dice.randrange(3))),
    )


def _deal(dice: random.Random) -> DealJudged:
    return DealJudged(
        grade=dice.choice(["AAA", "BBB", "CCC", "none"]),
        heat=dice.choice(["hot", "warm", "other"]),
        amount=dice.choice([None, Decimal("1000.50"), Decimal(250_000), Decimal(90_000)]),
        profit=dice.choice([None, Decimal(-10), Decimal("4999.99"), Decimal(5000), Decimal(60_000)]),
        declined=dice.random() < 0.2,
        exemption=dice.choice([None, None, "trial", "regular"]),
        client=dice.choice(["yes", "no", "unknown"]),
        checklist="".join(dice.choice("ynu") for _ in range(7)),
        roles=dice.choice([None, (), ("economic",), ("economic", "user"), ("economic", "technical", "user")]),
        industry=None,
        turnover=None,
        steam_tph=None,
    )


async def record(session: WriteSession, portal_id: int, made: Sequence[Card]) -> None:
    """Write the world as the service does: each card at each of its hops, then as its last run left it."""
    document = {"stages": STAGES, "sources": {"WEB": "Site"}, "industries": {}}
    await dictionary.save(session, portal_id=portal_id, document=document, read_at=datetime.max.replace(tzinfo=UTC))
    team = {
        "departments": list(DEPARTMENTS),
        "parents": list(DEPARTMENTS.values()),
        "people": json.dumps(PEOPLE),
        "regular": list(REGULAR),
    }
    await session.execute(_TEAM, {"portal": portal_id, **team})
    members = PoolDocument(members=[MemberDocument(user=user) for user in SHARING])
    pool = await pools.add(
        session, portal_id, Entity.DEAL, WantedPool(name="Pool", document=members), by="a test", at=NOW
    )
    assert pool.id == POOL
    for kind in (1, 2):
        of_kind = [one for one in made if one.kind == kind]
        # Each list of the portal has every card at most once.
        for place in range(max(len(one.hops) for one in of_kind)):
            there_then = [(one, one.hops[place]) for one in of_kind if len(one.hops) > place]
            states = [_stands(one, hop, hop.owner, place) for one, hop in there_then]
            await card_figures.listed(session, portal_id, kind, states)
        unjudged = [_after(one) for one in of_kind if one.judged is None]
        await card_figures.listed(session, portal_id, kind, unjudged)
        names = {"portal": portal_id, "kind": kind, "ids": [one.id for one in of_kind]}
        await session.execute(_NAMED, names)
    for one in made:
        key = CardKey(portal_id, one.kind, one.id)
        if one.judged is not None:
            await card_figures.judged(session, key, _after(one), one.judged, at=NOW)
        if one.deleted:
            await card_figures.deleted(session, key)
    for kind in (1, 2):
        await stage_moves.keep(
            session, [_move(portal_id, one, hop) for one in made if one.kind == kind for hop in one.hops if hop.told]
        )


REGULAR = range(50, 57)
"""Companies of the segment `regular`."""
DEPARTMENTS = {1: None, 2: 1, 3: None}
"""Departments and the ones above them."""
PEOPLE = {7: [1, 3], 8: [2], 9: []}
"""Users and their departments."""
POOL, SHARING = 1, (7, 9)
"""The only pool and its members."""
_TEAM = text("""
    WITH department AS (
        INSERT INTO departments (portal_id, department_id, name, parent_id, read_at)
        SELECT :portal, id, 'Department ' || id, parent, now()
        FROM unnest(CAST(:departments AS bigint[]), CAST(:parents AS bigint[])) AS listed (id, parent)
    ), person AS (
        INSERT INTO people (portal_id, user_id, name, active, department_ids, read_at)
        SELECT :portal, id::bigint, 'Person ' || id, true,
            ARRAY(SELECT number::bigint FROM jsonb_array_elements_text(homes) AS number), now()
        FROM jsonb_each(CAST(:people AS jsonb)) AS listed (id, homes)
    )
    INSERT INTO company_segments (portal_id, company_id, segment, by_person, why, bounds, looked_on)
    SELECT :portal, id, 'regular', false, '{}', '', current_date FROM unnest(CAST(:regular AS bigint[])) AS id
""")
_NAMED = text("""
    INSERT INTO cards (portal_id, entity_type_id, card_id, title)
    SELECT :portal, :kind, id, 'Card ' || id FROM unnest(CAST(:ids AS bigint[])) AS id
""")


def _after(one: Card) -> CardFigures:
    """As the last run left it."""
    return _stands(one, one.last, one.later_owner, len(one.hops))


def _stands(one: Card, hop: Hop, owner: int | None, turn: int) -> CardFigures:
    ending = ENDING[MEANS[one.kind, hop.pipeline, hop.stage]]
    return CardFigures(
        card_id=one.id,
        created_at=one.created,
        updated_at=hop.at + timedelta(seconds=turn),
        closed_on=None if ending == "open" else (hop.at + AHEAD).date(),
        pipeline=hop.pipeline,
        stage_id=hop.stage,
        ending=ending,
        source=one.source,
        responsible=owner,
        company_id=one.company,
        lead_id=one.lead,
    )


def _move(portal_id: int, one: Card, hop: Hop) -> StageMove:
    return StageMove(
        portal_id=portal_id,
        entity_type_id=one.kind,
        history_id=hop.number,
        card_id=one.id,
        type_id=2,
        stage_id=hop.stage,
        category_id=hop.pipeline if one.kind == 2 else None,
        semantics={P: "P", S: "S", F: "F"}[MEANS[one.kind, hop.pipeline, hop.stage]],
        created_time=hop.at,
    )


async def asked(database: Database, portal_id: int, **narrowed: Any) -> Scope:
    """The question over SINCE to UNTIL."""
    wanted = Filter(**{"since": SINCE, "until": UNTIL, **narrowed})
    async with database.reading() as session:
        return await scope_of(session, portal_id, wanted, now=NOW)


def there(made: Sequence[Card], kind: int, **narrowed: Any) -> list[Card]:
    """Cards that reports count, narrowed as a filter narrows them."""
    kept = [one for one in made if one.kind == kind and not one.deleted]
    if (manager := narrowed.get("manager")) is not None:
        kept = [one for one in kept if one.owner == manager]
    if (department := narrowed.get("department")) is not None:
        kept = [one for one in kept if one.owner is not None and belongs(one.owner, department)]
    if narrowed.get("pool") is not None:
        kept = [one for one in kept if one.owner in SHARING]
    if narrowed.get("segment") == "regular":
        kept = [one for one in kept if one.company in REGULAR]
    if (source := narrowed.get("source")) is not None:
        kept = [one for one in kept if one.source == source]
    if (pipeline := narrowed.get("pipeline")) is not None and kind == 2:
        kept = [one for one in kept if one.pipeline == pipeline]
    return kept


def belongs(user: int, department: int) -> bool:
    """Whether the user works in the department or in one directly below it."""
    return any(home == department or DEPARTMENTS[home] == department for home in PEOPLE[user])
