"""What the sweep keeps: cursors, stage moves, rounds, and which gap everybody has been swept for."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from app.store import cursors, gaps, portals, stage_moves, sweeps
from app.store.cards import CardKey
from app.store.cursors import Cursor
from app.store.stage_moves import StageMove

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 21, tzinfo=UTC)


async def test_a_cursor_is_what_was_saved_last(write_session, portal) -> None:
    assert await cursors.get(write_session, portal.id, "lead.new") is None
    first = Cursor(portal_id=portal.id, source="lead.new", position=5, floor=3, moved_at=NOW)
    await cursors.save(write_session, first)
    window = Cursor(
        portal_id=portal.id, source="lead.new", position=7, since=NOW, through=NOW + timedelta(hours=1), moved_at=NOW
    )
    await cursors.save(write_session, window)
    assert await cursors.get(write_session, portal.id, "lead.new") == window
    assert await cursors.get(write_session, portal.id, "deal.new") is None


def _move(portal, number: int, **changes) -> StageMove:
    told = {
        "portal_id": portal.id,
        "entity_type_id": 2,
        "history_id": number,
        "card_id": 90,
        "type_id": 5,
        "stage_id": "C3:NEW",
        "category_id": 3,
        "semantics": "P",
        "created_time": NOW,
    }
    return StageMove(**told | changes)


async def test_a_hop_is_new_once_and_kept_in_order(write_session, portal) -> None:
    hops = [_move(portal, 3), _move(portal, 1), _move(portal, 2, card_id=91)]
    assert await stage_moves.keep(write_session, hops) == hops
    again = [*hops, _move(portal, 4)]
    assert await stage_moves.keep(write_session, again) == again[-1:]
    assert await stage_moves.keep(write_session, []) == []
    kept = await stage_moves.of_card(write_session, CardKey(portal.id, 2, 90))
    assert [hop.history_id for hop in kept] == [1, 3, 4]


async def test_a_round_fails_and_completes(write_session, portal) -> None:
    await sweeps.begin(write_session, portal.id, now=NOW)
    await sweeps.fail(write_session, portal.id, now=NOW, error="away")
    await sweeps.fail(write_session, portal.id, now=NOW, error="still away")
    failed = await sweeps.get(write_session, portal.id)
    assert (failed.failures, failed.error, failed.complete_at) == (2, "still away", None)
    later = NOW + timedelta(minutes=5)
    await sweeps.begin(write_session, portal.id, now=later)
    await sweeps.complete(write_session, portal.id, now=later + timedelta(seconds=9), gap_id=3)
    done = await sweeps.get(write_session, portal.id)
    assert (done.failures, done.error, done.complete_at, done.gap_id) == (0, None, later, 3)
    assert await sweeps.all_sweeps(write_session) == [done]


async def test_a_gap_is_swept_when_every_enabled_portal_was_swept_since(write_session, portal, box) -> None:
    second = await portals.add(
        write_session, box, webhook=SecretStr("https://second.bitrix24.ru/rest/1/c0de/"), application_tokens=[]
    )
    assert await sweeps.newest_gap(write_session) == 0
    gap = await gaps.note(write_session, noticed_at=NOW, reason="a test")
    assert await sweeps.newest_gap(write_session) == gap
    await sweeps.begin(write_session, portal.id, now=NOW)
    await sweeps.complete(write_session, portal.id, now=NOW, gap_id=gap)
    assert await sweeps.swept_gap(write_session) == 0, "the second portal was never swept"
    await portals.set_enabled(write_session, second.id, enabled=False)
    assert await sweeps.swept_gap(write_session) == gap
