"""Conversion: the company, contact and deal that a lead becomes, each made at most once.

Used by `plan_lead.py`. REST has no conversion method (bitrix24.md, 5.1), so this is the recipe: reuse what was
found, make what is missing with our origin mark, link it all to the lead. The lead's own move is not made here:
it comes last, so that a crash leaves an open lead and the recipe can be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.domain import company_card, destination, person_card
from app.domain.actions import ORIGINATOR, Action, CreateItem, Product, Ref, SetRows, UpdateItem
from app.domain.difference import changed, digest, is_empty, link, links
from app.domain.given import Given
from app.domain.messages import Message, message
from app.domain.route_fields import wanted_fields
from app.domain.snapshot import Entity, LeadSnapshot, RawCard, Stage
from app.domain.touch import Hold
from app.domain.verdict import Outcome

Id: TypeAlias = int | Ref
_DEAL_COPIES = (
    "title", "currencyId", "sourceId", "sourceDescription", "assignedById", "comments",
    "utmSource", "utmMedium", "utmCampaign", "utmContent", "utmTerm",
)  # fmt: skip
_ROW_COPIES = (
    "productId", "productName", "price", "quantity", "discountTypeId", "discountRate", "discountSum",
    "taxRate", "taxIncluded", "measureCode", "sort",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is still to be made, the links to be set on the lead, and what was done in words."""

    actions: tuple[Action, ...] = ()
    lead_links: Mapping[str, Any] = field(default_factory=dict[str, Any])
    done: tuple[Message, ...] = ()


NOTHING_MADE = Conversion()


def convert(outcome: Outcome, snapshot: LeadSnapshot, given: Given) -> Conversion | Hold:
    """All that a target lead becomes, or why that cannot be made."""
    lead = snapshot.lead
    with_deal = outcome is Outcome.DEAL
    stage = _deal_stage(given) if with_deal else None
    if with_deal and stage is None:
        return Hold.STAGE_UNKNOWN
    company, company_part = _company(snapshot, given, nurture=not with_deal)
    if company is None and not with_deal:
        return Hold.COMPANY_UNKNOWN
    contacts, contact_part = _contacts(lead, company, given)
    parts = [company_part, contact_part]
    if stage is not None:
        parts.append(_deal(lead, company, contacts, stage=stage, given=given))
    return Conversion(
        tuple(action for part in parts for action in part.actions),
        _missing_links(lead, company, contacts),
        tuple(said for part in parts for said in part.done),
    )


def _company(snapshot: LeadSnapshot, given: Given, *, nurture: bool) -> tuple[Id | None, Conversion]:
    lead = snapshot.lead
    segment = company_card.segment(given) if nurture else {}
    known = link(lead.get("companyId"))
    found = given.links.company
    if known is not None or found is not None:
        company = known if known is not None else found.id if found else 0
        card = _card_of(company, snapshot.company, found.card if found else None)
        told = {} if card is None else company_card.told_by_lead(given, card)
        update = _company_update(lead, company, changed(card or {}, {**told, **segment}))
        return company, Conversion(update, done=(message("The company's card was found and reused."),))
    if is_empty(lead.get("companyTitle")):
        return None, NOTHING_MADE
    fields = {
        "title": str(lead["companyTitle"]).strip(),
        **_owner(lead),
        **company_card.told_by_lead(given, None),
        **segment,
    }
    return Ref("company"), _made(lead, "company", fields, message("A card was made for the company."))


def _card_of(company: int, *cards: RawCard | None) -> RawCard | None:
    return next((card for card in cards if card is not None and link(card.get("id")) in {company, None}), None)


def _company_update(lead: RawCard, company: int, fields: Mapping[str, Any]) -> tuple[Action, ...]:
    if not fields:
        return ()
    return (UpdateItem(f"lead-{lead['id']}:company-fields:{digest(fields)}", Entity.COMPANY, company, fields),)


