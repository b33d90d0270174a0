"""Which field of which card says what; empty, not understood, differing."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.facts import Fact, Facts, Kind, Truth
from app.domain.messages import in_english
from app.domain.reading import deal_facts, lead_facts
from app.domain.ruleset import DEFAULT, FactDefinition, FactSource, Ruleset
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, WonDeal
from tests.domain.judging_world import CATALOG_ROW, FREE_ROW, law, portal_dictionary
from tests.domain.test_raw_values import json_values

STEAM, TURNOVER, INDUSTRY = "UF_CRM_OGON_STEAM_TPH", "UF_CRM_OGON_TURNOVER", "UF_CRM_OGON_INDUSTRY"
FIT, TRIAL = "UF_CRM_OGON_REQUEST_FIT", "UF_CRM_OGON_TRIAL"
PORTAL = portal_dictionary()


def of_lead(lead: dict[str, Any], company: dict[str, Any] | None = None, **more: Any) -> Facts:
    return lead_facts(LeadSnapshot(lead, company, **more), DEFAULT, PORTAL)


def of_deal(deal: dict[str, Any], **more: Any) -> Facts:
    return deal_facts(DealSnapshot(deal, **more), DEFAULT, PORTAL)


def problem(fact: Fact) -> str:
    assert fact.problem is not None
    return in_english(fact.problem)


@pytest.mark.parametrize("empty", [None, "", [], False])
@pytest.mark.parametrize("field", [STEAM, TURNOVER, INDUSTRY, FIT])
def test_empty_is_unknown_without_complaint(field: str, empty: Any) -> None:
    facts = of_lead({field: empty})
    assert not any(facts[name].known for name in ("steam_tph", "turnover", "industry", "request_answer"))
    assert all(fact.problem is None for fact in facts.values())


def test_a_typed_zero_is_zero() -> None:
    assert of_lead({STEAM: 0})["steam_tph"].value == 0
    assert of_lead({STEAM: "0"})["steam_tph"].value == 0
    assert of_deal({"UF_CRM_OGON_MARGIN": 0})["margin"].value == 0


@pytest.mark.parametrize("zero", [0, "0", "0.00", "0.00|RUB", 0.0])
def test_a_printed_zero_is_not_filled_in(zero: Any) -> None:
    assert not of_lead({}, {"revenue": zero, "currencyId": "RUB", "industry": "0"})["turnover"].known
    assert not of_lead({FIT: "0", INDUSTRY: "0"})["industry"].known
    assert not of_deal({"opportunity": zero})["amount"].known
    assert not of_deal({"UF_CRM_OGON_NEED": 0})["need"].known


@pytest.mark.parametrize("raw", ["много", "NaN", float("inf"), "1e999999", "3-5"])
def test_a_number_that_cannot_be_read_is_unknown_and_told(raw: Any) -> None:
    fact = of_lead({STEAM: raw})["steam_tph"]
    assert not fact.known
    assert "is not a number" in problem(fact)


def test_the_lead_wins_and_the_company_is_remembered() -> None:
    fact = of_lead({STEAM: "2"}, {STEAM: 5})["steam_tph"]
    assert (fact.value, fact.source) == (Decimal(2), f"lead.{STEAM}")
    assert fact.others == ((f"company.{STEAM}", Decimal(5)),)


def test_the_company_fills_what_the_lead_lacks() -> None:
    facts = of_lead({STEAM: ""}, {STEAM: 5, "revenue": 2e9, "currencyId": "RUB", "industry": "MANUFACTURING"})
    assert facts["steam_tph"].source == f"company.{STEAM}"
    assert facts["turnover"].value == 2_000_000_000
    assert facts["industry"].value == "MANUFACTURING"


def test_an_unreadable_lead_field_lets_the_company_speak_and_is_told() -> None:
    fact = of_lead({STEAM: "три"}, {STEAM: 5})["steam_tph"]
    assert fact.value == 5
    assert "три" in problem(fact)


@pytest.mark.parametrize(
    ("revenue", "currency", "roubles"),
    [
        pytest.param(20_000_000, "USD", Decimal(1_800_000_000), id="dollars"),
        pytest.param("98.5", "EUR", Decimal("9702.25"), id="euros"),
        pytest.param("1500|EUR", "USD", Decimal(147_750), id="printed-currency-wins"),
        pytest.param(1500, "RUB", Decimal(1500), id="roubles"),
        pytest.param(1500, None, Decimal(1500), id="none"),
    ],
)
def test_money_is_turned_into_roubles(revenue: Any, currency: str | None, roubles: Decimal) -> None:
    assert of_lead({}, {"revenue": revenue, "currencyId": currency})["turnover"].value == roubles


def test_roubles_need_no_rate() -> None:
    snapshot = LeadSnapshot({}, {"revenue": 7, "currencyId": "RUB"})
    assert lead_facts(snapshot, DEFAULT, portal_dictionary(rates={}))["turnover"].value == 7


@pytest.mark.parametrize("rate", [None, Decimal(0), Decimal(-1), Decimal("NaN")])
def test_a_currency_without_a_rate_is_unknown_and_named(rate: Decimal | None) -> None:
    portal = portal_dictionary(rates={} if rate is None else {"KZT": rate})
    fact = lead_facts(LeadSnapshot({}, {"revenue": 1000, "currencyId": "KZT"}), DEFAULT, portal)["turnover"]
    assert not fact.known
    assert "KZT" in problem(fact)


def test_profit_is_in_roubles_whatever_the_deals_currency() -> None:
    assert of_deal({"UF_CRM_OGON_MARGIN": 5000, "currencyId": "USD", "opportunity": 100})["margin"].value == 5000
    assert of_deal({"opportunity": 100, "currencyId": "USD"})["amount"].value == 9000


def test_enumerations_are_read_by_id() -> None:
    assert of_lead({FIT: 41})["request_answer"].value == "yes"
    assert of_lead({FIT: "42"})["request_answer"].value == "no"
    assert of_deal({"UF_CRM_OGON_ROLES": [63, "61"]})["roles"].value == ("economic", "user")
    assert "99" in problem(of_lead({FIT: 99})["request_answer"])
    assert not of_deal({"UF_CRM_OGON_ROLES": [61, 99]})["roles"].known


def test_a_bare_id_of_a_field_not_read_yet_is_no_code() -> None:
    portal = portal_dictionary(enumerations={})
    facts = lead_facts(LeadSnapshot({FIT: "41", INDUSTRY: "77"}), DEFAULT, portal)
    assert not facts["request_answer"].known
    assert not facts["industry"].known


@pytest.mark.parametrize("code", ["MANUFACTURING", "OTHER", "UC_8X2F", "4"])
def test_an_industry_is_its_code(code: str) -> None:
    assert of_lead({INDUSTRY: code})["industry"].value == code


@pytest.mark.parametrize(
    ("card", "ticked"),
    [
        pytest.param({TRIAL: "1"}, True, id="ticked"),
        pytest.param({TRIAL: "Y"}, True, id="ticked-letter"),
        pytest.param({TRIAL: "0"}, False, id="zero"),
        pytest.param({TRIAL: False}, False, id="false"),
        pytest.param({TRIAL: None}, False, id="null-is-unchecked"),
        pytest.param({TRIAL: ""}, False, id="blank-is-unchecked"),
        pytest.param({}, False, id="left-out-is-unchecked"),
        pytest.param({TRIAL: "perhaps"}, None, id="not-understood"),
    ],
)
def test_an_unchecked_box_is_no(card: dict[str, Any], ticked: bool | None) -> None:
    assert of_deal(card)["trial"].value is ticked


def test_a_box_that_does_not_exist_is_unknown() -> None:
    facts = deal_facts(DealSnapshot({}), DEFAULT, portal_dictionary(fields=frozenset()))
    assert not facts["trial"].known


def test_a_blank_box_gives_way_to_another_card() -> None:
    sources = (FactSource("lead", "UF_CRM_A"), FactSource("company", "UF_CRM_A"))
    ruleset = Ruleset(facts=(FactDefinition("vip", Kind.FLAG, sources),))
    snapshot = LeadSnapshot({"UF_CRM_A": ""}, {"UF_CRM_A": "Y"})
    assert lead_facts(snapshot, ruleset, PORTAL)["vip"].value is True


def test_dates_are_as_printed() -> None:
    assert of_deal({"UF_CRM_OGON_NEEDED_BY": "2026-08-30T03:00:00+03:00"})["needed_by"].value == date(2026, 8, 30)
    assert "soon" in problem(of_deal({"UF_CRM_OGON_NEEDED_BY": "soon"})["needed_by"])


def test_rows_not_read_are_not_the_same_as_none() -> None:
    assert of_lead({}, rows=None)["rows"].value is None
    assert of_lead({}, rows=())["rows"].value == ()
    assert of_lead({}, rows=(CATALOG_ROW,)).rows("rows") == (CATALOG_ROW,)


def test_text_is_title_and_comments_made_plain() -> None:
    fact = of_lead({"title": "Котёл", "comments": "[b]10 т/ч[/b]<br>срочно"})["text"]
    assert fact.value == "Котёл. 10 т/ч срочно"
    assert not of_lead({"title": "", "comments": None})["text"].known


@pytest.mark.parametrize(
    ("lead", "company", "title", "linked"),
    [
        pytest.param({"companyTitle": " Plant "}, None, "Plant", False, id="title"),
        pytest.param({"companyTitle": "Plant", "companyId": 8}, {"title": "Works"}, "Plant", True, id="both"),
        pytest.param({"companyId": 8}, {"title": "Works"}, "Works", True, id="company"),
        pytest.param({"companyId": 8}, None, None, True, id="company-not-read"),
        pytest.param({"companyId": "0", "companyTitle": ""}, None, None, False, id="neither"),
        pytest.param({"companyId": 0}, None, None, False, id="zero"),
        pytest.param({"companyId": None}, None, None, False, id="null"),
    ],
)
def test_the_company(lead: dict[str, Any], company: dict[str, Any] | None, title: str | None, linked: bool) -> None:
    facts = of_lead(lead, company)
    assert facts["company_title"].value == title
    assert facts["company_linked"].value is linked


def test_a_deals_client_is_the_company_and_else_the_source_lead() -> None:
    facts = of_deal(
        {"companyId": 8},
        company={STEAM: 5, "revenue": 0, "industry": ""},
        lead={STEAM: 2, TURNOVER: 2e9, INDUSTRY: "OTHER", FIT: 41, "title": "Boiler"},
        lead_rows=(FREE_ROW,),
    )
    assert (facts["steam_tph"].value, facts["steam_tph"].source) == (5, f"company.{STEAM}")
    assert facts["steam_tph"].others == ((f"lead.{STEAM}", Decimal(2)),)
    assert facts["turnover"].value == 2_000_000_000
    assert facts["industry"].value == "OTHER"
    assert facts["lead_request_answer"].value == "yes"
    assert "request_answer" not in facts
    assert facts.rows("lead_rows") == (FREE_ROW,)
    assert facts["lead_text"].value == "Boiler"


def test_a_company_not_read_could_overrule_the_lead() -> None:
    facts = of_deal({"companyId": 8, "leadId": 5}, lead={STEAM: 2, FIT: 41})
    assert problem(facts["steam_tph"]) == "the company card could not be read"
    assert facts["lead_request_answer"].value == "yes"
    facts = of_lead({"companyId": 8, STEAM: 2})
    assert (facts["steam_tph"].value, facts["steam_tph"].problem) == (2, None)
    assert problem(facts["turnover"]) == "the company card could not be read"


def test_a_lead_not_read_leaves_its_facts_open() -> None:
    facts = of_deal({"companyId": 8, "leadId": 5}, company={STEAM: 5})
    assert facts["steam_tph"].value == 5
    assert problem(facts["turnover"]) == problem(facts["lead_request_answer"]) == "the lead could not be read"
    for nothing in (0, "0", None, ""):
        assert of_deal({"companyId": nothing, "leadId": nothing})["turnover"].problem is None


def test_won_deals_leave_this_one_out_and_keep_the_rest_for_later_rules() -> None:
    won = (WonDeal(90, date(2026, 8, 1)), WonDeal(3, date(2026, 5, 1)), WonDeal(2, date(2019, 1, 1)))
    facts = of_deal({"id": "90"}, won_deals=won)
    assert facts.days("won_deals") == (date(2019, 1, 1), date(2026, 5, 1))
    assert facts.digest() == of_deal({"id": 90}, won_deals=won[::-1]).digest()
    assert of_deal({"id": 90}, won_deals=None).days("won_deals") is None


def test_facts_only_of_deals_are_not_read_from_leads() -> None:
    facts = of_lead({"UF_CRM_OGON_NEED": "51"})
    assert "need" not in facts
    assert facts.flag("trial") is Truth.UNKNOWN


FIELDS = sorted({source.field for definition in DEFAULT.facts for source in definition.sources})
cards = st.dictionaries(st.sampled_from([*FIELDS, "id", "title", "comments", "companyId", "currencyId"]), json_values)


@law
@given(cards, cards | st.none(), cards | st.none())
def test_reading_never_raises_and_what_it_reads_can_be_stored(
    first: dict[str, Any], company: dict[str, Any] | None, lead: dict[str, Any] | None
) -> None:
    for facts in (of_lead(first, company), of_deal(first, company=company, lead=lead)):
        assert Facts.from_json(facts.to_json()) == facts
        assert "\x00" not in str(facts.to_json())


def test_a_definition_may_name_a_deal_field_first() -> None:
    sources = (FactSource("company", "UF_CRM_A"), FactSource("deal", "UF_CRM_A"))
    ruleset = Ruleset(facts=(FactDefinition("volume", Kind.NUMBER, sources),))
    facts = deal_facts(DealSnapshot({"UF_CRM_A": 1}, {"UF_CRM_A": 2}), ruleset, PORTAL)
    assert facts["volume"].value == 1


def test_an_existing_box_of_a_lead_counts_when_printed_or_known_to_exist() -> None:
    ruleset = Ruleset(facts=(FactDefinition("vip", Kind.FLAG, (FactSource("lead", "UF_CRM_VIP"),)),))
    known = portal_dictionary(fields=frozenset({(Entity.LEAD, "UF_CRM_VIP")}))
    assert lead_facts(LeadSnapshot({}), ruleset, known)["vip"].value is False
    assert lead_facts(LeadSnapshot({}), ruleset, PORTAL)["vip"].value is None
