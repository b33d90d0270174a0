"""Shadow mode: everything is judged and recorded, and the portal stays as it was, to the byte."""

import pytest

from tests.story.house import DEAL, LEAD, Story
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio


async def test_in_shadow_mode_the_portal_is_left_as_it_is(story: Story) -> None:
    await story.restart_worker(mode="shadow")
    target, junk, asked = (
        story.add(LEAD, **person(number), **fields)
        for number, fields in enumerate(({**TARGET, **FITS}, {**SMALL, **FITS_NOT}, {}))
    )
    deal = story.add(DEAL, title="Мало", UF_CRM_OGON_MARGIN=10)
    before = story.snapshot()
    await story.settled()

    assert story.snapshot() == before
    told = {one: await story.told("lead", one) for one in (target, junk, asked)}
    assert [told[one]["card"]["outcome"] for one in told] == ["deal", "junk", "needs_data"]
    assert (await story.told("deal", deal))["current"]["verdict"]["declined"] is True
    run = told[target]["runs"][0]
    assert (run["mode"], run["status"]) == ("shadow", "done")
    kinds = [action["kind"] for action in run["actions"]]
    assert kinds.count("create") == 3, "what would be done is written down"
    assert {action["state"] for action in run["actions"]} == {"planned"}
    assert told[target]["card"]["state"] == "open"

    # Gone live, the same cards are brought to where they belong.
    await story.restart_worker(mode="live")
    for one in told:
        await story.replay("lead", one)
    await story.settled()
    assert [story.verdict(one) for one in told] == ["deal", "junk", "needs_data"]
    assert story.lead(target)["stageId"] == "CONVERTED"
    assert len(story.deals_of(target)) == 1
