"""Reads a card and what is needed to judge it: fewest commands, as much at once as the card allows.

Called by `process`. Returns data only; must not judge, write, or keep anything. A refused optional read is None
(unknown); a temporary failure goes up and the card is tried again.
"""

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import NotFound
from app.bitrix24.lanes import Lane
from app.domain.criteria import answer
from app.domain.difference import link
from app.domain.facts import Row
from app.domain.minimum import months_before
from app.domain.reading import REQUEST_ANSWER, deal_facts, lead_facts
from app.domain.ruleset import Ruleset
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary, RawCard, WonDeal
from app.errors import OgonError
from app.pipeline.catalog import Catalog
from app.pipeline.product_rows import read_rows
from app.pipeline.reads import has_values, mapping, optional, rows, together

SECOND_LOOK_SECONDS: Final = 0.5
_LONG_ENOUGH: Final = 50
"""Won deals on one page of a list."""
_SLACK: Final = timedelta(days=3)
"""Won deals are asked for from a little earlier: the judgement draws the exact line."""


class CardGone(OgonError):  # noqa: N818 - says what is the case
    """The card is not there, after a second look."""

    def __init__(self, entity: Entity, item_id: int) -> None:
        self.entity = entity
        self.item_id = item_id
        super().__init__(
            f"The {entity.name.lower()} {item_id} is no longer in the portal, or our webhook may not see it."
        )


async def fetch_lead(
    client: PortalClient,
    lead_id: int,
    *,
    ruleset: Ruleset,
    dictionary: PortalDictionary,
    lane: Lane = Lane.NORMAL,
    catalog: Catalog | None = None,
) -> LeadSnapshot:
    """The lead, then its company and, unless the desk has answered, its rows.

    `catalog` is one kept between cards. Raises `CardGone`, `Bitrix24Error`.
    """
    lead = await fetch_card(client, Entity.LEAD, lead_id, lane)
    async with together() as group:
        company = group.create_task(_linked(client, Entity.COMPANY, lead.get("companyId"), lane))
        found = group.create_task(_lead_rows(catalog or Catalog(client), lead, ruleset, dictionary, lane))
    return LeadSnapshot(lead=lead, company=company.result(), rows=found.result())


async def fetch_deal(
    client: PortalClient,
    deal_id: int,
    *,
    ruleset: Ruleset,
    dictionary: PortalDictionary,
    today: date,
    lane: Lane = Lane.NORMAL,
    catalog: Catalog | None = None,
) -> DealSnapshot:
    """The deal, then at once its company, source lead, rows and won deals, then the lead's rows if it has none itself.

    `today` is the date in the portal's zone. Raises `CardGone`, `Bitrix24Error`.
    """
    catalog = catalog or Catalog(client)
    deal = await fetch_card(client, Entity.DEAL, deal_id, lane)
    async with together() as group:
        company = group.create_task(_linked(client, Entity.COMPANY, deal.get("companyId"), lane))
        lead = group.create_task(_linked(client, Entity.LEAD, deal.get("leadId"), lane))
        found = group.create_task(
            read_rows(catalog, Entity.DEAL, deal_id, nomenclature=ruleset.nomenclature, lane=lane)
        )
        won = group.create_task(_won_deals(client, deal, ruleset, dictionary, today, lane))
    lead_rows: tuple[Row, ...] | None = ()
    source = lead.result()
    if source is not None and found.result() == ():
        lead_rows = await _lead_rows(catalog, source, ruleset, dictionary, lane)
    return DealSnapshot(
        deal=deal,
        company=company.result(),
        lead=source,
        rows=found.result(),
        lead_rows=lead_rows,
        won_deals=won.result(),
    )


async def fetch_card(client: PortalClient, entity: Entity, item_id: int, lane: Lane) -> RawCard:
    """One card. An event can overtake the save it tells of, so "not found" is looked at twice.

    Raises `CardGone`, `Bitrix24Error`.
    """
    try:
        return await client.load(entity, item_id, lane=lane)
    except NotFound:
        await asyncio.sleep(SECOND_LOOK_SECONDS)
    try:
        return await client.load(entity, item_id, lane=lane)
    except NotFound:
        raise CardGone(entity, item_id) from None


async def _linked(client: PortalClient, entity: Entity, value: object, lane: Lane) -> RawCard | None:
    item_id = link(value)
    return await optional(client.load(entity, item_id, lane=lane)) if item_id else None


async def _lead_rows(
    catalog: Catalog, lead: RawCard, ruleset: Ruleset, dictionary: PortalDictionary, lane: Lane
) -> tuple[Row, ...] | None:
    """The desk's own answer beats rows under every ruleset, so with it they are not read."""
    if _desk_answered(lead, ruleset, dictionary):
        return ()
    return await read_rows(catalog, Entity.LEAD, int(lead["id"]), nomenclature=ruleset.nomenclature, lane=lane)


def _desk_answered(lead: RawCard, ruleset: Ruleset, dictionary: PortalDictionary) -> bool:
    return answer(lead_facts(LeadSnapshot(lead), ruleset, dictionary), REQUEST_ANSWER).known


async def _won_deals(
    client: PortalClient, deal: RawCard, ruleset: Ruleset, dictionary: PortalDictionary, today: date, lane: Lane
) -> tuple[WonDeal, ...] | None:
    """The company's won deals of the last months, newest first; None where nobody needs to know.

    They can only excuse a deal that is certainly below the minimum. Not read is "unknown", not "none": a later rule
    that would need them then does not decline.
    """
    company = link(deal.get("companyId"))
    if not company:
        return ()
    minimum = ruleset.minimum
    if not (minimum.regular_exempt and _below_minimum(deal, ruleset, dictionary)):
        return None
    since = months_before(today, minimum.regular_months) - _SLACK
    won = {"companyId": company, "stageSemanticId": "S"}
    params = {
        "entityTypeId": int(Entity.DEAL),
        "select": ["id", "closedate", *won],
        "filter": {**won, ">=closedate": since.isoformat()},
        "order": {"closedate": "DESC", "id": "DESC"},
    }
    if minimum.regular_won_deals < _LONG_ENOUGH:
        page = await optional(client.call("crm.item.list", params, lane=lane))
        if page is None:
            return None
        listed = rows(page, "items")
    else:
        del params["order"]
        listed = [mapping(row) async for row in client.walk("crm.item.list", params, lane=lane)]
    # A filter that the portal does not understand is passed over: strangers' deals must not excuse this one.
    return tuple(filter(None, (_won_deal(row) for row in listed if has_values(row, won))))


def _won_deal(row: Mapping[str, Any]) -> WonDeal | None:
    """A date field prints as server midnight with an odd offset: the calendar date is the one printed."""
    try:
        return WonDeal(int(row["id"]), date.fromisoformat(str(row.get("closedate"))[:10]))
    except ValueError:
        return None


def _below_minimum(deal: RawCard, ruleset: Ruleset, dictionary: PortalDictionary) -> bool:
    facts = deal_facts(DealSnapshot(deal), ruleset, dictionary)
    limits = (("margin", ruleset.minimum.profit), ("amount", ruleset.minimum.amount))
    known = ((facts.number(name), limit) for name, limit in limits)
    return any(value is not None and limit is not None and value < limit for value, limit in known)
