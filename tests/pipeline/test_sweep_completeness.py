"""The figures of a day equal what anybody can count from the portal, the journal and the cards."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.main import create_app
from app.store import cards, completeness, journal, queue
from app.store.cards import CardKey
from app.store.journal import NewEntry
from tests.pipeline.sweep_house import DEAL, LEAD, House, house_of

pytestmark = pytest.mark.anyio

TOKEN = "figures-admin-token"


@pytest.fixture
async def house(database):
    async with house_of(database) as made:
        yield made


@pytest.fixture
async def http(house: House, settings) -> AsyncIterator[httpx.AsyncClient]:
    ready = settings.model_copy(
        update={"admin_token": SecretStr(TOKEN), "secret_key": SecretStr("a key for sweeps, long enough")}
    )
    app = create_app(ready, house.database, clock=house.clock)
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://ogon", headers=headers) as client:
        yield client


async def _webhook(house: House, kind: int, card_id: int) -> None:
    async with house.database.writing() as session:
        entry = NewEntry(
            source="webhook",
            event="ONCRMUPDATE",
            portal_id=house.portal_id,
            entity_type_id=kind,
            card_id=card_id,
            received_at=house.clock(),
        )
        await journal.append(session, [entry])


async def _a_mixed_day(house: House) -> dict[str, set[tuple[int, int]]]:
    """Cards that were heard of and judged, found by the sweep, parked, deleted, missed."""
    leads = [house.add(LEAD, title=f"lead {number}") for number in range(6)]
    deals = [house.add(DEAL, title=f"deal {number}") for number in range(2)]
    for lead in leads[:2]:
        await _webhook(house, LEAD, lead)
    await house.judge_waiting()
    await house.calm()
    house.clock.passes(hours=1)
    for lead in leads:
        house.edit(LEAD, lead, title=f"lead {lead}, changed")
    house.clock.passes(minutes=1)
    await house.sweep()
    async with house.database.writing() as session:
        # The three that nobody will judge: their hints are gone.
        await session.execute(
            text("DELETE FROM journal WHERE dispatched_at IS NULL AND card_id = ANY(:ids)"), {"ids": leads[3:]}
        )
        await cards.park(session, CardKey(house.portal_id, LEAD, leads[3]), reason="a test says so")
        await cards.save(session, CardKey(house.portal_id, LEAD, leads[4]), state="deleted")
    await house.judge_waiting()
    return {
        "heard": {(LEAD, one) for one in leads[:2]},
        "changed": {(LEAD, one) for one in leads} | {(DEAL, one) for one in deals},
        "parked": {(LEAD, leads[3])},
        "deleted": {(LEAD, leads[4])},
        "missed": {(LEAD, leads[5])},
    }


async def test_the_figures_equal_a_count_by_hand_and_every_missing_card_is_named(
    house: House, http: httpx.AsyncClient
) -> None:
    day = await _a_mixed_day(house)
    told = (await http.get("/api/v1/completeness", params={"day": "2026-08-21"})).json()

    changed_today = {
        (kind, item["id"])
        for kind in (LEAD, DEAL)
        for item in house.portal.items(kind)
        if str(item["updatedTime"]).startswith("2026-08-21")
    }
    assert day["changed"] == changed_today
    judged = {one for one in changed_today if await _judged_as_it_stands(house, *one)}
    judged -= day["parked"] | day["deleted"]
    assert told["changed"] == len(changed_today)
    assert told["heard"] == len(day["heard"])
    assert told["only_by_sweep"] == len(changed_today - day["heard"])
    assert told["judged"] == len(judged)
    assert (told["parked"], told["deleted"]) == (1, 1)
    assert told["difference"] == len(changed_today) - len(judged) - 1 - 1 == 1
    assert {({"lead": LEAD, "deal": DEAL}[one["type"]], one["id"]) for one in told["missing"]} == day["missed"]
    assert [one["reason"] for one in told["missing"]] == ["missed"]
    assert told["swept_at"]

    house.clock.passes(minutes=5)
    await house.calm()
    told = (await http.get("/api/v1/completeness")).json()
    assert (told["day"], told["difference"], told["missing"]) == ("2026-08-21", 0, [])


async def _judged_as_it_stands(house: House, kind: int, card_id: int) -> bool:
    printed = house.portal.item(kind, card_id)["updatedTime"]
    async with house.database.reading() as session:
        known = await cards.get(session, CardKey(house.portal_id, kind, card_id))
    return known is not None and known.updated_time == datetime.fromisoformat(printed)


async def test_a_day_is_the_portals_day_not_ours(house: House, http: httpx.AsyncClient) -> None:
    house.clock.moment = datetime.fromisoformat("2026-08-21T22:30:00+00:00")  # half past one in Moscow, the next day
    house.add(LEAD, title="at night")
    await house.calm()
    days = [
        (await http.get("/api/v1/completeness", params={"day": day})).json() for day in ("2026-08-21", "2026-08-22")
    ]
    assert [day["changed"] for day in days] == [0, 1]
    assert (await http.get("/api/v1/completeness")).json()["day"] == "2026-08-22"


async def test_what_waits_for_a_retry_is_told_from_what_was_missed(house: House, http: httpx.AsyncClient) -> None:
    house.add(LEAD, title="waits in the journal")
    await house.sweep()
    told = (await http.get("/api/v1/completeness")).json()
    assert (told["difference"], told["waiting"], told["missing"][0]["reason"]) == (1, 1, "waiting")


async def test_metrics_tell_of_the_sweep_the_budget_and_the_difference(house: House, http: httpx.AsyncClient) -> None:
    await _a_mixed_day(house)
    async with house.database.writing() as session:
        await session.execute(
            text("INSERT INTO counters (name, portal_id, day, value) VALUES ('portal_429', :portal, :day, 3)"),
            {"portal": house.portal_id, "day": house.clock().date()},
        )
        # What was heard stands in the journal by our clock; runs are stamped by the database's.
        await session.execute(
            text("UPDATE runs SET opened_at = :now, closed_at = :later"),
            {"now": house.clock(), "later": house.clock() + timedelta(seconds=2)},
        )
        await session.execute(
            text("UPDATE journal SET received_at = :then"), {"then": house.clock() - timedelta(seconds=3)}
        )
    house.clock.passes(seconds=60)
    told = await _figures(http)
    portal = f'portal="{house.portal_id}"'
    day = (await http.get("/api/v1/completeness")).json()
    assert told[f"ogon_completeness_difference{{{portal}}}"] == day["difference"] == 1
    for figure in ("changed", "heard", "judged", "only_by_sweep", "parked", "deleted", "waiting"):
        assert told[f'ogon_completeness_cards{{figure="{figure}",{portal}}}'] == day[figure], figure
    assert told[f"ogon_sweep_failures{{{portal}}}"] == 0
    assert 0 < told[f"ogon_sweep_lag_seconds{{{portal}}}"] < 600
    assert 0 <= told[f"ogon_request_budget_used{{{portal}}}"] <= 1
    assert told[f'ogon_portal_refused_today{{{portal},status="429"}}'] == 3
    assert told[f'ogon_portal_refused_today{{{portal},status="503"}}'] == 0
    assert told["ogon_event_to_grade_events"] > 0
    assert told['ogon_event_to_grade_seconds{quantile="0.95"}'] == 5
    assert told["ogon_queue_waiting"] == 0


async def test_metrics_tell_how_long_the_queue_is_and_how_full_the_budget(
    house: House, http: httpx.AsyncClient
) -> None:
    await _webhook(house, LEAD, house.add(LEAD, title="on the queue"))
    async with house.database.writing() as session:
        # What a webhook told is on the queue for a minute; the bucket was half full a second ago.
        await queue.dispatch(session, settle=timedelta(0))
        await session.execute(
            text("UPDATE procrastinate_events SET at = :then"), {"then": house.clock() - timedelta(seconds=60)}
        )
        await session.execute(text("UPDATE portals SET requests_per_second = 1, burst = 100"))
        await session.execute(
            text(
                "INSERT INTO request_buckets (portal_id, level, updated_at)"
                " VALUES (:portal, 50, statement_timestamp() - interval '1 second')"
                " ON CONFLICT (portal_id) DO UPDATE SET level = 50, updated_at = excluded.updated_at"
            ),
            {"portal": house.portal_id},
        )
        await session.execute(
            text("INSERT INTO counters (name, portal_id, day, value) VALUES ('portal_503', :portal, :day, 2)"),
            {"portal": house.portal_id, "day": house.clock().date()},
        )
    told = await _figures(http)
    portal = f'portal="{house.portal_id}"'
    assert told["ogon_queue_waiting"] == 1
    assert told["ogon_queue_oldest_seconds"] == 60
    assert 0 < told[f"ogon_request_budget_used{{{portal}}}"] < 0.5
    assert told[f'ogon_portal_refused_today{{{portal},status="503"}}'] == 2


async def _figures(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    lines = re.findall(r"^(ogon_\S+) (\S+)$", answer.text, re.MULTILINE)
    return {name: float(value) for name, value in lines}


async def test_figures_are_cheap_to_name_and_bounded(house: House) -> None:
    async with house.database.writing() as session:
        await session.execute(
            text(
                "INSERT INTO changed_cards SELECT :portal, DATE '2026-08-21', 1, n, now()"
                " FROM generate_series(1, 500) n"
            ),
            {"portal": house.portal_id},
        )
        told = await completeness.of_day(session, house.portal_id, house.clock().date())
    assert (told.changed, told.difference, len(told.missing)) == (500, 500, 100)
