"""Today narrowed to the people of a department, of a pool, or to one of them: where a digest leads to."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import insert
from web_cards import judged_lead

from app.domain.snapshot import Entity
from app.domain.team import Department, Person, Team
from app.store import people, pools
from app.store.database import Database
from app.store.models import ReactionRow
from app.store.pool_document import MemberDocument, PoolDocument
from app.store.pools import WantedPool
from app.store.portals import Portal

pytestmark = pytest.mark.anyio

TEAM = Team(
    people={
        21: Person(user_id=21, name="Анна", department_ids=(2,)),
        22: Person(user_id=22, name="Пётр", department_ids=(3,)),
    },
    departments={
        1: Department(department_id=1, name="Завод"),
        2: Department(department_id=2, name="Продажи", parent_id=1),
        3: Department(department_id=3, name="Сервис"),
    },
)
OWNERS = {7: 21, 8: 22, 9: None}


@pytest.fixture
async def office(client: httpx.AsyncClient, database: Database, portal: Portal) -> httpx.AsyncClient:
    now = datetime.now(UTC)
    for card, owner in OWNERS.items():
        await judged_lead(
            database, portal.id, card, title=f"Card-{card}", assigned_by_id=owner, state="parked", judged_at=now
        )
    async with database.writing() as session:
        await people.keep(session, portal.id, TEAM, read_at=now)
        document = PoolDocument(members=[MemberDocument(user=22)])
        await pools.add(session, portal.id, Entity.LEAD, WantedPool(name="Смена", document=document), by="x", at=now)
        for card, owner in OWNERS.items():
            round_ = {
                "portal_id": portal.id, "entity_type_id": 1, "card_id": card, "holder": owner, "running": True,
                "arrived_at": now, "due_at": now - timedelta(minutes=1), "made_from_call": False, "target": "hot",
                "minutes": 15, "met": "unknown", "state": "waiting", "missing": [], "doubtful": [], "computed_at": now,
            }  # fmt: skip
            await session.execute(insert(ReactionRow).values(round_))
    await client.post("/login", data={"token": "admin-token-of-the-tests"})
    return client


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        pytest.param({}, {7, 8, 9}, id="everybody, and nobody's"),
        pytest.param({"department": 1}, {7}, id="a department with those below"),
        pytest.param({"department": 3}, {8}, id="another"),
        pytest.param({"pool": 1}, {8}, id="a pool"),
        pytest.param({"manager": 21}, {7}, id="one person"),
        pytest.param({"pool": 1, "manager": 21}, set(), id="none of both"),
        pytest.param({"pool": 77}, set(), id="no such pool"),
    ],
)
async def test_only_the_cards_of_whom_is_asked(office: httpx.AsyncClient, asked: dict, shown: set[int]) -> None:
    answer = await office.get("/", params=asked)
    assert answer.status_code == 200
    page = answer.text
    clocks = page[page.index('id="clocks"') : page.index('class="tiles"')]
    parked = page[page.index('id="waits-parked"') : page.index('id="waits-review"')]
    for part in (clocks, parked):
        assert {int(one) for one in re.findall(r"Card-(\d)<", part)} == shown
        assert f'<span class="count">{len(shown)}</span>' in part
    assert ("Only the cards of the people chosen." in page) is bool(asked)
    assert ("Overdue:" in clocks) is bool(shown)
