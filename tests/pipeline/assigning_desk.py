"""A portal with a desk that shares leads, as runs and breaches see it: cards arrive, pass on, turn out to be junk."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.bitrix24.lanes import Lane
from app.domain.assignment import Assigned
from app.domain.facts import Truth
from app.domain.messages import message
from app.domain.snapshot import NO_LINKS, Entity, LeadSnapshot, PortalDictionary, Stage
from app.domain.verdict import LeadVerdict, Outcome
from app.pipeline.assigning import Arrived, on_arrival, pass_on
from app.pipeline.card import CardRef
from app.pipeline.connections import Connections
from app.store import assignments, cards, owner_changes, pools, team
from app.store.assignments import Assignment
from app.store.database import Database
from app.store.owner_changes import SeenOwner
from app.store.pool_document import MemberDocument, PoolDocument, TakesDocument
from app.store.pools import KeptPool, WantedPool

OPENED = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)
US, ROBOT = 7, 1
DICTIONARY = PortalDictionary(
    US,
    UTC,
    (
        Stage(Entity.LEAD, 0, "NEW", "New", 10, "process"),
        Stage(Entity.LEAD, 0, "JUNK", "Junk", 20, "failure"),
    ),
)


@dataclass
class Desk:
    """One portal in the database; `now` is the clock of everybody in it."""

    database: Database
    connections: Connections
    portal_id: int
    now: datetime = OPENED + timedelta(minutes=1)
    owners: dict[int, int] = field(default_factory=dict[int, int])
    """Whose each lead is in the portal."""

    def clock(self) -> datetime:
        return self.now

    async def open_pool(
        self, members: Sequence[MemberDocument], *, name: str = "Desk", entity: Entity = Entity.LEAD, **document: Any
    ) -> KeptPool:
        takes = TakesDocument(**document.pop("takes", {}))
        wanted = WantedPool(name=name, document=PoolDocument(members=list(members), takes=takes, **document))
        async with self.database.writing() as session:
            made = await pools.add(session, self.portal_id, entity, wanted, by="a test", at=OPENED)
        # Who keeps pools for a second reads them anew.
        self.now += timedelta(seconds=1)
        return made

    async def away(self, user: int, *, hours: float = 8) -> None:
        async with self.database.writing() as session:
            end = self.now + timedelta(hours=hours)
            await team.add_absence(
                session, self.portal_id, user, starts_at=self.now, ends_at=end, note=None, who="a test", now=self.now
            )

    def key(self, lead_id: int) -> cards.CardKey:
        return cards.CardKey(self.portal_id, int(Entity.LEAD), lead_id)

    async def arrives(
        self, lead_id: int, outcome: Outcome = Outcome.REVIEW, *, company: dict[str, Any] | None = None, **fields: Any
    ) -> Assigned | None:
        """A run looks at the lead; what it decided, not carried out yet."""
        made = (OPENED + timedelta(seconds=1)).isoformat()
        lead = {"id": lead_id, "stageId": "NEW", "createdTime": made, "createdBy": ROBOT, **fields}
        lead["assignedById"] = self.owners.setdefault(lead_id, ROBOT)
        if company is not None:
            lead["companyId"] = company["id"]
        verdict = LeadVerdict(outcome, Truth.UNKNOWN, Truth.UNKNOWN, (), message("why"))
        card = CardRef(self.portal_id, Entity.LEAD, lead_id)
        arrived = Arrived(card, LeadSnapshot(lead, company), verdict, NO_LINKS, DICTIONARY)
        connection = await self.connections.of(self.portal_id)
        return await on_arrival(self.database, connection, arrived, lane=Lane.NORMAL, clock=self.clock)

    async def shared(self, lead_id: int, outcome: Outcome = Outcome.REVIEW, **more: Any) -> int | None:
        """The lead arrives and is given to whom it goes; the user."""
        assigned = await self.arrives(lead_id, outcome, **more)
        if assigned is None or assigned.user is None:
            return None
        await self.given(lead_id, assigned.user)
        return assigned.user

    async def given(self, lead_id: int, user: int, *, state: cards.CardState = "open") -> None:
        """The lead is the user's, and a run has seen it so."""
        self.now += timedelta(seconds=1)
        self.owners[lead_id] = user
        async with self.database.writing() as session:
            seen = SeenOwner(lead_id, user, self.now, self.now)
            await owner_changes.note(session, self.portal_id, int(Entity.LEAD), [seen])
            await cards.save(session, self.key(lead_id), assigned_by_id=user, state=state, judged_at=self.now)

    async def passes_on(self, lead_id: int, **more: Any) -> Assignment:
        """The target of the lead ran out."""
        async with self.database.writing() as session:
            return await pass_on(session, self.key(lead_id), why="breach", at=self.now, **more)

    async def known(self, lead_id: int) -> list[Assignment]:
        async with self.database.reading() as session:
            return await assignments.of_card(session, self.key(lead_id))

    async def turns(self, pool: KeptPool):
        async with self.database.reading() as session:
            return (await pools.get(session, self.portal_id, pool.id)).standing

    async def counted(self, leads: Sequence[int], *, workers: int = 1, **fields: Any) -> Counter[int]:
        """How many of these leads each user gets, several workers choosing at once."""
        waiting = list(leads)

        async def work() -> list[int]:
            got: list[int] = []
            while waiting:
                assigned = await self.arrives(waiting.pop(0), **fields)
                assert assigned is not None
                assert assigned.user is not None
                got.append(assigned.user)
            return got

        return Counter(user for got in await asyncio.gather(*(work() for _ in range(workers))) for user in got)


def members(*users: int, **more: Any) -> list[MemberDocument]:
    return [MemberDocument(user=user, **more) for user in users]
