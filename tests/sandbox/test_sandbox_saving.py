"""What a save does and does not do: defaults, differences, stages, pipelines, links, rows, required fields."""

import pytest

from app.sandbox.errors import RequiredError

LEAD, DEAL, CONTACT, COMPANY, INVOICE = 1, 2, 3, 4, 31


def raised(portal):
    return portal.stats.events_raised


def test_an_empty_title_becomes_a_numbered_one(portal):
    assert portal.item(LEAD, portal.ui_add(LEAD, {}))["title"] == "Лид #1"
    assert portal.item(DEAL, portal.ui_add(DEAL, {}))["title"] == "Сделка #1"


def test_an_update_that_changes_nothing_saves_nothing(portal, clock):
    lead = portal.ui_add(LEAD, {"title": "Котёл", "name": ""})
    before = portal.item(LEAD, lead)
    clock.advance(60)

    assert portal.ui_update(LEAD, lead, {"title": "Котёл", "name": None, "companyId": 0}) is False
    portal.call("crm.item.update", {"entityTypeId": LEAD, "id": lead, "fields": {"title": "Котёл"}})

    assert portal.item(LEAD, lead) == before
    assert "ONCRMLEADUPDATE" not in raised(portal)


def test_an_unknown_or_read_only_field_is_dropped_without_a_word(portal, call):
    item = call(
        "crm.item.add",
        entityTypeId=LEAD,
        fields={"title": "Котёл", "noSuchField": 1, "createdBy": 77, "stageSemanticId": "S"},
    )["item"]

    assert "noSuchField" not in item
    assert (item["createdBy"], item["stageSemanticId"]) == (1, "P")


def test_a_person_moves_a_lead(portal, clock):
    lead = portal.ui_add(LEAD, {"title": "Котёл"}, 21)
    clock.advance(90)
    portal.ui_update(LEAD, lead, {"stageId": "JUNK"}, 12)

    item = portal.item(LEAD, lead)
    assert (item["stageId"], item["stageSemanticId"], item["movedBy"], item["updatedBy"]) == ("JUNK", "F", 12, 12)
    assert item["movedTime"] == item["updatedTime"] == item["dateClosed"] == "2026-03-02T12:01:30+03:00"
    assert item["createdTime"] == "2026-03-02T12:00:00+03:00"
    assert [(row["TYPE_ID"], row["STATUS_ID"]) for row in portal.history(LEAD, lead)] == [(1, "NEW"), (3, "JUNK")]


def test_a_field_change_leaves_the_time_of_the_last_move(portal, clock):
    lead = portal.ui_add(LEAD, {"title": "Котёл"}, 21)
    clock.advance(90)
    portal.ui_update(LEAD, lead, {"title": "Горелка"}, 12)

    item = portal.item(LEAD, lead)
    assert (item["movedBy"], item["movedTime"]) == (21, "2026-03-02T12:00:00+03:00")
    assert (item["updatedBy"], item["updatedTime"]) == (12, "2026-03-02T12:01:30+03:00")


def test_taking_a_lead_back_from_junk_opens_it(portal):
    lead = portal.ui_add(LEAD, {"stageId": "JUNK"})
    portal.ui_update(LEAD, lead, {"stageId": "IN_PROCESS"})
    assert portal.item(LEAD, lead)["dateClosed"] is None


def test_the_success_stage_creates_nothing(portal):
    lead = portal.ui_add(LEAD, {"title": "Котёл", "companyTitle": "Завод"})
    portal.ui_update(LEAD, lead, {"stageId": "CONVERTED"})

    assert portal.item(LEAD, lead)["stageSemanticId"] == "S"
    assert [portal.items(kind) for kind in (DEAL, CONTACT, COMPANY)] == [[], [], []]


