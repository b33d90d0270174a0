"""The effect of a version: computed once, after 14 days, beside the forecast and the version before."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from app.domain.ruleset import DEFAULT
from app.store import cards, effects, rejudging, rulesets, runs
from app.store.cards import CardKey
from app.store.models import ReplayRow, RulesetRow
from app.store.ruleset_document import ruleset_to_document
from app.store.runs import NewRun

pytestmark = pytest.mark.anyio

DOCUMENT = ruleset_to_document(DEFAULT)
STRICTER = {**DOCUMENT, "urgency_days": 10}
FIRST = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = FIRST + timedelta(days=40)
DAY = timedelta(days=1)


async def _publish(database, portal, version, document, when) -> None:
    """What `rulesets.publish` would have left behind some time ago."""
    async with database.writing() as session:
        values = {"portal_id": portal.id, "version": version, "document": document, "author": "a", "reason": "r"}
        await session.execute(insert(RulesetRow).values(**values, created_at=when))
        await rejudging.note_due(session, portal.id, version)
        await effects.keep_forecast(session, portal.id, version, document)


async def _judge(database, card: CardKey, version: int, result: str, when, *, declined=False, status="done") -> None:
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
        opened_at=when,
        verdict=verdict,
        ruleset_version=version,
    )
    async with database.writing() as session:
        known = await cards.get(session, card)
        run_id = await runs.open_run(session, run)
        await runs.close_run(session, run_id, status=status)
        seen = {} if known else {"first_seen_at": when}
        await cards.save(session, card, last_run_id=run_id, **seen)


async def _replayed(database, portal, draft, *, state="done", tally=None) -> int:
    async with database.writing() as session:
        values = {"portal_id": portal.id, "draft": draft, "since": FIRST - 30 * DAY, "until": FIRST}
        made = insert(ReplayRow).values(**values, asked_by="admin", state=state, tally=tally or {})
        return (await session.execute(made.returning(ReplayRow.id))).scalar_one()


async def _effect(database, portal, version):
    async with database.reading() as session:
        return await effects.get(session, portal.id, version)


async def test_fact_previous_and_forecast(database, portal):
    await _publish(database, portal, 1, DOCUMENT, FIRST)
    tally = {"cells": [[1, "junk", "deal", 4], [1, "junk", "junk", 6]], "gaps": {"rows_not_read": 2}}
    made = await _replayed(database, portal, {**STRICTER, "version": 1}, tally=tally)
    await _replayed(database, portal, DOCUMENT, tally={"cells": [[1, "deal", "deal", 1]]})
    await _replayed(database, portal, STRICTER, state="cancelled")
    await _publish(database, portal, 2, STRICTER, SECOND)
    lead, deal, old = CardKey(portal.id, 1, 1), CardKey(portal.id, 2, 1), CardKey(portal.id, 1, 2)
    await _judge(database, old, 1, "junk", SECOND - 15 * DAY)  # too long ago
    await _judge(database, old, 1, "review", SECOND - 13 * DAY)
    await _judge(database, deal, 1, "CCC", SECOND - DAY, declined=True)
    for result, when in (("needs_data", SECOND), ("junk", SECOND + DAY), ("deal", SECOND + 15 * DAY)):
        await _judge(database, lead, 2, result, when)
    await _judge(database, deal, 2, "AAA", SECOND + DAY, status="failed")
    await _judge(database, old, 2, "company", SECOND + 13 * DAY)
    async with database.writing() as session:
        await session.execute(text('UPDATE rejudgings SET judged = 7, changes = \'[[1, "junk", "deal", 3]]\''))

    assert await effects.step(database, now=SECOND + 14 * DAY - timedelta(seconds=1)) == 1, "only the first is due"
    waiting = await _effect(database, portal, 2)
    assert waiting is not None
    assert (waiting.due_at, waiting.computed_at, waiting.document) == (SECOND + 14 * DAY, None, None)
    assert waiting.forecast == {
        "replay": made,
        "since": (FIRST - 30 * DAY).isoformat(),
        "until": FIRST.isoformat(),
        "cells": [[1, "junk", "deal", 4], [1, "junk", "junk", 6]],
        "not_compared": 2,
    }

    now = SECOND + 20 * DAY
    assert await effects.step(database, now=now) == 1
    told = await _effect(database, portal, 2)
    assert told is not None
    assert told.computed_at == now
    assert told.document == {
        "fact": {
            "version": 2,
            "since": SECOND.isoformat(),
            "until": (SECOND + 14 * DAY).isoformat(),
            "counts": [[1, "company", 1, 0], [1, "junk", 1, 1], [2, "AAA", 1, 0]],
        },
        "previous": {
            "version": 1,
            "since": (SECOND - 14 * DAY).isoformat(),
            "until": SECOND.isoformat(),
            "counts": [[1, "review", 1, 0], [2, "CCC_declined", 1, 1]],
        },
        "rejudged": {"judged": 7, "changed": 3},
    }


async def test_what_is_missing_is_told_as_missing(database, portal):
    await _publish(database, portal, 1, DOCUMENT, FIRST)
    await _publish(database, portal, 2, STRICTER, FIRST + 3 * DAY)
    async with database.writing() as session:
        await session.execute(text("DELETE FROM rejudgings"))
    assert await effects.step(database, now=FIRST + 60 * DAY) == 2
    first, second = await _effect(database, portal, 1), await _effect(database, portal, 2)
    assert first is not None
    assert second is not None
    assert first.forecast is second.forecast is None
    assert (first.document or {})["previous"] is None
    assert (first.document or {})["fact"]["until"] == (FIRST + 3 * DAY).isoformat(), "replaced after three days"
    assert (second.document or {})["rejudged"] is None
    assert (second.document or {})["previous"]["since"] == FIRST.isoformat()
    assert await _effect(database, portal, 3) is None


async def test_publishing_keeps_the_forecast(database, portal):
    made = await _replayed(database, portal, DOCUMENT)
    async with database.writing() as session:
        published = await rulesets.publish(
            session, portal_id=portal.id, edited_version=0, document=DOCUMENT, author="a", reason="r"
        )
    told = await _effect(database, portal, 1)
    assert told is not None
    assert told.forecast is not None
    assert (told.due_at, told.forecast["replay"]) == (published.created_at + 14 * DAY, made)


async def test_an_effect_is_written_once(database, portal):
    await _publish(database, portal, 1, DOCUMENT, FIRST)
    assert await effects.step(database, now=FIRST + 14 * DAY) == 1
    await _judge(database, CardKey(portal.id, 1, 1), 1, "junk", FIRST + DAY)
    assert await effects.step(database, now=FIRST + 15 * DAY) == 0
    told = await _effect(database, portal, 1)
    assert told is not None
    assert told.computed_at == FIRST + 14 * DAY
    for statement in ("UPDATE ruleset_effects SET document = '{}'", "DELETE FROM ruleset_effects"):
        with pytest.raises(DBAPIError, match="never changed"):
            async with database.writing() as session:
                await session.execute(text(statement))
