"""The journal: order, lanes, two dispatchers, replay, and what no sender may break."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from app.store import journal
from app.store.journal import NewEntry
from app.store.json_text import json_text, storable_text

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _entry(card_id: int, **more) -> NewEntry:
    return NewEntry(
        **{"source": "webhook", "event": "ONCRMLEADUPDATE", "portal_id": 1, "entity_type_id": 1, "card_id": card_id}
        | more
    )


async def test_append_gives_numbers_in_order_and_keeps_everything(write_session):
    full = _entry(1, change="add", lane=0, body={"a": ["x", 1, None]}, received_at=NOW)
    ids = await journal.append(write_session, [full, NewEntry(source="sweep", event="SWEEP")])
    assert ids == sorted(ids)
    first = await journal.get(write_session, ids[0])
    assert (first.source, first.event, first.portal_id, first.card_id) == ("webhook", "ONCRMLEADUPDATE", 1, 1)
    assert (first.change, first.lane, first.body, first.received_at) == ("add", 0, {"a": ["x", 1, None]}, NOW)
    second = await journal.get(write_session, ids[1])
    assert (second.portal_id, second.body, second.lane, second.dispatched_at) == (None, None, 1, None)
    assert second.received_at.tzinfo is not None
    assert await journal.append(write_session, []) == []
    assert await journal.get(write_session, ids[1] + 100) is None


async def test_unknown_source_is_refused(write_session):
    with pytest.raises(IntegrityError, match="ck_journal_source"):
        async with write_session.begin_nested():
            await journal.append(write_session, [_entry(1, source="rumour")])


async def test_taken_hot_first_then_by_arrival_without_the_rejected(write_session):
    entries = [_entry(1), _entry(2, lane=0), _entry(3, lane=2), _entry(4), _entry(5, rejected="unknown event")]
    await journal.append(write_session, entries)
    taken = await journal.take_undispatched(write_session)
    assert [entry.card_id for entry in taken] == [2, 1, 4, 3]
    assert [entry.card_id for entry in await journal.take_undispatched(write_session, limit=2)] == [2, 1]


async def test_two_dispatchers_never_take_the_same_entry(database):
    async with database.writing() as session:
        await journal.append(session, [_entry(card) for card in range(10)])
    async with database.writing() as one, database.writing() as two:
        first = await journal.take_undispatched(one, limit=6)
        second = await journal.take_undispatched(two, limit=6)
        assert len(first) == 6
        assert len(second) == 4
        assert not {entry.id for entry in first} & {entry.id for entry in second}


async def test_what_a_dead_dispatcher_took_comes_back(database):
    async def die() -> None:
        async with database.writing() as session:
            taken = await journal.take_undispatched(session)
            await journal.mark_dispatched(session, [entry.id for entry in taken])
            raise LookupError

    async with database.writing() as session:
        await journal.append(session, [_entry(1)])
    with pytest.raises(LookupError):
        await die()
    async with database.writing() as session:
        assert len(await journal.take_undispatched(session)) == 1


async def test_dispatched_is_taken_again_only_after_replay(write_session):
    old, new, other = await journal.append(
        write_session,
        [_entry(1, received_at=NOW), _entry(2, received_at=NOW + timedelta(hours=1)), _entry(3, portal_id=2)],
    )
    await journal.mark_dispatched(write_session, [old, new, other])
    assert await journal.take_undispatched(write_session) == []
    span = {"since": NOW, "until": NOW + timedelta(minutes=1)}
    assert await journal.clear_dispatched(write_session, portal_id=1, **span) == 1
    assert [entry.id for entry in await journal.take_undispatched(write_session)] == [old]
    assert await journal.clear_dispatched(write_session, portal_id=1, since=NOW) == 1


async def test_backlog_counts_what_waits(write_session):
    assert await journal.backlog(write_session) == journal.Backlog(0, None)
    await journal.append(write_session, [_entry(1, received_at=NOW), _entry(2), _entry(3, rejected="no")])
    assert await journal.backlog(write_session) == journal.Backlog(2, NOW)


async def test_recent_pages_backwards_and_filters(write_session):
    ids = await journal.append(write_session, [_entry(1), _entry(2, portal_id=2), _entry(3, rejected="no")])
    assert [entry.id for entry in await journal.recent(write_session, limit=2)] == [ids[2], ids[1]]
    assert [entry.id for entry in await journal.recent(write_session, before_id=ids[1])] == [ids[0]]
    assert [entry.id for entry in await journal.recent(write_session, portal_id=2)] == [ids[1]]
    assert [entry.rejected for entry in await journal.recent(write_session, rejected_only=True)] == ["no"]


async def test_prune_spares_what_waits_and_what_is_young(write_session):
    ids = await journal.append(
        write_session,
        [
            _entry(1, received_at=NOW),
            _entry(2, received_at=NOW),
            _entry(3, received_at=NOW, rejected="no"),
            _entry(4, received_at=NOW + timedelta(days=9)),
        ],
    )
    await journal.mark_dispatched(write_session, [ids[0], ids[3]])
    before = NOW + timedelta(days=1)
    assert await journal.prune(write_session, before=before, limit=1) == 1
    assert await journal.prune(write_session, before=before) == 1
    assert [entry.id for entry in await journal.recent(write_session)] == [ids[3], ids[1]]


@pytest.mark.parametrize("nasty", ["a\x00b", "half \ud83d", "back\\u0000slash", "\\\x00", "\udc00\ud800", "🔥"])
async def test_nothing_a_sender_writes_breaks_an_append(write_session, nasty):
    entry = _entry(1, event=nasty, change=nasty, rejected=nasty, body={nasty: [nasty, {"x": nasty}]})
    (number,) = await journal.append(write_session, [entry])
    kept = await journal.get(write_session, number)
    clean = storable_text(nasty)
    assert (kept.event, kept.change, kept.rejected) == (clean, clean, clean)
    assert kept.body == {clean: [clean, {"x": clean}]}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(st.characters()))
def test_storable_text_is_utf8_without_nul_and_settles(text):
    clean = storable_text(text)
    assert "\x00" not in clean
    assert clean.encode().decode() == clean
    assert storable_text(clean) == clean


@given(bodies=st.lists(_json, max_size=5))
@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_json_is_kept(database, bodies):
    async with database.writing() as session:
        ids = await journal.append(session, [_entry(1, body=body) for body in bodies])
        for number, body in zip(ids, bodies, strict=True):
            kept = (await journal.get(session, number)).body
            # Through our own text: NUL and lone surrogates are replaced.
            assert kept == (None if body is None else json.loads(json_text(body)))
