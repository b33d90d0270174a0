"""Pools over the API: opened, changed, closed by administrators; their state; and whom a card's story names."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import httpx
import pytest
from web_cards import judged_lead

from app.domain.shares import Turns, give_back
from app.domain.team import Department, Person, Team
from app.store import assignments, audit, cards, people, pools, team
from app.store.assignments import NewAssignment
from app.store.audit import AuditFilter
from app.store.cards import CardKey
from app.store.database import Database
from app.store.portals import Portal

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
ANNA, BORIS, GONE = 21, 22, 23
POOL: dict[str, Any] = {
    "type": "lead",
    "name": "Первая линия",
    "members": [{"user": ANNA, "weight": 2}, {"user": BORIS, "cap": 1}],
    "takes": {"outcomes": ["deal", "review"]},
    "head": ANNA,
}
SET = {name: value for name, value in POOL.items() if name != "type"}


@pytest.fixture
async def staffed(client: httpx.AsyncClient, database: Database, portal: Portal) -> httpx.AsyncClient:
    """A client of a portal whose people are known."""
    known = Team(
        people={
            ANNA: Person(user_id=ANNA, name="Анна Белова", department_ids=(5,)),
            BORIS: Person(user_id=BORIS, name="Борис Чернов", department_ids=(5,)),
            GONE: Person(user_id=GONE, name="Вера", active=False),
        },
        departments={5: Department(department_id=5, name="Продажи")},
    )
    async with database.writing() as session:
        await people.keep(session, portal.id, known, read_at=datetime.now(UTC))
    return client


async def test_a_pool_is_opened_changed_and_closed_and_each_change_is_noted(
    staffed: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    made = await staffed.post("/api/v1/pools", headers=ADMIN, json=POOL)
    assert made.status_code == 201, made.text
    number, since = made.json()["id"], made.json()["since"]
    assert made.json()["members"][1] == {"user": BORIS, "weight": 1, "cap": 1}

    again = await staffed.post("/api/v1/pools", headers=ADMIN, json=POOL)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "name_taken")
    assert "another name" in again.json()["error"]["message"]

    fewer = await staffed.put(f"/api/v1/pools/{number}", headers=ADMIN, json=SET | {"members": [{"user": ANNA}]})
    assert fewer.json()["since"] == since, "the same cards as before"
    other = await staffed.put(f"/api/v1/pools/{number}", headers=ADMIN, json=SET | {"takes": {"outcomes": []}})
    assert other.json()["since"] > since, "other cards: only those made from now on"
    assert [one["name"] for one in (await staffed.get("/api/v1/pools", headers=ADMIN)).json()] == ["Первая линия"]
    assert (await staffed.get("/api/v1/pools?type=deal", headers=ADMIN)).json() == []

    assert (await staffed.delete(f"/api/v1/pools/{number}", headers=ADMIN)).status_code == 200
    assert (await staffed.get("/api/v1/pools", headers=ADMIN)).json() == []
    for method in ("GET", "DELETE"):
        gone = await staffed.request(method, f"/api/v1/pools/{number}", headers=ADMIN)
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "pool_unknown")
    assert (await staffed.post("/api/v1/pools", headers=ADMIN, json=POOL)).status_code == 201, "the name is free again"
    async with database.reading() as session:
        noted = await audit.page(session, AuditFilter(what="pool"))
    assert [(one.what, one.subject, one.portal_id) for one in reversed(noted)] == [
        ("pool.added", f"pool {number}", portal.id),
        ("pool.changed", f"pool {number}", portal.id),
        ("pool.changed", f"pool {number}", portal.id),
        ("pool.closed", f"pool {number}", portal.id),
        ("pool.added", f"pool {number + 2}", portal.id),
    ], "the number of the refused one is used up"
    assert noted[-2].detail["before"]["document"]["members"][0]["user"] == ANNA


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"members": []}, "body.members"),
        ({"members": [{"user": ANNA}, {"user": ANNA}]}, "body"),
        ({"members": [{"user": 99}]}, "body.members.0.user"),
        ({"members": [{"user": ANNA}, {"user": GONE}]}, "body.members.1.user"),
        ({"members": [{"user": ANNA, "weight": 0}]}, "body.members.0.weight"),
        ({"members": [{"user": ANNA, "cap": -1}]}, "body.members.0.cap"),
        ({"head": 99}, "body.head"),
        ({"takes": {"from_users": [99]}}, "body.takes.from_users.0"),
        ({"takes": {"departments": [5, 6]}}, "body.takes.departments.1"),
        ({"takes": {"outcomes": ["junk"]}}, "body.takes.outcomes.0"),
        ({"takes": {"grades": ["AAA"]}}, "body.takes.grades"),
        ({"type": "deal"}, "body.takes.outcomes"),
        ({"name": " "}, "body.name"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_what_no_pool_can_be_is_refused_with_the_place(
    staffed: httpx.AsyncClient, wrong: dict[str, Any], path: str
) -> None:
    answer = await staffed.post("/api/v1/pools", headers=ADMIN, json=POOL | wrong)
    assert (answer.status_code, answer.json()["error"].get("path")) == (422, path), answer.text
    assert (await staffed.get("/api/v1/pools", headers=ADMIN)).json() == []


async def test_cards_of_who_left_may_be_shared_out(staffed: httpx.AsyncClient) -> None:
    answer = await staffed.post("/api/v1/pools", headers=ADMIN, json=POOL | {"takes": {"from_users": [GONE]}})
    assert answer.status_code == 201


async def test_the_state_of_a_pool(staffed: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    number = (await staffed.post("/api/v1/pools", headers=ADMIN, json=POOL)).json()["id"]
    now = datetime.now(UTC)
    async with database.writing() as session:
        kept = await pools.lock(session, number)
        assert kept is not None
        await pools.keep_turns(session, number, give_back(Turns(taken={ANNA: Fraction(2), BORIS: Fraction(1)}), ANNA))
        await cards.save(session, CardKey(portal.id, 1, 7), assigned_by_id=BORIS, state="open", judged_at=now)
        end = now + timedelta(hours=1)
        await team.add_absence(session, portal.id, ANNA, starts_at=now, ends_at=end, note=None, who="a test", now=now)
    told = (await staffed.get(f"/api/v1/pools/{number}", headers=ADMIN)).json()
    assert [(one["name"], one["shares"], one["given_back"], one["barred"]) for one in told["states"]] == [
        ("Анна Белова", 2.0, 1, "absent"),
        ("Борис Чернов", 1.0, 0, "full"),
    ]
    assert (told["states"][1]["open_cards"], told["next"]) == (1, None)


async def test_a_cards_story_says_who_got_it_and_why(
    staffed: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7)
    number = (await staffed.post("/api/v1/pools", headers=ADMIN, json=POOL)).json()["id"]
    assert (await staffed.get("/api/v1/cards/lead/7", headers=ADMIN)).json()["assignments"] == []
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    first = NewAssignment(
        pool_id=number,
        user_id=BORIS,
        from_user=99,
        reason="arrival",
        occasion=f"arrival:{number}",
        why="turn",
        barred={str(ANNA): "absent"},
        shares={str(ANNA): "0", str(BORIS): "0"},
        cost_turn=True,
        chosen_at=at,
    )
    nobody = NewAssignment(
        pool_id=number,
        user_id=None,
        from_user=BORIS,
        reason="breach",
        occasion=None,
        why=None,
        barred={str(ANNA): "absent", str(BORIS): "had_it"},
        shares={},
        cost_turn=False,
        chosen_at=at + timedelta(minutes=15),
    )
    async with database.writing() as session:
        kept = await assignments.keep(session, CardKey(portal.id, 1, 7), first)
        await assignments.give_back(session, kept.id, at=at + timedelta(hours=1), why="junk")
        await assignments.keep(session, CardKey(portal.id, 1, 7), nobody)

    told = (await staffed.get("/api/v1/cards/lead/7?lang=ru", headers=ADMIN)).json()["assignments"]
    assert [(one["name"], one["from_name"], one["pool_name"], one["text"]) for one in told] == [
        (
            None,
            "Борис Чернов",
            "Первая линия",
            "никто не отреагировал в срок; взять карточку никто не мог, она остаётся у своего ответственного",
        ),
        ("Борис Чернов", "пользователь 99", "Первая линия", "новая карточка; подошла очередь"),
    ]
    assert [(one["name"], one["why"]) for one in told[0]["passed_over"]] == [
        ("Анна Белова", "отсутствует"),
        ("Борис Чернов", "карточка у него уже была"),
    ]
    assert (told[1]["given_back_why"], told[1]["cost_turn"]) == ("карточка оказалась браком", True)
    in_english = (await staffed.get("/api/v1/cards/lead/7?lang=en", headers=ADMIN)).json()["assignments"]
    assert in_english[1]["text"] == "a new card; it was this person's turn"

    assert (await staffed.post("/login", data={"token": "admin-token-of-the-tests"})).status_code == 303
    page = (await staffed.get("/cards/lead/7?lang=ru")).text
    for said in ("Кому и почему", "Борис Чернов", "Анна Белова: отсутствует", "Очередь возвращена: карточка оказалась"):
        assert said in page
