"""What a conversion reuses, found in the emulated portal by link, mark, phone and e-mail."""

import pytest

from app.bitrix24.errors import Bitrix24Error
from app.domain.snapshot import NO_LINKS, DealSnapshot, LeadSnapshot
from app.pipeline.duplicates import fetch_links
from app.sandbox.faults import Fault

pytestmark = pytest.mark.anyio

PHONE = "8 (495) 123-45-67"
SAME_PHONE = "+74951234567"


def comms(phone=None, email=None):
    rows = [("PHONE", phone), ("EMAIL", email)]
    found = {
        f"n{n}": {"typeId": kind, "valueType": "WORK", "value": value} for n, (kind, value) in enumerate(rows) if value
    }
    return {"fm": found} if found else {}


def add_lead(portal, *, phone=None, email=None, **fields):
    return portal.ui_add(1, {"title": "Запрос", **comms(phone, email), **fields})


def add_company(portal, *, phone=None, email=None, **fields):
    return portal.ui_add(4, {"title": "Завод", **comms(phone, email), **fields})


def add_contact(portal, *, phone=None, email=None, **fields):
    return portal.ui_add(3, {"name": "Анна", **comms(phone, email), **fields})


def marked(lead):
    return {"originatorId": "ogon", "originId": f"lead-{lead}"}


async def links_of(portal, client, lead):
    card = await client.load(1, lead)
    company = portal.item(4, card["companyId"]) if card.get("companyId") else None
    return await fetch_links(client, LeadSnapshot(lead=card, company=company))


async def test_a_new_client_has_nothing_to_reuse(portal, client):
    add_company(portal, phone="+74950000000")
    lead = add_lead(portal, phone=PHONE, email="anna@zavod.ru")
    assert await links_of(portal, client, lead) == NO_LINKS


async def test_linked_cards_are_taken_without_a_search(portal, client):
    company = add_company(portal)
    contact = add_contact(portal, companyId=company)
    add_company(portal, phone=PHONE)
    add_contact(portal, phone=PHONE)
    lead = add_lead(portal, phone=PHONE, companyId=company, contactIds=[contact])
    found = await links_of(portal, client, lead)
    assert (found.company.id, found.company.how, found.company.card["title"]) == (company, "linked", "Завод")
    assert (found.contact.id, found.contact.how) == (contact, "linked")


@pytest.mark.parametrize(
    ("code", "status", "how"),
    [
        pytest.param("NOT_FOUND", 400, "phone", id="deleted: another card of the person"),
        pytest.param("ACCESS_DENIED", 400, "linked", id="hidden: still the person"),
    ],
)
async def test_a_linked_contact_that_cannot_be_read(portal, client, code, status, how):
    linked, other = add_contact(portal), add_contact(portal, phone=SAME_PHONE)
    lead = add_lead(portal, phone=PHONE, contactIds=[linked])
    card = await client.load(1, lead)
    portal.faults.append(Fault("error", "crm.item.get", code=code, description="No", status=status))
    found = await fetch_links(client, LeadSnapshot(lead=card))
    assert (found.contact.id, found.contact.how) == (linked if how == "linked" else other, how)


async def test_our_own_mark_beats_a_phone(portal, client):
    add_company(portal, phone=SAME_PHONE)
    lead = add_lead(portal, phone=PHONE)
    company = add_company(portal, **marked(lead))
    contact = add_contact(portal, **marked(lead))
    found = await links_of(portal, client, lead)
    assert (found.company.id, found.company.how) == (company, "origin")
    assert (found.contact.id, found.contact.how) == (contact, "origin")


async def test_a_phone_in_another_form_finds_the_oldest_company(portal, client):
    oldest = add_company(portal, phone=SAME_PHONE)
    add_company(portal, phone=SAME_PHONE)
    add_company(portal, email="anna@zavod.ru")
    lead = add_lead(portal, phone=PHONE, email="Anna@Zavod.ru", companyTitle="Другое имя")
    found = await links_of(portal, client, lead)
    assert (found.company.id, found.company.how) == (oldest, "phone")


