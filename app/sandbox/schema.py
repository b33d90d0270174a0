"""The standard fields of each CRM object type, from docs `crm/universal/object-fields` and the legacy
`crm/{leads,deals,contacts,companies}/crm-*-get` samples.

Each line: name in crm.item, name in the legacy family, type, flags.
Flags: r read only, m multiple, i only in crm.item, l only in the legacy family, x always null in crm.item.
"""

from dataclasses import dataclass

from app.sandbox.fields import Field

LEAD, DEAL, CONTACT, COMPANY, QUOTE, INVOICE = 1, 2, 3, 4, 7, 31

_COMMON = """
id ID integer r
createdTime DATE_CREATE datetime r
updatedTime DATE_MODIFY datetime r
createdBy CREATED_BY_ID user r
updatedBy MODIFY_BY_ID user r
assignedById ASSIGNED_BY_ID user
opened OPENED boolean
lastActivityBy LAST_ACTIVITY_BY user r
lastActivityTime LAST_ACTIVITY_TIME datetime r
utmSource UTM_SOURCE string
utmMedium UTM_MEDIUM string
utmCampaign UTM_CAMPAIGN string
utmContent UTM_CONTENT string
utmTerm UTM_TERM string
observers OBSERVERS user mi
webformId WEBFORM_ID integer i
searchContent SEARCH_CONTENT text xi
"""
_ORIGIN = """
originatorId ORIGINATOR_ID string
originId ORIGIN_ID string
"""
_PERSON = """
name NAME string
lastName LAST_NAME string
secondName SECOND_NAME string
shortName SHORT_NAME string xi
post POST string
birthdate BIRTHDATE date
honorific HONORIFIC crm_status
login LOGIN string xi
"""
_REACHABLE = """
hasPhone HAS_PHONE boolean r
hasEmail HAS_EMAIL boolean r
hasImol HAS_IMOL boolean r
phoneMobile PHONE_MOBILE string ri
phoneWork PHONE_WORK string ri
phoneMailing PHONE_MAILING string ri
emailHome EMAIL_HOME string ri
emailWork EMAIL_WORK string ri
emailMailing EMAIL_MAILING string ri
imol IMOL string ri
email EMAIL_FIRST string ri
phone PHONE_FIRST string ri
address ADDRESS text
address2 ADDRESS_2 text l
addressCity ADDRESS_CITY string l
addressPostalCode ADDRESS_POSTAL_CODE string l
addressRegion ADDRESS_REGION string l
addressProvince ADDRESS_PROVINCE string l
addressCountry ADDRESS_COUNTRY string l
addressCountryCode ADDRESS_COUNTRY_CODE string l
addressLocAddrId ADDRESS_LOC_ADDR_ID string l
"""
_STAGED = """
movedBy MOVED_BY_ID user r
movedTime MOVED_TIME datetime r
"""
_MONEY = """
opportunity OPPORTUNITY double
currencyId CURRENCY_ID crm_currency
isManualOpportunity IS_MANUAL_OPPORTUNITY boolean
"""
_SOURCE = """
sourceId SOURCE_ID crm_status
sourceDescription SOURCE_DESCRIPTION text
"""
_SHORT_DATES = """
dateCreateShort DATE_CREATE_SHORT datetime xi
dateModifyShort DATE_MODIFY_SHORT datetime xi
"""
_CLIENT = """
companyId COMPANY_ID crm_company
contactId CONTACT_ID crm_contact
contactIds CONTACT_IDS crm_contact mi
"""
_SPAN = """
begindate BEGINDATE date
closedate CLOSEDATE date
"""

