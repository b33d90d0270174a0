"""Health, readiness, figures: what they say when all is well and when it is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import psycopg
import pytest
from web_cards import judged_lead
from web_delivery import deliver, event_body

from app.main import create_app
from app.settings import Settings
from app.store import runs
from app.store.cards import CardKey
from app.store.database import Database, connected
from app.store.portals import Portal

pytestmark = pytest.mark.anyio


async def test_alive_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    await deliver(client, event_body())
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert answer.json()["undispatched"] == 1


async def test_an_unmigrated_database_is_not_ready(
    web_settings: Settings, database: Database, database_conninfo: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database_conninfo, autocommit=True) as admin:
        await admin.execute("DELETE FROM schema_version")
    app = create_app(web_settings, database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ogon.example") as client:
        answer = await client.get("/readyz")
        assert (await client.get("/healthz")).status_code == 200
    assert answer.status_code == 503
    assert "ogon migrate" in answer.json()["message"]


async def test_a_database_away_is_not_ready_and_every_page_says_so(web_settings: Settings) -> None:
    async with connected("host=127.0.0.1 port=1 user=nobody dbname=nothing") as nowhere:
        app = create_app(web_settings, nowhere)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ogon.example") as client:
            ready = await client.get("/readyz")
            api = await client.get("/api/v1/portals", headers={"authorization": "Bearer admin-token-of-the-tests"})
            await client.post("/login", data={"token": "admin-token-of-the-tests"})
            page = await client.get("/", headers={"cookie": ""})
            delivery = await deliver(client, event_body())
        await app.intake_run.intake.gap.close()
    assert ready.status_code == 503
    assert "DATABASE_URL" in ready.json()["message"]
    assert api.status_code == 503
    assert api.json()["error"]["code"] == "database_away"
    assert page.status_code == 303
    assert delivery.status_code == 503


async def test_figures_count_deliveries_flushes_and_cards(
    client: httpx.AsyncClient, app, database: Database, portal: Portal
) -> None:
    await deliver(client, event_body())
    await deliver(client, event_body(application_token="guess"))
    await judged_lead(database, portal.id, 7, state="parked")
    await app.intake_run.intake.tally.flush()
    answer = await client.get("/metrics", headers={"authorization": "Bearer admin-token-of-the-tests"})
    assert answer.headers["content-type"].startswith("text/plain")
    figures = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert figures['ogon_deliveries_total{status="200"}'] == "1.0"
    assert figures['ogon_deliveries_total{status="403"}'] == "1.0"
    assert figures["ogon_flush_rows_count"] == "1.0"
    assert figures["ogon_journal_undispatched"] == "1.0"
    assert figures[f'ogon_cards{{portal="{portal.id}",result="needs_data"}}'] == "1.0"
    assert figures[f'ogon_cards_parked{{portal="{portal.id}"}}'] == "1.0"
    assert figures['ogon_counted_today{name="webhook_refused",portal="0"}'] == "1.0"


async def test_notices_of_the_day_are_counted_by_what_they_said(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    ended: dict[str, Literal["done", "failed"] | None] = {
        "deal-7:clock:1:warn:1:owner": "done",
        "deal-7:clock:1:breach:1:head": "done",
        "deal-7:clock:1:breach:1:next": "done",
        "deal-8:clock:1:breach:1:owner": "done",
        "lead-9:held:3:head": "done",
        "lead-9:clock:1:breach:1:head": "failed",
        "lead-9:clock:1:warn:1:owner": None,
    }
    lately = datetime.now(UTC) - timedelta(hours=1)
    card = CardKey(portal.id, 2, 7)
    run = runs.NewRun(card=card, mode="live", seen={}, facts={}, facts_digest="", opened_at=lately)
    for opened in (lately, lately - timedelta(days=2)):
        async with database.writing() as session:
            planned = [runs.PlannedAction(key, "notify", {}) for key in ended]
            number = await runs.open_run(session, replace(run, opened_at=opened), planned)
            finished = [runs.FinishedAction(key, state) for key, state in ended.items() if state]
            await runs.progress(session, number, finished=finished)
            await runs.close_run(session, number, status="done")
    answer = await client.get("/metrics", headers={"authorization": "Bearer admin-token-of-the-tests"})
    figures = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    told = {"warned": 1, "breached": 2, "passed_on": 1, "held": 1, "refused": 1}
    for result, count in told.items():
        assert figures[f'ogon_notices_day{{portal="{portal.id}",result="{result}"}}'] == f"{count}.0"


async def test_figures_are_for_the_machine_itself_and_the_administrator(client: httpx.AsyncClient, app) -> None:
    assert (await client.get("/metrics")).status_code == 403
    at_home = httpx.ASGITransport(app, client=("127.0.0.1", 5))
    async with httpx.AsyncClient(transport=at_home, base_url="http://127.0.0.1") as local:
        assert (await local.get("/metrics")).status_code == 200
