"""Lists of cards: every prefix, nested groups, indexes, order, pages, what is refused and what is dropped."""

import pytest

LEAD = 1
ROWS = (
    {"title": "Паровой котёл", "name": "Анна", "opportunity": 100, "isManualOpportunity": "Y", "sourceId": "WEB"},
    {"title": "Горелка", "name": "", "opportunity": 200.5, "isManualOpportunity": "Y", "sourceId": "CALL"},
    {"title": "Котёл 100%", "lastName": "Ли", "stageId": "JUNK", "originId": "x-1", "sourceId": "WEB"},
    {"title": "Насос", "stageId": "IN_PROCESS", "comments": "срочно"},
)


@pytest.fixture
def leads(portal, clock):
    """Four leads, an hour apart."""
    for row in ROWS:
        portal.ui_add(LEAD, row)
        clock.advance(3600)


def ids(call, raw_filter, **more):
    found = call("crm.item.list", entityTypeId=LEAD, select=["id"], filter=raw_filter, **more)
    return [item["id"] for item in found["items"]]


@pytest.mark.parametrize(
    ("raw_filter", "expected"),
    [
        ({"id": 2}, [2]),
        ({"=id": "2"}, [2]),
        ({"@id": [3, 1, 77, "2"]}, [1, 2, 3]),
        ({"!@id": [1, 2]}, [3, 4]),
        ({"id": [1, 4]}, [1, 4]),
        ({">id": 2}, [3, 4]),
        ({">=id": 2, "<id": 4}, [2, 3]),
        ({"%title": "котёл"}, [1, 3]),
        ({"!%title": "котёл"}, [2, 4]),
        ({"=%title": "Котёл%"}, [3]),
        ({"%=title": "%котёл"}, [1]),
        ({"!=%title": "Котёл%"}, [1, 2, 4]),
        ({"!%=title": "%котёл"}, [2, 3, 4]),
        ({"!=name": ""}, [1]),
        ({"name": ""}, [2, 3, 4]),
        ({">opportunity": "150"}, [2]),
        ({">=opportunity": 100, "<=opportunity": 200.5}, [1, 2]),
        ({"opportunity": 0}, [3, 4]),
        ({"@stageId": ["NEW", "JUNK"]}, [1, 2, 3]),
        ({"stageSemanticId": "F"}, [3]),
        ({"!stageSemanticId": "F"}, [1, 2, 4]),
        ({"originId": "x-1"}, [3]),
        ({"originId": ""}, [1, 2, 4]),
        ({"companyId": 0}, [1, 2, 3, 4]),
        ({"isManualOpportunity": "Y"}, [1, 2]),
        ({">=updatedTime": "2026-03-02T11:00:00+00:00"}, [3, 4]),
        ({">=updatedTime": "2026-03-02T14:00:00"}, [3, 4]),
        ({"<createdTime": "2026-03-02T13:00:00+03:00"}, [1]),
        ({"ID": 4}, [4]),
        ({"0": {"logic": "OR", "0": {"!=name": ""}, "1": {"!=lastName": ""}}, "@sourceId": ["WEB"]}, [1, 3]),
        ({"logic": "OR", "id": 1, "stageId": "JUNK"}, [1, 3]),
        ([{"logic": "OR", "0": {"id": 1}, "1": {"id": 2}}], [1, 2]),
        ({}, [1, 2, 3, 4]),
    ],
)
def test_a_filter_finds(call, leads, raw_filter, expected):
    assert sorted(ids(call, raw_filter)) == expected


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"filter": {"noSuch": 1}}, "Invalid filter: field 'noSuch' is not allowed in filter"),
        ({"filter": {"0": {"noSuch": 1}}}, "Invalid filter: field 'noSuch' is not allowed in filter"),
        ({"filter": {"fm": 1}}, "Invalid filter: field 'fm' is not allowed in filter"),
        ({"filter": {"id": "один"}}, "Invalid filter: field 'ID' has invalid value"),
        ({"order": {"noSuch": "ASC"}}, "Invalid order: field 'noSuch' is not allowed in order"),
        (
            {"order": {"id": "UP"}},
            "Invalid order: allowed sort directions are ASC, DESC. But got 'UP' for field 'id'",
        ),
    ],
)
def test_crm_item_list_refuses_what_it_does_not_know(refusal, leads, params, text):
    assert refusal("crm.item.list", entityTypeId=LEAD, **params) == (400, "INVALID_ARG_VALUE", text)


def test_a_typo_in_a_legacy_filter_gives_too_many_rows(call, leads):
    assert len(call("crm.lead.list", filter={"NO_SUCH": 1})) == 4
    assert len(call("crm.lead.list", filter={"id": 1})) == 4


