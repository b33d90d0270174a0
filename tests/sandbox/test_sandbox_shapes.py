"""The keys and kinds of values each answer has, against the samples printed in the official docs."""

import pytest

LEAD_ITEM = """id createdTime dateCreateShort updatedTime dateModifyShort createdBy updatedBy assignedById opened
companyId contactId stageId isConvert statusDescription stageSemanticId productId opportunity currencyId sourceId
sourceDescription title name lastName secondName shortName companyTitle post address comments webformId
originatorId originId dateClosed birthdate honorific hasPhone hasEmail hasImol login isReturnCustomer
searchContent isManualOpportunity movedBy movedTime lastActivityBy lastActivityTime phoneMobile phoneWork
phoneMailing emailHome emailWork emailMailing skype icq imol email phone fm utmSource utmMedium utmCampaign
utmContent utmTerm observers contactIds entityTypeId"""
DEAL_ITEM = """id createdTime dateCreateShort updatedTime dateModifyShort createdBy updatedBy assignedById opened
leadId companyId contactId quoteId title productId categoryId stageId stageSemanticId isNew isRecurring
isReturnCustomer isRepeatedApproach closed typeId opportunity isManualOpportunity taxValue currencyId probability
comments begindate begindateShort closedate closedateShort eventDate eventDateShort eventId eventDescription
locationId webformId sourceId sourceDescription originatorId originId additionalInfo searchContent orderStage
movedBy movedTime lastActivityBy lastActivityTime isWork isWon isLose receivedAmount lostAmount hasProducts
utmSource utmMedium utmCampaign utmContent utmTerm observers contactIds entityTypeId"""
LEAD = """ID TITLE HONORIFIC NAME SECOND_NAME LAST_NAME COMPANY_TITLE COMPANY_ID CONTACT_ID IS_RETURN_CUSTOMER
BIRTHDATE SOURCE_ID SOURCE_DESCRIPTION STATUS_ID STATUS_DESCRIPTION POST COMMENTS CURRENCY_ID OPPORTUNITY
IS_MANUAL_OPPORTUNITY HAS_PHONE HAS_EMAIL HAS_IMOL ASSIGNED_BY_ID CREATED_BY_ID MODIFY_BY_ID DATE_CREATE
DATE_MODIFY DATE_CLOSED STATUS_SEMANTIC_ID OPENED ORIGINATOR_ID ORIGIN_ID MOVED_BY_ID MOVED_TIME ADDRESS ADDRESS_2
ADDRESS_CITY ADDRESS_POSTAL_CODE ADDRESS_REGION ADDRESS_PROVINCE ADDRESS_COUNTRY ADDRESS_COUNTRY_CODE
ADDRESS_LOC_ADDR_ID UTM_SOURCE UTM_MEDIUM UTM_CAMPAIGN UTM_CONTENT UTM_TERM LAST_ACTIVITY_BY LAST_ACTIVITY_TIME"""
DEAL = """ID TITLE TYPE_ID STAGE_ID PROBABILITY CURRENCY_ID OPPORTUNITY IS_MANUAL_OPPORTUNITY TAX_VALUE LEAD_ID
COMPANY_ID CONTACT_ID QUOTE_ID BEGINDATE CLOSEDATE ASSIGNED_BY_ID CREATED_BY_ID MODIFY_BY_ID DATE_CREATE DATE_MODIFY
OPENED CLOSED COMMENTS ADDITIONAL_INFO LOCATION_ID CATEGORY_ID STAGE_SEMANTIC_ID IS_NEW IS_RECURRING
IS_RETURN_CUSTOMER IS_REPEATED_APPROACH SOURCE_ID SOURCE_DESCRIPTION ORIGINATOR_ID ORIGIN_ID MOVED_BY_ID MOVED_TIME
LAST_ACTIVITY_TIME UTM_SOURCE UTM_MEDIUM UTM_CAMPAIGN UTM_CONTENT UTM_TERM LAST_ACTIVITY_BY"""
COMPANY = """ID COMPANY_TYPE TITLE LOGO LEAD_ID HAS_PHONE HAS_EMAIL HAS_IMOL ASSIGNED_BY_ID CREATED_BY_ID
MODIFY_BY_ID BANKING_DETAILS INDUSTRY REVENUE CURRENCY_ID EMPLOYEES COMMENTS DATE_CREATE DATE_MODIFY OPENED
IS_MY_COMPANY ORIGINATOR_ID ORIGIN_ID ORIGIN_VERSION ADDRESS ADDRESS_LEGAL REG_ADDRESS LAST_ACTIVITY_BY
LAST_ACTIVITY_TIME"""
PRODUCT_ROW = """id ownerId ownerType productId productName price priceAccount priceExclusive priceNetto priceBrutto
quantity discountTypeId discountRate discountSum taxRate taxIncluded customized measureCode measureName sort xmlId
type storeId"""
ACTIVITY = """ID OWNER_ID OWNER_TYPE_ID TYPE_ID PROVIDER_ID PROVIDER_TYPE_ID PROVIDER_GROUP_ID ASSOCIATED_ENTITY_ID
SUBJECT CREATED LAST_UPDATED START_TIME END_TIME DEADLINE COMPLETED STATUS RESPONSIBLE_ID PRIORITY NOTIFY_TYPE
NOTIFY_VALUE DESCRIPTION DESCRIPTION_TYPE DIRECTION LOCATION SETTINGS ORIGINATOR_ID ORIGIN_ID AUTHOR_ID EDITOR_ID
PROVIDER_PARAMS PROVIDER_DATA RESULT_MARK RESULT_VALUE RESULT_SUM RESULT_CURRENCY_ID RESULT_STATUS RESULT_STREAM
RESULT_SOURCE_ID AUTOCOMPLETE_RULE"""


