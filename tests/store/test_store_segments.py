"""Segments as they are kept: changes, the daily cap under many hands, and who is woken without asking the portal."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from app.domain.activity_kind import Activity, ActivityKind
from app.store import activities, cards, contact_turns, journal, past_deals, runs, segment_round, segments
from app.store.cards import CardKey
from app.store.past_deals import PastDeal
from app.store.segments import CompanySegment, SegmentFilter

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def company(portal_id: int, number: int = 1, **values) -> CompanySegment:
    usual = CompanySegment(
        portal_id=portal_id,
        company_id=number,
        segment="sleeping",
        since=TODAY,
        decided="sleeping",
        field_code="sleeping",
        by_person=False,
        why={"text": "slept"},
        owner=12,
        won_deals=1,
        last_purchase_on=date(2026, 5, 1),
        changes_on=None,
        last_contact_at=None,
        next_contact_on=TODAY,
        todo_id=None,
        todo_done_at=None,
        bounds="as it is",
        looked_on=TODAY - timedelta(1),
    )
    return replace(usual, **values)


async def keep(database, *kept: CompanySegment):
    """Each after a run of its own; the changes."""
    changes = []
    async with database.writing() as session:
        for one in kept:
            card = CardKey(one.portal_id, 4, one.company_id)
            run = runs.NewRun(card=card, mode="live", seen={}, facts={}, facts_digest="", opened_at=NOW)
            run_id = await runs.open_run(session, run)
            await runs.close_run(session, run_id, status="done")
            changes.append(await segments.save(session, one, run_id=run_id, seen_at=NOW))
            await cards.save(session, card, title=f"Plant {one.company_id}", last_run_id=run_id, judged_at=NOW)
    return changes


async def test_a_change_of_segment_is_kept_with_its_day_and_owner(database, portal):
    slept = company(portal.id)
    back = replace(slept, segment="new", decided="new", since=date(2026, 11, 25), owner=15, next_contact_on=None)
    changes = await keep(database, slept, slept, back, replace(back, segment=None, since=None, looked_on=TODAY))
    assert changes[1] is None, "the same segment again"
    assert [(one.before, one.after, one.won_back, one.owner) for one in changes if one] == [
        (None, "sleeping", False, 12),
        ("sleeping", "new", True, 15),
        ("new", None, False, 15),
    ]
    assert [one.changed_on for one in changes if one] == [TODAY, date(2026, 11, 25), TODAY]
    async with database.reading() as session:
        told = await segments.history(session, portal.id, 1)
        assert [one.id for one in told] == [one.id for one in reversed(changes) if one]
        assert await segments.listed(session, SegmentFilter(portal_id=portal.id)) == [], "it is in no segment now"


async def test_companies_are_counted_and_listed_by_segment(database, portal):
    gone = company(portal.id, 4)
    await keep(
        database,
        company(portal.id, 1, next_contact_on=None),
        company(portal.id, 2, owner=15),
        company(portal.id, 3, segment="nurture", next_contact_on=TODAY - timedelta(9)),
        gone,
    )
    async with database.writing() as session:
        await cards.save(session, CardKey(portal.id, 4, 4), state="deleted")
    async with database.reading() as session:
        assert await segments.counts(session, portal.id) == {"new": 0, "regular": 0, "sleeping": 2, "nurture": 1}
        assert await segments.counts(session, portal.id, owner=15) == {
            "new": 0,
            "regular": 0,
            "sleeping": 1,
            "nurture": 0,
        }
        found = await segments.listed(session, SegmentFilter(portal_id=portal.id))
        assert [(one.company.company_id, one.title) for one in found] == [
            (3, "Plant 3"),
            (2, "Plant 2"),
            (1, "Plant 1"),
        ]
        due = SegmentFilter(portal_id=portal.id, due_by=TODAY - timedelta(1))
        assert [one.company.company_id for one in await segments.listed(session, due)] == [3]
        assert await segments.count(session, due) == 1


# --- the daily cap


async def give(database, portal, day: date = TODAY, *, cap: int = 3, absent=()) -> list[int]:
    async with database.writing() as session:
        return await contact_turns.give(session, portal.id, day=day, cap=cap, absent=list(absent))


async def test_many_workers_never_give_a_person_more_than_the_cap(database, portal):
    waiting = [company(portal.id, number, owner=12 + number % 2) for number in range(1, 21)]
    await keep(database, *waiting)
    given = [one for some in await asyncio.gather(*(give(database, portal) for _ in range(6))) for one in some]
    assert len(given) == len(set(given))
    assert Counter(12 + number % 2 for number in given) == {12: 3, 13: 3}
    assert await give(database, portal) == [], "the day is full"
    assert len(await give(database, portal, TODAY + timedelta(1))) == 6, "the rest goes on the next day"


async def test_who_waits_longest_goes_first_and_the_absent_get_none(database, portal):
    days = {1: 5, 2: 9, 3: 1, 4: 7, 5: -1}
    await keep(database, *(company(portal.id, n, next_contact_on=TODAY - timedelta(d)) for n, d in days.items()))
    await keep(database, company(portal.id, 6, owner=99), company(portal.id, 7, owner=None))
    assert sorted(await give(database, portal, cap=2, absent=[99])) == [2, 4]
    assert await give(database, portal, TODAY + timedelta(1), cap=2, absent=[99]) == [1, 3]
    async with database.reading() as session:
        assert await contact_turns.owners_waiting(session, portal.id, day=TODAY) == [12, 99]


async def test_a_company_that_is_worked_on_or_parked_waits(database, portal):
    await keep(database, *(company(portal.id, number) for number in (1, 2, 3)))
    async with database.writing() as session:
        await cards.save(session, CardKey(portal.id, 2, 70), company_id=1, state="open")
        await cards.save(session, CardKey(portal.id, 2, 71), company_id=2, state="final")
        await cards.park(session, CardKey(portal.id, 4, 3), reason="refused")
    assert await give(database, portal) == [2]


async def test_a_turn_moves_to_another_owner_only_within_his_cap(database, portal):
    await keep(database, *(company(portal.id, number, owner=12 if number < 3 else 15) for number in (1, 2, 3)))
    assert sorted(await give(database, portal, cap=2)) == [1, 2, 3]
    async with database.writing() as session:
        passed = [
            await contact_turns.pass_on(session, portal.id, number, TODAY, owner=15, day=TODAY, cap=2)
            for number in (1, 2)
        ]
        assert passed == [True, False]
        assert await contact_turns.of_company(session, portal.id, 1) == (TODAY, 15)
        assert await contact_turns.of_company(session, portal.id, 2) is None, "it waits for another day"


# --- who is woken


async def by_date(database, portal, **values) -> list[int]:
    usual = {"today": TODAY, "bounds": "as it is", "patience": timedelta(days=30)}
    async with database.reading() as session:
        return sorted(await segment_round.by_date(session, portal.id, **{**usual, **values}))


async def test_the_calendar_other_rules_and_what_was_not_read_wake_a_company_once_a_day(database, portal):
    await keep(
        database,
        company(portal.id, 1, changes_on=TODAY),
        company(portal.id, 2, changes_on=TODAY + timedelta(1)),
        company(portal.id, 3, won_deals=None),
        company(portal.id, 4, won_deals=None, looked_on=TODAY),
        company(portal.id, 5, bounds="others"),
        company(portal.id, 6, todo_id=9, looked_on=TODAY - timedelta(30)),
        company(portal.id, 7, todo_id=9, todo_done_at=NOW, looked_on=TODAY - timedelta(30)),
    )
    assert await by_date(database, portal) == [1, 3, 5, 6]
    async with database.writing() as session:
        await cards.save(session, CardKey(portal.id, 4, 1), state="deleted")
    assert await by_date(database, portal, bounds="others") == [2, 3, 6, 7], "all but the one that is judged so already"


def past(number: int, company_id: int, closed_on: date, semantics="success") -> PastDeal:
    money = dict.fromkeys(("amount", "profit", "turnover", "steam_tph"), Decimal(1))
    return PastDeal(
        deal_id=number, company_id=company_id, responsible=12, stage_id="WON", semantics=semantics, source=None,
        created_at=None, closed_on=closed_on, industry=None, **money,
    )  # fmt: skip


async def test_won_deals_that_no_run_of_the_company_has_read_wake_it(database, portal):
    may = date(2026, 5, 1)
    await keep(database, company(portal.id, 1), company(portal.id, 2), company(portal.id, 3, looked_on=TODAY))
    deals = [past(1, 1, may), past(2, 2, may), past(3, 2, TODAY), past(4, 3, TODAY), past(5, 4, may)]
    deals += [past(6, 5, may, "failure"), past(7, 6, may)]
    async with database.writing() as session:
        await past_deals.keep_deals(session, portal.id, deals, now=NOW)
        # Deal 7 was judged since, and is not won any more.
        card = CardKey(portal.id, 2, 7)
        run = runs.NewRun(
            card=card, mode="live", seen={"semantics": "process"}, facts={}, facts_digest="", opened_at=NOW
        )
        run_id = await runs.open_run(session, run)
        await cards.save(session, card, company_id=6, state="open", last_run_id=run_id)
    async with database.reading() as session:
        assert sorted(await segment_round.by_purchases(session, portal.id, today=TODAY)) == [2, 4]
        assert [await segments.has_bought(session, portal.id, one) for one in (4, 5)] == [True, False]


def activity(number: int, kind: ActivityKind, at: datetime, **values) -> Activity:
    usual = {
        "provider": None, "direction": None, "completed": True, "owner_type_id": 4, "owner_id": 1, "responsible_id": 12,
        "author_id": 12, "created_at": at, "start_at": at, "end_at": None, "updated_at": at, "talk_seconds": None,
        "happened": True, "why_unknown": None, "bindings": None,
    }  # fmt: skip
    return Activity(activity_id=number, kind=kind, **{**usual, **values})


@pytest.mark.parametrize(
    ("found", "woken"),
    [
        pytest.param(activity(9, ActivityKind.TODO, NOW, happened=False), True, id="the to-do is completed"),
        pytest.param(activity(9, ActivityKind.TODO, NOW, completed=False, happened=False), False, id="still open"),
        pytest.param(activity(10, ActivityKind.MEETING, NOW), True, id="met the client"),
        pytest.param(activity(10, ActivityKind.MEETING, NOW, happened=False), False, id="planned to meet"),
        pytest.param(
            activity(10, ActivityKind.LETTER_OUT, NOW, owner_type_id=2, owner_id=70), True, id="wrote on a deal"
        ),
        pytest.param(
            activity(10, ActivityKind.LETTER_OUT, NOW, owner_type_id=3, owner_id=5, bindings=((3, 5), (4, 1))),
            True,
            id="wrote to a contact of it",
        ),
        pytest.param(activity(10, ActivityKind.MEETING, NOW, owner_id=2), False, id="met another"),
        pytest.param(activity(10, ActivityKind.MEETING, NOW - timedelta(days=60)), False, id="known already"),
    ],
)
async def test_what_answers_a_todo_wakes_its_company(database, portal, found, woken):
    known = company(portal.id, todo_id=9, next_contact_on=None, last_contact_at=NOW - timedelta(days=50))
    await keep(database, known, replace(known, company_id=3, todo_done_at=NOW))
    async with database.writing() as session:
        await cards.save(session, CardKey(portal.id, 2, 70), company_id=1, state="final")
        await activities.keep(session, portal.id, [found])
    async with database.reading() as session:
        assert await segment_round.answered(session, portal.id, now=NOW) == ([1] if woken else [])
        last = await segments.last_contact(session, portal.id, 1, now=NOW)
    assert (last == found.start_at) is (found.owner_id != 2 and found.happened is True)


async def test_a_company_is_woken_once_at_a_moment_of_its_own(database, portal):
    for begin in (NOW, NOW + timedelta(days=1)):
        async with database.writing() as session:
            await segment_round.wake(session, portal.id, range(1, 201), begin=begin, span=timedelta(hours=3))
    async with database.reading() as session:
        rows = await session.execute(text("SELECT due_at, reason, lane FROM timers ORDER BY due_at"))
        due = [row.due_at for row in rows]
    assert len(due) == 200
    assert NOW <= due[0] < NOW + timedelta(minutes=15)
    assert NOW + timedelta(hours=2, minutes=45) < due[-1] <= NOW + timedelta(hours=3), "it keeps its first moment"


async def test_a_card_tells_of_its_company_when_it_bought_or_is_marked_for_the_first_time(database, portal):
    await keep(database, company(portal.id, 1))
    async with database.writing() as session:
        for number, won in ((1, False), (1, True), (2, False)):
            await segment_round.hint(session, portal.id, number, won=won)
        told = await journal.take_undispatched(session)
    assert [(one.card_id, one.event) for one in told] == [(1, "WON_DEAL"), (2, "SEGMENT_MARK")]