def test_a_deal_moves_to_another_pipeline_silently(portal):
    deal = portal.ui_add(DEAL, {"title": "Сделка"})
    portal.call("crm.item.update", {"entityTypeId": DEAL, "id": deal, "fields": {"categoryId": 1, "stageId": "C1:NEW"}})

    item = portal.item(DEAL, deal)
    assert (item["categoryId"], item["stageId"]) == (1, "C1:NEW")
    assert [row["TYPE_ID"] for row in portal.history(DEAL, deal)] == [1, 5]
    assert "ONCRMDEALUPDATE" not in raised(portal)
    assert raised(portal)["ONCRMDEALMOVETOCATEGORY"] == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"stageId": "C1:NEW"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID", id="stage of another pipeline"),
        pytest.param({"categoryId": 77}, "CRM_FIELD_ERROR_VALUE_NOT_VALID", id="no such pipeline"),
        pytest.param({"opportunity": "много"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID", id="no number"),
        pytest.param({"closedate": "завтра"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID", id="no date"),
        pytest.param({"contactIds": "5"}, 100, id="a scalar for a list"),
    ],
)
def test_a_wrong_value_is_refused(portal, refusal, fields, code):
    deal = portal.ui_add(DEAL, {"title": "Сделка"})
    assert refusal("crm.item.update", entityTypeId=DEAL, id=deal, fields=fields)[:2] == (400, code)


def test_the_legacy_update_ignores_a_stage_of_another_pipeline(portal, call):
    deal = portal.ui_add(DEAL, {"title": "Сделка"})
    assert call("crm.deal.update", id=deal, fields={"STAGE_ID": "C1:WON", "CATEGORY_ID": 1, "TITLE": "Новая"}) is True

    item = portal.item(DEAL, deal)
    assert (item["title"], item["stageId"], item["categoryId"]) == ("Новая", "NEW", 0)


def test_the_legacy_update_announces_even_when_nothing_differs(portal, call):
    deal = portal.ui_add(DEAL, {"title": "Сделка"})
    call("crm.deal.update", id=deal, fields={"TITLE": "Сделка"})
    assert raised(portal)["ONCRMDEALUPDATE"] == 1


def test_contacts_and_companies_are_linked_from_both_sides(portal):
    first, second = portal.ui_add(CONTACT, {"name": "А"}), portal.ui_add(CONTACT, {"name": "Б"})
    company = portal.ui_add(COMPANY, {"title": "Завод", "contactIds": [first]})
    portal.ui_update(CONTACT, second, {"companyId": company})
    assert portal.item(CONTACT, first)["companyIds"] == [company]
    assert portal.item(COMPANY, company)["contactIds"] == [first, second]

    portal.ui_update(COMPANY, company, {"contactIds": [second]})
    assert portal.item(CONTACT, first)["companyId"] == 0
    assert portal.item(COMPANY, company)["contactIds"] == [second]


def test_a_lead_with_a_client_is_a_returning_one(portal):
    company = portal.ui_add(COMPANY, {"title": "Завод"})
    lead = portal.ui_add(LEAD, {"title": "Котёл"})
    portal.ui_update(LEAD, lead, {"companyId": company, "contactIds": []})
    assert portal.item(LEAD, lead)["isReturnCustomer"] == "Y"


def test_the_sum_follows_the_rows_unless_kept_by_hand(portal, call):
    rows = [{"productId": 100, "price": 100.5, "quantity": 3}, {"productName": "Доставка", "price": 10}]
    deal = portal.ui_add(DEAL, {"opportunity": 7})
    call("crm.item.productrow.set", ownerType="D", ownerId=deal, productRows=rows)
    assert portal.item(DEAL, deal)["opportunity"] == 311.5

    portal.ui_update(DEAL, deal, {"isManualOpportunity": "Y", "opportunity": 5000})
    call("crm.item.productrow.set", ownerType="D", ownerId=deal, productRows=rows[:1])
    assert portal.item(DEAL, deal)["opportunity"] == 5000

    portal.ui_update(DEAL, deal, {"isManualOpportunity": "N"})
    assert portal.item(DEAL, deal)["opportunity"] == 301.5


def test_a_free_text_row_has_no_product_and_a_catalogue_row_its_name(portal, call):
    deal = portal.ui_add(DEAL, {})
    made = call(
        "crm.item.productrow.set",
        ownerType="D",
        ownerId=deal,
        productRows=[{"productName": "Монтаж", "price": 10}, {"productId": 100, "price": 20}],
    )["productRows"]
    assert [(row["productId"], row["productName"]) for row in made] == [(0, "Монтаж"), (100, "Паровой котёл КП-1")]


class TestRequired:
    @pytest.fixture(autouse=True)
    def mandatory(self, portal):
        portal.require(LEAD, "companyTitle", stages=["CONVERTED"])
        portal.require(DEAL, "comments")

    def test_a_stage_dependent_field_stops_the_move_through_rest(self, portal, refusal):
        lead = portal.ui_add(LEAD, {"title": "Котёл"})
        status, code, text = refusal("crm.item.update", entityTypeId=LEAD, id=lead, fields={"stageId": "CONVERTED"})
        assert (status, code) == (400, "CRM_FIELD_ERROR_REQUIRED")
        assert "COMPANY_TITLE" in text
        assert portal.item(LEAD, lead)["stageId"] == "NEW"

    def test_it_is_not_looked_at_without_a_move(self, portal):
        lead = portal.ui_add(LEAD, {"title": "Котёл"})
        assert portal.ui_update(LEAD, lead, {"title": "Горелка"}) is True

    def test_a_person_is_stopped_too(self, portal):
        with pytest.raises(RequiredError):
            portal.ui_add(DEAL, {"title": "Сделка"})

    def test_a_change_of_pipeline_skips_the_check(self, portal):
        deal = portal.ui_add(DEAL, {"comments": "есть"})
        portal.ui_update(DEAL, deal, {"comments": ""})
        assert portal.ui_update(DEAL, deal, {"categoryId": 1, "stageId": "C1:NEW"}) is True

    def test_the_legacy_family_says_it_in_text(self, portal, refusal):
        status, code, text = refusal("crm.deal.add", fields={"TITLE": "Сделка"})
        assert (status, code) == (400, "")
        assert "COMMENTS" in text


class TestMultifields:
    def test_keys_add_change_and_delete(self, portal, call):
        lead = portal.ui_add(
            LEAD, {"fm": [{"typeId": "PHONE", "value": "1"}, {"typeId": "EMAIL", "value": "a@b.example"}]}
        )
        phone, email = (str(row["id"]) for row in portal.item(LEAD, lead)["fm"])
        fm = {
            phone: {"typeId": "PHONE", "valueType": "MOBILE", "value": "2"},
            email: {"typeId": "EMAIL", "value": ""},
            "n0": {"typeId": "WEB", "valueType": "WORK", "value": "https://example.com"},
        }
        item = call("crm.item.update", entityTypeId=LEAD, id=lead, fields={"fm": fm})["item"]

        assert [(row["typeId"], row["valueType"], row["value"]) for row in item["fm"]] == [
            ("PHONE", "MOBILE", "2"),
            ("WEB", "WORK", "https://example.com"),
        ]
        assert (item["phoneMobile"], item["hasEmail"]) == ("2", "N")

    def test_without_a_type_nothing_happens(self, portal, call):
        lead = portal.ui_add(LEAD, {"title": "Котёл"})
        item = call("crm.item.update", entityTypeId=LEAD, id=lead, fields={"fm": {"n0": {"value": "+7"}}})["item"]
        assert item["fm"] == []

    def test_a_legacy_value_without_an_id_is_one_more(self, portal, call):
        lead = portal.ui_add(LEAD, {"fm": [{"typeId": "PHONE", "value": "1"}]})
        call("crm.lead.update", id=lead, fields={"PHONE": [{"VALUE": "1", "VALUE_TYPE": "WORK"}]})
        rows = call("crm.lead.get", id=lead)["PHONE"]
        assert [row["VALUE"] for row in rows] == ["1", "1"]

        call("crm.lead.update", id=lead, fields={"PHONE": [{"ID": rows[0]["ID"], "DELETE": "Y"}]})
        assert len(call("crm.lead.get", id=lead)["PHONE"]) == 1


def test_deleting_takes_everything_of_the_card_along(portal, call, refusal):
    lead = portal.ui_add(LEAD, {"fm": [{"typeId": "EMAIL", "value": "a@b.example"}]})
    portal.ui_add_activity(LEAD, lead, {"TYPE_ID": 2, "SUBJECT": "Звонок"})
    assert call("crm.item.delete", entityTypeId=LEAD, id=lead) == []

    assert refusal("crm.item.get", entityTypeId=LEAD, id=lead)[:2] == (400, "NOT_FOUND")
    assert refusal("crm.lead.get", id=lead) == (400, "", "Not found")
    assert call("crm.duplicate.findbycomm", type="EMAIL", values=["a@b.example"]) == []
    assert call("crm.activity.list") == []
    assert portal.history(LEAD, lead) == []
    assert raised(portal)["ONCRMLEADDELETE"] == 1


def test_an_invoice_has_stages_of_its_own_and_remembers_the_previous(portal):
    invoice = portal.ui_add(INVOICE, {"title": "Счёт", "parentId2": 5})
    portal.ui_update(INVOICE, invoice, {"stageId": "DT31_2:P"})
    item = portal.item(INVOICE, invoice)
    assert (item["stageId"], item["previousStageId"], item["parentId2"]) == ("DT31_2:P", "DT31_2:N", 5)


def test_a_robot_hears_of_every_move(portal):
    heard = []
    portal.robots.append(lambda move: heard.append((move.entity_type_id, move.before, move.after, move.user_id)))
    lead = portal.ui_add(LEAD, {"title": "Котёл"}, 21)
    portal.ui_update(LEAD, lead, {"title": "Горелка"}, 12)
    portal.ui_update(LEAD, lead, {"stageId": "IN_PROCESS"}, 12)
    assert heard == [(LEAD, "", "NEW", 21), (LEAD, "NEW", "IN_PROCESS", 12)]
