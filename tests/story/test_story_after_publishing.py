"""What follows a change of the rules, and the second look at what they reject: as people in the portal see it."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.ruleset import Nomenclature
from app.pipeline.connections import Connections
from app.pipeline.second_looks import SecondLooks
from app.store import rejudging, second_looks
from app.store.second_looks import LookFilter
from app.store.secret_box import secret_box
from tests.story.house import DEAL, LEAD, Story
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def test_new_rules_judge_open_leads_again_and_give_way_to_people(story: Story) -> None:
    untouched, unchanged = story.add(LEAD, **person(1), **SMALL, **FITS), story.add(LEAD, **person(2), **TARGET)
    moved, closed = story.add(LEAD, **person(3), **SMALL, **FITS), story.add(LEAD, **person(4), **SMALL, **FITS_NOT)
    await story.settled()
    assert [story.verdict(one) for one in (untouched, moved, unchanged)] == ["review", "review", "needs_data"]
    story.edit(LEAD, moved, stageId="IN_PROCESS")
    await story.settled()
    comments = len(story.comments(LEAD, unchanged))

    await story.publish(fitting_request_of_no_client="junk", nomenclature=Nomenclature(terms=("паровой насос",)))
    await story.until(lambda: _finished(story, version=2))
    await story.settled()

    assert (story.verdict(untouched), story.lead(untouched)["stageId"]) == ("junk", "JUNK")
    assert (story.verdict(moved), story.lead(moved)["stageId"]) == ("junk", "IN_PROCESS"), "people win"
    assert story.lead(closed)["stageId"] == "JUNK"
    assert len(story.comments(LEAD, unchanged)) == comments
    told = await story.told("lead", unchanged)
    assert (told["runs"][0]["ruleset_version"], told["runs"][0]["actions"]) == (2, []), "an empty plan"
    async with story.database.reading() as session:
        done = await rejudging.progress(session, story.portal_id)
    assert done is not None
    assert (done.total, done.judged, done.changed) == (3, 3, 2), "the closed lead is left alone"
    assert done.changes == (rejudging.Change(LEAD, "review", "junk", 2),)


async def test_some_rejections_are_looked_at_again_by_the_head(story: Story) -> None:
    wrong, right, by_api = (story.add(LEAD, **person(number), **SMALL, **FITS_NOT) for number in range(3))
    nurtured = story.add(LEAD, **person(3), **TARGET, **FITS_NOT)
    story.add(LEAD, **person(4), **TARGET, **FITS)
    await story.settled()
    everyone = (wrong, right, by_api, nurtured)
    assert all(story.todos(LEAD, one) == [] for one in everyone)
    clock = [datetime.now(UTC) + 7 * DAY]
    async with Connections(story.database, secret_box(story.settings), clock=lambda: clock[0]) as connections:
        looks = SecondLooks(story.database, connections, 10, now=lambda: clock[0], seed=lambda: 5)
        story.fault("drop_after_write", "crm.activity.todo.add")
        await looks.step()
        await looks.step()
        await story.settled()
        await story.time_passes()
        await story.settled()
        asked = {one: story.todos(LEAD, one) for one in everyone}
        assert [len(todos) for todos in asked.values()] == [1, 1, 1, 1], "once each, though an answer was lost"
        assert {todo["RESPONSIBLE_ID"] for todos in asked.values() for todo in todos} == {_head(story)}

        story.edit(LEAD, wrong, stageId="IN_PROCESS")
        story.portal.ui_complete_activity(int(asked[right][0]["ID"]))
        await story.settled()
        story.fault("error", "crm.activity.list", code="INSUFFICIENT_SCOPE", status=403)
        await looks.step()
        assert set((await _answers(story)).values()) == {None}, "what cannot be read is not known"
        await looks.step()
        clock[0] += DAY
        await looks.step()
        assert await _answers(story) == {wrong: "wrong", right: "right", by_api: None, nurtured: None}

        (look,) = [one for one in await _looks(story) if one.card_id == by_api]
        async with story.database.writing() as session:
            await second_looks.answer(session, look.id, "wrong", who="head", why="A plant, not a shop", now=clock[0])
        await story.settled()
        assert [story.todos(LEAD, one) for one in (wrong, right, by_api)] == [[], [], []], "nothing is left to answer"
        assert story.lead(wrong)["stageId"] == "IN_PROCESS"
        assert story.lead(by_api)["stageId"] == "JUNK", "an answer changes figures, not the lead"

        # The head corrects the facts: the lead's own deal is made by judging it again, as ever.
        story.edit(LEAD, by_api, **TARGET, **FITS)
        await story.settled()
        assert story.lead(by_api)["stageId"] == "CONVERTED"
        assert len(story.deals_of(by_api)) == 1


async def test_in_shadow_mode_nobody_is_asked(story: Story) -> None:
    await story.restart_worker(mode="shadow")
    lead = story.add(LEAD, **person(1), **SMALL, **FITS_NOT)
    await story.settled()
    before = story.snapshot()
    clock = datetime.now(UTC) + 7 * DAY
    async with Connections(story.database, secret_box(story.settings), clock=lambda: clock) as connections:
        await SecondLooks(story.database, connections, 10, now=lambda: clock, seed=lambda: 5).step()
    await story.settled()
    assert story.snapshot() == before
    assert [look.card_id for look in await _looks(story)] == [lead]
    planned = (await story.told("lead", lead))["runs"][0]["actions"]
    assert [one["state"] for one in planned if one["kind"] == "todo"] == ["planned"]
    assert story.portal.items(DEAL) == []


def _head(story: Story) -> str:
    """The head of the department of the person who made the leads."""
    people = story.portal.world.people
    return str(people.departments[people.users[12].department].head)


async def _finished(story: Story, version: int) -> bool:
    async with story.database.reading() as session:
        told = await rejudging.progress(session, story.portal_id, version)
    return told is not None and told.state == "finished"


async def _looks(story: Story) -> list[second_looks.SecondLook]:
    async with story.database.reading() as session:
        return await second_looks.page(session, LookFilter(portal_id=story.portal_id), limit=50, offset=0)


async def _answers(story: Story) -> dict[int, str | None]:
    return {look.card_id: look.answer for look in await _looks(story)}