@pytest.fixture
def filled(portal):
    """One card of each kind, linked to each other, with rows, an activity and a comment."""
    phones = [{"typeId": "PHONE", "valueType": "WORK", "value": "+7 495 000-00-01"}]
    company = portal.ui_add(
        4, {"title": "Завод", "industry": "MANUFACTURING", "revenue": "2000000000.50", "fm": phones}
    )
    contact = portal.ui_add(3, {"name": "Анна", "companyId": company, "birthdate": "2000-01-31"})
    lead = portal.ui_add(1, {"title": "Котёл", "opportunity": 999.9, "isManualOpportunity": "Y", "fm": phones})
    deal = portal.ui_add(2, {"title": "Сделка", "companyId": company, "contactIds": [contact]})
    portal.ui_set_rows("D", deal, [{"productId": 100, "price": 1500, "quantity": 2}])
    activity = portal.ui_add_activity(1, lead, {"TYPE_ID": 2, "SUBJECT": "Звонок", "DIRECTION": 2})
    portal.ui_comment(1, lead, "Перезвонить")
    return {"company": company, "contact": contact, "lead": lead, "deal": deal, "activity": activity}


@pytest.mark.parametrize(
    ("method", "params", "path", "keys"),
    [
        pytest.param("crm.item.get", {"entityTypeId": 1, "id": "#lead"}, ("item",), LEAD_ITEM, id="lead item"),
        pytest.param("crm.item.get", {"entityTypeId": 2, "id": "#deal"}, ("item",), DEAL_ITEM, id="deal item"),
        pytest.param("crm.lead.get", {"id": "#lead"}, (), LEAD, id="lead"),
        pytest.param("crm.deal.get", {"id": "#deal"}, (), DEAL, id="deal"),
        pytest.param("crm.company.get", {"id": "#company"}, (), COMPANY, id="company"),
        pytest.param("crm.activity.get", {"id": "#activity"}, (), ACTIVITY, id="activity"),
        pytest.param(
            "crm.item.productrow.list",
            {"filter": {"=ownerType": "D", "=ownerId": "#deal"}},
            ("productRows", 0),
            PRODUCT_ROW,
            id="product row",
        ),
        pytest.param(
            "crm.stagehistory.list",
            {"entityTypeId": 2},
            ("items", 0),
            "ID TYPE_ID OWNER_ID CREATED_TIME CATEGORY_ID STAGE_SEMANTIC_ID STAGE_ID",
            id="stage history",
        ),
        pytest.param(
            "crm.stagehistory.list",
            {"entityTypeId": 1},
            ("items", 0),
            "ID TYPE_ID OWNER_ID CREATED_TIME STATUS_SEMANTIC_ID STATUS_ID",
            id="lead stage history",
        ),
        pytest.param(
            "crm.timeline.comment.list",
            {"filter": {"ENTITY_TYPE": "lead", "ENTITY_ID": "#lead"}},
            (0,),
            "ID ENTITY_ID ENTITY_TYPE CREATED COMMENT AUTHOR_ID FILES",
            id="comment",
        ),
        pytest.param(
            "crm.status.list",
            {"filter": {"ENTITY_ID": "DEAL_STAGE"}},
            (0,),
            "ID ENTITY_ID STATUS_ID NAME NAME_INIT SORT SYSTEM CATEGORY_ID COLOR SEMANTICS EXTRA",
            id="status",
        ),
        pytest.param(
            "crm.currency.list",
            {},
            (0,),
            "CURRENCY AMOUNT_CNT AMOUNT SORT BASE FULL_NAME LID FORMAT_STRING DEC_POINT THOUSANDS_SEP DECIMALS "
            "DATE_UPDATE",
            id="currency",
        ),
        pytest.param(
            "crm.category.list",
            {"entityTypeId": 2},
            ("categories", 0),
            "id name sort entityTypeId isDefault originId originatorId",
            id="pipeline",
        ),
        pytest.param("profile", {}, (), "ID ADMIN NAME LAST_NAME PERSONAL_GENDER TIME_ZONE", id="profile"),
        pytest.param("department.get", {"ID": 3}, (0,), "ID NAME SORT PARENT UF_HEAD", id="department"),
    ],
)
def test_an_answer_has_the_keys_of_the_docs(call, filled, method, params, path, keys):
    found = call(method, **_ids(params, filled))
    for step in path:
        found = found[step]

    assert set(keys.split()) <= set(found)


