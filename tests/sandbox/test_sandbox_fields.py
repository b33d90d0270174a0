"""Custom fields: names, numbers of list rows, the two ways to spell them, and what each type holds."""

import pytest

from app.sandbox.fields import camel_custom


@pytest.mark.parametrize(
    ("upper", "camel"),
    [
        ("UF_CRM_1747309879", "ufCrm_1747309879"),
        ("UF_CRM_2_1639669411830", "ufCrm2_1639669411830"),
        ("UF_CRM_OGON_STEAM_TPH", "ufCrmOgonSteamTph"),
    ],
)
def test_camel_case_names(upper, camel):
    assert camel_custom(upper) == camel


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("MANAGER_NOTE", "UF_CRM_MANAGER_NOTE"),
        ("UF_MANAGER_NOTE", "UF_CRM_MANAGER_NOTE"),
        ("UF_CRM_MANAGER_NOTE", "UF_CRM_MANAGER_NOTE"),
        ("manager_note", "UF_CRM_MANAGER_NOTE"),
    ],
)
def test_the_portal_forms_the_name(call, sent, stored):
    number = call("crm.lead.userfield.add", fields={"FIELD_NAME": sent, "USER_TYPE_ID": "string"})
    assert call("crm.lead.userfield.get", id=number)["FIELD_NAME"] == stored


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"USER_TYPE_ID": "string"}, "", "The 'FIELD_NAME' field is not found."),
        ({"FIELD_NAME": "A"}, "", "The 'USER_TYPE_ID' field is not found."),
        ({"FIELD_NAME": "A", "USER_TYPE_ID": "money2"}, "ERROR_CORE", "Invalid custom type specified."),
        (
            {"FIELD_NAME": "A" * 44, "USER_TYPE_ID": "string"},
            "ERROR_CORE",
            "Field name is too long (more than 50 characters).",
        ),
        (
            {"FIELD_NAME": "A-B", "USER_TYPE_ID": "string"},
            "ERROR_CORE",
            "Field name contains invalid characters. Allowed characters are: A-Z, 0-9 and _.",
        ),
        (
            {
                "FIELD_NAME": "A",
                "USER_TYPE_ID": "enumeration",
                "LIST": [{"VALUE": "1", "XML_ID": "x"}, {"VALUE": "2", "XML_ID": "x"}],
            },
            "ERROR_CORE",
            "List item with XML_ID=x already exists.",
        ),
    ],
)
def test_a_wrong_field_is_refused_as_the_docs_say(refusal, fields, code, text):
    assert refusal("crm.lead.userfield.add", fields=fields) == (400, code, text)


def test_only_an_administrator_may_make_fields(portal, refusal):
    portal.world.people.admins.clear()
    answer = refusal("crm.lead.userfield.add", fields={"FIELD_NAME": "A", "USER_TYPE_ID": "string"})
    assert answer == (403, "", "Access denied.")


@pytest.fixture
def grade(call):
    """An enumeration of deals; its option ids by XML_ID."""
    options = [{"VALUE": "A", "XML_ID": "a", "SORT": 10}, {"VALUE": "B", "XML_ID": "b", "SORT": 20}]
    fields = {"FIELD_NAME": "GRADE", "USER_TYPE_ID": "enumeration", "LIST": options}
    number = call("crm.deal.userfield.add", fields=fields)
    row = next(one for one in call("crm.deal.userfield.list") if one["ID"] == str(number))
    return {option["XML_ID"]: int(option["ID"]) for option in row["LIST"]}


def test_an_enumeration_holds_the_number_of_its_row(portal, call, refusal, grade):
    deal = portal.ui_add(2, {})
    call("crm.item.update", entityTypeId=2, id=deal, fields={"ufCrmGrade": str(grade["b"])})

    assert portal.item(2, deal)["UF_CRM_GRADE"] == grade["b"]
    assert call("crm.item.get", entityTypeId=2, id=deal)["item"]["ufCrmGrade"] == grade["b"]
    original = call("crm.item.get", entityTypeId=2, id=deal, useOriginalUfNames="Y")["item"]
    assert original["UF_CRM_GRADE"] == grade["b"]
    assert "ufCrmGrade" not in original
    assert call("crm.deal.get", id=deal)["UF_CRM_GRADE"] == str(grade["b"])
    refused = refusal("crm.item.update", entityTypeId=2, id=deal, fields={"ufCrmGrade": "A"})
    assert refused[1] == "CRM_FIELD_ERROR_VALUE_NOT_VALID"