@pytest.mark.parametrize(
    ("raw_filter", "expected"),
    [
        ({"ID": "2"}, ["2"]),
        ({"@ID": [1, 2]}, ["1", "2"]),
        ({"STATUS_ID": "JUNK"}, ["3"]),
        ({"!STATUS_ID": "JUNK", ">OPPORTUNITY": 0}, ["1", "2"]),
        ({">ID": 3}, ["4"]),
        ({"ORIGIN_ID": "x-1"}, ["3"]),
    ],
)
def test_a_legacy_filter_finds(call, leads, raw_filter, expected):
    assert [row["ID"] for row in call("crm.lead.list", filter=raw_filter, select=["ID"])] == expected


def test_a_legacy_list_finds_phones_by_exact_match_only(portal, call):
    portal.ui_add(3, {"name": "А", "fm": [{"typeId": "PHONE", "value": "+7 912"}]})
    assert [row["ID"] for row in call("crm.contact.list", filter={"PHONE": "+7 912"})] == ["1"]
    assert call("crm.contact.list", filter={"PHONE": "+7912"}) == []


def test_select_gives_the_named_fields_and_fm_only_with_a_star(portal, call, leads):
    named = call("crm.item.list", entityTypeId=LEAD, select=["title", "noSuch", "fm"])["items"][0]
    assert named == {"title": "Паровой котёл"}
    assert "fm" not in call("crm.item.list", entityTypeId=LEAD)["items"][0]
    assert "fm" in call("crm.item.list", entityTypeId=LEAD, select=["*"])["items"][0]


def test_order_by_several_fields(call, leads):
    assert ids(call, {}, order={"stageId": "DESC", "id": "DESC"}) == [2, 1, 3, 4]
    assert ids(call, {}, order={"opportunity": "DESC", "ID": "ASC"}) == [2, 1, 3, 4]


def test_pages_of_fifty(portal):
    for number in range(120):
        portal.ui_add(LEAD, {"title": str(number)})

    def page(start):
        body = portal.call("crm.item.list", {"entityTypeId": LEAD, "select": ["id"], "start": start}).body
        return [item["id"] for item in body["result"]["items"]], body.get("next"), body.get("total")

    assert page(0) == (list(range(1, 51)), 50, 120)
    assert page("100") == (list(range(101, 121)), None, 120)
    assert page(-1) == (list(range(1, 51)), None, None)


def test_a_walk_by_id_without_counting_sees_every_card_once(portal):
    for number in range(120):
        portal.ui_add(LEAD, {"title": str(number)})
    portal.ui_delete(LEAD, 60)
    seen, last = [], 0
    while True:
        params = {"entityTypeId": LEAD, "filter": {">id": last}, "order": {"id": "ASC"}, "start": -1}
        items = portal.call("crm.item.list", params).body["result"]["items"]
        seen += [item["id"] for item in items]
        if len(items) < 50:
            break
        last = items[-1]["id"]
    assert seen == [one for one in range(1, 121) if one != 60]


def test_a_custom_boolean_is_filtered_by_one_and_zero(portal, call):
    call("crm.lead.userfield.add", fields={"FIELD_NAME": "X", "USER_TYPE_ID": "boolean"})
    yes = portal.ui_add(LEAD, {"UF_CRM_X": "Y"})
    no = portal.ui_add(LEAD, {})
    assert ids(call, {"ufCrmX": 1}) == [yes]
    assert ids(call, {"UF_CRM_X": "0"}) == [no]
    assert ids(call, {"ufCrmX": "Y"}) == []


def test_a_list_field_is_filtered_by_one_of_its_values(portal, call):
    contact = portal.ui_add(3, {"name": "А"})
    deal = portal.ui_add(2, {"contactIds": [contact]})
    portal.ui_add(2, {})
    found = call("crm.item.list", entityTypeId=2, filter={"contactIds": contact}, select=["id"])
    assert found["items"] == [{"id": deal}]


def test_deals_are_found_by_their_lead(portal, call):
    deal = portal.ui_add(2, {"leadId": 3817, "originatorId": "x", "originId": "lead-3817"})
    portal.ui_add(2, {})
    for raw in ({"leadId": "3817"}, {"=originId": "lead-3817", "originatorId": "x"}):
        assert call("crm.item.list", entityTypeId=2, filter=raw, select=["id"])["items"] == [{"id": deal}]
    portal.ui_update(2, deal, {"leadId": 5})
    assert call("crm.item.list", entityTypeId=2, filter={"leadId": 3817})["items"] == []


@pytest.mark.parametrize("kind", [5, 999])
def test_an_object_type_the_portal_does_not_have(refusal, kind):
    assert refusal("crm.item.list", entityTypeId=kind)[:2] == (400, "NOT_FOUND")
