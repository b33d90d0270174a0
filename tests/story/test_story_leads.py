"""Leads from webhook to final state, over HTTP end to end; the portal is looked at, not our tables."""

from typing import Any

import pytest

from tests.story.conftest import COMPANY, CONTACT, DEAL, LEAD, Story

pytestmark = pytest.mark.anyio

TARGET = {
    "UF_CRM_OGON_STEAM_TPH": 8,
    "UF_CRM_OGON_TURNOVER": 2_500_000_000,
    "UF_CRM_OGON_INDUSTRY": "MANUFACTURING",
}
SMALL = {"UF_CRM_OGON_STEAM_TPH": 1, "UF_CRM_OGON_TURNOVER": 20_000_000, "UF_CRM_OGON_INDUSTRY": "IT"}
FITS = {"UF_CRM_OGON_REQUEST_FIT": "yes"}
FITS_NOT = {"UF_CRM_OGON_REQUEST_FIT": "no"}
PERSON = {
    "title": "Котёл 8 т/ч",
    "companyTitle": "ООО «Пар»",
    "name": "Анна",
    "lastName": "Белова",
    "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+7 (912) 345-67-89"}],
}


async def test_a_target_client_with_a_fitting_request_becomes_one_deal(story: Story) -> None:
    lead_id = story.add(LEAD, **PERSON, **TARGET, **FITS)
    story.portal.ui_set_rows(LEAD, lead_id, [{"productId": 101, "price": 1_000_000, "quantity": 2}])
    await story.settled()

    lead = story.lead(lead_id)
    assert story.verdict(lead_id) == "deal"
    assert lead["stageSemanticId"] == "S"
    deal = story.deal_of(lead_id)
    assert (deal["categoryId"], deal["stageId"]) == (0, "NEW")
    assert (deal["originatorId"], deal["originId"]) == ("ogon", f"lead-{lead_id}")
    assert [row["productId"] for row in story.portal.rows(DEAL, deal["id"])] == [101]
    assert deal["opportunity"] == 2_000_000
    company = story.portal.item(COMPANY, deal["companyId"])
    assert company["title"] == "ООО «Пар»"
    assert (company["revenue"], company["industry"]) == (2_500_000_000, "MANUFACTURING")
    assert company["UF_CRM_OGON_STEAM_TPH"] == 8
    (contact_id,) = deal["contactIds"]
    contact = story.portal.item(CONTACT, contact_id)
    assert (contact["name"], contact["companyId"]) == ("Анна", company["id"])
    assert (lead["companyId"], lead["contactIds"]) == (company["id"], [contact_id])
    assert lead["UF_CRM_OGON_WHY"]
    assert len(story.portal.comments(LEAD, lead_id)) == 1
    assert story.grade(deal["id"]) == "none"


async def test_a_target_client_with_a_foreign_request_is_kept_as_a_company(story: Story) -> None:
    lead_id = story.add(LEAD, **PERSON, **TARGET, **FITS_NOT)
    await story.settled()

    lead = story.lead(lead_id)
    assert story.verdict(lead_id) == "company"
    assert lead["stageSemanticId"] == "S"
    assert story.deals_of(lead_id) == []
    assert story.code(COMPANY, lead["companyId"], "UF_CRM_OGON_SEGMENT") == "nurture"


async def test_neither_client_nor_request_is_junk_with_a_reason(story: Story) -> None:
    lead_id = story.add(LEAD, **PERSON, **SMALL, **FITS_NOT)
    await story.settled()

    lead = story.lead(lead_id)
    assert story.verdict(lead_id) == "junk"
    assert lead["stageId"] == "JUNK"
    assert lead["UF_CRM_OGON_WHY"]
    assert story.portal.items(DEAL) == []
    assert story.portal.items(COMPANY) == []


async def test_a_fitting_request_of_no_target_client_goes_to_the_head_of_the_department(story: Story) -> None:
    lead_id = story.add(LEAD, **PERSON, **SMALL, **FITS)
    await story.settled()

    assert story.verdict(lead_id) == "review"
    assert story.lead(lead_id)["stageId"] == "NEW"
    (todo,) = story.open_todos(LEAD, lead_id)
    assert todo["RESPONSIBLE_ID"] != "12"


