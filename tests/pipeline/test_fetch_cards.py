"""Leads and deals read from the emulated portal: what is read, what is left out, what a refusal means."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import Temporary
from app.bitrix24.retry import RetryPolicy
from app.domain.facts import Row
from app.domain.ruleset import DEFAULT, Minimum, Nomenclature
from app.domain.snapshot import Entity, WonDeal
from app.pipeline.fetch import CardGone, fetch_deal, fetch_lead
from app.sandbox.faults import Fault
from app.sandbox.state.catalog import Catalog

pytestmark = pytest.mark.anyio

TODAY = date(2026, 8, 21)
BOILER, PUMP, GASKET = 100, 119, 123
BOILERS, PARTS = 13, 17


def item_id(dictionary, entity, field, code):
    codes = dictionary.enumerations[entity, field]
    return next(int(key) for key, known in codes.items() if known == code)


async def commands(client, read):
    before = client.stats.commands
    result = await read
    return result, client.stats.commands - before


async def test_a_lead_with_its_company_and_rows(portal, client, dictionary):
    company = portal.ui_add(4, {"title": "Завод", "revenue": 2_000_000_000})
    lead = portal.ui_add(1, {"title": "Запрос", "companyId": company, "UF_CRM_OGON_STEAM_TPH": 4})
    portal.ui_set_rows(1, lead, [{"productId": BOILER}, {"productName": "Свой текст"}])

    found = await fetch_lead(client, lead, ruleset=DEFAULT, dictionary=dictionary)

    assert (found.lead["id"], found.lead["UF_CRM_OGON_STEAM_TPH"]) == (lead, 4)
    assert found.company is not None
    assert found.company["title"] == "Завод"
    assert found.rows == (Row(BOILER, "Паровой котёл КП-1", None), Row(0, "Свой текст", None))


async def test_rows_are_not_read_once_the_desk_has_answered(portal, client, dictionary):
    answer = item_id(dictionary, Entity.LEAD, "UF_CRM_OGON_REQUEST_FIT", "no")
    answered = portal.ui_add(1, {"title": "Запрос", "UF_CRM_OGON_REQUEST_FIT": answer})
    silent = portal.ui_add(1, {"title": "Запрос"})

    found, spent = await commands(client, fetch_lead(client, answered, ruleset=DEFAULT, dictionary=dictionary))
    _, spent_on_silent = await commands(client, fetch_lead(client, silent, ruleset=DEFAULT, dictionary=dictionary))

    assert found.rows == ()
    assert (spent, spent_on_silent) == (1, 2)


async def test_rows_that_are_refused_are_unknown_not_none(portal, client, dictionary):
    lead = portal.ui_add(1, {"title": "Запрос"})
    refusal = Fault("error", "crm.item.productrow.list", code="ACCESS_DENIED", description="Access denied", status=400)
    portal.faults.append(refusal)
    found = await fetch_lead(client, lead, ruleset=DEFAULT, dictionary=dictionary)
    assert found.rows is None


async def test_a_temporary_fault_goes_up(sandbox, portal, dictionary):
    lead = portal.ui_add(1, {"title": "Запрос"})
    portal.faults.append(Fault("error", "crm.item.productrow.list", times=None))
    async with PortalClient(sandbox.webhook_url, retry=RetryPolicy(attempts=1)) as impatient:
        with pytest.raises(Temporary):
            await fetch_lead(impatient, lead, ruleset=DEFAULT, dictionary=dictionary)


async def test_a_linked_company_that_is_gone_is_no_company(portal, client, dictionary):
    company = portal.ui_add(4, {"title": "Завод"})
    lead = portal.ui_add(1, {"title": "Запрос", "companyId": company})
    portal.world.stores[4].rows.pop(company)
    found = await fetch_lead(client, lead, ruleset=DEFAULT, dictionary=dictionary)
    assert found.company is None


async def test_a_card_that_is_gone(client, dictionary):
    with pytest.raises(CardGone) as gone:
        await fetch_lead(client, 404, ruleset=DEFAULT, dictionary=dictionary)
    assert (gone.value.entity, gone.value.item_id) == (Entity.LEAD, 404)


async def test_a_card_that_is_late_is_found_by_the_second_look(portal, client, dictionary):
    lead = portal.ui_add(1, {"title": "Запрос"})
    late = Fault("error", "crm.item.get", code="NOT_FOUND", description="Item not found", status=400)
    portal.faults.append(late)
    found = await fetch_lead(client, lead, ruleset=DEFAULT, dictionary=dictionary)
    assert found.lead["id"] == lead


SECTIONED = replace(DEFAULT, nomenclature=Nomenclature(sections=(BOILERS,)))


async def test_sections_are_read_when_the_ruleset_lists_sections(portal, client, dictionary):
    lead = portal.ui_add(1, {"title": "Запрос"})
    portal.ui_set_rows(1, lead, [{"productId": BOILER}, {"productId": GASKET}, {"productName": "Свой текст"}])
    found = await fetch_lead(client, lead, ruleset=SECTIONED, dictionary=dictionary)
    assert found.rows is not None
    assert [(row.product_id, row.section_ids) for row in found.rows] == [
        (BOILER, (BOILERS,)),
        (GASKET, (PARTS,)),
        (0, None),
    ]


class NestedCatalog(Catalog):
    """The emulated catalogue is flat; here section 50 hangs under the boilers."""

    __slots__ = ()

    def section_rows(self):
        rows = Catalog.section_rows(self)
        return [{**row, "iblockSectionId": BOILERS} if row["id"] == 50 else row for row in rows]


async def test_a_section_inside_another_is_inside_both(portal, client, dictionary):
    flat = portal.world.catalog
    portal.world.catalog = NestedCatalog({**flat.sections, 50: "Котлы до 2 т/ч"}, flat.products, flat.prices)
    flat.products[BOILER]["iblockSectionId"] = 50
    lead = portal.ui_add(1, {"title": "Запрос"})
    portal.ui_set_rows(1, lead, [{"productId": BOILER}])
    found = await fetch_lead(client, lead, ruleset=SECTIONED, dictionary=dictionary)
    assert found.rows is not None
    assert found.rows[0].section_ids == (50, BOILERS)


async def test_sections_that_are_hidden_are_not_read(portal, client, dictionary):
    portal.scopes.discard("catalog")
    lead = portal.ui_add(1, {"title": "Запрос"})
    portal.ui_set_rows(1, lead, [{"productId": BOILER}])
    found = await fetch_lead(client, lead, ruleset=SECTIONED, dictionary=dictionary)
    assert found.rows == (Row(BOILER, "Паровой котёл КП-1", None),)


async def deal_world(portal, **deal):
    company = portal.ui_add(4, {"title": "Завод"})
    lead = portal.ui_add(1, {"title": "Запрос", "companyId": company})
    return company, lead, portal.ui_add(2, {"title": "Сделка", "companyId": company, "leadId": lead, **deal})


async def test_a_deal_with_what_its_judgement_may_need(portal, client, dictionary):
    company, lead, deal = await deal_world(portal, UF_CRM_OGON_MARGIN=900_000)
    portal.ui_set_rows(2, deal, [{"productId": PUMP}])
    portal.ui_set_rows(1, lead, [{"productId": BOILER}])
    found = await fetch_deal(client, deal, ruleset=DEFAULT, dictionary=dictionary, today=TODAY)
    assert found.company is not None
    assert found.lead is not None
    assert (found.deal["id"], found.company["id"], found.lead["id"]) == (deal, company, lead)
    assert [row.product_id for row in found.rows or ()] == [PUMP]
    assert found.lead_rows == ()


async def test_the_leads_rows_stand_in_for_a_deal_without_rows(portal, client, dictionary):
    _, lead, deal = await deal_world(portal)
    portal.ui_set_rows(1, lead, [{"productId": BOILER}])
    found = await fetch_deal(client, deal, ruleset=DEFAULT, dictionary=dictionary, today=TODAY)
    assert (found.rows, [row.product_id for row in found.lead_rows or ()]) == ((), [BOILER])


async def test_a_deal_alone(portal, client, dictionary):
    deal = portal.ui_add(2, {"title": "Сделка", "UF_CRM_OGON_MARGIN": 100})
    found = await fetch_deal(client, deal, ruleset=DEFAULT, dictionary=dictionary, today=TODAY)
    assert (found.company, found.lead, found.rows, found.lead_rows, found.won_deals) == (None, None, (), (), ())


def won(portal, company, closed):
    return portal.ui_add(2, {"title": "Была", "companyId": company, "stageId": "WON", "closedate": closed})


async def test_won_deals_are_read_for_a_deal_below_the_minimum(portal, client, dictionary):
    company, _, deal = await deal_world(portal, UF_CRM_OGON_MARGIN=4_999)
    boundary = won(portal, company, "2025-08-21")
    recent = won(portal, company, "2026-08-01")
    won(portal, company, "2025-08-01")
    won(portal, company + 1, "2026-08-01")
    portal.ui_add(2, {"title": "В работе", "companyId": company, "closedate": "2026-08-01"})
    found = await fetch_deal(client, deal, ruleset=DEFAULT, dictionary=dictionary, today=TODAY)
    assert found.won_deals == (WonDeal(recent, date(2026, 8, 1)), WonDeal(boundary, date(2025, 8, 21)))


async def test_more_won_deals_than_a_page_holds(portal, client, dictionary):
    company, _, deal = await deal_world(portal, UF_CRM_OGON_MARGIN=1)
    for _ in range(60):
        won(portal, company, "2026-08-01")
    strict = replace(DEFAULT, minimum=Minimum(regular_won_deals=55))
    found = await fetch_deal(client, deal, ruleset=strict, dictionary=dictionary, today=TODAY)
    assert len(found.won_deals or ()) == 60


@pytest.mark.parametrize(
    ("fields", "minimum"),
    [
        pytest.param({"UF_CRM_OGON_MARGIN": 5_000}, Minimum(), id="at the minimum"),
        pytest.param({}, Minimum(), id="profit not known"),
        pytest.param({"UF_CRM_OGON_MARGIN": 1}, Minimum(regular_exempt=False), id="regular buyers are not excused"),
        pytest.param({"UF_CRM_OGON_MARGIN": 1}, Minimum(profit=None), id="no minimum"),
        pytest.param(
            {"UF_CRM_OGON_MARGIN": 9_000, "opportunity": 100, "currencyId": "USD"},
            Minimum(amount=Decimal(7_850)),
            id="the amount in roubles is enough",
        ),
    ],
)
async def test_won_deals_stay_unread_where_they_decide_nothing(portal, client, dictionary, fields, minimum):
    company, _, deal = await deal_world(portal, **fields)
    won(portal, company, "2026-08-01")
    ruleset = replace(DEFAULT, minimum=minimum)
    found = await fetch_deal(client, deal, ruleset=ruleset, dictionary=dictionary, today=TODAY)
    assert found.won_deals is None


async def test_an_amount_below_its_minimum_asks_for_won_deals(portal, client, dictionary):
    company, _, deal = await deal_world(portal, UF_CRM_OGON_MARGIN=9_000, opportunity=99, currencyId="USD")
    recent = won(portal, company, "2026-08-01")
    ruleset = replace(DEFAULT, minimum=Minimum(amount=Decimal(7_850)))
    found = await fetch_deal(client, deal, ruleset=ruleset, dictionary=dictionary, today=TODAY)
    assert found.won_deals == (WonDeal(recent, date(2026, 8, 1)),)
