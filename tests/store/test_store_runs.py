"""Runs: written before the writes, closed once, and told as a story."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from app.store import runs
from app.store.cards import CardKey
from app.store.runs import NewRun, PlannedAction

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MOVE = PlannedAction("lead-17:move:JUNK", "move", {"stage": "JUNK"})
COMMENT = PlannedAction("lead-17:comment:abc", "comment", {"text": "why"})


def _run(card: CardKey, moved_time: str | None = "2026-01-05T12:00:00+03:00", **more) -> NewRun:
    return NewRun(
        card=card,
        mode="live",
        seen={"stage": "NEW", "moved_time": moved_time},
        facts={"steam": "3.5"},
        facts_digest="d1",
        **{"opened_at": datetime(2026, 1, 5, 9, 0, tzinfo=UTC), **more},
    )


async def test_open_run_keeps_everything(write_session, lead):
    new = _run(lead, verdict={"outcome": "junk"}, plan={"held": []}, ruleset_version=3, journal_id=9, opened_at=NOW)
    run_id = await runs.open_run(write_session, new, [MOVE, COMMENT])
    run = await runs.get(write_session, run_id)
    assert (run.card, run.mode, run.status, run.opened_at, run.closed_at) == (lead, "live", "open", NOW, None)
    assert (run.seen, run.facts, run.facts_digest) == (dict(new.seen), {"steam": "3.5"}, "d1")
    assert (run.verdict, run.plan, run.ruleset_version, run.journal_id) == ({"outcome": "junk"}, {"held": []}, 3, 9)
    actions = await runs.actions_of(write_session, run_id)
    assert [(one.position, one.key, one.kind, one.payload, one.state) for one in actions] == [
        (0, MOVE.key, "move", {"stage": "JUNK"}, "planned"),
        (1, COMMENT.key, "comment", {"text": "why"}, "planned"),
    ]
    assert await runs.get(write_session, run_id + 1) is None


async def test_two_actions_with_one_key_are_refused(write_session, lead):
    with pytest.raises(IntegrityError, match="uq_actions_run_id_key"):
        async with write_session.begin_nested():
            await runs.open_run(write_session, _run(lead), [MOVE, MOVE])


async def test_actions_are_started_and_finished(write_session, lead):
    run_id = await runs.open_run(write_session, _run(lead), [MOVE, COMMENT, PlannedAction("k3", "todo", {})])
    await runs.progress(write_session, run_id, starting=[MOVE.key, COMMENT.key])
    ended = [
        runs.FinishedAction(MOVE.key, result={"id": 5}),
        runs.FinishedAction(COMMENT.key, "failed", error="no\x00"),
    ]
    await runs.progress(write_session, run_id, finished=ended)
    move, comment, todo = await runs.actions_of(write_session, run_id)
    assert (move.state, move.result, move.error) == ("done", {"id": 5}, None)
    assert move.started_at is not None
    assert move.finished_at is not None
    assert (comment.state, comment.error) == ("failed", "no\ufffd")
    assert (todo.state, todo.started_at) == ("planned", None)


async def test_a_closed_run_stays_as_it_was(write_session, lead):
    run_id = await runs.open_run(write_session, _run(lead))
    await runs.close_run(write_session, run_id, status="done", closed_at=NOW)
    closed = await runs.get(write_session, run_id)
    assert (closed.status, closed.closed_at) == ("done", NOW)
    await runs.close_run(write_session, run_id, status="failed", error="late")
    assert await runs.get(write_session, run_id) == closed


async def test_last_done_action_is_the_newest_of_all_runs(write_session, lead):
    assert await runs.last_done_action(write_session, portal_id=lead.portal_id, key=MOVE.key) is None
    ids = [await runs.open_run(write_session, _run(lead), [MOVE]) for _ in range(3)]
    for run_id in ids[:2]:
        await runs.progress(write_session, run_id, finished=[runs.FinishedAction(MOVE.key, result={"run": run_id})])
    found = await runs.last_done_action(write_session, portal_id=lead.portal_id, key=MOVE.key)
    assert (found.run_id, found.result) == (ids[1], {"run": ids[1]})
    assert await runs.last_done_action(write_session, portal_id=lead.portal_id + 1, key=MOVE.key) is None


async def test_last_run_before_move_counts_runs_cut_off_and_passes_over_the_present_move(write_session, lead):
    async def opened(moved: str | None, *, close: bool = True) -> int:
        run_id = await runs.open_run(write_session, _run(lead, moved))
        if close:
            await runs.close_run(write_session, run_id, status="done")
        return run_id

    async def before(moved: str | None, stage: str = "NEW") -> int | None:
        found = await runs.last_run_before_move(write_session, lead, moved_time=moved, stage=stage)
        return found and found.id

    assert await before("t1") is None
    first = await opened(None)
    second = await opened("t1")
    third = await opened("t2")
    assert await before("t2") == second
    assert await before("t3") == third
    assert await before(None) == third
    assert await before("t2", "JUNK") == third, "moved twice within a second"
    last = await opened("t0", close=False)
    assert await before("t2") == last, "cut off, but it saw the card before the move"
    assert (await runs.last_run(write_session, lead)).id == last
    assert [run.id for run in await runs.open_runs(write_session, lead)] == [last]
    other = CardKey(lead.portal_id, 2, lead.card_id)
    assert await runs.last_run_before_move(write_session, other, moved_time="t2", stage="NEW") is None
    assert first < second


async def test_story_and_latest_are_newest_first(write_session, lead):
    deal = CardKey(lead.portal_id, 2, 5)
    first = await runs.open_run(write_session, _run(lead), [COMMENT, MOVE])
    of_deal = await runs.open_run(write_session, _run(deal), [MOVE])
    second = await runs.open_run(write_session, _run(lead))
    story = await runs.story(write_session, lead)
    assert [chapter.run.id for chapter in story] == [second, first]
    assert [[action.key for action in chapter.actions] for chapter in story] == [[], [COMMENT.key, MOVE.key]]
    assert len(await runs.story(write_session, lead, limit=1)) == 1
    newest = await runs.latest(write_session, portal_id=lead.portal_id)
    assert [run.id for run in newest] == [second, of_deal, first]
    assert [run.id for run in await runs.latest(write_session, portal_id=lead.portal_id, entity_type_id=2)] == [of_deal]
    await runs.close_run(write_session, first, status="abandoned", error="the worker died")
    assert await runs.count_by_status(write_session, portal_id=lead.portal_id) == {"open": 2, "abandoned": 1}
