"""The reckoning itself: what nobody did it calls missing, what was done twice double, and it overlooks nobody."""

import random

import pytest

from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import seed_basic, seed_fields, translated
from tests.chaos.cast import DealRole, LeadRole, deals_of, leads_of
from tests.chaos.reckoning import Found, reckon
from tests.story.office import COMPANY, DEAL, LEAD, Office

_NOTHING_TOLD = {"difference": 0, "parked": 0, "day": "2026-01-01", "missing": [], "reasons": ["lead 7: no right"]}


@pytest.fixture
def office() -> Office:
    portal = SandboxPortal()
    seed_fields(portal)
    seed_basic(portal, fields=False)
    return Office(portal)


def _cast(office: Office, cards: int) -> tuple[list[LeadRole], list[DealRole]]:
    leads = leads_of(office, random.Random(5), cards, unrest=1)
    deals = deals_of(office, random.Random(6), cards, unrest=1)
    for role in (*leads, *deals):
        role.arrive(office)
    return leads, deals


def _found(office: Office, leads: list[LeadRole], deals: list[DealRole], **told: int) -> list[Found]:
    began = {kind: len(office.portal.items(kind)) for kind in (2, 3, 4)}
    began[DEAL] -= len(deals)
    return reckon(office, leads, deals, began=began, told=[{**_NOTHING_TOLD, **told}])


def test_with_nobody_at_work_every_card_is_missing_something(office: Office) -> None:
    leads, deals = _cast(office, 40)
    found = _found(office, leads, deals)
    amiss = {one.card for one in found if one.what == "missing"}
    kept = {role.name for role in deals if role.gone}
    assert {role.name for role in (*leads, *deals)} - kept <= amiss
    assert all(any(one.card == name and "came back" in one.said for one in found) for name in kept)
    assert {one.what for one in found} == {"missing", "wrong"}


def test_what_is_there_twice_is_double(office: Office) -> None:
    leads, _ = _cast(office, 30)
    junk = next(role for role in leads if role.outcome == "junk" and role.stage == "JUNK" and not role.deeds)
    fields = translated(office.portal, LEAD, {"UF_CRM_OGON_VERDICT": "junk", "stageId": "JUNK"})
    office.portal.ui_update(LEAD, junk.card_id, fields)
    office.portal.ui_comment(LEAD, junk.card_id, "[B]Брак: нам не подходит[/B]")
    assert not [one for one in _found(office, [junk], []) if one.card == junk.name]

    office.portal.ui_comment(LEAD, junk.card_id, "[B]Брак: нам не подходит[/B]")
    office.add(DEAL, leadId=junk.card_id)
    office.add(COMPANY, title="Вторая", originId=f"lead-{junk.card_id}")
    found = [one for one in _found(office, [junk], []) if one.card == junk.name]
    assert [one.what for one in found] == ["double"] * 3


def test_a_person_overruled_and_what_the_service_says_of_itself_count(office: Office) -> None:
    leads, _ = _cast(office, 100)
    taken_back = next(role for role in leads if role.stage == "IN_PROCESS" and role.outcome == "junk")
    office.edit(LEAD, taken_back.card_id, stageId="JUNK")
    found = [str(one) for one in _found(office, [taken_back], [], difference=2, parked=1)]
    assert any("stands in JUNK, not in IN_PROCESS" in one for one in found)
    assert any("difference 2" in one for one in found)
    assert any("1 cards parked" in one and "lead 7: no right" in one for one in found)