_LINES: dict[int, str] = {
    LEAD: "title TITLE string\n"
    + _COMMON
    + _SHORT_DATES
    + _ORIGIN
    + _PERSON
    + _REACHABLE
    + _STAGED
    + _MONEY
    + _SOURCE
    + _CLIENT
    + """
stageId STATUS_ID crm_status
stageSemanticId STATUS_SEMANTIC_ID string r
statusDescription STATUS_DESCRIPTION text
isConvert IS_CONVERT boolean xi
productId PRODUCT_ID string xi
companyTitle COMPANY_TITLE string
comments COMMENTS text
dateClosed DATE_CLOSED datetime r
isReturnCustomer IS_RETURN_CUSTOMER boolean r
skype SKYPE string xi
icq ICQ string xi
""",
    DEAL: "title TITLE string\n"
    + _COMMON
    + _SHORT_DATES
    + _ORIGIN
    + _STAGED
    + _MONEY
    + _SOURCE
    + _CLIENT
    + _SPAN
    + """
typeId TYPE_ID crm_status
categoryId CATEGORY_ID crm_category
stageId STAGE_ID crm_status
stageSemanticId STAGE_SEMANTIC_ID string r
leadId LEAD_ID crm_lead
quoteId QUOTE_ID crm_quote
probability PROBABILITY integer
taxValue TAX_VALUE double
comments COMMENTS text
closed CLOSED boolean r
isNew IS_NEW boolean r
isRecurring IS_RECURRING boolean
isReturnCustomer IS_RETURN_CUSTOMER boolean r
isRepeatedApproach IS_REPEATED_APPROACH boolean r
additionalInfo ADDITIONAL_INFO string
locationId LOCATION_ID location
productId PRODUCT_ID string xi
orderStage ORDER_STAGE string xi
hasProducts HAS_PRODUCTS boolean xi
begindateShort BEGINDATE_SHORT datetime xi
closedateShort CLOSEDATE_SHORT datetime xi
eventDate EVENT_DATE datetime xi
eventDateShort EVENT_DATE_SHORT datetime xi
eventId EVENT_ID crm_status xi
eventDescription EVENT_DESCRIPTION text xi
isWork IS_WORK boolean xi
isWon IS_WON boolean xi
isLose IS_LOSE boolean xi
receivedAmount RECEIVED_AMOUNT string xi
lostAmount LOST_AMOUNT string xi
""",
    CONTACT: _COMMON
    + _ORIGIN
    + _PERSON
    + _REACHABLE
    + _SOURCE
    + """
typeId TYPE_ID crm_status
companyId COMPANY_ID crm_company
companyIds COMPANY_IDS crm_company mi
leadId LEAD_ID crm_lead
comments COMMENTS text
export EXPORT boolean
photo PHOTO file
faceId FACE_ID integer l
originVersion ORIGIN_VERSION string
categoryId CATEGORY_ID crm_category i
""",
    COMPANY: "title TITLE string\n"
    + _COMMON
    + _ORIGIN
    + _REACHABLE
    + """
typeId COMPANY_TYPE crm_status
industry INDUSTRY crm_status
employees EMPLOYEES crm_status
revenue REVENUE double
currencyId CURRENCY_ID crm_currency
bankingDetails BANKING_DETAILS string
comments COMMENTS text
leadId LEAD_ID crm_lead
isMyCompany IS_MY_COMPANY boolean
logo LOGO file
originVersion ORIGIN_VERSION string
addressLegal ADDRESS_LEGAL text
lastCommunicationTime LAST_COMMUNICATION_TIME datetime rl
regAddress REG_ADDRESS text l
regAddress2 REG_ADDRESS_2 text l
regAddressCity REG_ADDRESS_CITY string l
regAddressPostalCode REG_ADDRESS_POSTAL_CODE string l
regAddressRegion REG_ADDRESS_REGION string l
regAddressProvince REG_ADDRESS_PROVINCE string l
regAddressCountry REG_ADDRESS_COUNTRY string l
regAddressCountryCode REG_ADDRESS_COUNTRY_CODE string l
regAddressLocAddrId REG_ADDRESS_LOC_ADDR_ID string l
contactIds CONTACT_IDS crm_contact mi
categoryId CATEGORY_ID crm_category i
""",
    QUOTE: "title TITLE string\n"
    + _COMMON
    + _SHORT_DATES
    + _MONEY
    + _CLIENT
    + _SPAN
    + """
stageId STATUS_ID crm_status
stageSemanticId STATUS_SEMANTIC_ID string ri
closed CLOSED boolean r
leadId LEAD_ID crm_lead
dealId DEAL_ID crm_deal
mycompanyId MYCOMPANY_ID crm_company
quoteNumber QUOTE_NUMBER string
taxValue TAX_VALUE double
content CONTENT text
terms TERMS text
comments COMMENTS text
actualDate ACTUAL_DATE date
""",
    INVOICE: "title TITLE string\n"
    + _COMMON
    + _STAGED
    + _MONEY
    + _SOURCE
    + _CLIENT
    + _SPAN
    + """
xmlId XML_ID string
categoryId CATEGORY_ID crm_category
stageId STAGE_ID crm_status
previousStageId PREVIOUS_STAGE_ID crm_status r
taxValue TAX_VALUE double
mycompanyId MYCOMPANY_ID crm_company
accountNumber ACCOUNT_NUMBER string
comments COMMENTS text
locationId LOCATION_ID location
parentId2 PARENT_ID_2 crm_entity
parentId7 PARENT_ID_7 crm_entity
""",
}