def _contacts(lead: RawCard, company: Id | None, given: Given) -> tuple[tuple[Id, ...], Conversion]:
    known = links(lead.get("contactIds")) or links(lead.get("contactId"))
    if not known and given.links.contact is not None:
        known = (given.links.contact.id,)
    if known:
        return known, Conversion(done=(message("The contact was found and reused."),))
    told = person_card.told_by_lead(lead)
    if not told:
        return (), NOTHING_MADE
    fields = {**told, **_owner(lead), **({"companyId": company} if company is not None else {})}
    return (Ref("contact"),), _made(lead, "contact", fields, message("A contact was made."))


def _deal(lead: RawCard, company: Id | None, contacts: tuple[Id, ...], *, stage: Stage, given: Given) -> Conversion:
    rows = _rows(lead, given)
    if given.links.deal_ids:
        deal = min(given.links.deal_ids)
        copied = () if given.links.deal_has_rows else _set_rows(lead, deal, rows)
        return Conversion(copied, done=(message("The lead's deal was there already and was taken over."),))
    fields = {
        **{name: lead[name] for name in _DEAL_COPIES if not is_empty(lead.get(name))},
        **_sum(lead),
        "categoryId": stage.pipeline,
        "stageId": stage.code,
        **_owner(lead),
        **({"companyId": company} if company is not None else {}),
        **({"contactIds": list(contacts)} if contacts else {}),
        **wanted_fields(given.dictionary, Entity.DEAL, given.ruleset.deal_route.fields),
    }
    made = _made(lead, "deal", fields, message("A deal was made in the stage “{stage}”.", stage=stage.name))
    return Conversion((*made.actions, *_set_rows(lead, Ref("deal"), rows)), done=made.done)


def _deal_stage(given: Given) -> Stage | None:
    route = given.ruleset.deal_route
    pipeline = route.pipeline or 0
    if route.stage is None:
        return destination.first_process(given.dictionary, Entity.DEAL, pipeline)
    return destination.stage_at(given.dictionary, Entity.DEAL, (pipeline, route.stage))


def _sum(lead: RawCard) -> dict[str, Any]:
    """The amount as the lead has it: typed by hand, or following the product rows that are copied too."""
    by_hand = lead.get("isManualOpportunity") in {"Y", True}
    amount = lead.get("opportunity")
    kept = {} if is_empty(amount) else {"opportunity": amount}
    return {**kept, "isManualOpportunity": "Y" if by_hand else "N"}


def _rows(lead: RawCard, given: Given) -> tuple[Mapping[str, Any], ...]:
    """The lead's product rows without what belongs to the lead alone."""
    rows = given.links.lead_rows_raw
    return tuple({name: row[name] for name in _ROW_COPIES if row.get(name) is not None} for row in rows)


def _set_rows(lead: RawCard, deal: Id, rows: tuple[Mapping[str, Any], ...]) -> tuple[Action, ...]:
    return (SetRows(f"lead-{lead['id']}:rows", Entity.DEAL, deal, rows),) if rows else ()


def _owner(lead: RawCard) -> dict[str, Any]:
    """Who is responsible, where it came from, and the mark by which a second attempt finds what the first made."""
    responsible = link(lead.get("assignedById"))
    return {
        **({"assignedById": responsible} if responsible is not None else {}),
        "leadId": lead["id"],
        "originatorId": ORIGINATOR,
        "originId": f"lead-{lead['id']}",
    }


def _made(lead: RawCard, product: Product, fields: Mapping[str, Any], said: Message) -> Conversion:
    entity = {"company": Entity.COMPANY, "contact": Entity.CONTACT, "deal": Entity.DEAL}[product]
    return Conversion((CreateItem(f"lead-{lead['id']}:{product}", entity, fields, product),), done=(said,))


def _missing_links(lead: RawCard, company: Id | None, contacts: tuple[Id, ...]) -> dict[str, Any]:
    """The lead's links to what it became, where it has none."""
    missing: dict[str, Any] = {}
    if company is not None and link(lead.get("companyId")) is None:
        missing["companyId"] = company
    if contacts and not (links(lead.get("contactIds")) or links(lead.get("contactId"))):
        missing["contactIds"] = list(contacts)
    return missing