async def test_an_email_finds_where_no_phone_does(portal, client):
    company = add_company(portal, email="anna@zavod.ru")
    lead = add_lead(portal, phone=PHONE, email="Anna@Zavod.ru")
    found = await links_of(portal, client, lead)
    assert (found.company.id, found.company.how) == (company, "email")


async def test_our_own_legal_entity_is_nobodys_client(portal, client):
    add_company(portal, phone=SAME_PHONE, isMyCompany="Y")
    theirs = add_company(portal, phone=SAME_PHONE)
    lead = add_lead(portal, phone=PHONE)
    assert (await links_of(portal, client, lead)).company.id == theirs
    lead = add_lead(portal, email="office@plant.ru")
    add_company(portal, email="office@plant.ru", isMyCompany="Y")
    assert (await links_of(portal, client, lead)).company is None


@pytest.mark.parametrize(
    ("named", "reused"),
    [
        pytest.param("", True, id="the lead names no company"),
        pytest.param("ООО «ЗАВОД»", True, id="the same but for form and quotes"),
        pytest.param("Хлебозавод", False, id="another one"),
    ],
)
async def test_the_contacts_company_counts_when_the_lead_names_no_other(portal, client, named, reused):
    company = add_company(portal)
    contact = add_contact(portal, phone=SAME_PHONE, companyId=company)
    lead = add_lead(portal, phone=PHONE, companyTitle=named)
    found = await links_of(portal, client, lead)
    assert found.contact.id == contact
    assert (found.company.id if found.company else None) == (company if reused else None)


async def test_a_contact_of_the_found_company_goes_before_an_older_stranger(portal, client):
    company = add_company(portal, phone=SAME_PHONE)
    add_contact(portal, phone=SAME_PHONE)
    colleague = add_contact(portal, phone=SAME_PHONE, companyId=company)
    lead = add_lead(portal, phone=PHONE)
    assert (await links_of(portal, client, lead)).contact.id == colleague


async def test_deals_made_by_people_and_by_us(portal, client):
    lead = add_lead(portal)
    ours = portal.ui_add(2, {"title": "Наша", **marked(lead)})
    theirs = portal.ui_add(2, {"title": "Их", "leadId": lead})
    portal.ui_add(2, {"title": "Чужая", "leadId": lead + 1})
    portal.ui_add(2, {"title": "Не наша", "originatorId": "1c", "originId": f"lead-{lead}"})
    found = await links_of(portal, client, lead)
    assert (found.deal_ids, found.deal_has_rows, found.lead_rows_raw) == ((ours, theirs), False, ())


async def test_rows_to_copy_and_whether_the_deal_has_its_own(portal, client):
    lead = add_lead(portal)
    portal.ui_set_rows(1, lead, [{"productId": 100, "price": 10, "quantity": 2}, {"productName": "Монтаж"}])
    found = await links_of(portal, client, lead)
    assert [(row["productId"], row["productName"]) for row in found.lead_rows_raw] == [
        (100, "Паровой котёл КП-1"),
        (0, "Монтаж"),
    ]
    deal = portal.ui_add(2, {"title": "Сделка", "leadId": lead})
    assert not (await links_of(portal, client, lead)).deal_has_rows
    portal.ui_set_rows(2, deal, [{"productId": 101}])
    assert (await links_of(portal, client, lead)).deal_has_rows


async def test_a_search_that_fails_is_an_error_never_nothing_found(portal, client):
    add_company(portal, phone=SAME_PHONE)
    lead = add_lead(portal, phone=PHONE)
    refusal = Fault("error", "crm.duplicate.findbycomm", code="Access denied", description="Access denied", status=403)
    portal.faults.append(refusal)
    with pytest.raises(Bitrix24Error):
        await links_of(portal, client, lead)


async def test_a_deal_has_no_links_to_look_for(client):
    assert await fetch_links(client, DealSnapshot(deal={"id": 1})) == NO_LINKS
    assert client.stats.commands == 0
