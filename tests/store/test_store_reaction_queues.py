"""What keeps clocks right behind the scenes: cards asked for anew, hints of contacts, and requests read in one go."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from app.domain.activity_kind import Activity, ActivityKind
from app.domain.ruleset import DEFAULT
from app.pipeline.recomputing import OfRun, place_of, recompute, rounds_of
from app.store import activities, card_origins, cards, contact_hints, owner_changes, runs, stale_reactions, timers
from app.store.card_origins import Origin
from app.store.cards import CardKey
from app.store.database import Database, WriteSession
from app.store.owner_changes import SeenOwner
from app.store.requests import gather
from app.store.runs import NewRun

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)
LEAD = 1
MINUTE = timedelta(minutes=1)
TWENTY = replace(DEFAULT.targets, other=20, warn=False)
TALKED = Activity(
    activity_id=1,
    kind=ActivityKind.MEETING,
    provider="CRM_MEETING",
    direction=None,
    completed=True,
    owner_type_id=LEAD,
    owner_id=7,
    responsible_id=12,
    author_id=12,
    created_at=NOW,
    start_at=NOW,
    end_at=NOW,
    updated_at=NOW,
    happened=True,
)


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        sent.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def asked(database: Database) -> list[CardKey]:
    async with database.writing() as session:
        return await stale_reactions.take(session)


# --- cards asked for anew


async def test_what_comes_while_a_card_is_worked_off_is_asked_for_once_more(database: Database, portal_id: int) -> None:
    card = CardKey(portal_id, LEAD, 7)
    async with database.writing() as session:
        await stale_reactions.ask(session, portal_id, [(LEAD, 7), (LEAD, 7), (4, 7)])

    async def asks() -> None:
        async with database.writing() as session:
            await stale_reactions.ask(session, portal_id, [(LEAD, 7)])

    async with database.writing() as session:
        assert await stale_reactions.take(session) == [card], "once, and no company"
        coming = asyncio.create_task(asks())
        _, waiting = await asyncio.wait([coming], timeout=0.2)
        assert waiting, "who asks waits for the end of what did not see what he brings"
    await coming
    assert await asked(database) == [card]
    assert await asked(database) == []


async def test_what_a_dead_worker_had_taken_is_there_again(database: Database, portal_id: int) -> None:
    async with database.writing() as session:
        await stale_reactions.ask(session, portal_id, [(LEAD, 7)])
    async with database.writing() as session:
        assert len(await stale_reactions.take(session)) == 1
        await session.rollback()
    assert await asked(database) == [CardKey(portal_id, LEAD, 7)]


# --- hints of contacts


async def test_a_hint_settles_is_taken_once_and_tried_again_in_a_minute(database: Database, portal_id: int) -> None:
    async with database.writing() as session:
        await _running_clock(session, portal_id)
        await contact_hints.note(session, [(portal_id, 880), (portal_id, 880)])
        await session.execute(text("UPDATE contact_hints SET asked_at = :now"), {"now": NOW})

    async def taken(now: datetime) -> list[tuple[int, int]]:
        async with database.writing() as session:
            return await contact_hints.take(session, now=now, settle=timedelta(seconds=2))

    assert await taken(NOW + timedelta(seconds=1)) == [], "the rest of its burst may still come"
    at = NOW + timedelta(seconds=3)
    assert await taken(at) == [(portal_id, 880)]
    assert await taken(at) == []
    again = at + MINUTE + timedelta(seconds=1)
    assert await taken(again) == [(portal_id, 880)], "whoever had it did not come back"
    async with database.writing() as session:
        await contact_hints.done(session, portal_id, [880], taken=at)
    third = again + MINUTE + timedelta(seconds=1)
    assert await taken(third) == [(portal_id, 880)], "done with an earlier try is not done"
    async with database.writing() as session:
        await contact_hints.done(session, portal_id, [880], taken=third)
    assert await taken(third + MINUTE * 2) == []


async def test_what_we_made_ourselves_is_no_hint_and_without_a_clock_none_is_read(
    database: Database, portal_id: int
) -> None:
    later = datetime.now(UTC) + MINUTE
    async with database.writing() as session:
        await contact_hints.note(session, [(portal_id, 880)])
        assert await contact_hints.take(session, now=later, settle=timedelta()) == [], "no clock runs"
        await _running_clock(session, portal_id)
        await contact_hints.ours(session, portal_id, [881])
        await contact_hints.note(session, [(portal_id, 881), (portal_id, 882)])
        assert await contact_hints.take(session, now=later, settle=timedelta()) == [(portal_id, 882)]


async def _running_clock(session, portal_id: int) -> None:
    await session.execute(
        text("""
            INSERT INTO reactions (portal_id, entity_type_id, card_id, arrived_at, made_from_call, running, target,
                                   minutes, state, met, missing, doubtful, computed_at)
            VALUES (:portal, 1, 7, :now, false, true, 'hot', 15, 'waiting', 'unknown', '[]', '[]', :now)
        """),
        {"portal": portal_id, "now": NOW},
    )


# --- many cards, and a long history of others


async def _cards(database: Database, portal_id: int, ids: range) -> list[CardKey]:
    async with database.writing() as session:
        await card_origins.note(session, portal_id, LEAD, [Origin(one, NOW, None) for one in ids])
        await owner_changes.note(session, portal_id, LEAD, [SeenOwner(one, 12, NOW, NOW) for one in ids])
        held = [replace(TALKED, activity_id=one, owner_id=one, bindings=((LEAD, one),)) for one in ids]
        await activities.keep(session, portal_id, held)
    return [CardKey(portal_id, LEAD, one) for one in ids]


async def test_any_number_of_requests_is_read_in_one_statement(database: Database, portal_id: int) -> None:
    cards = await _cards(database, portal_id, range(1, 121))
    for count in (1, 120):
        with statements(database) as sent:
            async with database.reading() as session:
                found = await gather(session, portal_id, cards[:count])
        assert sum("WITH asked" in one for one, _ in sent) == 1
        assert list(found) == cards[:count]
        assert all(len(one.request.card.contacts) == len(one.request.card.owners) == 1 for one in found.values())


async def test_to_work_a_card_out_costs_the_same_whatever_the_history_of_others(
    database: Database, portal_id: int
) -> None:
    (card,) = await _cards(database, portal_id, range(7, 8))

    async def cost() -> tuple[int, float]:
        """Statements, and rows looked at to gather the card."""
        async with database.writing() as session:
            place = await place_of(session, portal_id, live=True, now=NOW, targets=DEFAULT.targets)
            with statements(database) as sent:
                await recompute(session, place, [card], now=NOW + MINUTE)
            (read,) = [one for one in sent if "WITH asked" in one[0]]
            connection = await session.connection()
            told = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {read[0]}", read[1])
            return len(sent), _rows(told.scalar_one()[0]["Plan"])

    alone, _ = await cost()
    await _cards(database, portal_id, range(1000, 3000))
    async with database.writing() as session:
        await session.execute(text("ANALYZE"))
    crowded, rows = await cost()
    assert crowded == alone
    assert rows < 100, "of two thousand cards with an activity each"


async def test_two_owners_of_one_second_cost_no_clock_a_moment(database: Database, portal_id: int) -> None:
    """The form had the lead for no time at all: an allowance that ends with the day does not end the next morning."""
    card, six = CardKey(portal_id, LEAD, 7), datetime(2026, 8, 21, 15, 0, tzinfo=UTC)
    arrived = six - 20 * MINUTE
    async with database.writing() as session:
        await card_origins.note(session, portal_id, LEAD, [Origin(7, arrived, None)])
        for user, seen_at in ((5, arrived), (12, arrived + timedelta(seconds=1))):
            await owner_changes.note(session, portal_id, LEAD, [SeenOwner(7, user, arrived, seen_at)])
        place = await place_of(session, portal_id, live=True, now=arrived, targets=TWENTY)
        kept = (await gather(session, portal_id, [card]))[card]
    assert [one.user for one in kept.request.card.owners] == [5, 12]
    (one,) = rounds_of(card, kept, place, now=arrived)
    assert [(stretch.user, stretch.since, stretch.due_at) for stretch in one.reaction.stretches] == [(12, arrived, six)]


# --- the timer of a clock


async def _fired(database: Database, *, now: datetime) -> list[datetime]:
    async with database.writing() as session:
        return [timer.due_at for timer in await timers.take_due(session, now=now)]


async def _run(session: WriteSession, card: CardKey) -> int:
    run = NewRun(card=card, mode="live", seen={}, facts={}, facts_digest="d", opened_at=NOW)
    return await runs.open_run(session, run)


async def _recomputed(database: Database, card: CardKey, *, now: datetime, looked_at: datetime | None = None) -> None:
    """In the background, or at the end of a run that looked at the clock then."""
    async with database.writing() as session:
        place = await place_of(session, card.portal_id, live=True, now=now, targets=TWENTY)
        run = None if looked_at is None else OfRun(card, await _run(session, card), looked_at)
        await recompute(session, place, [card], now=now, run=run)


@pytest.fixture
async def waiting_card(database: Database, portal_id: int) -> CardKey:
    """A lead whose person has twenty minutes from NOW on and does nothing."""
    async with database.writing() as session:
        await session.execute(text("UPDATE portals SET clocks_since = :at"), {"at": NOW})
        await cards.save(session, CardKey(portal_id, LEAD, 7), first_seen_at=NOW)
        await card_origins.note(session, portal_id, LEAD, [Origin(7, NOW, None)])
        await owner_changes.note(session, portal_id, LEAD, [SeenOwner(7, 12, NOW, NOW)])
    card = CardKey(portal_id, LEAD, 7)
    await _recomputed(database, card, now=NOW + MINUTE, looked_at=NOW + MINUTE)
    return card


async def test_a_step_that_is_due_survives_being_worked_out_again(database: Database, waiting_card: CardKey) -> None:
    assert await _fired(database, now=NOW + 19 * MINUTE) == []
    # Its time has come, but the timer has not been taken yet when something else of the card is worked out.
    await _recomputed(database, waiting_card, now=NOW + 21 * MINUTE)
    assert await _fired(database, now=NOW + 21 * MINUTE) == [NOW + 20 * MINUTE]
    await _recomputed(database, waiting_card, now=NOW + 22 * MINUTE)
    assert await _fired(database, now=NOW + 22 * MINUTE) == [], "its run is under way"
    await _recomputed(database, waiting_card, now=NOW + 23 * MINUTE, looked_at=NOW + 23 * MINUTE)
    await _recomputed(database, waiting_card, now=NOW + 24 * MINUTE)
    assert await _fired(database, now=NOW + 24 * MINUTE) == [], "its run took the step"


async def test_a_step_that_comes_due_during_a_run_is_left_to_the_next(
    database: Database, waiting_card: CardKey
) -> None:
    await _recomputed(database, waiting_card, now=NOW + 21 * MINUTE, looked_at=NOW + 19 * MINUTE)
    assert await _fired(database, now=NOW + 21 * MINUTE) == [NOW + 20 * MINUTE]


async def test_a_deadline_that_moves_into_the_past_is_told_of_at_once(
    database: Database, waiting_card: CardKey
) -> None:
    async with database.writing() as session:
        await timers.set_timer(session, waiting_card, reason=timers.CLOCK, due_at=NOW + 600 * MINUTE)
    await _recomputed(database, waiting_card, now=NOW + 30 * MINUTE)
    assert await _fired(database, now=NOW + 30 * MINUTE) == [NOW + 20 * MINUTE]


def _rows(plan: dict[str, Any]) -> float:
    """Rows that a step of the plan and those below it looked at."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
    return own * plan["Actual Loops"] + sum(_rows(below) for below in plan.get("Plans", ()))
