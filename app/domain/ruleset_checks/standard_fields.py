"""The standard fields that `crm.item` prints, by card (api-reference/crm/universal/object-fields). Data only."""

from collections.abc import Mapping

from app.domain.snapshot import Entity

_COMMON = """
    title id createdTime updatedTime createdBy updatedBy assignedById opened lastActivityBy lastActivityTime
    utmSource utmMedium utmCampaign utmContent utmTerm observers webformId searchContent originatorId originId
    currencyId contactIds comments
"""
_LEAD = """
    dateCreateShort dateModifyShort name lastName secondName shortName post birthdate honorific login hasPhone
    hasEmail hasImol phoneMobile phoneWork phoneMailing emailHome emailWork emailMailing imol email phone
    address movedBy movedTime opportunity isManualOpportunity sourceId sourceDescription companyId contactId
    stageId stageSemanticId statusDescription isConvert productId companyTitle dateClosed isReturnCustomer skype
    icq
"""
_DEAL = """
    dateCreateShort dateModifyShort movedBy movedTime opportunity isManualOpportunity sourceId sourceDescription
    companyId contactId begindate closedate typeId categoryId stageId stageSemanticId leadId quoteId probability
    taxValue closed isNew isRecurring isReturnCustomer isRepeatedApproach additionalInfo locationId productId
    orderStage hasProducts begindateShort closedateShort eventDate eventDateShort eventId eventDescription
    isWork isWon isLose receivedAmount lostAmount
"""
_COMPANY = """
    hasPhone hasEmail hasImol phoneMobile phoneWork phoneMailing emailHome emailWork emailMailing imol email
    phone address typeId industry employees revenue bankingDetails leadId isMyCompany logo originVersion
    addressLegal categoryId
"""

STANDARD_FIELDS: Mapping[Entity, frozenset[str]] = {
    Entity.LEAD: frozenset(f"{_COMMON} {_LEAD}".split()),
    Entity.DEAL: frozenset(f"{_COMMON} {_DEAL}".split()),
    Entity.COMPANY: frozenset(f"{_COMMON} {_COMPANY}".split()),
}