def test_list_rows_can_be_added_and_removed(call, grade):
    number = next(row["ID"] for row in call("crm.deal.userfield.list"))
    changes = [{"ID": grade["a"], "DEL": "Y"}, {"VALUE": "C", "XML_ID": "c", "SORT": 5}]
    call("crm.deal.userfield.update", id=number, fields={"LIST": changes})
    rows = call("crm.deal.userfield.list")[0]["LIST"]
    assert [row["XML_ID"] for row in rows] == ["c", "b"]
    assert len({row["ID"] for row in rows} | {str(grade["a"])}) == 3


def test_labels_come_with_a_language_only(call):
    call("crm.lead.userfield.add", fields={"FIELD_NAME": "A", "USER_TYPE_ID": "string", "LABEL": "Заметка"})
    assert "EDIT_FORM_LABEL" not in call("crm.lead.userfield.list")[0]
    assert call("crm.lead.userfield.list", filter={"LANG": "ru"})[0]["EDIT_FORM_LABEL"] == "Заметка"


@pytest.mark.parametrize(
    ("kind", "multiple", "sent", "item", "legacy"),
    [
        pytest.param("double", "N", "3,5", 3.5, "3.5", id="double"),
        pytest.param("double", "N", 0, 0, "0", id="zero that was typed"),
        pytest.param("double", "N", "", None, None, id="no double"),
        pytest.param("boolean", "N", "1", "Y", "1", id="yes"),
        pytest.param("boolean", "N", False, "N", "0", id="no"),
        pytest.param("date", "N", "2026-08-30", "2026-08-30T03:00:00+03:00", "2026-08-30T03:00:00+03:00", id="date"),
        pytest.param("date", "N", "30.08.2026", "2026-08-30T03:00:00+03:00", "2026-08-30T03:00:00+03:00", id="ru date"),
        pytest.param(
            "datetime",
            "N",
            "2026-08-30T10:00:00+00:00",
            "2026-08-30T13:00:00+03:00",
            "2026-08-30T13:00:00+03:00",
            id="datetime in the portal's offset",
        ),
        pytest.param("string", "N", "текст", "текст", "текст", id="string"),
        pytest.param("string", "Y", ["a", "b"], ["a", "b"], ["a", "b"], id="many strings"),
        pytest.param("string", "Y", [], [], False, id="no strings"),
        pytest.param("money", "N", "1000|EUR", "1000|EUR", "1000|EUR", id="money"),
    ],
)
def test_what_a_field_holds(portal, call, kind, multiple, sent, item, legacy):
    call("crm.lead.userfield.add", fields={"FIELD_NAME": "X", "USER_TYPE_ID": kind, "MULTIPLE": multiple})
    lead = portal.ui_add(1, {"UF_CRM_X": sent})
    assert portal.item(1, lead)["UF_CRM_X"] == item
    assert call("crm.lead.get", id=lead)["UF_CRM_X"] == legacy


def test_a_card_older_than_a_field_has_nothing_in_it(portal, call):
    lead = portal.ui_add(1, {})
    call("crm.lead.userfield.add", fields={"FIELD_NAME": "X", "USER_TYPE_ID": "double"})
    assert call("crm.item.get", entityTypeId=1, id=lead)["item"]["ufCrmX"] is None


def test_the_fields_method_names_types_lists_and_upper_names(call, grade):
    fields = call("crm.item.fields", entityTypeId=2)["fields"]
    assert fields["ufCrmGrade"]["upperName"] == "UF_CRM_GRADE"
    assert {option["VALUE"] for option in fields["ufCrmGrade"]["items"]} == {"A", "B"}
    assert fields["stageId"]["statusType"] == "DEAL_STAGE"
    assert fields["contactIds"]["isMultiple"] is True
    assert fields["movedBy"]["isReadOnly"] is True
    assert call("crm.item.fields", entityTypeId=1)["fields"]["stageId"]["upperName"] == "STATUS_ID"
    assert "UF_CRM_GRADE" in call("crm.item.fields", entityTypeId=2, useOriginalUfNames="Y")["fields"]
    assert "UF_CRM_GRADE" in call("crm.deal.fields")


def test_new_fields_are_announced(portal, call):
    call("crm.lead.userfield.add", fields={"FIELD_NAME": "X", "USER_TYPE_ID": "double"})
    assert portal.stats.events_raised == {"ONCRMLEADUSERFIELDADD": 1}
