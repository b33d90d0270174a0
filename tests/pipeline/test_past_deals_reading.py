"""Deals that closed before anybody judged are read from the portal's lists, and only read; reports then know them."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.domain.facts import Kind
from app.domain.ruleset import DEFAULT, FactDefinition, FactSource
from app.pipeline import past_deals_reading
from app.reports.past_deals import past_deals
from app.reports.regular_clients import RegularClients, regular_clients
from app.sandbox.errors import RestError
from app.store import past_deals as kept
from app.store import rulesets
from app.store.ruleset_document import ruleset_to_document
from tests.pipeline.sweep_house import COMPANY, DEAL, House, house_of

pytestmark = pytest.mark.anyio

SINCE, UNTIL = date(2023, 8, 21), date(2026, 8, 21)


@pytest.fixture
async def house(database):
    async with house_of(database) as made:
        yield made


def closed(house: House, days_ago: int, stage: str = "WON", **fields) -> int:
    """A deal that was closed so long ago."""
    day = (house.clock() - timedelta(days=days_ago)).date().isoformat()
    deal = house.imported(DEAL, days_ago, title="Поставка", closedate=day, **fields)
    store = house.portal.world.stores[DEAL]
    meaning = {"WON": "S", "LOSE": "F"}.get(stage, "P")
    store.put({**store.rows[deal], "stageId": stage, "stageSemanticId": meaning})
    return deal


async def clients(house: House) -> RegularClients:
    async with house.database.reading() as session:
        return await regular_clients(session, house.portal_id, DEFAULT, since=SINCE, until=UNTIL)


async def share(house: House):
    async with house.database.reading() as session:
        return await past_deals(session, house.portal_id, since=SINCE, until=UNTIL, least=Decimal(5000))


async def test_a_newcomer_sees_years_of_deals_after_the_first_round_and_the_portal_is_only_read(house: House) -> None:
    plant = house.add(COMPANY, title="Завод", industry="MANUFACTURING", revenue=2_000_000_000, UF_CRM_OGON_STEAM_TPH=5)
    shop = house.add(COMPANY, title="Лавка", industry="IT")
    of_plant = {"companyId": plant, "sourceId": "CALL", "opportunity": 1000, "UF_CRM_OGON_MARGIN": 9000}
    for days_ago in (100, 130, 160):
        closed(house, days_ago, **of_plant | {"currencyId": "USD"})
    closed(house, 200, companyId=shop, UF_CRM_OGON_MARGIN=100)
    closed(house, 300, "LOSE", UF_CRM_OGON_MARGIN=4999)
    closed(house, 1200, companyId=plant)
    closed(house, 50, "NEW", companyId=plant)
    before = {kind: house.portal.items(kind) for kind in (DEAL, COMPANY)}

    assert (await house.sweep()).error is None

    assert {kind: house.portal.items(kind) for kind in (DEAL, COMPANY)} == before
    assert not [name for name in house.portal.stats.commands if name.startswith("crm.item.") and "add" in name]
    assert await house.cards_asked() == [], "what closed long ago is not judged"
    told = await clients(house)
    assert (told.won_deals, told.clients, told.regular_clients) == (4, 2, 1)
    assert told.known == {
        "client": 4, "industry": 4, "turnover": 3, "steam_tph": 3, "source": 3, "amount": 3, "profit": 4,
    }  # fmt: skip
    best = told.groups["industry"][0]
    assert (best.code, best.money, best.profit) == ("MANUFACTURING", Decimal("235500.00"), 27000)
    assert (told.not_judged, told.known_from) == (4, SINCE)
    counted = await share(house)
    assert (counted.everything.deals, counted.everything.below, counted.won.below) == (5, 2, 1)
    assert (counted.not_judged, counted.known_from) == (5, SINCE)


async def test_a_judged_deal_goes_before_its_past_and_a_deleted_one_is_gone(house: House) -> None:
    company = house.add(COMPANY, title="Завод", industry="MANUFACTURING")
    changed, deleted, quiet = (
        closed(house, days_ago, companyId=company, UF_CRM_OGON_MARGIN=9000) for days_ago in (40, 50, 60)
    )
    await house.calm()
    house.edit(DEAL, changed, UF_CRM_OGON_MARGIN=10)
    house.portal.ui_delete(DEAL, deleted)
    house.edit(COMPANY, company, industry="IT")
    house.clock.passes(minutes=5)
    await house.calm()

    told, counted = await clients(house), await share(house)
    assert (told.won_deals, told.not_judged) == (3, 2), "that it is deleted is seen when all is read anew"
    assert (counted.won.deals, counted.won.below, counted.not_judged) == (3, 1, 2)
    assert [(one.code, one.won_deals) for one in told.groups["industry"]] == [("IT", 3)]

    house.clock.passes(days=8)
    await house.sweep()
    async with house.database.reading() as session:
        left = await house.value("SELECT array_agg(deal_id ORDER BY deal_id) FROM past_deals")
        assert await kept.whole_from(session, house.portal_id) == date(2023, 8, 29)
    assert left == sorted([changed, quiet])
    assert (await clients(house)).won_deals == 2


async def test_a_reading_that_breaks_off_goes_on_and_costs_few_requests(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_deals_reading, "_CHUNK", 40)
    companies = [house.add(COMPANY, title=f"Завод {number}", industry="IT") for number in range(60)]
    deals = [closed(house, 30 + number % 900, companyId=companies[number % 60]) for number in range(300)]
    with monkeypatch.context() as broken:
        _break_pages_above(house, deals[200], broken)
        assert (await house.sweep()).error is not None
    assert 0 < await house.value("SELECT count(*) FROM past_deals") < len(deals)
    async with house.database.reading() as session:
        assert await kept.whole_from(session, house.portal_id) is None

    house.portal.reset_stats()
    assert (await house.sweep()).error is None
    assert await house.value("SELECT count(*) FROM past_deals") == len(deals)
    assert await house.value("SELECT count(*) FROM past_companies WHERE industry = 'IT'") == len(companies)
    assert house.portal.stats.commands["crm.item.list"] < 44, "pages of fifty, and not from the beginning"
    assert house.portal.stats.requests < 12, "fifty pages a request"

    house.portal.reset_stats()
    await house.sweep()
    assert "crm.item.fields" not in house.portal.stats.commands, "nothing is read twice without a reason"


def _break_pages_above(house: House, deal_id: int, broken: pytest.MonkeyPatch) -> None:
    """Every page of closed deals that would hold a higher id is refused."""
    answer = house.portal.rest._reply

    def reply(name, params, stamp):
        given = answer(name, params, stamp)
        if name == "crm.item.list" and {"<=id", ">=closedate"} <= set(params.get("filter") or ()):
            rows = given.result["items"]
            if rows and rows[-1]["id"] > deal_id:
                raise RestError("ERROR_UNEXPECTED_ANSWER", "unexpected", 400)
        return given

    broken.setattr(house.portal.rest, "_reply", reply)


async def test_other_fields_in_the_rules_are_read_at_once(house: House) -> None:
    deal = closed(house, 30, UF_CRM_OGON_MARGIN=9000, opportunity=500)
    await house.sweep()
    assert await house.value("SELECT profit FROM past_deals WHERE deal_id = :id", id=deal) == 9000
    other = FactDefinition("margin", Kind.NUMBER, (FactSource("deal", "opportunity"),))
    facts = tuple(other if one.name == "margin" else one for one in DEFAULT.facts)
    async with house.database.writing() as session:
        await rulesets.publish(
            session,
            portal_id=house.portal_id,
            edited_version=1,
            document=ruleset_to_document(replace(DEFAULT, facts=facts)),
            author="a test",
            reason="profit is told elsewhere",
        )
    await house.sweep()
    assert await house.value("SELECT profit FROM past_deals WHERE deal_id = :id", id=deal) == 500
