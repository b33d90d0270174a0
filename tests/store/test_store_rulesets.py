"""Rulesets: numbered without gaps, never changed, and the second of two editors is told."""

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.store import rulesets
from app.store.rulesets import RulesetConflict

pytestmark = pytest.mark.anyio


async def _publish(session, portal, edited, **document):
    return await rulesets.publish(
        session, portal_id=portal.id, edited_version=edited, document=document, author="admin", reason="because"
    )


async def test_versions_follow_each_other(write_session, portal):
    assert await rulesets.current(write_session, portal.id) is None
    first = await _publish(write_session, portal, 0, steam="3")
    second = await _publish(write_session, portal, 1, steam="5", list=["MANUFACTURING", None, 1.5])
    assert (first.version, second.version, second.author, second.reason) == (1, 2, "admin", "because")
    assert second.document == {"steam": "5", "list": ["MANUFACTURING", None, 1.5]}
    assert await rulesets.current(write_session, portal.id) == second
    assert await rulesets.get(write_session, portal.id, 1) == first
    assert await rulesets.get(write_session, portal.id, 3) is None
    assert await rulesets.history(write_session, portal.id) == [second, first]
    assert await rulesets.history(write_session, portal.id, limit=1) == [second]


@pytest.mark.parametrize("edited", [0, 2, 7])
async def test_editing_another_than_the_newest_is_a_conflict(write_session, portal, edited):
    await _publish(write_session, portal, 0)
    with pytest.raises(RulesetConflict, match=f"Version 1 .* version {edited} ") as caught:
        await _publish(write_session, portal, edited)
    assert caught.value.current == 1
    assert len(await rulesets.history(write_session, portal.id)) == 1


async def test_of_many_who_publish_at_once_one_wins(database, portal):
    outcomes = []

    async def publish(number: int) -> None:
        try:
            async with database.writing() as session:
                outcomes.append((await _publish(session, portal, 0, by=number)).version)
        except RulesetConflict as conflict:
            outcomes.append(conflict)

    async with anyio.create_task_group() as editors:
        for number in range(6):
            editors.start_soon(publish, number)
    assert [outcome for outcome in outcomes if outcome == 1] == [1]
    assert sum(isinstance(outcome, RulesetConflict) for outcome in outcomes) == 5


@pytest.mark.parametrize("change", ["UPDATE rulesets SET reason = 'x'", "DELETE FROM rulesets"])
async def test_a_published_version_cannot_be_changed(database, portal, change):
    async with database.writing() as session:
        published = await _publish(session, portal, 0)
    with pytest.raises(DBAPIError, match="never changed nor deleted"):
        async with database.writing() as session:
            await session.execute(text(change))
    async with database.reading() as session:
        assert await rulesets.current(session, portal.id) == published