def _ids(value, filled):
    if isinstance(value, dict):
        return {key: _ids(child, filled) for key, child in value.items()}
    return filled[value[1:]] if isinstance(value, str) and value.startswith("#") else value


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("lead", "id", 1),
        ("lead", "opportunity", 999.9),
        ("lead", "companyId", 0),
        ("lead", "contactIds", []),
        ("lead", "isReturnCustomer", "N"),
        ("lead", "createdTime", "2026-03-02T12:00:00+03:00"),
        ("lead", "dateClosed", None),
        ("lead", "phoneWork", "+7 495 000-00-01"),
        ("lead", "phoneMobile", ""),
        ("lead", "fm", [{"id": 102, "valueType": "WORK", "value": "+7 495 000-00-01", "typeId": "PHONE"}]),
        ("lead", "stageSemanticId", "P"),
        ("deal", "opportunity", 3000),
        ("deal", "contactId", 1),
        ("deal", "begindate", "2026-03-02T03:00:00+03:00"),
        ("deal", "closedate", "2026-03-09T03:00:00+03:00"),
        ("deal", "leadId", None),
        ("contact", "birthdate", "2000-01-31T03:00:00+03:00"),
        ("company", "revenue", 2000000000.5),
        ("company", "contactIds", [1]),
    ],
)
def test_crm_item_prints_numbers_and_iso_dates(call, filled, kind, name, expected):
    number = {"lead": 1, "deal": 2, "contact": 3, "company": 4}[kind]
    item = call("crm.item.get", entityTypeId=number, id=filled[kind])["item"]
    assert item[name] == expected
    assert type(item[name]) is type(expected)


@pytest.mark.parametrize(
    ("method", "kind", "name", "expected"),
    [
        ("crm.lead.get", "lead", "ID", "1"),
        ("crm.lead.get", "lead", "OPPORTUNITY", "999.90"),
        ("crm.lead.get", "lead", "COMPANY_ID", None),
        ("crm.lead.get", "lead", "DATE_CLOSED", ""),
        ("crm.lead.get", "lead", "BIRTHDATE", ""),
        ("crm.lead.get", "lead", "HAS_PHONE", "Y"),
        ("crm.lead.get", "lead", "NAME", None),
        ("crm.deal.get", "deal", "OPPORTUNITY", "3000.00"),
        ("crm.deal.get", "deal", "CATEGORY_ID", "0"),
        ("crm.deal.get", "deal", "COMPANY_ID", "1"),
        ("crm.company.get", "company", "REVENUE", "2000000000.5"),
        ("crm.contact.get", "contact", "BIRTHDATE", "2000-01-31T03:00:00+03:00"),
    ],
)
def test_the_legacy_family_prints_strings(call, filled, method, kind, name, expected):
    assert call(method, id=filled[kind])[name] == expected


def test_legacy_phones_are_rows_and_contact_ids_are_not_there(call, filled):
    lead = call("crm.lead.get", id=filled["lead"])
    assert lead["PHONE"] == [{"ID": "102", "VALUE_TYPE": "WORK", "VALUE": "+7 495 000-00-01", "TYPE_ID": "PHONE"}]
    assert "CONTACT_IDS" not in call("crm.deal.get", id=filled["deal"])
    assert call("crm.deal.contact.items.get", id=filled["deal"]) == [
        {"CONTACT_ID": 1, "SORT": 10, "ROLE_ID": 0, "IS_PRIMARY": "Y"}
    ]


def test_the_time_envelope_carries_the_portal_offset_and_the_cumulative_operating(portal):
    portal.call("profile")
    time = portal.call("profile").body["time"]

    assert time["date_start"] == "2026-03-02T12:00:00+03:00"
    assert time["operating"] == pytest.approx(0.01)
    assert time["operating_reset_at"] == int(time["start"]) + 600
    assert {"start", "finish", "duration", "processing", "date_finish"} <= set(time)
