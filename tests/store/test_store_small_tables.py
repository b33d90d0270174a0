"""Counters, the dictionary, timers, gaps."""

from datetime import UTC, date, datetime, timedelta

import anyio
import pytest
from sqlalchemy import text

from app.store import counters, dictionary, gaps, timers
from app.store.cards import CardKey
from app.store.counters import Count

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = date(2026, 1, 5)


async def test_counters_add_up_from_many_hands(database):
    async def add() -> None:
        async with database.writing() as session:
            await counters.add(session, "rejected", day=DAY, by=2)

    async with anyio.create_task_group() as hands:
        for _ in range(5):
            hands.start_soon(add)
    async with database.writing() as session:
        await counters.add(session, "rejected", day=DAY, portal_id=7)
        await counters.add(session, "other", day=DAY + timedelta(days=1))
        await counters.add(session, "rejected", day=DAY - timedelta(days=1))
        assert await counters.since(session, DAY) == [
            Count("other", 0, DAY + timedelta(days=1), 1),
            Count("rejected", 0, DAY, 10),
            Count("rejected", 7, DAY, 1),
        ]
        assert [one.name for one in await counters.since(session, DAY, name="other")] == ["other"]


async def test_dictionary_is_replaced_by_newer_readings_only(write_session, portal):
    assert await dictionary.load(write_session, portal.id) is None
    for hours, said in ((0, "first"), (2, "newest"), (1, "late arrival")):
        await dictionary.save(
            write_session, portal_id=portal.id, document={"said": said}, read_at=NOW + timedelta(hours=hours)
        )
    kept = await dictionary.load(write_session, portal.id)
    assert (kept.document, kept.read_at) == ({"said": "newest"}, NOW + timedelta(hours=2))


async def test_timers_fire_once_the_earliest_first(write_session, portal):
    for number, minutes in ((1, 3), (2, 1), (3, 60)):
        due = NOW + timedelta(minutes=minutes)
        await timers.set_timer(write_session, CardKey(portal.id, 1, number), reason="retry", due_at=due)
    assert await timers.take_due(write_session, now=NOW) == []
    due = await timers.take_due(write_session, now=NOW + timedelta(minutes=3))
    assert [(timer.card.card_id, timer.reason) for timer in due] == [(2, "retry"), (1, "retry")]
    assert await timers.take_due(write_session, now=NOW + timedelta(minutes=3)) == []
    assert await timers.waiting(write_session) == 1


async def test_a_card_has_one_timer_for_each_reason(write_session, lead):
    await timers.set_timer(write_session, lead, reason="retry", due_at=NOW)
    await timers.set_timer(write_session, lead, reason="stale", due_at=NOW)
    await timers.set_timer(write_session, lead, reason="retry", due_at=NOW + timedelta(hours=1))
    assert [timer.reason for timer in await timers.take_due(write_session, now=NOW)] == ["stale"]
    await timers.set_timer(write_session, lead, reason="stale", due_at=NOW)
    assert len(await timers.take_due(write_session, now=NOW)) == 1
    await timers.cancel(write_session, lead, reason="retry")
    assert await timers.waiting(write_session) == 0
    await timers.set_timer(write_session, lead, reason="retry", due_at=NOW)
    await timers.cancel(write_session, lead)
    assert await timers.take_due(write_session, now=NOW) == []


@pytest.mark.parametrize("plan", ["as it comes", "row by row"])
async def test_two_processes_never_fire_the_same_timer(database, portal, plan):
    async with database.writing() as session:
        for number in range(10):
            await timers.set_timer(session, CardKey(portal.id, 1, number), reason="retry", due_at=NOW)
    async with database.writing() as one, database.writing() as two:
        if plan == "row by row":
            for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
                await one.execute(text(f"SET LOCAL enable_{way} = off"))
        first = await timers.take_due(one, now=NOW, limit=6)
        second = await timers.take_due(two, now=NOW)
    assert len(first) == 6
    assert {timer.card for timer in first} | {timer.card for timer in second} == {
        CardKey(portal.id, 1, number) for number in range(10)
    }


async def test_a_sweep_closes_the_gaps_noticed_before_it(write_session):
    first, second = [await gaps.note(write_session, noticed_at=NOW, reason=reason) for reason in ("a", "b")]
    assert [(gap.id, gap.reason) for gap in await gaps.unswept(write_session)] == [(first, "a"), (second, "b")]
    await gaps.mark_swept(write_session, up_to=first, swept_at=NOW)
    assert [gap.id for gap in await gaps.unswept(write_session)] == [second]
    await gaps.mark_swept(write_session, up_to=second, swept_at=NOW)
    assert await gaps.unswept(write_session) == []
