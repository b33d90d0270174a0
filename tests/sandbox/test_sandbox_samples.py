"""Invented content: repeatable, varied, and accepted by the portal as it stands."""

import random
from collections import Counter

from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import answer_deal, generate_leads, place_lead, seed_basic, seed_fields


def test_the_same_seed_gives_the_same_leads(clock):
    def leads(seed):
        portal = SandboxPortal(clock=clock, seed=seed)
        seed_basic(portal)
        return generate_leads(portal, 40)

    assert leads(7) == leads(7)
    assert leads(7) != leads(8)
    assert generate_leads(random.Random(1), 5) == generate_leads(random.Random(1), 5)


def test_every_outcome_grade_and_exception_occurs(portal):
    seed_basic(portal)
    samples = generate_leads(portal, 25)
    assert {one.outcome for one in samples} == {"deal", "company", "junk", "review", "needs_data"}
    assert {one.grade for one in samples if one.outcome == "deal"} == {"AAA", "BBB", "CCC", "none"}
    margins = [one.answers["UF_CRM_OGON_MARGIN"] for one in samples if one.answers]
    assert min(margins) < 5000 < max(margins)
    assert any(one.answers.get("UF_CRM_OGON_TRIAL") == "Y" for one in samples)


def test_leads_arrive_with_rows_fields_and_events(portal):
    seed_basic(portal)
    portal.reset_stats()
    samples = generate_leads(portal, 60)
    ids = [place_lead(portal, one) for one in samples]

    raised = portal.stats.events_raised
    assert raised["ONCRMLEADADD"] == 60
    assert raised["ONCRMLEADUPDATE"] == sum(1 for one in samples if one.rows)
    items = [portal.item(1, one) for one in ids]
    assert {item["UF_CRM_OGON_STEAM_TPH"] is None for item in items} == {True, False}
    assert any(item["UF_CRM_OGON_REQUEST_FIT"] for item in items)
    products = Counter(bool(row["productId"]) for one in ids for row in portal.rows(1, one))
    assert set(products) == {True, False}


def test_some_leads_are_from_clients_already_known(portal):
    seed_basic(portal)
    found = 0
    for sample in generate_leads(portal, 60):
        place_lead(portal, sample)
        for row in sample.fields["fm"]:
            params = {"type": row["typeId"], "values": [row["value"]], "entity_type": "CONTACT"}
            found += bool(portal.call("crm.duplicate.findbycomm", params).body["result"])
    assert found >= 3


def test_a_regular_buyer_has_three_deals_won_within_a_year(portal, clock):
    seed_basic(portal)
    since = clock.now.replace(year=clock.now.year - 1).isoformat()
    counts = Counter()
    params = {"entityTypeId": 2, "filter": {"stageSemanticId": "S", ">=closedate": since}}
    for deal in portal.call("crm.item.list", params).body["result"]["items"]:
        counts[deal["companyId"]] += 1
    assert sorted(counts.values()) == [3, 4]


def test_answers_are_written_on_a_deal(portal):
    seed_fields(portal)
    deal = portal.ui_add(2, {"title": "Сделка"})
    sample = next(one for one in generate_leads(portal, 25) if one.answers.get("UF_CRM_OGON_ROLES"))
    assert answer_deal(portal, deal, sample) is True
    item = portal.item(2, deal)
    assert len(item["UF_CRM_OGON_ROLES"]) == 3
    assert item["UF_CRM_OGON_NEEDED_BY"].endswith("T03:00:00+03:00")


def test_without_custom_fields_the_leads_still_arrive(portal):
    seed_basic(portal, fields=False)
    lead = place_lead(portal, generate_leads(portal, 1)[0])
    assert not any(name.startswith("UF_") for name in portal.item(1, lead))
