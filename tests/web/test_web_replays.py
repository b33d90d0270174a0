"""Replays over the API: who may ask, what is answered, pages of cards, cancelling. The counting has its own tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.domain.replay import Change, Duty, Tally
from app.domain.ruleset import DEFAULT
from app.store import audit, replays, tokens
from app.store.audit import AuditFilter
from app.store.database import Database
from app.store.portals import Portal
from app.store.recorded_cards import Place
from app.store.replays import ReplayCard
from app.store.ruleset_document import ruleset_to_document

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
PERIOD = {"since": "2026-03-02", "until": "2026-03-08"}


async def ask(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post("/api/v1/replays", headers=ADMIN, json={**PERIOD, **body})


@pytest.fixture
async def counted(client: httpx.AsyncClient, database: Database, portal: Portal) -> int:
    """A replay that a worker has finished; its number."""
    number = (await ask(client, document=ruleset_to_document(DEFAULT))).json()["id"]
    tally = Tally()
    tally.cells.update({Change(1, "deal", "junk"): 2, Change(1, "junk", "junk"): 5})
    tally.truths.update({(Change(1, "deal", "junk"), "won"): 1, (Change(1, "deal", "junk"), "open"): 1})
    tally.gaps["rows_not_read"] = 1
    tally.before[Duty(11, "deals")] = 10
    tally.after[Duty(11, "deals")] = 5
    found = [
        ReplayCard(entity_type_id=1, card_id=7, run_id=1, before="deal", after="junk", gap=None, truth="won"),
        ReplayCard(entity_type_id=1, card_id=8, run_id=2, before="deal", after="junk", gap=None, truth="open"),
        ReplayCard(entity_type_id=2, card_id=3, run_id=3, before="AAA", after=None, gap="rows_not_read", truth=None),
    ]
    async with database.writing() as session:
        mine = await replays.take(session, stalled_after=timedelta(seconds=20))
        assert mine is not None
        await replays.set_total(session, mine, 8)
        await replays.advance(session, mine, place=Place(2, 3), looked=8, tally=tally.to_json(), found=found)
        await replays.finish(session, mine)
    return number


async def test_asking_is_accepted_and_noted(client: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    answer = await ask(client)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["state"], told["total"], told["looked"], told["asked_by"]) == ("waiting", None, 0, "ADMIN_TOKEN")
    assert datetime.fromisoformat(told["since"]) == datetime(2026, 3, 2, tzinfo=UTC)
    assert datetime.fromisoformat(told["until"]) == datetime(2026, 3, 9, tzinfo=UTC)
    assert told["result"]["working_days"] == 5
    async with database.reading() as session:
        (noted,) = await audit.page(session, AuditFilter(what="replay"))
    assert (noted.what, noted.subject, noted.portal_id) == ("replay.asked", str(told["id"]), portal.id)
    assert [one["id"] for one in (await client.get("/api/v1/replays", headers=ADMIN)).json()] == [told["id"]]


async def test_the_result_is_told(client: httpx.AsyncClient, counted: int) -> None:
    told = (await client.get(f"/api/v1/replays/{counted}", headers=ADMIN)).json()
    assert (told["state"], told["looked"], told["total"]) == ("done", 8, 8)
    result = told["result"]
    assert (result["compared"], result["changed"]) == (7, 2)
    assert result["matrix"] == [
        {"type": "lead", "from": "deal", "to": "junk", "cards": 2, "ended": {"won": 1, "open": 1}},
        {"type": "lead", "from": "junk", "to": "junk", "cards": 5, "ended": {}},
    ]
    assert [(one["gap"], one["cards"]) for one in result["not_comparable"]] == [("rows_not_read", 1)]
    assert result["not_comparable"][0]["said"].startswith("The product rows were not read")
    (load,) = result["load"]
    assert load["user"] == 11
    assert load["deals"] == {"before": 10, "after": 5, "before_a_day": 2.0, "after_a_day": 1.0}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        pytest.param("", [7, 8, 3], id="all"),
        pytest.param("?from=deal&to=junk", [7, 8], id="one cell"),
        pytest.param("?ended=won", [7], id="by the end"),
        pytest.param("?gap=rows_not_read", [3], id="not comparable"),
        pytest.param("?type=deal", [3], id="by type"),
        pytest.param("?from=%00", [], id="nothing of that name"),
        pytest.param("?after=1-7", [8, 3], id="the next page"),
    ],
)
async def test_cards_are_listed(client: httpx.AsyncClient, counted: int, query: str, ids: list[int]) -> None:
    answer = await client.get(f"/api/v1/replays/{counted}/cards{query}", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    assert [card["id"] for card in answer.json()["items"]] == ids


async def test_pages_of_cards_hang_together(client: httpx.AsyncClient, counted: int) -> None:
    first = (await client.get(f"/api/v1/replays/{counted}/cards?limit=2", headers=ADMIN)).json()
    second = (await client.get(f"/api/v1/replays/{counted}/cards?after={first['next']}", headers=ADMIN)).json()
    assert [card["id"] for card in (*first["items"], *second["items"])] == [7, 8, 3]
    assert second["next"] is None
    assert second["items"][0] == {
        "type": "deal", "id": 3, "run": 3, "from": "AAA", "to": None, "gap": "rows_not_read", "ended": None,
    }  # fmt: skip


@pytest.mark.usefixtures("portal")
async def test_cancelling_ends_it_once(client: httpx.AsyncClient) -> None:
    number = (await ask(client)).json()["id"]
    answer = await client.post(f"/api/v1/replays/{number}/cancel", headers=ADMIN)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    again = await client.post(f"/api/v1/replays/{number}/cancel", headers=ADMIN)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "replay_ended")


@pytest.mark.usefixtures("portal")
async def test_a_fourth_at_once_waits_its_turn(client: httpx.AsyncClient) -> None:
    assert [(await ask(client)).status_code for _ in range(4)] == [202, 202, 202, 409]


@pytest.mark.usefixtures("portal")
@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({"until": "2026-03-01"}, "since", id="ends before it begins"),
        pytest.param({"since": "1999-01-01"}, "body.since", id="no such year"),
        pytest.param({"until": "9999-12-31"}, "body.until", id="beyond the calendar"),
        pytest.param({"since": 5}, "body.since", id="no day"),
        pytest.param({"document": {"urgency_days": "soon"}}, "urgency_days", id="a wrong draft"),
    ],
)
async def test_what_is_wrong_is_named(client: httpx.AsyncClient, body: dict[str, Any], path: str) -> None:
    answer = await ask(client, **body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["path"] == path


async def test_an_unknown_one_is_not_found(client: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("GET", "/cards"), ("POST", "/cancel")):
        answer = await client.request(method, f"/api/v1/replays/7{path}", headers=ADMIN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "replay_unknown")


async def test_viewers_read_and_heads_ask(client: httpx.AsyncClient, database: Database, counted: int) -> None:
    async with database.writing() as session:
        made = {
            role: (await tokens.create(session, name=role, role=role, by="tests"))[1] for role in ("viewer", "head")
        }
    viewer, head = ({"authorization": f"Bearer {made[role].get_secret_value()}"} for role in ("viewer", "head"))
    assert (await client.get(f"/api/v1/replays/{counted}", headers=viewer)).status_code == 200
    assert (await client.post("/api/v1/replays", headers=viewer, json=PERIOD)).status_code == 403
    assert (await client.post(f"/api/v1/replays/{counted}/cancel", headers=viewer)).status_code == 403
    assert (await client.post("/api/v1/replays", headers=head, json=PERIOD)).status_code == 202
