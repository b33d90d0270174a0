"""Cards: one row each, set in parts, listed and counted as the screens ask."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest
from sqlalchemy.exc import IntegrityError

from app.store import cards
from app.store.cards import CardCounts, CardFilter, CardKey

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


async def test_save_makes_the_card_and_later_sets_only_what_is_given(write_session, lead):
    assert await cards.get(write_session, lead) is None
    made = await cards.save(write_session, lead, title="Pump\x00", why={"template": "x"}, moved_time=NOW)
    assert (made.key, made.title, made.state, made.attempts) == (lead, "Pump\ufffd", "open", 0)
    changed = await cards.save(write_session, lead, outcome="deal", title=None)
    assert (changed.title, changed.outcome, changed.why, changed.moved_time) == (None, "deal", {"template": "x"}, NOW)
    assert changed.first_seen_at == made.first_seen_at
    assert await cards.get(write_session, lead) == changed


async def test_save_without_values_makes_or_keeps(write_session, lead):
    made = await cards.save(write_session, lead)
    assert await cards.save(write_session, lead) == made


async def test_unknown_state_is_refused(write_session, lead):
    with pytest.raises(IntegrityError, match="ck_cards_state"):
        async with write_session.begin_nested():
            await cards.save(write_session, lead, state="lost")


async def test_attempts_are_counted_by_all_who_fail_at_once(database, lead):
    async def fail() -> None:
        async with database.writing() as session:
            await cards.count_attempt(session, lead)

    async with anyio.create_task_group() as workers:
        for _ in range(5):
            workers.start_soon(fail)
    async with database.writing() as session:
        assert await cards.count_attempt(session, lead) == 6


async def test_parked_waits_for_a_person(write_session, lead):
    await cards.count_attempt(write_session, lead)
    parked = await cards.park(write_session, lead, reason="the portal says no")
    assert (parked.state, parked.parked_reason, parked.attempts) == ("parked", "the portal says no", 1)
    freed = await cards.unpark(write_session, lead)
    assert (freed.state, freed.parked_reason, freed.attempts) == ("open", None, 0)


@pytest.fixture
async def listed(write_session, portal):
    def key(number: int, kind: int = 1) -> CardKey:
        return CardKey(portal.id, kind, number)

    later = [NOW + timedelta(minutes=minutes) for minutes in range(5)]
    await cards.save(write_session, key(1), title="Паровой котёл", outcome="deal", judged_at=later[0], assigned_by_id=7)
    await cards.save(write_session, key(2), title="100% труба", outcome="junk", judged_at=later[3], company_id=4)
    await cards.save(write_session, key(3), outcome="junk", judged_at=later[2], state="final")
    await cards.save(write_session, key(4))
    await cards.save(write_session, key(1, 2), grade="AAA", judged_at=later[1], assigned_by_id=7)
    return write_session


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({}, [(1, 2), (1, 3), (2, 1), (1, 1), (1, 4)], id="last judged first, never judged last"),
        pytest.param({"entity_type_id": 2}, [(2, 1)], id="kind"),
        pytest.param({"outcome": "junk"}, [(1, 2), (1, 3)], id="outcome"),
        pytest.param({"outcome": "junk", "state": "final"}, [(1, 3)], id="outcome and state"),
        pytest.param({"grade": "AAA"}, [(2, 1)], id="grade"),
        pytest.param({"assigned_by_id": 7}, [(2, 1), (1, 1)], id="responsible"),
        pytest.param({"company_id": 4}, [(1, 2)], id="company"),
        pytest.param({"title": "КОТЁЛ"}, [(1, 1)], id="title in any case, Cyrillic too"),
        pytest.param({"title": "0%"}, [(1, 2)], id="title with a wildcard letter"),
        pytest.param({"title": "_"}, [], id="no wildcard"),
    ],
)
async def test_list_and_count_agree(listed, portal, wanted, found):
    asked = CardFilter(portal_id=portal.id, **wanted)
    got = await cards.list_cards(listed, asked)
    assert [(card.entity_type_id, card.card_id) for card in got] == found
    assert await cards.count_cards(listed, asked) == len(found)


async def test_list_pages(listed, portal):
    asked = CardFilter(portal_id=portal.id)
    pages = [await cards.list_cards(listed, asked, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [card for page in pages for card in page] == await cards.list_cards(listed, asked)


async def test_another_portal_sees_nothing(listed, portal):
    assert await cards.list_cards(listed, CardFilter(portal_id=portal.id + 1)) == []


async def test_counts_by_value(listed, portal):
    assert await cards.counts(listed, portal_id=portal.id) == CardCounts(
        outcomes={"deal": 1, "junk": 2}, grades={"AAA": 1}, states={"open": 4, "final": 1}
    )
    assert (await cards.counts(listed, portal_id=portal.id, entity_type_id=2)).outcomes == {}
