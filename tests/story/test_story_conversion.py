"""Conversion makes what is missing and reuses what is there, and one lead never becomes two deals."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from app.bitrix24.lanes import Lane
from app.domain.snapshot import Entity
from app.pipeline.card import CardRef
from app.pipeline.connections import Connections
from app.pipeline.process import Process
from app.store.claims import Claims
from app.store.secret_box import secret_box
from tests.story.house import COMPANY, CONTACT, DEAL, LEAD, Story
from tests.story.people import FITS, FITS_NOT, TARGET, email, person, phone

pytestmark = pytest.mark.anyio


async def test_known_people_and_companies_are_found_however_the_phone_is_written(story: Story) -> None:
    by_phone = story.add(COMPANY, title="ООО «Пар»", **phone("8 912 345-67-89"))
    anna = story.add(CONTACT, name="Анна", companyId=by_phone, **phone("+79123456789"))
    by_mail = story.add(COMPANY, title="ООО «Почта»")
    oleg = story.add(CONTACT, name="Олег", companyId=by_mail, **email("Oleg@Zavod.example"))
    linked = story.add(COMPANY, title="ООО «Связь»")
    companies, contacts = len(story.portal.items(COMPANY)), len(story.portal.items(CONTACT))

    calls = story.add(LEAD, **person(1, companyTitle="Пар", **phone("+7 (912) 345-67-89")), **TARGET, **FITS)
    writes = story.add(LEAD, **person(2, companyTitle="Почта", **email("oleg@zavod.example")), **TARGET, **FITS_NOT)
    told = story.add(LEAD, title="Котёл", companyId=linked, **TARGET, **FITS)
    await story.settled()

    deal = story.deal_of(calls)
    assert (deal["companyId"], deal["contactIds"]) == (by_phone, [anna])
    assert story.verdict(writes) == "company"
    assert (story.lead(writes)["companyId"], story.lead(writes)["contactIds"]) == (by_mail, [oleg])
    assert story.code(COMPANY, by_mail, "UF_CRM_OGON_SEGMENT") == "nurture"
    assert story.deal_of(told)["companyId"] == linked
    assert len(story.portal.items(COMPANY)) == companies
    assert len(story.portal.items(CONTACT)) == contacts, "the linked lead names nobody"
    # What the lead knows is added to the company where it was empty, and nothing is overwritten.
    assert story.item(COMPANY, by_phone)["UF_CRM_OGON_STEAM_TPH"] == 8
    assert story.item(COMPANY, by_phone)["title"] == "ООО «Пар»"


async def test_a_deal_that_is_there_already_is_taken_over(story: Story) -> None:
    await story.stop_worker()
    lead_id = story.add(LEAD, **person(1), **TARGET, **FITS)
    story.portal.ui_set_rows(LEAD, lead_id, [{"productId": 101, "price": 700, "quantity": 3}])
    theirs = story.add(DEAL, title="Сделка из лида", leadId=lead_id)
    story.start_worker()
    await story.settled()

    assert [deal["id"] for deal in story.deals_of(lead_id)] == [theirs]
    assert story.lead(lead_id)["stageId"] == "CONVERTED"
    assert [row["productId"] for row in story.portal.rows(DEAL, theirs)] == [101]


async def test_leads_of_one_person_at_the_same_moment_share_company_and_contact(story: Story) -> None:
    ways = ("+7 (912) 345-00-07", "8 912 345-00-07", "89123450007")
    leads = [story.add(LEAD, **person(7, **phone(way)), **TARGET, **FITS) for way in ways]
    other = story.add(LEAD, **person(8), **TARGET, **FITS)
    await story.settled()

    assert [len(story.deals_of(lead_id)) for lead_id in (*leads, other)] == [1, 1, 1, 1]
    assert len({story.deal_of(lead_id)["companyId"] for lead_id in leads}) == 1
    assert len(story.portal.items(COMPANY)) == len(story.portal.items(CONTACT)) == 2


async def test_a_lead_of_a_client_who_is_there_with_other_figures_is_told_once(story: Story) -> None:
    company = story.add(COMPANY, title="ООО «Пар-1»", industry="MANUFACTURING", UF_CRM_OGON_STEAM_TPH=11)
    story.add(CONTACT, name="Анна", companyId=company, fm=person(1)["fm"])
    lead_id = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.settled()
    story.edit(LEAD, lead_id, comments="Правка")
    await story.settled()
    # Once linked, the company says another figure than the lead; the decision is the same for the same reasons.
    assert story.lead(lead_id)["companyId"] == company
    assert len(story.comments(LEAD, lead_id)) == 1


async def test_a_conversion_cut_off_after_its_company_does_not_make_the_next_lead_make_another(story: Story) -> None:
    story.portal.require(CONTACT, "post")
    stuck = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.settled()
    assert len(story.portal.items(COMPANY)) == 1
    assert (await story.told("lead", stuck))["card"]["state"] == "parked"

    again = story.add(LEAD, **person(1), **TARGET, **FITS, post="Главный энергетик")
    named_otherwise = story.add(LEAD, **person(1), **TARGET, **FITS, post="Инженер")
    story.edit(LEAD, named_otherwise, companyTitle="АО «Другое»")
    await story.settled()
    del story.portal.world.mandatory[CONTACT]
    await story.replay("lead", stuck)
    await story.settled()
    assert story.deal_of(stuck)["companyId"] == story.deal_of(again)["companyId"]
    assert story.deal_of(named_otherwise)["companyId"] != story.deal_of(again)["companyId"]
    assert (len(story.portal.items(COMPANY)), len(story.portal.items(CONTACT))) == (2, 1)


async def test_claims_that_a_restarted_database_forgot_make_no_second_client(story: Story) -> None:
    story.fault("error", "crm.item.add", times=1000)
    first = story.add(LEAD, **person(1), **TARGET, **FITS)

    async def making() -> bool:
        return any(fault.times != 1000 for fault in story.portal.faults.faults)

    await story.until(making)
    async with story.database.writing() as session:
        gone = await session.execute(_END_CLAIMS)
        assert gone.scalar_one() == 1
    story.portal.unsubscribe()
    twin = story.add(LEAD, **person(1), **TARGET, **FITS)
    async with (
        Connections(story.database, secret_box(story.settings), clock=_now) as connections,
        Claims(story.database.conninfo) as claims,
    ):
        other = Process(story.database, connections, claims, live=True, clock=_now)
        await other.judge(CardRef(story.portal_id, Entity.LEAD, twin), Lane.HOT)
    assert story.verdict(twin) is None, "it waits for the one that is under way"

    story.portal.faults.clear()
    for _ in range(3):
        await story.settled()
        await story.time_passes()
    await story.settled()
    assert [len(story.deals_of(one)) for one in (first, twin)] == [1, 1]
    assert len(story.portal.items(COMPANY)) == len(story.portal.items(CONTACT)) == 1


_END_CLAIMS = text("""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = 'ogon-claims' AND datname = current_database()
""")


def _now() -> datetime:
    return datetime.now(UTC)
