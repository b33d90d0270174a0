"""Digests of two portals of which one refuses us: it holds back nobody, and is tried again until it takes them."""

from datetime import UTC, datetime, time, timedelta

import pytest
from pydantic import SecretStr

from app.domain.team import Department, Person, Team
from app.pipeline.connections import Connections
from app.pipeline.digests import Digests
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import RunningSandbox
from app.store import cards, digests, people, portals
from app.store.cards import CardKey
from app.store.database import Database
from app.store.digests import TRY_AGAIN_AFTER, Sent
from app.store.secret_box import SecretBox

pytestmark = pytest.mark.anyio

# A Wednesday, ten o'clock in Moscow.
MORNING = datetime(2026, 8, 19, 7, tzinfo=UTC)
NOBODY = 4321
TEAM = Team(
    people={user: Person(user_id=user, name=str(user), department_ids=(1,)) for user in (10, NOBODY)},
    departments={
        1: Department(department_id=1, name="Продажи", head_id=10),
        2: Department(department_id=2, name="Сервис", parent_id=1, head_id=NOBODY),
    },
)


async def newest(database: Database, portal_id: int) -> dict[int, Sent]:
    async with database.reading() as session:
        return {user: one for (user, kind), one in (await digests.newest(session, portal_id)).items()}


async def test_one_portal_and_one_person_hold_back_nobody(
    database: Database, sandbox: RunningSandbox, portal: SandboxPortal
) -> None:
    box = SecretBox(SecretStr("a key for tests, long enough"))
    dead = sandbox.webhook_url.replace("127.0.0.1", "localhost").rsplit("/", 2)[0] + "/wrongcode00000/"
    numbers: list[int] = []
    async with database.writing() as session:
        for webhook in (dead, sandbox.webhook_url):
            added = await portals.add(session, box, webhook=SecretStr(webhook))
            numbers.append(added.id)
            await people.keep(session, added.id, TEAM, read_at=MORNING)
            await cards.save(session, CardKey(added.id, 1, 70), title="Лид", assigned_by_id=10)
            await digests.switch(session, added.id, NOBODY, digests.Switch(daily=True), who="a test", now=MORNING)
    refusing, taking = numbers
    now = [MORNING]
    async with Connections(database, box, clock=lambda: now[0]) as connections:
        loop = Digests(database, connections, time(9), None, lambda: now[0])
        for _ in range(2):
            await loop.step()
        # The portal has no such user: he is not told, which is no reason not to tell others.
        there = await newest(database, taking)
        assert (there[10].state, there[10].sent_at) == ("done", MORNING)
        assert (there[NOBODY].state, str(NOBODY) in (there[NOBODY].error or "")) == ("failed", True)
        assert [one["userId"] for one in portal.world.notifications] == [10]
        waiting = await newest(database, refusing)
        assert {(one.state, one.attempts, bool(one.error)) for one in waiting.values()} == {("started", 1, True)}

        now[0] = MORNING + TRY_AGAIN_AFTER
        await loop.step()
        assert {one.attempts for one in (await newest(database, refusing)).values()} == {2}
        async with database.writing() as session:
            await portals.moved(
                session, box, refusing, webhook=SecretStr(sandbox.webhook_url.replace("127.0.0.1", "localhost"))
            )
        now[0] += TRY_AGAIN_AFTER
        await loop.step()
        assert (await newest(database, refusing))[10].state == "done"
        now[0] = MORNING + timedelta(hours=9)
        await loop.step()
    assert {one.attempts for one in (await newest(database, taking)).values()} == {1}
