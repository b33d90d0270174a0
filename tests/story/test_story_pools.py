"""Leads arrive at a portal with a desk: they are shared in equal parts, once each, and a person's word holds."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.store import owner_changes, team
from app.store.cards import CardKey
from tests.story.house import DEAL, LEAD, TOKEN, Story
from tests.story.people import FITS, SMALL, TARGET, person

pytestmark = pytest.mark.anyio

ROBOT, HEAD = 1, 10
UNDECIDED: dict[str, Any] = {"UF_CRM_OGON_STEAM_TPH": 8}


async def open_pool(story: Story, users: list[int], **more: Any) -> int:
    """A pool over the API, in force when this returns."""
    body = {"type": "lead", "name": "Первая линия", "members": [{"user": user} for user in users], **more}
    answer = await story.http.post("/api/v1/pools", headers={"Authorization": f"Bearer {TOKEN}"}, json=body)
    assert answer.status_code == 201, answer.text
    # The portal tells times in whole seconds: a card of this very second would look older than the pool.
    async with story.database.writing() as session:
        await session.execute(text("UPDATE pools SET since = date_trunc('second', since)"))
    await story.restart_worker()
    return answer.json()["id"]


def desk_of(story: Story) -> list[int]:
    """Three people of the portal."""
    return sorted(user for user in story.portal.world.people.users if user != ROBOT)[:3]


def owner(story: Story, kind: int, item_id: int) -> int:
    return story.item(kind, item_id)["assignedById"]


async def test_leads_are_shared_in_equal_parts_and_a_person_decides_last(story: Story) -> None:
    anna, boris, vera = desk = desk_of(story)
    await open_pool(story, desk)
    leads = [story.add(LEAD, user_id=ROBOT, **person(number), **UNDECIDED) for number in range(7)]
    await story.settled()
    shared = Counter(owner(story, LEAD, lead) for lead in leads)
    assert sorted(shared.values()) == [2, 2, 3]
    assert set(shared) == set(desk)

    first = await story.told("lead", leads[0], lang="ru")
    (one,) = first["assignments"]
    assert (one["user"], one["from_user"], one["text"]) == (
        owner(story, LEAD, leads[0]),
        ROBOT,
        "новая карточка; подошла очередь",
    )
    kinds = [[action["kind"] for action in run["actions"]] for run in reversed(first["runs"])]
    assert kinds[0].count("assign") == 1
    assert not any(kinds[1:]), "the echo of our own write finds nothing to do"
    (todo,) = story.todos(LEAD, leads[0])
    assert int(todo["RESPONSIBLE_ID"]) == one["user"], "the questions are for who has the lead now"
    async with story.database.reading() as session:
        known = await owner_changes.of_card(session, CardKey(story.portal_id, LEAD, leads[0]))
    assert [change.user_id for change in known] == [ROBOT, one["user"]]

    other = next(user for user in desk if user != one["user"])
    story.edit(LEAD, leads[0], assignedById=other)
    await story.settled()
    story.edit(LEAD, leads[0], comments="Позвонить ещё раз")
    await story.settled()
    assert owner(story, LEAD, leads[0]) == other
    again = await story.told("lead", leads[0], lang="ru")
    assert len(again["assignments"]) == 1
    assert again["assignments"][0]["given_back_why"] == "человек передал карточку другому"
    assert any("Человек передал карточку" in held for held in again["runs"][0]["held"])
    assert {anna, boris, vera} == set(desk)


async def test_what_a_lead_becomes_is_its_new_owners_and_junk_costs_nobody_a_turn(story: Story) -> None:
    anna, boris, _ = desk = desk_of(story)
    pool = await open_pool(story, desk)
    fire = story.add(LEAD, user_id=ROBOT, **person(1), **TARGET, **FITS)
    await story.settled()
    deal = story.deal_of(fire)
    assert (owner(story, LEAD, fire), deal["assignedById"]) == (anna, anna)
    assert story.item(4, deal["companyId"])["assignedById"] == anna

    doubtful = story.add(LEAD, user_id=ROBOT, **person(2), **UNDECIDED)
    await story.settled()
    assert owner(story, LEAD, doubtful) == boris
    story.edit(LEAD, doubtful, user_id=boris, **SMALL, UF_CRM_OGON_REQUEST_FIT="no")
    await story.settled()
    assert story.verdict(doubtful) == "junk"
    state = await story.http.get(f"/api/v1/pools/{pool}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert {one["user"]: one["given_back"] for one in state.json()["states"]}[boris] == 1

    own = story.add(LEAD, user_id=boris, **person(3), **UNDECIDED)
    await story.settled()
    assert owner(story, LEAD, own) == boris
    assert (await story.told("lead", own))["assignments"] == [], "what a member made himself is his"


async def test_a_deal_is_shared_when_its_grade_brings_it_to_a_pool(story: Story) -> None:
    seller = desk_of(story)[2]
    await open_pool(story, [seller], type="deal", takes={"grades": ["AAA"]})
    deal = story.add(DEAL, user_id=ROBOT, title="Котёл")
    await story.settled()
    assert owner(story, DEAL, deal) == ROBOT
    story.edit(DEAL, deal, UF_CRM_OGON_NEED="yes", UF_CRM_OGON_BUDGET="yes", UF_CRM_OGON_NEEDED_BY=7)
    await story.settled()
    assert (story.grade(deal), owner(story, DEAL, deal)) == ("AAA", seller)


async def test_a_worker_that_dies_between_choosing_and_writing_gives_the_lead_to_one(story: Story) -> None:
    desk = desk_of(story)
    pool = await open_pool(story, desk)
    # The write is refused for now: what was chosen stands, and nobody is chosen anew.
    story.fault("429", "crm.item.update", times=None)
    lead = story.add(LEAD, user_id=ROBOT, **person(1), **UNDECIDED)

    async def chosen() -> bool:
        async with story.database.reading() as session:
            return bool(await session.scalar(text("SELECT count(*) FROM assignments")))

    await story.until(chosen)
    await story.stop_worker()
    assert owner(story, LEAD, lead) == ROBOT
    story.portal.faults.clear()
    story.start_worker()
    await story.settled()
    await story.time_passes()
    await story.settled()
    (one,) = (await story.told("lead", lead))["assignments"]
    assert owner(story, LEAD, lead) == one["user"] == desk[0]
    state = await story.http.get(f"/api/v1/pools/{pool}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert [member["shares"] for member in state.json()["states"]] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(("named", "heard_by"), [(20, 20), (None, HEAD)], ids=["the pool's head", "the department's"])
async def test_when_nobody_is_free_the_head_hears_it_once(story: Story, named: int | None, heard_by: int) -> None:
    maria = 12
    async with story.database.writing() as session:
        start, end = story.now() - timedelta(hours=1), story.now() + timedelta(minutes=20)
        await team.add_absence(
            session, story.portal_id, maria, starts_at=start, ends_at=end, note=None, who="a test", now=story.now()
        )
    await open_pool(story, [maria], head=named)
    lead = story.add(LEAD, user_id=ROBOT, **person(1), **UNDECIDED)
    await story.settled()

    async def tried_again() -> bool:
        return len((await story.told("lead", lead))["runs"]) > 1

    story.skip(16)
    await story.until(tried_again)
    await story.settled()
    ((user, said),) = [(one["userId"], one["message"]) for one in story.portal.world.notifications]
    assert user == heard_by
    assert "сейчас не может взять" in said
    assert f"/crm/lead/details/{lead}/" in said
    assert story.portal.world.notified == 1
    assert owner(story, LEAD, lead) == ROBOT

    async def given() -> bool:
        return owner(story, LEAD, lead) == maria

    story.skip(16)
    await story.until(given)
    assert story.portal.world.notified == 1


async def test_in_shadow_mode_nobody_is_chosen_and_no_turn_is_taken(story: Story) -> None:
    pool = await open_pool(story, desk_of(story))
    await story.restart_worker(mode="shadow")
    lead = story.add(LEAD, user_id=ROBOT, **person(1), **UNDECIDED)
    await story.settled()
    assert owner(story, LEAD, lead) == ROBOT
    assert (await story.told("lead", lead))["assignments"] == []
    state = await story.http.get(f"/api/v1/pools/{pool}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert all(member["shares"] == 0 for member in state.json()["states"])