_STATUS_TYPES = {
    "sourceId": "SOURCE",
    "honorific": "HONORIFIC",
    "industry": "INDUSTRY",
    "employees": "EMPLOYEES",
}
_TYPE_DICTIONARY = {DEAL: "DEAL_TYPE", CONTACT: "CONTACT_TYPE", COMPANY: "COMPANY_TYPE"}
# What a fresh object prints for a link nobody set: the docs show 0 on leads (crm-item-get).
_ZERO_LINKS = {(LEAD, "companyId"), (LEAD, "contactId"), (LEAD, "webformId")}
_NEW_OBJECT_YES_NO = {
    (DEAL, "isRepeatedApproach"),
    (DEAL, "isRecurring"),
    (DEAL, "isNew"),
    (CONTACT, "export"),
    (COMPANY, "isMyCompany"),
}


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A CRM object type: its number, owner name, short code and legacy method segment."""

    id: int
    name: str
    code: str
    segment: str
    event: str
    has_phones: bool = False
    has_rows: bool = False
    has_stages: bool = False
    has_pipelines: bool = False
    entity_id: str = ""


OBJECT_TYPES: dict[int, ObjectType] = {
    kind.id: kind
    for kind in (
        ObjectType(LEAD, "LEAD", "L", "lead", "LEAD", True, True, True, False, "CRM_LEAD"),
        ObjectType(DEAL, "DEAL", "D", "deal", "DEAL", False, True, True, True, "CRM_DEAL"),
        ObjectType(CONTACT, "CONTACT", "C", "contact", "CONTACT", True, False, False, False, "CRM_CONTACT"),
        ObjectType(COMPANY, "COMPANY", "CO", "company", "COMPANY", True, False, False, False, "CRM_COMPANY"),
        ObjectType(QUOTE, "QUOTE", "Q", "quote", "QUOTE", False, True, True, False, "CRM_QUOTE"),
        ObjectType(INVOICE, "SMART_INVOICE", "SI", "", "", False, True, True, True, "CRM_SMART_INVOICE"),
    )
}


def standard_fields(entity_type_id: int) -> list[Field]:
    return [_field(entity_type_id, line.split()) for line in _LINES[entity_type_id].split("\n") if line]


def _field(entity_type_id: int, words: list[str]) -> Field:
    name, upper, kind, *rest = words
    flags = rest[0] if rest else ""
    return Field(
        name=name,
        upper=upper,
        type=kind,
        read_only="r" in flags or "x" in flags,
        multiple="m" in flags,
        in_item="l" not in flags,
        in_legacy="i" not in flags,
        empty=_empty(entity_type_id, name, flags),
        status_type=_status_type(entity_type_id, name),
        title=upper.replace("_", " ").capitalize(),
    )


def _empty(entity_type_id: int, name: str, flags: str) -> object:
    if "m" in flags:
        return []
    if (entity_type_id, name) in _ZERO_LINKS or name in {"opportunity", "taxValue", "revenue"}:
        return 0
    if (entity_type_id, name) in _NEW_OBJECT_YES_NO:
        return "N"
    return None


def _status_type(entity_type_id: int, name: str) -> str | None:
    if name == "typeId":
        return _TYPE_DICTIONARY.get(entity_type_id)
    return _STATUS_TYPES.get(name)
