"""Deals over HTTP end to end: each grade, the minimum with both exceptions, the self-check list."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.minimum import months_before
from app.domain.ruleset import Minimum
from tests.story.house import COMPANY, DEAL, LEAD, Story
from tests.story.people import FITS, TARGET, person

pytestmark = pytest.mark.anyio

_MOSCOW = timedelta(hours=3)
ALL = {"UF_CRM_OGON_NEED": "yes", "UF_CRM_OGON_BUDGET": "yes", "UF_CRM_OGON_NEEDED_BY": 10}
TRIAL = {"UF_CRM_OGON_TRIAL": "Y", "UF_CRM_OGON_PROSPECTS": "Y"}
TARGET_COMPANY = {
    "title": "ООО «Завод»",
    "UF_CRM_OGON_STEAM_TPH": 8,
    "revenue": 3_000_000_000,
    "currencyId": "RUB",
    "industry": "MANUFACTURING",
}


def margin(rubles: float) -> dict[str, Any]:
    return {"UF_CRM_OGON_MARGIN": rubles}


def today() -> date:
    return (datetime.now(UTC) + _MOSCOW).date()


def ago(months: int, days: int = 0) -> str:
    return (months_before(today(), months) - timedelta(days=days)).isoformat()


async def test_each_grade_and_the_minimum(story: Story) -> None:
    company = story.add(COMPANY, **TARGET_COMPANY)
    cases: dict[str, tuple[dict[str, Any], str, str, str]] = {
        "three pluses": ({**ALL, **margin(5000)}, "AAA", "P", "4/7"),
        "the 30th day is urgent": ({**ALL, "UF_CRM_OGON_NEEDED_BY": 30}, "AAA", "P", "3/7"),
        "the 31st is not": ({**ALL, "UF_CRM_OGON_NEEDED_BY": 31}, "BBB", "P", "3/7"),
        "today is urgent": ({"UF_CRM_OGON_NEEDED_BY": 0}, "CCC", "P", "2/7"),
        "a past date is unknown": ({**ALL, "UF_CRM_OGON_NEEDED_BY": -1}, "BBB", "P", "2/7"),
        "need alone": ({"UF_CRM_OGON_NEED": "yes", "UF_CRM_OGON_BUDGET": "no"}, "CCC", "P", "1/7"),
        "nothing": ({"UF_CRM_OGON_NEED": "no"}, "none", "P", "1/7"),
        "graded and declined": ({**ALL, **margin(4999.99)}, "AAA", "F", "3/7"),
        "a loss": ({**ALL, **margin(-100)}, "AAA", "F", "3/7"),
        "a zero was typed": ({**ALL, **margin(0)}, "AAA", "F", "3/7"),
        "unknown profit": ({**ALL, "opportunity": 10, "isManualOpportunity": "Y"}, "AAA", "P", "3/7"),
        "a trial delivery": ({**ALL, **margin(900), **TRIAL}, "AAA", "P", "3/7"),
        "without prospects": ({**ALL, **margin(900), **TRIAL, "UF_CRM_OGON_PROSPECTS": "N"}, "AAA", "F", "3/7"),
        "profit is in roubles": ({**ALL, **margin(4000), "currencyId": "USD", "opportunity": 900}, "AAA", "F", "3/7"),
        "all seven": (
            {
                **ALL,
                **margin(400_000),
                "UF_CRM_OGON_ROLES": ["economic", "technical", "user"],
                "UF_CRM_OGON_NEED_SCOPE": "whole",
            },
            "AAA",
            "P",
            "6/7",
        ),
    }
    zero = margin(0)  # typed with the deal: a save of 0 over nothing is no change to the emulated portal
    deals = {
        name: story.add(DEAL, title=name, companyId=company, **(zero if name == "a zero was typed" else {}))
        for name in cases
    }
    await story.settled()
    for name, deal_id in deals.items():
        story.edit(DEAL, deal_id, **cases[name][0])
    story.portal.ui_set_rows(DEAL, deals["all seven"], [{"productId": 101, "price": 1_000_000, "quantity": 1}])
    await story.settled()

    seen = {
        name: (story.grade(one), story.semantics(DEAL, one), story.item(DEAL, one)["UF_CRM_OGON_CHECKLIST"])
        for name, one in deals.items()
    }
    wanted = {name: (grade, stage, score) for name, (_, grade, stage, score) in cases.items()}
    wanted["all seven"] = ("AAA", "P", "7/7")
    assert seen == wanted
    assert story.item(DEAL, deals["a loss"])["stageId"] == "LOSE", "not the analysed failure"
    assert "прош" in story.item(DEAL, deals["a past date is unknown"])["UF_CRM_OGON_WHY"], "it is asked for again"


async def test_a_regular_buyer_may_take_little_once(story: Story) -> None:
    buyers = {
        "three": [ago(12), ago(6), ago(0)],
        "one too long ago": [ago(12, days=1), ago(6), ago(0)],
        "two": [ago(1), ago(2)],
    }
    deals: dict[str, int] = {}
    for name, days in buyers.items():
        company = story.add(COMPANY, title=name)
        for day in days:
            story.won_deal(company, day)
        deals[name] = story.add(DEAL, title="Мелочь", companyId=company, **margin(900))
    await story.settled()

    stages = {name: story.semantics(DEAL, deal_id) for name, deal_id in deals.items()}
    # The client of the other two is not known to be a target, but a trial delivery it certainly is not.
    assert stages == {"three": "P", "one too long ago": "F", "two": "F"}
    told = await story.told("deal", deals["three"])
    assert told["current"]["verdict"]["exemption"] == "regular"
    first = told["runs"][-1]["seen"]
    assert (first["updated_by"], first["responsible"], first["semantics"]) == (12, 12, "process")


async def test_a_closed_deal_is_graded_and_never_moved(story: Story) -> None:
    won = story.add(DEAL, title="Выиграна", **ALL, **margin(10))
    story.edit(DEAL, won, stageId="WON")
    lost = story.add(DEAL, title="Проиграна")
    story.edit(DEAL, lost, stageId="APOLOGY")
    elsewhere = story.add(DEAL, title="Сервис", categoryId=1, **margin(10))
    await story.settled()
    story.edit(DEAL, lost, **ALL, **margin(100_000))
    await story.settled()

    assert (story.item(DEAL, won)["stageId"], story.grade(won)) == ("WON", "AAA")
    assert (story.item(DEAL, lost)["stageId"], story.grade(lost)) == ("APOLOGY", "AAA")
    assert story.comments(DEAL, won) == story.comments(DEAL, lost) == [], "deals that others closed are told nothing"
    assert story.item(DEAL, elsewhere)["stageId"] == "C1:LOSE", "declined in its own pipeline"


async def test_other_currencies_go_by_the_portals_rates(story: Story) -> None:
    await story.publish(minimum=Minimum(amount=Decimal(100_000)))
    dollars = {"currencyId": "USD", "isManualOpportunity": "Y", **margin(50_000)}
    enough, little, unknown = (
        story.add(DEAL, title="Доллары", opportunity=1300, **dollars),
        story.add(DEAL, title="Доллары", opportunity=1200, **dollars),
        story.add(DEAL, title="Франки", opportunity=1, **{**dollars, "currencyId": "CHF"}),
    )
    in_dollars = story.add(COMPANY, **{**TARGET_COMPANY, "revenue": 20_000_000, "currencyId": "USD"})
    in_francs = story.add(COMPANY, **{**TARGET_COMPANY, "revenue": 20_000_000, "currencyId": "CHF"})
    rich, strange = (
        story.add(LEAD, **person(number), companyId=company, **FITS)
        for number, company in enumerate((in_dollars, in_francs))
    )
    await story.settled()

    assert [story.semantics(DEAL, one) for one in (enough, little, unknown)] == ["P", "F", "P"]
    assert story.verdict(rich) == "deal", "20 million dollars are over a billion roubles"
    assert story.verdict(strange) == "needs_data", "a currency without a rate is unknown, never No"
    (todo,) = story.todos(LEAD, strange)
    assert "CHF" in todo["DESCRIPTION"]


async def test_a_company_that_changes_has_its_open_cards_judged_again(story: Story) -> None:
    company = story.add(COMPANY, **{**TARGET_COMPANY, "UF_CRM_OGON_STEAM_TPH": None})
    lead = story.add(LEAD, **person(1), companyId=company, **FITS)
    trial = story.add(DEAL, title="Проба", companyId=company, **margin(900), **TRIAL)
    await story.settled()
    assert story.verdict(lead) == "needs_data"
    assert story.semantics(DEAL, trial) == "P", "the exception is still possible"
    score = story.item(DEAL, trial)["UF_CRM_OGON_CHECKLIST"]

    story.edit(COMPANY, company, UF_CRM_OGON_STEAM_TPH=8)
    await story.settled()
    assert story.verdict(lead) == "deal"
    assert story.deal_of(lead)["companyId"] == company
    assert story.todos(LEAD, lead) == []
    assert story.item(DEAL, trial)["UF_CRM_OGON_CHECKLIST"] > score

    story.edit(COMPANY, company, UF_CRM_OGON_STEAM_TPH=1)
    await story.settled()
    assert story.semantics(DEAL, trial) == "F", "a trial delivery to no target client is declined"
    assert len(story.deals_of(lead)) == 1


async def test_a_deal_reads_its_client_and_request_from_the_lead_it_came_from(story: Story) -> None:
    lead = story.add(LEAD, **person(1, companyTitle=""), **TARGET, **FITS)
    await story.settled()
    deal = story.deal_of(lead)
    assert not deal["companyId"]
    assert deal["UF_CRM_OGON_CHECKLIST"] == "2/7", "target client and in nomenclature, by the lead"
