"""Second looks: which rejections a week's draw takes, that it happens once, and what is kept of the answers."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.second_look import drawn
from app.store import cards, journal, runs, second_looks
from app.store.cards import CardKey
from app.store.runs import FinishedAction, NewRun, PlannedAction
from app.store.second_looks import Count, LookFilter

pytestmark = pytest.mark.anyio

WEEK = date(2026, 8, 10)
IN_WEEK = datetime(2026, 8, 12, 9, 0, tzinfo=UTC)
AFTER = datetime(2026, 8, 17, 0, 5, tzinfo=UTC)


async def _judge(database, portal, number: int, outcome: str, when: datetime, *, actions=(), **values) -> int:
    card = CardKey(portal.id, 1, number)
    run = NewRun(
        card=card,
        mode="live",
        seen={"semantics": "failure"},
        facts={},
        facts_digest=f"facts of {number}",
        opened_at=when,
        verdict={"stage": "lead_gate", "outcome": outcome},
        ruleset_version=1,
    )
    async with database.writing() as session:
        run_id = await runs.open_run(session, run, actions)
        await runs.progress(session, run_id, finished=[FinishedAction(one.key, result={"id": 70}) for one in actions])
        await runs.close_run(session, run_id, status="done")
        await cards.save(session, card, **{"state": "final", "outcome": outcome, "last_run_id": run_id, **values})
    return run_id


async def _draw(database, portal, *, size=10, seed=1):
    async with database.writing() as session:
        return await second_looks.draw(session, portal.id, week=WEEK, size=size, seed=seed, now=AFTER)


async def _looks(database, portal, **wanted) -> list[second_looks.SecondLook]:
    async with database.reading() as session:
        return await second_looks.page(session, LookFilter(portal_id=portal.id, **wanted), limit=50, offset=0)


def test_the_week_before():
    assert [second_looks.last_week(date(2026, 8, day)) for day in (16, 17, 23)] == [date(2026, 8, 3), WEEK, WEEK]


async def test_the_rejections_of_the_week_are_drawn_from(database, portal):
    before, late = IN_WEEK - timedelta(days=7), AFTER + timedelta(minutes=1)
    run_id = await _judge(database, portal, 1, "junk", IN_WEEK)
    await _judge(database, portal, 2, "company", datetime(2026, 8, 16, 23, 59, tzinfo=UTC))
    await _judge(database, portal, 3, "review", IN_WEEK)
    await _judge(database, portal, 4, "junk", before)
    await _judge(database, portal, 5, "junk", datetime(2026, 8, 17, 0, 0, tzinfo=UTC))
    for when in (before, IN_WEEK):
        await _judge(database, portal, 6, "junk", when)  # junk already before the week
    for outcome, when in (("needs_data", before), ("junk", IN_WEEK)):
        await _judge(database, portal, 7, outcome, when)
    for outcome, when in (("junk", IN_WEEK), ("deal", late)):
        await _judge(database, portal, 8, outcome, when)  # has come back since
    await _judge(database, portal, 9, "junk", IN_WEEK, state="deleted")
    for outcome in ("junk", "needs_data"):
        await _judge(database, portal, 10, outcome, IN_WEEK)

    week = await _draw(database, portal)
    assert week is not None
    assert (week.population, week.size, week.seed, week.drawn_at) == ({"junk": 2, "company": 1}, 10, 1, AFTER)
    looks = await _looks(database, portal)
    assert [(one.card_id, one.outcome, one.answer) for one in looks] == [
        (1, "junk", None),
        (2, "company", None),
        (7, "junk", None),
    ]
    assert (looks[0].run_id, looks[0].facts_digest, looks[0].week) == (run_id, "facts of 1", WEEK)
    async with database.reading() as session:
        entries = await journal.recent(session, portal_id=portal.id)
        assert await second_looks.is_drawn(session, portal.id, WEEK)
        assert not await second_looks.is_drawn(session, portal.id, WEEK - timedelta(days=7))
    assert sorted((one.card_id, one.entity_type_id, one.lane) for one in entries) == [(1, 1, 2), (2, 1, 2), (7, 1, 2)]


async def test_a_week_is_drawn_once_and_can_be_drawn_again_on_paper(database, portal):
    for number in range(1, 21):
        await _judge(database, portal, number, "junk", IN_WEEK)
    done = await asyncio.gather(*(_draw(database, portal, size=4, seed=seed) for seed in (3, 4, 5)))
    (week,) = [one for one in done if one is not None]
    looks = await _looks(database, portal)
    assert tuple(one.card_id for one in looks) == drawn(range(1, 21), 4, week.seed)
    assert await _draw(database, portal) is None
    async with database.reading() as session:
        assert len(await journal.recent(session, portal_id=portal.id)) == 4


async def test_answers_are_kept_and_counted(database, portal):
    todo = PlannedAction("lead-1:second-look:2026-08-10", "todo", {})
    for number, outcome in ((1, "junk"), (2, "junk"), (3, "company")):
        await _judge(database, portal, number, outcome, IN_WEEK)
    await _draw(database, portal)
    await _judge(database, portal, 1, "junk", AFTER, actions=[todo], moved_by=12, moved_time=AFTER)
    first, second, third = await _looks(database, portal)
    async with database.writing() as session:
        (asked,) = await second_looks.asked(session, portal.id, since=WEEK)
        assert (asked.look, asked.activity_id, asked.semantics) == (first, 70, "failure")
        assert (asked.moved_by, asked.moved_time, asked.outcome) == (12, AFTER, "junk")
        assert await second_looks.asked(session, portal.id, since=WEEK + timedelta(days=1)) == []

        await second_looks.note_completed(session, [first.id], now=AFTER)
        await second_looks.note_completed(session, [first.id], now=AFTER + timedelta(days=1))
        assert await second_looks.answer_from_portal(session, first, "right", now=AFTER)
        assert not await second_looks.answer_from_portal(session, first, "wrong", now=AFTER)
        assert await second_looks.asked(session, portal.id, since=WEEK) == []
        told = await second_looks.answer(session, third.id, "wrong", who="Anna", why="It fits\x00.", now=AFTER)
        assert told is not None
        assert await second_looks.answer(session, 999, "wrong", who="Anna", why="", now=AFTER) is None
        kept = await second_looks.get(session, first.id)
        assert kept is not None
    assert (kept.answer, kept.answered_how, kept.answered_by, kept.completed_at) == ("right", "portal", None, AFTER)
    assert (told.answer, told.answered_how, told.answered_by, told.why) == ("wrong", "api", "Anna", "It fits\ufffd.")
    assert [one.id for one in await _looks(database, portal, answer="none")] == [second.id]
    assert [one.id for one in await _looks(database, portal, answer="wrong", outcome="company")] == [third.id]
    assert await _looks(database, portal, since=WEEK + timedelta(days=7)) == []
    async with database.reading() as session:
        counted = await second_looks.counts(session, LookFilter(portal_id=portal.id))
        (week,) = await second_looks.weeks(session, LookFilter(portal_id=portal.id, until=WEEK))
    assert counted == [Count(WEEK, "company", 1, 0, 1), Count(WEEK, "junk", 2, 1, 0)]
    assert week.population == {"junk": 2, "company": 1}
