"""The echo of our own writes dies out, and deliveries may come twice, late, in any order, in bursts."""

import asyncio
import random

import pytest

from app.web.admission import robot_path
from app.worker import STEADY
from tests.story.house import COMPANY, CONTACT, DEAL, LEAD, NAMES, Story
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio

_KINDS = ((TARGET, FITS), (TARGET, FITS_NOT), (SMALL, FITS_NOT), (SMALL, FITS), ({}, {}))


@pytest.mark.long
async def test_what_is_right_already_is_left_alone_however_often_it_is_told(story: Story) -> None:
    for number, (client, request) in enumerate(_KINDS):
        story.add(LEAD, **person(number), **client, **request)
    story.add(DEAL, title="Мало", UF_CRM_OGON_MARGIN=10)
    await story.settled()
    before = story.snapshot()
    story.portal.reset_stats()

    dice = random.Random(7)
    told = [
        (kind, item["id"], change)
        for kind in NAMES
        for item in story.portal.items(kind)
        for change in ("ADD", "UPDATE", "UPDATE")
    ]
    dice.shuffle(told)
    path = robot_path(story.settings.secret_key.get_secret_value(), story.portal_id)
    for kind, item_id, change in told:
        assert await story.deliver(kind, item_id, change) == 200
        if kind in {LEAD, DEAL}:
            robot = {"document_id[2]": f"{NAMES[kind]}_{item_id}"}
            assert (await story.http.post(path, data=robot)).status_code == 200
    await story.settled()

    assert story.snapshot() == before
    commands = story.portal.stats.commands
    assert commands.keys() & {"crm.item.list", "crm.item.get"}, "the cards were read again"
    assert not [name for name in commands if name.endswith((".add", ".update", ".set", ".delete"))]
    for kind in (LEAD, DEAL):
        for item in story.portal.items(kind):
            last = (await story.told(NAMES[kind].lower(), item["id"]))["runs"][0]
            assert (last["actions"], last["status"]) == ([], "done")


async def test_a_burst_for_one_card_is_judged_once_or_twice(story: Story) -> None:
    await story.restart_worker(STEADY)
    lead_id = story.add(LEAD, **person(1), **SMALL, **FITS)
    await story.settled()
    before = len((await story.told("lead", lead_id))["runs"])

    answers = await asyncio.gather(*(story.deliver(LEAD, lead_id) for _ in range(30)))
    await story.settled()

    assert set(answers) == {200}
    told = await story.told("lead", lead_id)
    assert len(told["runs"]) - before in {1, 2}
    assert sum(hint["source"] == "webhook" for hint in told["hints"]) >= 30, "each delivery is written down"


async def test_events_that_come_late_twice_or_before_their_save_do_no_harm(story: Story) -> None:
    story.portal.delivery.duplicate_rate = 1.0
    story.portal.delivery.delay = 0.4
    expected = story.portal.world.stores[LEAD].ids[-1:] or [0]
    assert await story.deliver(LEAD, expected[0] + 2, "ADD") == 200  # the second lead's event is the first to come
    leads = [story.add(LEAD, **person(number), **TARGET, **FITS) for number in range(3)]
    await story.settled()

    for lead_id in leads:
        assert story.verdict(lead_id) == "deal"
        assert len(story.deals_of(lead_id)) == 1
        assert len(story.comments(LEAD, lead_id)) == 1
    assert len(story.portal.items(COMPANY)) == len(story.portal.items(CONTACT)) == 3


@pytest.mark.long
async def test_an_argument_with_another_program_over_our_fields_ends(story: Story) -> None:
    lead_id = story.add(LEAD, **person(1), **SMALL, **FITS)
    await story.settled()
    why = story.lead(lead_id)["UF_CRM_OGON_WHY"]
    story.portal.reset_stats()

    story.edit(LEAD, lead_id, UF_CRM_OGON_WHY="стёрто")
    await story.settled()
    assert story.lead(lead_id)["UF_CRM_OGON_WHY"] == why, "what somebody overwrote is written again"
    for _ in range(7):
        story.edit(LEAD, lead_id, UF_CRM_OGON_WHY="стёрто")
        await story.settled()
    assert story.portal.stats.commands["crm.item.update"] == 5
    assert (await story.told("lead", lead_id))["runs"][0]["held"]

    story.edit(LEAD, lead_id, **TARGET)
    await story.settled()
    assert story.verdict(lead_id) == "deal", "new facts give other fields, and those are written"
