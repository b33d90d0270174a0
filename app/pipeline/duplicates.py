"""Looks for what a conversion would otherwise make twice: the company, the contact and the deal of a lead.

Called by `process` for the outcomes that need it. Order of trust: the lead's own link, our origin mark, phone,
e-mail; among equals the oldest. Reads only.

A phone or an e-mail on a company reuses that company whatever the lead calls it: a title is typed anew each time,
a phone is not. A contact's company is a weaker sign: it counts only when the contact has just one company and the
lead names none or the same. So is a company that we made for another lead with the same phone or e-mail: it counts
because that lead's conversion may have been cut off, or be parked, before there was a contact to be found by.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import NotFound
from app.bitrix24.lanes import Lane
from app.domain.actions import ORIGINATOR
from app.domain.difference import link, links
from app.domain.snapshot import NO_LINKS, Entity, Found, LeadSnapshot, Links, RawCard, Snapshot
from app.pipeline.communications import communications_of
from app.pipeline.product_rows import read_raw_rows
from app.pipeline.reads import REFUSALS, has_values, listing, mapping, number, optional, rows, together

_OLDEST: Final = 20
"""Candidates read of one search, oldest first."""
_NEWEST: Final = 5
"""Other leads of the same people whose company is looked for."""
_WORD: Final = re.compile(r"[^\W_]+")
_LEGAL_FORMS: Final = frozenset(("ооо", "оао", "зао", "пао", "ао", "ип", "гк", "llc", "ltd", "inc", "jsc", "gmbh"))
_How = Literal["linked", "origin", "phone", "email"]


@dataclass(frozen=True, slots=True)
class _Candidate:
    id: int
    how: _How


async def fetch_links(client: PortalClient, snapshot: Snapshot, *, lane: Lane = Lane.NORMAL) -> Links:
    """What the lead's conversion can reuse. Raises `Bitrix24Error` when a search could not be made.

    A search that fails is an error, never "nothing found": that would make duplicates.
    """
    if not isinstance(snapshot, LeadSnapshot):
        return NO_LINKS
    search = _Search(client, snapshot, lane)
    async with together() as group:
        people = group.create_task(search.people())
        deals = group.create_task(search.deals())
        copied = group.create_task(search.lead_rows())
    company, contact = people.result()
    deal_ids = deals.result()
    # Rows are put on a deal that has none, so the question arises only where there are rows to put.
    occupied = bool(deal_ids and copied.result()) and await search.has_rows(deal_ids[0])
    return Links(
        company=company, contact=contact, deal_ids=deal_ids, deal_has_rows=occupied, lead_rows_raw=copied.result()
    )


class _Search:
    def __init__(self, client: PortalClient, snapshot: LeadSnapshot, lane: Lane) -> None:
        self._client = client
        self._lane = lane
        self._lead = snapshot.lead
        self._company = snapshot.company
        self._lead_id = int(snapshot.lead["id"])
        self._comms = communications_of(snapshot.lead)

    async def deals(self) -> tuple[int, ...]:
        """Deals made from this lead, in the portal's own interface too, or marked by us."""
        async with together() as group:
            made = group.create_task(self._ids(Entity.DEAL, {"leadId": self._lead_id}))
            marked = group.create_task(self._ids(Entity.DEAL, _mark(self._lead_id)))
        return tuple(sorted({*made.result(), *marked.result()}))

    async def lead_rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows to copy; none where the portal hides rows from us."""
        return await optional(read_raw_rows(self._client, Entity.LEAD, self._lead_id, lane=self._lane)) or ()

    async def has_rows(self, deal_id: int) -> bool:
        return bool(await optional(read_raw_rows(self._client, Entity.DEAL, deal_id, lane=self._lane)))

    async def people(self) -> tuple[Found | None, Found | None]:
        """The company and the contact."""
        async with together() as group:
            companies = group.create_task(self._companies())
            contacts = group.create_task(self._contacts())
            others = group.create_task(self._leads_alike())
        company, found = companies.result(), contacts.result()
        contact = _preferred(found, company)
        if company is None and contact is not None:
            company = await self._company_of(contact)
        if company is None and others.result():
            company = await self._company_made_for(others.result())
        return company, contact

    async def _companies(self) -> Found | None:
        linked = link(self._lead.get("companyId"))
        if linked:
            return Found(linked, "linked", self._company)
        found = await self._cards(Entity.COMPANY, await self._candidates(Entity.COMPANY))
        return next((one for one in found if not _is_ours(one.card)), None)

    async def _contacts(self) -> list[Found]:
        linked = link(self._lead.get("contactId")) or next(iter(links(self._lead.get("contactIds"))), None)
        if linked:
            try:
                return [Found(linked, "linked", await self._client.load(Entity.CONTACT, linked, lane=self._lane))]
            except NotFound:
                pass  # the person was deleted after the lead was linked: look for another card of his
            except REFUSALS:
                return [Found(linked, "linked")]
        return await self._cards(Entity.CONTACT, await self._candidates(Entity.CONTACT))

    async def _company_of(self, contact: Found) -> Found | None:
        card = contact.card or {}
        known = _companies(card)
        if len(known) != 1:
            return None
        company_id = known.pop()
        company = await optional(self._client.load(Entity.COMPANY, company_id, lane=self._lane))
        if company is None or _is_ours(company) or not _same_name(self._lead.get("companyTitle"), company.get("title")):
            return None
        return Found(company_id, contact.how, company)

    async def _leads_alike(self) -> list[int]:
        """Other leads of the same people, while this one has no company."""
        if link(self._lead.get("companyId")):
            return []
        async with together() as group:
            phone = group.create_task(self._same_comm(Entity.LEAD, "PHONE", self._comms.phones))
            email = group.create_task(self._same_comm(Entity.LEAD, "EMAIL", self._comms.emails))
        return sorted({*phone.result(), *email.result()} - {self._lead_id})

    async def _company_made_for(self, leads: Sequence[int]) -> Found | None:
        async with together() as group:
            asked = [group.create_task(self._ids(Entity.COMPANY, _mark(one))) for one in leads[-_NEWEST:]]
        marked = [_Candidate(one, "origin") for task in asked for one in task.result()]
        found = await self._cards(Entity.COMPANY, marked)
        named = self._lead.get("companyTitle")
        return next((one for one in found if not _is_ours(one.card) and _same_name(named, _title(one))), None)

    async def _candidates(self, entity: Entity) -> list[_Candidate]:
        """Ids by origin mark, phone and e-mail, all asked at once, the most trusted first and each once."""
        async with together() as group:
            origin = group.create_task(self._ids(entity, _mark(self._lead_id)))
            phone = group.create_task(self._same_comm(entity, "PHONE", self._comms.phones))
            email = group.create_task(self._same_comm(entity, "EMAIL", self._comms.emails))
        found: dict[int, _Candidate] = {}
        for how, ids in _by_trust(origin.result(), phone.result(), email.result()):
            for item_id in sorted(ids)[:_OLDEST]:
                found.setdefault(item_id, _Candidate(item_id, how))
        return list(found.values())

    async def _cards(self, entity: Entity, candidates: Sequence[_Candidate]) -> list[Found]:
        """The candidates that are still there and visible to us."""
        loads = (optional(self._client.load(entity, one.id, lane=self._lane)) for one in candidates)
        async with together() as group:
            tasks = [group.create_task(load) for load in loads]
        pairs = zip(candidates, (task.result() for task in tasks), strict=True)
        return [Found(one.id, one.how, card) for one, card in pairs if card is not None]

    async def _ids(self, entity: Entity, wanted: Mapping[str, Any]) -> list[int]:
        """Cards whose fields have these very values.

        A portal passes over a filter that it does not understand and lists everything (bitrix24.md, 8.7): another
        lead's deal taken for this one's would leave this lead without a deal. So each row is looked at as well.
        """
        params = {
            "entityTypeId": int(entity),
            "select": ["id", *wanted],
            "filter": {f"={field}": value for field, value in wanted.items()},
            "order": {"id": "ASC"},
        }
        answer = await self._client.call("crm.item.list", params, lane=self._lane)
        return [number(row.get("id")) for row in rows(answer, "items") if has_values(row, wanted)]

    async def _same_comm(self, entity: Entity, kind: str, values: Sequence[str]) -> list[int]:
        """One object type a call: with 20 hits of one type the later types are left out of the answer."""
        if not values:
            return []
        params = {"type": kind, "values": list(values), "entity_type": entity.name}
        answer = await self._client.call("crm.duplicate.findbycomm", params, lane=self._lane)
        return [number(item) for item in listing(mapping(answer).get(entity.name))]


def _mark(lead_id: int) -> dict[str, str]:
    """What every card carries that was made of this lead."""
    return {"originatorId": ORIGINATOR, "originId": f"lead-{lead_id}"}


def _by_trust(origin: list[int], phone: list[int], email: list[int]) -> tuple[tuple[_How, list[int]], ...]:
    return ("origin", origin), ("phone", phone), ("email", email)


def _preferred(contacts: Sequence[Found], company: Found | None) -> Found | None:
    """Among contacts found alike, one of the company's own; else the first, which is the most trusted and oldest."""
    if not contacts or company is None:
        return next(iter(contacts), None)
    alike = [one for one in contacts if one.how == contacts[0].how]
    return next((one for one in alike if company.id in _companies(one.card or {})), contacts[0])


def _title(company: Found) -> object:
    return (company.card or {}).get("title")


def _companies(contact: RawCard) -> set[int]:
    return {*links(contact.get("companyIds")), *links(contact.get("companyId"))}


def _is_ours(company: RawCard | None) -> bool:
    """One of the portal owner's own legal entities (api-reference/crm/companies/crm-company-list)."""
    return (company or {}).get("isMyCompany") in ("Y", "1", 1, True)


def _same_name(named: object, title: object) -> bool:
    """Whether the lead names this company, or none at all."""
    said = str(named or "").strip()
    return not said or _bare(said) == _bare(str(title or ""))


def _bare(name: str) -> str:
    """A company's name without legal form, quotes and letter case."""
    words = _WORD.findall(name.casefold().replace("ё", "е"))
    return " ".join(word for word in words if word not in _LEGAL_FORMS)
