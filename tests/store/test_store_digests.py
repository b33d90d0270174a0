"""Digests in the store: each is claimed once whatever the workers, taken up again when one died; who gets which."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import SecretStr

from app.domain.digest import Due, Kind, Switch
from app.domain.snapshot import Entity
from app.domain.team import Department, Person, Team
from app.store import cards, digests, flow_figures, people, pools, portals
from app.store.audit import AuditFilter, page
from app.store.cards import CardKey
from app.store.database import Database
from app.store.digests import TRY_AGAIN_AFTER
from app.store.pool_document import MemberDocument, PoolDocument
from app.store.pools import WantedPool
from app.store.secret_box import SecretBox

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 18, 6, tzinfo=UTC)
MONDAY = date(2026, 11, 16)
DAILY = Due(Kind.DAILY, date(2026, 11, 18), date(2026, 11, 17), date(2026, 11, 17))
WEEKLY = Due(Kind.WEEKLY, MONDAY, date(2026, 11, 9), date(2026, 11, 15))
TEAM = Team(
    people={
        1: Person(user_id=1, name="Директор", department_ids=(1,)),
        2: Person(user_id=2, name="Бухгалтер", department_ids=(2,)),
        3: Person(user_id=3, name="Менеджер", department_ids=(3,)),
        4: Person(user_id=4, name="Старший смены", department_ids=(3,)),
        5: Person(user_id=5, name="Ушёл", active=False, department_ids=(3,)),
    },
    departments={
        1: Department(department_id=1, name="Завод", head_id=1),
        2: Department(department_id=2, name="Бухгалтерия", parent_id=1, head_id=2),
        3: Department(department_id=3, name="Продажи", parent_id=1, head_id=5),
    },
)


@pytest.fixture
async def portal_id(database: Database) -> int:
    async with database.writing() as session:
        webhook = SecretStr("https://acme.bitrix24.ru/rest/7/wh3bh00kc0de/")
        added = await portals.add(session, SecretBox(SecretStr("a key for tests, long enough")), webhook=webhook)
        await people.keep(session, added.id, TEAM, read_at=NOW)
        await cards.save(session, CardKey(added.id, 1, 70), title="Лид", assigned_by_id=3)
    return added.id


async def claims(database: Database, portal_id: int, due: Due, *, now: datetime, workers: int = 8) -> int:
    """How many of the workers were given the digest."""

    async def one() -> bool:
        async with database.writing() as session:
            return await digests.claim(session, portal_id, 1, due, now=now)

    return sum(await asyncio.gather(*(one() for _ in range(workers))))


async def end(database: Database, portal_id: int, due: Due, state: digests.State, **more: str) -> None:
    async with database.writing() as session:
        await digests.ended(session, portal_id, 1, due, state=state, now=NOW, **more)


async def test_of_many_workers_one_sends(database: Database, portal_id: int) -> None:
    assert await claims(database, portal_id, DAILY, now=NOW) == 1
    assert await claims(database, portal_id, WEEKLY, now=NOW) == 1, "the other kind is another digest"
    assert await claims(database, portal_id, DAILY, now=NOW + TRY_AGAIN_AFTER / 2) == 0, "the first may be at it"
    assert await claims(database, portal_id, DAILY, now=NOW + TRY_AGAIN_AFTER) == 1, "a dead worker is followed"
    await end(database, portal_id, DAILY, "done", said="Сводка")
    assert await claims(database, portal_id, DAILY, now=NOW + timedelta(days=3)) == 0
    await end(database, portal_id, WEEKLY, "failed", error="The scope im is missing")
    assert await claims(database, portal_id, WEEKLY, now=NOW + timedelta(hours=1)) == 0, "it would be refused again"
    async with database.reading() as session:
        kept = await digests.newest(session, portal_id)
        counted = await flow_figures.notices(session, now=NOW + timedelta(hours=1))
    daily, weekly = kept[1, "daily"], kept[1, "weekly"]
    assert (daily.state, daily.attempts, daily.sent_at, daily.said) == ("done", 2, NOW, "Сводка")
    assert (weekly.state, weekly.sent_at, weekly.error) == ("failed", None, "The scope im is missing")
    assert counted == {(portal_id, "digest"): 1, (portal_id, "refused"): 1}


async def test_a_digest_that_waits_for_the_portal_is_taken_up_again_and_a_late_end_changes_nothing(
    database: Database, portal_id: int
) -> None:
    assert await claims(database, portal_id, DAILY, now=NOW) == 1
    await end(database, portal_id, DAILY, "started", error="The portal did not answer")
    assert await claims(database, portal_id, DAILY, now=NOW + TRY_AGAIN_AFTER) == 1
    await end(database, portal_id, DAILY, "done", said="Сводка")
    await end(database, portal_id, DAILY, "failed", error="a worker that stood still")
    async with database.reading() as session:
        (kept,) = await digests.begun(session, portal_id, since=MONDAY)
        assert await digests.begun(session, portal_id, since=date(2026, 11, 19)) == []
    assert (kept.state, kept.error, kept.attempts) == ("done", None, 2)


async def gets(database: Database, portal_id: int) -> dict[int, tuple[str, ...]]:
    async with database.reading() as session:
        return {one.person.user_id: tuple(one.kinds) for one in await digests.readers(session, portal_id)}


async def test_who_gets_digests_unless_somebody_chose(database: Database, portal_id: int) -> None:
    both = ("daily", "weekly")
    assert await gets(database, portal_id) == {1: both, 2: (), 3: (), 4: ()}, "nobody has cards in accounting"
    async with database.writing() as session:
        document = PoolDocument(members=[MemberDocument(user=3)], head=4)
        await pools.add(session, portal_id, Entity.LEAD, WantedPool(name="Смена", document=document), by="test", at=NOW)
        for user, chosen in {1: Switch(daily=False), 3: Switch(weekly=True), 2: Switch(daily=True)}.items():
            await digests.switch(session, portal_id, user, chosen, who="anna", now=NOW)
    assert await gets(database, portal_id) == {1: ("weekly",), 2: ("daily",), 3: ("weekly",), 4: both}
    async with database.writing() as session:
        await digests.switch(session, portal_id, 1, Switch(), who="anna", now=NOW)
    async with database.reading() as session:
        readers = {one.person.user_id: one for one in await digests.readers(session, portal_id)}
        noted = await page(session, AuditFilter(what="digest"))
    assert readers[1].kinds == both
    assert [(led.name, led.filters) for led in readers[3].leads] == [("", {"manager": 3})], "who leads nobody"
    assert [(led.name, led.filters) for led in readers[4].leads] == [("Смена", {"pool": 1})]
    assert (noted[0].who, noted[0].subject, noted[0].detail) == (
        "anna",
        "person 1",
        {"from": {"daily": False, "weekly": None}, "to": {"daily": None, "weekly": None}},
    )
