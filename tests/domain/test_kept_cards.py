"""The cards kept with a run: small, without what says nothing, and good for reading every fact again."""

import json

import pytest
from judging_world import portal_dictionary

from app.domain.kept_cards import LONGEST, LONGEST_VALUE, kept_from_json, kept_to_json
from app.domain.reading import lead_facts
from app.domain.ruleset import DEFAULT
from app.domain.snapshot import LeadSnapshot

LEAD = {
    "id": 7,
    "title": "Boiler",
    "comments": "x" * (LONGEST_VALUE + 1),
    "UF_CRM_OGON_STEAM_TPH": "3.5",
    "UF_CRM_OGON_TURNOVER": 0,
    "UF_CRM_OGON_REQUEST_FIT": "41",
    "UF_CRM_EMPTY": "",
    "UF_CRM_NONE": None,
    "UF_CRM_BOX": False,
    "contactIds": [],
    "fm": [{"typeId": "PHONE", "value": "+7 999 000-11-22"}],
}
COMPANY = {"id": 3, "revenue": "2000000000|RUB", "industry": "MANUFACTURING"}


def test_what_is_empty_or_long_is_left_out_and_the_long_is_named() -> None:
    stored = json.loads(json.dumps(kept_to_json(LeadSnapshot(LEAD, None))))
    kept = kept_from_json(stored)
    assert kept is not None
    assert kept.cut == {"lead.comments"}
    assert kept.cards["company"] is None
    gone = {"comments", "UF_CRM_EMPTY", "UF_CRM_NONE", "contactIds"}
    assert kept.cards["lead"] == {name: value for name, value in LEAD.items() if name not in gone}


@pytest.mark.parametrize("company", [None, COMPANY])
def test_facts_of_fields_read_the_same_from_kept_cards(company: dict[str, object] | None) -> None:
    snapshot = LeadSnapshot({**LEAD, "companyId": 3}, company)
    kept = kept_from_json(json.loads(json.dumps(kept_to_json(snapshot))))
    assert kept is not None
    again = lead_facts(LeadSnapshot(kept.cards["lead"] or {}, kept.cards["company"]), DEFAULT, portal_dictionary())
    first = lead_facts(snapshot, DEFAULT, portal_dictionary())
    assert {name: first[name] for name in first if name != "text"} == {n: again[n] for n in again if n != "text"}


def test_a_card_beyond_all_measure_is_not_kept() -> None:
    fields = {f"UF_CRM_{number}": "y" * LONGEST_VALUE for number in range(LONGEST // LONGEST_VALUE + 1)}
    assert kept_to_json(LeadSnapshot({"id": 1, **fields})) is None
    assert kept_from_json(None) is None
