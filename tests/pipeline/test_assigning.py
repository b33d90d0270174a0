"""Choosing on a real PostgreSQL: equal shares whoever chooses at once, each card once, turns given back once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from fractions import Fraction
from itertools import count

import pytest
from assigning_desk import OPENED, ROBOT, Desk, members
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text

from app.domain.shares import Why
from app.domain.snapshot import Entity
from app.domain.verdict import Outcome
from app.pipeline.assigning import pass_on
from app.pipeline.connections import Connections
from app.store import cards, pools, portals
from app.store.database import Database
from app.store.pool_document import MemberDocument
from app.store.secret_box import SecretBox

pytestmark = pytest.mark.anyio

ANNA, BORIS, VERA, GLEB = 21, 22, 23, 24


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    box = SecretBox(SecretStr("a key for tests, long enough"))
    webhook = SecretStr("https://plant.bitrix24.ru/rest/7/wh3bh00kc0de/")
    async with database.writing() as session:
        portal = await portals.add(session, box, webhook=webhook, application_tokens=[SecretStr("app-t0ken")])
    made: list[Desk] = []
    async with Connections(database, box, clock=lambda: made[0].now) as connections:
        made.append(Desk(database, connections, portal.id))
        yield made[0]


async def test_without_pools_nobody_is_chosen(desk: Desk) -> None:
    assert await desk.arrives(1) is None
    assert await desk.known(1) == []


async def test_leads_go_round_and_each_is_chosen_for_once(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS))
    assert [await desk.shared(lead) for lead in (1, 2, 3)] == [ANNA, BORIS, ANNA]
    assert [await desk.shared(lead) for lead in (1, 2, 3)] == [ANNA, BORIS, ANNA], "judged again: as it was"
    (one,) = await desk.known(3)
    assert (one.user_id, one.from_user, one.why, one.reason, one.cost_turn) == (ANNA, ROBOT, "turn", "arrival", True)
    assert one.shares == {str(ANNA): "1", str(BORIS): "1"}
    assert (await desk.turns(pool)).taken == {ANNA: Fraction(2), BORIS: Fraction(1)}


async def test_a_run_that_died_after_choosing_is_carried_out_and_not_chosen_anew(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS))
    first = await desk.arrives(1)
    assert await desk.arrives(1) == first, "nothing was written in between"
    assert (await desk.turns(pool)).taken == {ANNA: Fraction(1)}


async def test_junk_is_shared_out_to_nobody(desk: Desk) -> None:
    await desk.open_pool(members(ANNA))
    assert await desk.arrives(1, Outcome.JUNK) is None
    assert await desk.arrives(2, stageId="JUNK") is None, "closed by a person"


_numbers = count(1000)


@given(
    people=st.integers(1, 6),
    workers=st.integers(1, 5),
    weeks=st.lists(st.frozensets(st.integers(0, 5), max_size=3), max_size=2),
)
@hypothesis_settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_over_any_thirty_cards_equal_members_differ_by_one_at_most(
    desk: Desk, people: int, workers: int, weeks: list[frozenset[int]]
) -> None:
    """Whatever absences came before, and however many workers choose at once."""
    number = next(_numbers)
    users = [number * 10 + user for user in range(people)]
    await desk.open_pool(members(*users), name=f"Desk {number}", takes={"sources": [f"{number}"]})
    for away in weeks:
        if len(away) >= people:
            continue
        for user in away:
            await desk.away(number * 10 + user, hours=1)
        for _ in range(4):
            assigned = await desk.arrives(next(_numbers), sourceId=f"{number}")
            assert assigned is not None
            assert assigned.user not in {number * 10 + user for user in away}
        desk.now += timedelta(hours=2)
    # Whoever was away begins where the others stand; from there on it is taking turns.
    for _ in users:
        await desk.arrives(next(_numbers), sourceId=f"{number}")
    got = await desk.counted([next(_numbers) for _ in range(30)], workers=workers, sourceId=f"{number}")
    shares = [got[user] for user in users]
    assert sum(shares) == 30
    assert max(shares) - min(shares) <= 1


async def test_weights_hold_with_several_workers_at_once(desk: Desk) -> None:
    await desk.open_pool([MemberDocument(user=ANNA, weight=3), MemberDocument(user=BORIS)])
    assert await desk.counted(range(1, 41), workers=5) == {ANNA: 30, BORIS: 10}


async def test_two_workers_with_the_same_card_choose_once(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS, VERA))
    got = await desk.counted([5] * 6, workers=6)
    assert len(got) == 1
    assert len(await desk.known(5)) == 1
    assert sum((await desk.turns(pool)).taken.values()) == 1


async def test_absence_makes_no_debt(desk: Desk) -> None:
    await desk.open_pool(members(ANNA, BORIS, VERA))
    await desk.away(VERA, hours=8)
    assert VERA not in await desk.counted(range(1, 16))
    desk.now += timedelta(hours=9)
    assert await desk.counted(range(16, 25)) == {ANNA: 3, BORIS: 3, VERA: 3}


async def test_a_dismissed_one_gets_nothing(desk: Desk) -> None:
    await desk.open_pool(members(ANNA, BORIS))
    async with desk.database.writing() as session:
        await session.execute(
            text(
                "INSERT INTO people (portal_id, user_id, name, active, department_ids, read_at) "
                "VALUES (:portal, :user, 'Anna', false, '{}', now())"
            ),
            {"portal": desk.portal_id, "user": ANNA},
        )
    assert await desk.counted(range(1, 4)) == {BORIS: 3}


async def test_a_returning_client_goes_to_who_knows_him_and_costs_no_turn(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS, VERA))
    known = {"id": 77, "createdTime": (OPENED - timedelta(days=90)).isoformat(), "assignedById": VERA}
    assert await desk.shared(1, company=known) == VERA
    (one,) = await desk.known(1)
    assert (one.why, one.cost_turn) == (Why.KNOWS_CLIENT.value, False)
    assert (await desk.turns(pool)).taken == {}
    just_made = {**known, "createdTime": (OPENED + timedelta(minutes=5)).isoformat()}
    assert await desk.shared(2, company=just_made) == ANNA, "a company made for this very request is not known"
    await desk.away(VERA)
    assert await desk.shared(3, company=known) == BORIS, "who knows him is away"


async def test_who_sold_to_the_company_knows_it(desk: Desk) -> None:
    await desk.open_pool(members(ANNA, BORIS))
    async with desk.database.writing() as session:
        for deal, user, days in ((1, ANNA, 200), (2, BORIS, 20), (3, 99, 2)):
            await session.execute(
                text(
                    "INSERT INTO past_deals (portal_id, deal_id, company_id, responsible, semantics, created_at, "
                    "closed_on, read_at) VALUES (:portal, :deal, 77, :user, 'success', :made, :made, now())"
                ),
                {"portal": desk.portal_id, "deal": deal, "user": user, "made": OPENED - timedelta(days=days)},
            )
    theirs = {"id": 77, "createdTime": (OPENED - timedelta(days=900)).isoformat(), "assignedById": 99}
    assert await desk.shared(1, company=theirs) == BORIS, "the latest of them who is a member"


async def test_a_cap_counts_open_cards_and_those_just_given(desk: Desk) -> None:
    await desk.open_pool([MemberDocument(user=ANNA, cap=2), MemberDocument(user=BORIS)])
    await desk.given(900, ANNA)
    assert await desk.counted([1]) == {ANNA: 1}
    # The second is not written yet: no card is seen with her, and still it counts.
    assert await desk.counted([2, 3]) == {BORIS: 2}
    assert [one.barred for lead in (2, 3) for one in await desk.known(lead)] == [{str(ANNA): "full"}] * 2
    await desk.given(900, ANNA, state="final")
    assert await desk.shared(4) == ANNA


# --- turns given back


async def test_the_turn_for_junk_is_given_back_once_and_the_next_card_is_free(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS))
    assert await desk.shared(1) == ANNA
    for _ in range(3):
        await desk.arrives(1, Outcome.JUNK)
    assert (await desk.turns(pool)).given_back == {ANNA: 1}
    (one,) = await desk.known(1)
    assert one.given_back_why == "junk"
    assert [await desk.shared(lead) for lead in (2, 3, 4, 5)] == [BORIS, ANNA, ANNA, BORIS]
    assert [one.why for lead in (2, 3, 4) for one in await desk.known(lead)] == ["turn", "free_turn", "turn"]


async def test_a_free_turn_for_junk_is_owed_again(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA))
    for lead in (1, 2, 3):
        assert await desk.shared(lead) == ANNA
        await desk.arrives(lead, Outcome.JUNK)
    assert (await desk.turns(pool)).given_back == {ANNA: 1}
    assert (await desk.turns(pool)).taken == {ANNA: Fraction(1)}


async def test_what_cost_no_turn_is_not_given_back(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS))
    known = {"id": 77, "createdTime": (OPENED - timedelta(days=90)).isoformat(), "assignedById": BORIS}
    assert await desk.shared(1, company=known) == BORIS
    await desk.arrives(1, Outcome.JUNK, company=known)
    assert (await desk.turns(pool)).given_back == {}


async def test_a_card_that_a_person_took_away_is_left_and_its_turn_given_back(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS))
    assert await desk.shared(1) == ANNA
    await desk.given(1, 99)
    for _ in range(2):
        assigned = await desk.arrives(1)
        assert assigned is not None
        assert (assigned.user, assigned.taken_by_person(99)) == (ANNA, True)
    assert (await desk.turns(pool)).given_back == {ANNA: 1}
    assert len(await desk.known(1)) == 1


async def test_a_card_that_a_person_gave_back_to_whose_it_was_is_left_too(desk: Desk) -> None:
    await desk.open_pool(members(ANNA, BORIS))
    assert await desk.shared(1) == ANNA
    await desk.given(1, ROBOT)
    assigned = await desk.arrives(1)
    assert assigned is not None
    assert assigned.taken_by_person(ROBOT)


# --- passing on


async def test_a_card_passes_on_to_everybody_once_and_then_stays(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS, VERA, GLEB))
    assert await desk.shared(1) == ANNA
    await desk.away(VERA)
    went = []
    for _ in range(2):
        passed = await desk.passes_on(1)
        assert passed.user_id is not None
        await desk.given(1, passed.user_id)
        went.append(passed.user_id)
    assert went == [BORIS, GLEB]
    last = await desk.passes_on(1)
    assert (last.user_id, last.why) == (None, None)
    assert last.barred == {str(ANNA): "had_it", str(BORIS): "had_it", str(VERA): "absent", str(GLEB): "had_it"}
    assert (await desk.turns(pool)).given_back == {ANNA: 1, BORIS: 1}, "taken from them; it is still Gleb's"
    assigned = await desk.arrives(1)
    assert assigned is not None
    assert (assigned.user, assigned.from_user) == (None, GLEB)


async def test_whoever_had_it_by_a_persons_hand_is_passed_over_too(desk: Desk) -> None:
    await desk.open_pool(members(ANNA, BORIS, VERA))
    assert await desk.shared(1) == ANNA
    await desk.given(1, BORIS)
    assert (await desk.passes_on(1)).user_id == VERA


async def test_one_breach_passes_on_once(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS, VERA))
    assert await desk.shared(1) == ANNA
    first = await desk.passes_on(1, occasion="breach:1")
    assert await desk.passes_on(1, occasion="breach:1") == first
    assert (await desk.turns(pool)).taken == {ANNA: Fraction(1), BORIS: Fraction(1)}
    await desk.given(1, BORIS)
    assert (await desk.passes_on(1, occasion="breach:2")).user_id == VERA


async def _deal(desk: Desk, deal: int, *, lead: int | None, owner: int, grade: str = "AAA") -> cards.CardKey:
    """A deal as its first run has left it."""
    key = cards.CardKey(desk.portal_id, 2, deal)
    async with desk.database.writing() as session:
        await cards.save(session, key, assigned_by_id=owner, state="open", judged_at=desk.now)
        await session.execute(
            text(
                "INSERT INTO deal_figures (portal_id, card_id, lead_id, created_at, ending, pipeline, grade) "
                "VALUES (:portal, :deal, :lead, :made, 'open', 0, :grade)"
            ),
            {"portal": desk.portal_id, "deal": deal, "lead": lead, "made": desk.now, "grade": grade},
        )
    return key


async def test_a_deal_passes_on_in_the_pool_of_its_lead(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA, BORIS, VERA))
    assert await desk.shared(1) == ANNA
    await desk.given(1, BORIS)
    deal = await _deal(desk, 41, lead=1, owner=BORIS)
    async with desk.database.writing() as session:
        passed = await pass_on(session, deal, why="breach", at=desk.now, owner=BORIS, occasion="breach:1")
    assert (passed.user_id, passed.pool_id) == (VERA, pool.id), "Anna had the lead, Boris has the deal"
    assert (await desk.turns(pool)).given_back == {ANNA: 1}


async def test_a_deal_passes_on_in_its_own_pool_first(desk: Desk) -> None:
    await desk.open_pool(members(ANNA, BORIS))
    assert await desk.shared(1) == ANNA
    for grade in ("BBB", "AAA"):
        await desk.open_pool(members(VERA, GLEB), name=grade, entity=Entity.DEAL, takes={"grades": [grade]})
    deal = await _deal(desk, 41, lead=1, owner=VERA)
    async with desk.database.writing() as session:
        passed = await pass_on(session, deal, why="breach", at=desk.now, owner=VERA)
        names = await pools.names(session, desk.portal_id)
    assert (passed.user_id, names[passed.pool_id or 0]) == (GLEB, "AAA"), "a member had it before any pool gave it"


async def test_a_card_of_no_pool_stays_and_that_is_kept(desk: Desk) -> None:
    passed = await desk.passes_on(1, owner=99, occasion="breach:1")
    assert (passed.user_id, passed.pool_id, passed.from_user) == (None, None, 99)
    assert await desk.passes_on(1, owner=99, occasion="breach:1") == passed


async def test_nobody_there_holds_the_card_and_tries_again(desk: Desk) -> None:
    pool = await desk.open_pool(members(ANNA))
    await desk.away(ANNA, hours=1)
    assigned = await desk.arrives(1)
    assert assigned is not None
    assert assigned.user is None
    assert (await desk.arrives(1)) == assigned, "asked again, the same answer"
    async with desk.database.reading() as session:
        due = await session.scalar(text("SELECT due_at FROM timers WHERE card_id = 1 AND reason = 'nobody_free'"))
    assert due == desk.now + timedelta(minutes=15)
    desk.now += timedelta(hours=2)
    assert await desk.shared(1) == ANNA
    assert (await desk.turns(pool)).taken == {ANNA: Fraction(1)}
    assert [one.user_id for one in await desk.known(1)] == [ANNA]
