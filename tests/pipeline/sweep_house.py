"""A portal over HTTP, our database, and a sweep between them; what it finds is judged when a test says so."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.snapshot import Entity
from app.pipeline.card import CardRef
from app.pipeline.connections import Connections
from app.pipeline.process import Process
from app.pipeline.provision import provision
from app.pipeline.sweep import Swept, sweep_portal
from app.pipeline.sweep_round import Watch
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import translated
from app.sandbox.server import serve_in_thread
from app.store import journal, portals, sweeps
from app.store.claims import Claims
from app.store.database import Database
from app.store.rules_in_force import ensure_first_version
from app.store.secret_box import SecretBox

LEAD, DEAL, COMPANY = 1, 2, 4
BOX = SecretBox(SecretStr("a key for sweeps, long enough"))


@dataclass
class Clock:
    """Ours and the portal's; time passes when a test says so."""

    moment: datetime = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, **span: float) -> None:
        self.moment += timedelta(**span)


@dataclass
class House:
    """One portal and our side of it; no webhook ever arrives."""

    portal: SandboxPortal
    database: Database
    connections: Connections
    portal_id: int
    clock: Clock

    async def sweep(self, **watched: Watch) -> Swept:
        """A round as the worker goes it; with `watch=` as `ogon sweep` does, which measures its way first."""
        return await sweep_portal(
            self.database,
            self.connections,
            self.portal_id,
            now=self.clock,
            open_since=timedelta(days=30),
            **watched,
        )

    async def judge_waiting(self) -> list[tuple[int | None, int | None]]:
        """Judge every card the journal asks for, once; which they were."""
        async with self.database.writing() as session:
            entries = [one for one in await journal.take_undispatched(session) if one.portal_id == self.portal_id]
            await journal.mark_dispatched(session, [one.id for one in entries])
        asked = dict.fromkeys((one.entity_type_id, one.card_id) for one in entries)
        async with Claims(self.database.conninfo) as claims:
            process = Process(self.database, self.connections, claims, live=True, clock=self.clock)
            for kind, card_id in asked:
                if kind in (LEAD, DEAL) and card_id:
                    await process.judge(CardRef(self.portal_id, Entity(kind), card_id), Lane.BACKGROUND)
        return list(asked)

    async def calm(self) -> None:
        """Sweep and judge until a round finds nothing, with time passing as it does."""
        for _ in range(6):
            await self.sweep()
            self.clock.passes(minutes=5)
            if not await self.judge_waiting():
                return
            self.clock.passes(minutes=5)
        raise AssertionError("the sweep finds something in every round")

    async def asked(self) -> list[tuple[str, int | None, int | None]]:
        """What waits in the journal for a card: event, type, id."""
        async with self.database.reading() as session:
            rows = await session.execute(
                text(
                    "SELECT event, entity_type_id, card_id FROM journal WHERE dispatched_at IS NULL"
                    " AND portal_id = :portal AND entity_type_id IS NOT NULL ORDER BY id"
                ),
                {"portal": self.portal_id},
            )
            return [tuple(row) for row in rows]

    async def cards_asked(self) -> list[tuple[int | None, int | None]]:
        """The same without the event: several sources may find one card, and whichever is first asks for it."""
        return [(kind, card_id) for _, kind, card_id in await self.asked()]

    async def value(self, query: str, **values: Any) -> Any:
        async with self.database.reading() as session:
            return await session.scalar(text(query), values)

    async def state(self) -> sweeps.Sweep | None:
        async with self.database.reading() as session:
            return await sweeps.get(session, self.portal_id)

    def add(self, kind: int, **fields: Any) -> int:
        return self.portal.ui_add(kind, translated(self.portal, kind, fields))

    def edit(self, kind: int, item_id: int, **fields: Any) -> bool:
        return self.portal.ui_update(kind, item_id, translated(self.portal, kind, fields))

    def imported(self, kind: int, days_ago: int, **fields: Any) -> int:
        """A card as an import makes it: no event, and all its dates in the past (docs: crm/universal/import)."""
        item_id = self.add(kind, **fields)
        stored = self.portal.world.stores[kind].rows[item_id]
        then = self.portal.world.time.text((self.clock() - timedelta(days=days_ago)).timestamp())
        stored |= {"createdTime": then, "updatedTime": then, "movedTime": then}
        history = self.portal.world.history.rows.get(kind, [])
        history[:] = [row for row in history if row["OWNER_ID"] != item_id]
        return item_id


@contextlib.asynccontextmanager
async def house_of(database: Database, clock: Clock | None = None, seed: int = 1) -> AsyncIterator[House]:
    clock = clock or Clock()
    portal = SandboxPortal(clock=clock, limits=Limits(enforced=False, cost=0.0), seed=seed)
    with serve_in_thread(portal) as served:
        async with PortalClient(served.webhook_url, requests_per_second=50, burst=1000) as client:
            await provision(client, lambda _: None)
        async with database.writing() as session:
            known = await portals.add(
                session, BOX, webhook=SecretStr(served.webhook_url), requests_per_second=50, burst=1000
            )
            await ensure_first_version(session, known.id)
        async with Connections(database, BOX, clock=clock) as connections:
            yield House(portal, database, connections, known.id, clock)
