"""Judging again: after publishing, open cards are asked for in small portions, exactly as many as there are."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.store import cards, journal, queue, rejudging, rulesets, runs
from app.store.cards import CardKey
from app.store.runs import NewRun

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
AT_ONCE = timedelta(0)


async def _publish(database, portal, version) -> None:
    async with database.writing() as session:
        await rulesets.publish(
            session, portal_id=portal.id, edited_version=version - 1, document={}, author="a", reason="r"
        )


async def _judge(database, card: CardKey, version: int, result: str, *, declined: bool = False, **values) -> None:
    """What a worker would leave behind."""
    verdict = (
        {"stage": "lead_gate", "outcome": result}
        if card.entity_type_id == 1
        else {"stage": "deal_grade", "grade": result, "declined": declined}
    )
    run = NewRun(
        card=card,
        mode="live",
        seen={},
        facts={},
        facts_digest="d",
        opened_at=NOW,
        verdict=verdict,
        ruleset_version=version,
    )
    async with database.writing() as session:
        run_id = await runs.open_run(session, run)
        await runs.close_run(session, run_id, status="done")
        await cards.save(session, card, **{"state": "open", "last_run_id": run_id, **values})


async def _dispatched(database) -> list[CardKey]:
    """The cards that workers would take now, taken."""
    async with database.writing() as session:
        await queue.dispatch(session, settle=AT_ONCE)
        rows = await session.execute(
            text("DELETE FROM procrastinate_jobs RETURNING args, priority"),
        )
        taken = list(rows)
    assert {row[1] for row in taken} <= {0}, "at background priority"
    keys = [CardKey(row[0]["portal_id"], row[0]["entity_type_id"], row[0]["card_id"]) for row in taken]
    return sorted(keys)


async def _told(database, portal, version=None) -> rejudging.Rejudging:
    async with database.reading() as session:
        told = await rejudging.progress(session, portal.id, version)
    assert told is not None
    return told


async def _step(database, portion=3) -> bool:
    return await rejudging.step(database, settle=AT_ONCE, portion=portion)


async def test_open_cards_are_judged_again_a_few_at_a_time(database, portal):
    leads = [CardKey(portal.id, 1, number) for number in range(1, 6)]
    deal = CardKey(portal.id, 2, 1)
    for card in leads:
        await _judge(database, card, 1, "junk")
    await _judge(database, deal, 1, "CCC")
    await _judge(database, CardKey(portal.id, 1, 90), 1, "junk", state="final")
    await _judge(database, CardKey(portal.id, 1, 91), 1, "junk", state="deleted")
    await _publish(database, portal, 1)
    await _publish(database, portal, 2)
    assert not await rejudging.step(database, settle=timedelta(hours=1)), "workers may judge by the old rules yet"
    assert (await _told(database, portal)).state == "due"

    await _step(database)
    assert await _dispatched(database) == leads[:3]
    for _ in range(2):
        await _step(database)
        assert await _dispatched(database) == [], "no more before these are judged"
    told = await _told(database, portal)
    assert (told.version, told.state, told.total, told.done) == (2, "running", 6, 0)

    await _judge(database, leads[0], 2, "deal")
    await _judge(database, leads[1], 2, "junk")
    await _step(database)
    assert await _dispatched(database) == leads[3:5]
    told = await _told(database, portal)
    assert (told.total, told.judged, told.changed) == (6, 2, 1)

    # A card that an event brought under the new version meanwhile is not asked for once more.
    await _judge(database, deal, 2, "AAA", declined=True)
    for card in leads[2:]:
        await _judge(database, card, 2, "deal")
    await _step(database)
    assert await _dispatched(database) == []
    await _step(database)
    told = await _told(database, portal)
    assert (told.state, told.total, told.done, told.parked, told.deleted) == ("finished", 6, 6, 0, 0)
    assert told.changes == (
        rejudging.Change(1, "junk", "deal", 4),
        rejudging.Change(2, "CCC", "AAA_declined", 1),
    )
    assert not await _step(database)
    async with database.reading() as session:
        assert await rejudging.still_to_judge(session) == {portal.id: 0}


async def test_a_newer_version_takes_over(database, portal):
    leads = [CardKey(portal.id, 1, number) for number in range(1, 5)]
    for card in leads:
        await _judge(database, card, 1, "junk")
    for version in (1, 2):
        await _publish(database, portal, version)
    await _step(database)
    await _publish(database, portal, 3)
    await _step(database)
    assert (await _told(database, portal, 1)).state == "superseded"
    second, third = await _told(database, portal, 2), await _told(database, portal, 3)
    assert (second.state, second.total, second.done) == ("superseded", 4, 0)
    assert (third.state, third.total) == ("running", 4)
    async with database.reading() as session:
        assert await rejudging.still_to_judge(session) == {portal.id: 4}
        assert await rejudging.progress(session, portal.id, 9) is None


async def test_what_cannot_be_judged_holds_nothing_up(database, portal):
    parked, gone, lost = (CardKey(portal.id, 1, number) for number in (1, 2, 3))
    for card in (parked, gone, lost):
        await _judge(database, card, 1, "junk")
    async with database.writing() as session:
        await cards.park(session, parked, reason="The stage does not exist.")
    await _publish(database, portal, 1)
    await _publish(database, portal, 2)
    await _step(database)
    await _step(database)
    assert (await _told(database, portal)).parked == 0, "it is on the queue and may yet succeed"
    assert await _dispatched(database) == [parked, gone, lost]
    async with database.writing() as session:
        await cards.save(session, gone, state="deleted")
    await _step(database)
    told = await _told(database, portal)
    assert (told.total, told.done, told.parked, told.deleted) == (3, 2, 1, 1)

    # Asked for, and yet nobody judged it: it is asked for once more after a while.
    assert await _dispatched(database) == []
    async with database.writing() as session:
        await session.execute(text("UPDATE rejudgings SET asked_at = now() - interval '11 minutes'"))
    await _step(database)
    assert await _dispatched(database) == [lost]
    await _judge(database, lost, 2, "junk")
    await _step(database)
    told = await _told(database, portal)
    assert (told.state, told.judged, told.changed) == ("finished", 1, 0)


async def test_two_workers_ask_for_each_card_once(database, portal):
    leads = [CardKey(portal.id, 1, number) for number in range(1, 8)]
    for card in leads:
        await _judge(database, card, 1, "junk")
    await _publish(database, portal, 1)
    await _publish(database, portal, 2)
    async with database.writing() as session:
        # One worker is in the middle of its step, and would crash there.
        await session.execute(text("SELECT * FROM rejudgings FOR UPDATE"))
        await _step(database)
    assert await _dispatched(database) == []
    await _step(database)
    async with database.reading() as session:
        entries = await journal.recent(session, portal_id=portal.id)
    assert [(one.card_id, one.lane, one.source, one.event) for one in reversed(entries)] == [
        (number, 2, "rules", "RULES_PUBLISHED") for number in (1, 2, 3)
    ]
