"""Segments over the API: counts, lists, one company's history, and its card beside those of leads and deals."""

from dataclasses import replace
from datetime import UTC, date, datetime

import httpx
import pytest

from app.domain.messages import message, message_to_json
from app.store import cards, companies, runs, segments
from app.store.cards import CardKey
from app.store.companies import Company
from app.store.database import Database
from app.store.portals import Portal
from app.store.segments import CompanySegment

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
WHY = message_to_json(message("in the nurture group, nothing bought yet"))


async def _keep(database: Database, portal: Portal, company_id: int, **values) -> None:
    one = CompanySegment(
        portal_id=portal.id, company_id=company_id, segment="nurture", since=DAY, decided="nurture",
        field_code="nurture", by_person=False, why=WHY, owner=12, won_deals=0, last_purchase_on=None, changes_on=None,
        last_contact_at=None, next_contact_on=DAY, todo_id=None, todo_done_at=None, bounds="", looked_on=DAY,
    )  # fmt: skip
    card = CardKey(portal.id, 4, company_id)
    verdict = {"stage": "segment", "segment": values.get("segment", "nurture"), "why": WHY, "findings": []}
    run = runs.NewRun(
        card=card, mode="live", seen={}, facts={}, facts_digest="", opened_at=NOW, verdict=verdict, ruleset_version=1
    )
    async with database.writing() as session:
        run_id = await runs.open_run(session, run)
        await runs.close_run(session, run_id, status="done")
        await cards.save(session, card, title=f"Plant {company_id}", last_run_id=run_id, judged_at=NOW)
        await segments.save(session, replace(one, **values), run_id=run_id, seen_at=NOW)
        known = Company(
            company_id=company_id, title=f"Plant {company_id}", assigned_by_id=12, created_at=None, updated_at=NOW
        )
        await companies.keep(session, portal.id, [known])


async def test_companies_are_listed_and_one_is_told(client: httpx.AsyncClient, database: Database, portal: Portal):
    await _keep(database, portal, 7)
    await _keep(database, portal, 8, segment="sleeping", next_contact_on=date(2026, 11, 1), todo_id=5, owner=13)
    await _keep(database, portal, 7, segment="new", decided="new", since=date(2026, 11, 21), next_contact_on=None)

    told = (await client.get("/api/v1/segments", headers=ADMIN)).json()
    assert told["counts"] == {"new": 1, "regular": 0, "sleeping": 1, "nurture": 0}
    assert [(one["company"], one["title"], one["segment"], one["todo"]) for one in told["items"]] == [
        (8, "Plant 8", "sleeping", 5),
        (7, "Plant 7", "new", None),
    ]
    assert told["items"][0]["address"].endswith("/crm/company/details/8/")
    only = (await client.get("/api/v1/segments", params={"owner": 13, "due_by": "2026-11-02"}, headers=ADMIN)).json()
    assert ([one["company"] for one in only["items"]], only["total"]) == ([8], 1)
    assert only["counts"]["new"] == 0, "counts are the owner's"

    one = (await client.get("/api/v1/segments/7", headers=ADMIN)).json()
    assert one["now"]["title"] == "Plant 7"
    assert one["now"]["why"] == "in the nurture group, nothing bought yet"
    assert [(turn["before"], turn["after"], turn["changed_on"]) for turn in one["changes"]] == [
        ("nurture", "new", "2026-11-21"),
        (None, "nurture", "2026-11-20"),
    ]


async def test_what_is_asked_wrongly_is_said(client: httpx.AsyncClient, portal: Portal):
    missing = await client.get("/api/v1/segments/99", headers=ADMIN)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "segment_unknown")
    assert (await client.get("/api/v1/segments", params={"segment": "asleep"}, headers=ADMIN)).status_code == 422
    assert (await client.get("/api/v1/segments")).status_code == 401


async def test_a_companys_card_is_told_and_not_listed_among_leads_and_deals(
    client: httpx.AsyncClient, database: Database, portal: Portal
):
    await _keep(database, portal, 7)
    story = (await client.get("/api/v1/cards/company/7", headers=ADMIN)).json()
    assert story["current"]["verdict"]["segment"] == "nurture"
    assert (await client.get("/api/v1/cards", headers=ADMIN)).json()["items"] == []
    assert (await client.get("/api/v1/cards", params={"type": "company"}, headers=ADMIN)).json()["total"] == 1
    async with database.writing() as session:
        await cards.park(session, CardKey(portal.id, 4, 7), reason="refused")
    parked = (await client.get("/api/v1/cards", headers=ADMIN)).json()
    assert [one["id"] for one in parked["items"]] == [7], "a parked one waits for a person"
