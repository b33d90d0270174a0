"""Digests at the API and on the page: everybody reads who gets them, each person switches his own, an admin all."""

import re
from datetime import UTC, date, datetime

import httpx
import pytest

from app.domain.digest import Due, Kind
from app.domain.team import Department, Person, Team
from app.store import cards, digests, people, tokens
from app.store.cards import CardKey
from app.store.database import Database
from app.store.portals import Portal

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
NOW = datetime(2026, 11, 18, 6, tzinfo=UTC)
TEAM = Team(
    people={
        7: Person(user_id=7, name="Анна <b>", department_ids=(1,)),
        8: Person(user_id=8, name="Пётр", department_ids=(1,)),
    },
    departments={1: Department(department_id=1, name="Продажи", head_id=7)},
)


@pytest.fixture
async def office(client: httpx.AsyncClient, database: Database, portal: Portal) -> httpx.AsyncClient:
    due = Due(Kind.DAILY, date(2026, 11, 18), date(2026, 11, 17), date(2026, 11, 17))
    async with database.writing() as session:
        await people.keep(session, portal.id, TEAM, read_at=NOW)
        await cards.save(session, CardKey(portal.id, 1, 70), title="Лид", assigned_by_id=8)
        await digests.claim(session, portal.id, 7, due, now=NOW)
        await digests.ended(session, portal.id, 7, due, state="failed", error="The scope <im> is missing", now=NOW)
    return client


async def own_token(client: httpx.AsyncClient, user: int, role: str = "viewer") -> dict[str, str]:
    body = {"name": f"own {user}", "role": role, "user": user}
    answer = await client.post("/api/v1/tokens", json=body, headers=ADMIN)
    assert (answer.status_code, answer.json().get("user_id")) == (201, user), answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def gets(client: httpx.AsyncClient) -> dict[int, tuple[bool, bool]]:
    answer = await client.get("/api/v1/digests", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return {one["user"]: (one["daily"], one["weekly"]) for one in answer.json()}


async def test_who_gets_what_and_how_it_went(office: httpx.AsyncClient) -> None:
    anna, peter = (await office.get("/api/v1/digests", headers=ADMIN)).json()
    assert (anna["daily"], anna["weekly"], anna["heads"]) == (True, True, True)
    assert anna["about"] == [{"name": "Продажи", "department": 1, "pool": None, "manager": None}]
    assert (anna["last_daily"]["state"], anna["last_daily"]["error"]) == ("failed", "The scope <im> is missing")
    assert anna["last_weekly"] is None
    assert (peter["daily"], peter["weekly"], peter["heads"]) == (False, False, False)
    assert peter["about"] == [{"name": "", "department": None, "pool": None, "manager": 8}]


async def test_each_switches_his_own_and_an_admin_all(office: httpx.AsyncClient) -> None:
    peter = await own_token(office, 8)
    off = {"daily": False, "weekly": True}
    assert (await office.put("/api/v1/digests/7", json=off, headers=peter)).status_code == 403
    assert (await office.put("/api/v1/digests/8", json=off, headers=peter)).status_code == 200
    assert (await office.put("/api/v1/digests/7", json=off, headers=ADMIN)).status_code == 200
    assert await gets(office) == {7: (False, True), 8: (False, True)}
    assert (await office.put("/api/v1/digests/7", json={}, headers=ADMIN)).status_code == 200
    assert await gets(office) == {7: (True, True), 8: (False, True)}
    for user, body, status in ((99, off, 404), (0, off, 422), (7, {"monthly": True}, 422), (7, {"daily": "?"}, 422)):
        assert (await office.put(f"/api/v1/digests/{user}", json=body, headers=ADMIN)).status_code == status
    noted = (await office.get("/api/v1/audit", params={"what": "digest"}, headers=ADMIN)).json()
    assert [(one["who"], one["subject"]) for one in noted["items"]] == [
        ("ADMIN_TOKEN", "person 7"),
        ("ADMIN_TOKEN", "person 7"),
        ("own 8", "person 8"),
    ]


async def test_a_token_of_nobody_we_know_is_refused(office: httpx.AsyncClient) -> None:
    body = {"name": "own 99", "role": "viewer", "user": 99}
    assert (await office.post("/api/v1/tokens", json=body, headers=ADMIN)).status_code == 404


async def enter(client: httpx.AsyncClient, token: str) -> str:
    await client.post("/login", data={"token": token})
    page = (await client.get("/team")).text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    return csrf[1]


def forms(page: str) -> list[str]:
    """The users for whom the page offers a switch."""
    found = re.findall(r'<form method="post" action="/team/digests">.*?</form>', page, re.DOTALL)
    return [re.search(r'name="user" value="(\d+)"', one)[1] for one in found]  # type: ignore[index]


async def test_the_page_offers_and_keeps_the_switches(office: httpx.AsyncClient, portal: Portal) -> None:
    csrf = await enter(office, "admin-token-of-the-tests")
    page = (await office.get("/team")).text
    assert forms(page) == ["7"]
    assert "The scope &lt;im&gt; is missing" in page
    assert "<b>" not in page[page.index('id="digests"') : page.index('id="people"')]
    form = {"csrf": csrf, "portal": portal.id, "user": 7, "weekly": "true"}
    answer = await office.post("/team/digests", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/team?portal={portal.id}#digests")
    assert await gets(office) == {7: (False, True), 8: (False, False)}
    await office.post("/team/digests", data={"csrf": csrf, "portal": portal.id, "user": 8, "daily": "true"})
    assert await gets(office) == {7: (False, True), 8: (True, False)}
    assert forms((await office.get("/team")).text) == ["7", "8"]
    for wrong, status in (("", 422), ("nobody", 422), ("99", 404)):
        answer = await office.post("/team/digests", data={"csrf": csrf, "portal": portal.id, "user": wrong})
        assert (answer.status_code, 'role="alert"' in answer.text) == (status, True)


async def test_a_person_sees_his_own_switch_only(office: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    async with database.writing() as session:
        _, secret = await tokens.create(session, name="peter", role="viewer", by="test", person=(portal.id, 8))
    csrf = await enter(office, secret.get_secret_value())
    assert forms((await office.get("/team")).text) == ["8"]
    asked = {"csrf": csrf, "portal": portal.id, "daily": "true"}
    assert (await office.post("/team/digests", data={**asked, "user": 7})).status_code == 403
    assert (await office.post("/team/digests", data={**asked, "user": 8})).status_code == 303
    assert await gets(office) == {7: (True, True), 8: (True, False)}
