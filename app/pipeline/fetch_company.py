"""Reads what a company's segment is judged on: its won deals, and whether our to-do on it is still open.

Called by `segmenting.py`, which reads the company itself with `fetch_card`. What is refused, or may not be whole, is
None: a company must not seem to have stopped buying because a list was cut short.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.printed import day
from app.domain.snapshot import Entity, WonDeal
from app.pipeline.reads import has_values, mapping, number, optional, rows

_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class WonDeals:
    """The newest won deals, as many as a segment is judged on; `count` of all there are."""

    newest: tuple[WonDeal, ...]
    count: int


async def read_won_deals(client: PortalClient, company_id: int, *, needed: int, lane: Lane) -> WonDeals | None:
    """The company's won deals, newest first, at least `needed` where there are so many; None when not read whole.

    One request for a page of 50. Raises Bitrix24Error for what is not a refusal.
    """
    won = {"companyId": company_id, "stageSemanticId": "S"}
    params = {
        "entityTypeId": int(Entity.DEAL),
        "select": ["id", "closedate", "movedTime", *won],
        "filter": won,
        "order": {"closedate": "DESC", "id": "DESC"},
    }
    if needed > _PAGE:
        del params["order"]
        listed = [mapping(row) async for row in client.walk("crm.item.list", params, lane=lane)]
        total = len(listed)
    else:
        page = await optional(client.answer("crm.item.list", params, lane=lane))
        if page is None:
            return None
        listed = rows(page.result, "items")
        total = page.total if page.total is not None else len(listed)
    # A filter that the portal does not understand is passed over: the page is then of all deals, and says nothing.
    days = [_day(row) if has_values(row, won) else None for row in listed]
    newest = [WonDeal(number(row.get("id")), day) for row, day in zip(listed, days, strict=True) if day is not None]
    if len(newest) < len(listed):
        return None
    return WonDeals(tuple(sorted(newest, key=lambda deal: deal.close_date, reverse=True)), max(total, len(newest)))


async def todo_state(
    client: PortalClient, activity_id: int, *, lane: Lane
) -> Literal["open", "done", "gone", "unknown"]:
    """What became of a to-do. Raises Bitrix24Error for what is not a refusal."""
    params = {"filter": {"ID": activity_id}, "select": ["ID", "COMPLETED"]}
    listed = await optional(client.call("crm.activity.list", params, lane=lane))
    if listed is None:
        return "unknown"
    found = [row for row in rows(listed) if number(row.get("ID")) == activity_id]
    if not found:
        return "unknown" if rows(listed) else "gone"
    return "done" if str(found[0].get("COMPLETED")) == "Y" else "open"


def _day(row: Mapping[str, Any]) -> date | None:
    """The close date as printed; where there is none, the day on which the deal was moved to its stage."""
    return day(row.get("closedate")) or day(row.get("movedTime"))