async def test_missing_answers_are_asked_once_and_the_to_do_is_closed_when_they_come(story: Story) -> None:
    lead_id = story.add(LEAD, **PERSON, UF_CRM_OGON_STEAM_TPH=8)
    await story.settled()
    assert story.verdict(lead_id) == "needs_data"
    assert story.lead(lead_id)["stageId"] == "NEW"
    (todo,) = story.open_todos(LEAD, lead_id)
    assert todo["RESPONSIBLE_ID"] == "12"

    story.edit(LEAD, lead_id, **TARGET, **FITS)
    await story.settled()
    assert story.verdict(lead_id) == "deal"
    assert story.open_todos(LEAD, lead_id) == []
    assert len(story.deals_of(lead_id)) == 1


DEAL_ANSWERS = {"UF_CRM_OGON_NEED": "yes", "UF_CRM_OGON_BUDGET": "yes", "UF_CRM_OGON_NEEDED_BY": 10}


@pytest.mark.parametrize(
    ("answers", "grade", "stage"),
    [
        pytest.param({**DEAL_ANSWERS, "UF_CRM_OGON_MARGIN": 5000}, "AAA", "P", id="three pluses"),
        pytest.param({**DEAL_ANSWERS, "UF_CRM_OGON_NEEDED_BY": 31}, "BBB", "P", id="not urgent"),
        pytest.param({"UF_CRM_OGON_NEED": "yes", "UF_CRM_OGON_BUDGET": "no"}, "CCC", "P", id="need alone"),
        pytest.param({"UF_CRM_OGON_NEED": "no"}, "none", "P", id="nothing"),
        pytest.param({**DEAL_ANSWERS, "UF_CRM_OGON_MARGIN": 4999}, "AAA", "F", id="graded and declined"),
        pytest.param(
            {**DEAL_ANSWERS, "UF_CRM_OGON_MARGIN": 900, "UF_CRM_OGON_TRIAL": "Y", "UF_CRM_OGON_PROSPECTS": "Y"},
            "AAA",
            "P",
            id="a trial delivery is let through",
        ),
    ],
)
async def test_a_deal_is_graded_and_held_to_the_minimum(
    story: Story, answers: dict[str, Any], grade: str, stage: str
) -> None:
    lead_id = story.add(LEAD, **PERSON, **TARGET, **FITS)
    await story.settled()
    deal_id = story.deal_of(lead_id)["id"]
    story.edit(DEAL, deal_id, **answers)
    await story.settled()

    deal = story.portal.item(DEAL, deal_id)
    assert story.grade(deal_id) == grade
    assert deal["stageSemanticId"] == stage
    assert deal["UF_CRM_OGON_WHY"]
    assert deal["UF_CRM_OGON_CHECKLIST"].endswith("/7")


async def test_a_second_delivery_of_every_webhook_changes_nothing(story: Story) -> None:
    leads = [
        story.add(LEAD, **PERSON, **client, **request)
        for client, request in ((TARGET, FITS), (TARGET, FITS_NOT), (SMALL, FITS_NOT), (SMALL, FITS), ({}, {}))
    ]
    await story.settled()
    before = story.snapshot()

    for kind, ids in ((LEAD, leads), (DEAL, [deal["id"] for deal in story.portal.items(DEAL)])):
        for item_id in ids:
            for change in ("ADD", "UPDATE"):
                answer = await story.http.post("/webhooks/bitrix24", data=_event(story, kind, change, item_id))
                assert answer.status_code == 200
    await story.settled()

    assert story.snapshot() == before
    for lead_id in leads:
        runs = (await story.told("lead", lead_id))["runs"]
        assert runs[0]["actions"] == []


def _event(story: Story, kind: int, change: str, item_id: int) -> dict[str, str]:
    return {
        "event": f"ONCRM{'LEAD' if kind == LEAD else 'DEAL'}{change}",
        "data[FIELDS][ID]": str(item_id),
        "auth[member_id]": story.portal.member_id,
        "auth[application_token]": story.portal.application_token,
    }
