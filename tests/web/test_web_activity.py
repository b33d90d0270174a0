"""Activity over the API: figures, shares and names, each with what is missing."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.store import activities, card_figures, companies, histories, sweeps, touches
from app.store.companies import Company
from app.store.database import Database
from app.store.portals import Portal
from tests.store.test_touches import activity, call, card

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
THEN = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)
PERIOD = {"since": "2026-08-01", "until": "2026-08-31"}


@pytest.fixture
async def lived(database: Database, portal: Portal) -> None:
    """Client 41 was called and written to, 42 had his last letter in July, 43 was never reached."""
    letter = activity(2, "letter_out", start_at=THEN, updated_at=THEN, bindings=((4, 41),))
    july = activity(3, "letter_out", start_at=THEN - timedelta(days=30), bindings=((4, 42),))
    async with database.writing() as session:
        await sweeps.begin(session, portal.id, now=THEN)
        await activities.keep(session, portal.id, [activity(1, "call_out", bindings=((4, 41),)), letter, july])
        await activities.keep_calls(session, portal.id, [call(1, 1, 64, started_at=THEN)])
        deals = [card(number, 40 + number) for number in (1, 2, 3)]
        sale = card(4, 41, ending="won", closed_on=THEN.date(), responsible=13)
        await card_figures.listed(session, portal.id, 2, [*deals, sale])
        named = Company(company_id=42, title="Комбинат", assigned_by_id=14, created_at=None, updated_at=None)
        await companies.keep(session, portal.id, [named])
        await histories.read(session, portal.id, histories.ACTIVITIES, since=THEN - timedelta(days=90), now=THEN)
        await histories.refused(session, portal.id, histories.CALLS, why="no scope telephony", now=THEN)
        while await touches.follow(session, portal.id):
            pass


@pytest.mark.usefixtures("lived")
async def test_what_managers_did_with_what_is_missing(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/v1/activity", headers=ADMIN, params=PERIOD)).json()
    people = {one["user"]: one["figures"] for one in told["managers"]}
    assert (people[12]["letters_out"], people[12]["calls_out"], people[12]["touches"]) == (1, 0, 1)
    assert (people[13]["calls_out"], people[13]["talk_seconds"], people[13]["sales"]) == (1, 64, 1)
    assert (told["total"], told["totals"]["touches"], told["totals"]["sales_amount_known"]) == (2, 2, 0)
    coverage = {one["source"]: one for one in told["coverage"]}
    assert coverage["activities"]["whole"] is True
    assert (coverage["calls"]["whole"], coverage["calls"]["refused"]) == (False, "no scope telephony")
    assert (coverage["quotes"]["whole"], coverage["quotes"]["whole_from"]) == (False, None)

    told = (await client.get("/api/v1/activity", headers=ADMIN, params=PERIOD | {"by": "client"})).json()
    assert [(one["company"], one["figures"]["touches"]) for one in told["clients"]] == [(41, 2)]
    told = (await client.get("/api/v1/activity", headers=ADMIN, params=PERIOD | {"manager": 12})).json()
    assert [one["user"] for one in told["managers"]] == [12]
    told = (await client.get("/api/v1/activity", headers=ADMIN, params=PERIOD | {"limit": 1, "offset": 1})).json()
    assert (len(told["managers"]), told["total"]) == (1, 2)


@pytest.mark.usefixtures("lived")
async def test_the_rating_and_the_forgotten_by_name(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/v1/activity/rating", headers=ADMIN, params=PERIOD)).json()
    assert (told["clients"], told["touched"], told["share"], told["total"]) == (3, 1, 0.3333, 3)
    assert [(one["company"], one["rating"]) for one in told["items"]] == [(41, 2), (42, 0), (43, 0)]
    assert told["items"][0]["touches"] == {"call_out": 1, "letter_out": 1}
    told = (await client.get("/api/v1/activity/forgotten", headers=ADMIN, params=PERIOD)).json()
    assert [(one["company"], one["title"], one["days"], one["last_by"]) for one in told["items"]] == [
        (43, None, None, None),
        (42, "Комбинат", 40, 12),
    ]
    page = {**PERIOD, "limit": 1, "offset": 1}
    told = (await client.get("/api/v1/activity/forgotten", headers=ADMIN, params=page)).json()
    assert ([one["company"] for one in told["items"]], told["total"]) == ([42], 2)
    told = (await client.get("/api/v1/activity/rating", headers=ADMIN, params=PERIOD | {"whom": "potential"})).json()
    assert (told["clients"], told["share"]) == (0, None)
    assert (await client.get("/api/v1/activity/rating", headers=ADMIN, params={"whom": "all"})).status_code == 422
    assert (await client.get("/api/v1/activity/rating")).status_code == 401


@pytest.mark.usefixtures("lived")
async def test_both_reports_are_listed_and_told_in_the_common_shape(client: httpx.AsyncClient) -> None:
    listed = {one["name"]: one for one in (await client.get("/api/v1/reports", headers=ADMIN)).json()}
    for name, address in (("activity", "/api/v1/activity"), ("activity-rating", "/api/v1/activity/rating")):
        assert listed[name]["more_at"] == address
        told = (await client.get(f"/api/v1/reports/{name}", headers=ADMIN, params=PERIOD)).json()
        assert any("no scope telephony" in note for note in told["notes"])
    tables = {one["name"]: one for one in told["tables"]}
    assert [row["cells"]["touched"] for row in tables["shares"]["rows"]] == [1, 0]
    assert [row["key"] for row in tables["base_forgotten"]["rows"]] == ["43", "42"]
    assert tables["base_forgotten"]["rows"][1]["label"] == "Комбинат"
