"""People win: what they moved stays where they put it until new facts decide otherwise."""

import pytest

from tests.story.house import DEAL, LEAD, Story
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio


async def test_a_lead_taken_back_from_junk_stays_until_new_facts_decide_otherwise(story: Story) -> None:
    lead_id = story.add(LEAD, **person(1), **SMALL, **FITS_NOT)
    await story.settled()
    assert story.lead(lead_id)["stageId"] == "JUNK"

    story.edit(LEAD, lead_id, stageId="IN_PROCESS")
    await story.settled()
    story.edit(LEAD, lead_id, comments="Позвонить ещё раз")
    await story.settled()
    assert story.lead(lead_id)["stageId"] == "IN_PROCESS"
    assert story.verdict(lead_id) == "junk", "still judged and explained"
    told = await story.told("lead", lead_id)
    assert told["runs"][0]["held"], "and the admin sees why it was not moved"

    # Other facts, the same outcome: still the person's word.
    story.edit(LEAD, lead_id, UF_CRM_OGON_STEAM_TPH=2)
    await story.settled()
    assert story.lead(lead_id)["stageId"] == "IN_PROCESS"
    assert "2" in story.lead(lead_id)["UF_CRM_OGON_WHY"]

    story.edit(LEAD, lead_id, **TARGET, **FITS)
    await story.settled()
    assert story.lead(lead_id)["stageId"] == "CONVERTED"
    assert len(story.deals_of(lead_id)) == 1


async def test_what_people_closed_or_moved_before_we_looked_is_recorded_not_moved(story: Story) -> None:
    await story.stop_worker()
    junked = story.add(LEAD, **person(1), **TARGET, **FITS)
    story.edit(LEAD, junked, stageId="JUNK")
    converted = story.add(LEAD, **person(2), **SMALL, **FITS_NOT)
    story.edit(LEAD, converted, stageId="CONVERTED")
    in_work = story.add(LEAD, **person(3), **SMALL, **FITS_NOT)
    story.edit(LEAD, in_work, stageId="IN_PROCESS")
    story.start_worker()
    await story.settled()

    assert (story.lead(junked)["stageId"], story.verdict(junked)) == ("JUNK", "deal")
    assert (story.lead(converted)["stageId"], story.verdict(converted)) == ("CONVERTED", "junk")
    assert story.portal.items(DEAL) == []
    assert story.lead(junked)["UF_CRM_OGON_WHY"]
    assert story.comments(LEAD, junked) == story.todos(LEAD, junked) == []
    # The first sight of an open lead has no "before" that a person could have overruled.
    assert story.lead(in_work)["stageId"] == "JUNK"


async def test_a_deal_that_a_person_moved_is_graded_but_not_moved(story: Story) -> None:
    declined = story.add(DEAL, title="Мало", UF_CRM_OGON_MARGIN=10)
    fine = story.add(DEAL, title="Хватает", UF_CRM_OGON_MARGIN=50_000)
    await story.settled()
    assert story.item(DEAL, declined)["stageId"] == "LOSE"

    story.edit(DEAL, declined, stageId="PREPARATION")
    story.edit(DEAL, fine, stageId="EXECUTING")
    await story.settled()
    assert story.item(DEAL, declined)["stageId"] == "PREPARATION"
    story.edit(DEAL, declined, UF_CRM_OGON_NEED="yes")
    await story.settled()
    assert story.item(DEAL, declined)["stageId"] == "PREPARATION", "declined as before"
    assert story.grade(declined) == "CCC"

    # Fine for a while, then declined as before: the person has overruled that decision once.
    story.edit(DEAL, declined, UF_CRM_OGON_MARGIN=50_000)
    await story.settled()
    story.edit(DEAL, declined, UF_CRM_OGON_MARGIN=20)
    story.edit(DEAL, fine, UF_CRM_OGON_MARGIN=20)
    await story.settled()
    assert story.item(DEAL, declined)["stageId"] == "PREPARATION"
    assert story.item(DEAL, fine)["stageId"] == "LOSE", "new facts decide otherwise than before the person's move"


async def test_our_junk_is_taken_back_when_the_facts_change(story: Story) -> None:
    asked, fine, reviewed = (story.add(LEAD, **person(number), **SMALL, **FITS_NOT) for number in range(3))
    story.edit(LEAD, asked, stageId="IN_PROCESS")
    await story.settled()
    assert {story.lead(one)["stageId"] for one in (asked, fine, reviewed)} == {"JUNK"}

    story.edit(LEAD, asked, **{**TARGET, "UF_CRM_OGON_TURNOVER": None})
    story.edit(LEAD, fine, **TARGET, **FITS)
    story.edit(LEAD, reviewed, **FITS)
    await story.settled()
    assert (story.lead(asked)["stageId"], story.verdict(asked)) == ("IN_PROCESS", "needs_data")
    assert len(story.todos(LEAD, asked)) == 1
    assert story.lead(fine)["stageId"] == "CONVERTED"
    assert len(story.deals_of(fine)) == 1
    assert (story.lead(reviewed)["stageId"], story.verdict(reviewed)) == ("NEW", "review")

    story.edit(LEAD, asked, **SMALL)
    await story.settled()
    assert story.lead(asked)["stageId"] == "JUNK", "we moved it last, so it may go back and forth"
    assert story.todos(LEAD, asked) == []


async def test_a_converted_lead_is_never_undone(story: Story) -> None:
    lead_id = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.settled()
    story.edit(LEAD, lead_id, **SMALL, **FITS_NOT)
    await story.settled()
    assert story.lead(lead_id)["stageId"] == "CONVERTED"
    assert len(story.deals_of(lead_id)) == 1


async def test_a_robot_that_moves_the_card_back_is_given_way_to(story: Story) -> None:
    moved: list[str] = []

    def contrary(move) -> None:
        if (move.entity_type_id, move.after) == (LEAD, "JUNK"):
            moved.append(move.after)
            story.portal.ui_update(LEAD, move.id, {"stageId": "NEW"}, 1)

    story.portal.robots.append(contrary)
    lead_id = story.add(LEAD, **person(1), **SMALL, **FITS_NOT)
    for _ in range(3):
        await story.settled()
        story.edit(LEAD, lead_id, comments=f"Правка {len(moved)}")
    await story.settled()
    assert 1 <= len(moved) <= 5
    assert story.lead(lead_id)["stageId"] == "NEW"
    # The first run says what the portal did not do; the next takes it for somebody's will.
    told = await story.told("lead", lead_id)
    assert any("JUNK" in (run["error"] or "") for run in told["runs"])
    assert told["runs"][0]["held"]


async def test_a_move_whose_answer_was_lost_does_not_undo_what_a_person_did_meanwhile(story: Story) -> None:
    def disagrees(move) -> None:
        if move.after == "JUNK":
            story.fault("drop_after_write", "crm.item.update")
            story.edit(LEAD, move.id, stageId="IN_PROCESS")

    story.portal.robots.append(disagrees)
    lead_id = story.add(LEAD, **person(1), **SMALL, **FITS_NOT)
    await story.settled()
    await story.time_passes()
    await story.settled()
    stages = [row["STATUS_ID"] for row in story.portal.history(LEAD, lead_id)]
    assert stages == ["NEW", "JUNK", "IN_PROCESS"]
    assert story.verdict(lead_id) == "junk"
    assert len(story.comments(LEAD, lead_id)) == 1
