"""`/api/v1/exceptions`: every deal let through below the minimum, why, on whose word, and how it ended."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.reports import exceptions
from app.reports.exceptions import ExceptionFilter, ExceptionKind, LedgerEntry
from app.store.recorded_deals import Ending
from app.texts import Catalogue, catalogue
from app.web.access import AsHead
from app.web.api.queries import LARGEST_NUMBER, Before, Limit, Since, Until, WhichPortal, in_order
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer
from app.web.rendering import language_of, said
from app.web.state import Web

router = APIRouter(prefix="/exceptions", tags=["reports"], responses={404: {"model": ProblemAnswer}})


class ExceptionLine(BaseModel):
    """One deal let through below the minimum by one kind of exception."""

    number: int = Field(description="The run that first let it through; the place in the ledger.")
    deal: int = Field(description="The deal's id in the portal.")
    title: str | None
    address: str = Field(description="The deal in the portal.")
    company: int | None
    manager: int | None = Field(description="Whose deal it was then, the user's id in the portal.")
    kind: ExceptionKind = Field(
        description="regular: a regular buyer; trial: a trial delivery to a target client with prospects; "
        "undecided: an unknown could still make one of these true; person: the rules declined, a person kept or won it."
    )
    at: datetime
    mode: str = Field(description="live, or shadow: only judged.")
    ruleset_version: int | None
    why: str
    profit: Decimal | None = Field(description="Expected profit then, RUB.")
    amount: Decimal | None = Field(description="Amount then, RUB.")
    set_by: int | None = Field(
        description="Who changed the deal last before its deciding facts were first read as they were: the portal "
        "keeps no author of a single field. Null where it was Ogon itself or is not recorded."
    )
    set_at: datetime | None = Field(description="When the facts were first read so.")
    stands: bool = Field(description="Whether the latest run still says so.")
    ending: Ending
    final_profit: Decimal | None = Field(description="Profit as the latest run read it, RUB.")


class ExceptionTotal(BaseModel):
    """How many deals of one kind ended one way."""

    kind: ExceptionKind
    ending: Ending
    deals: int
    final_profit: Decimal = Field(description="Their profit, RUB, as far as it is known.")
    profit_known: int = Field(description="Deals whose profit is known.")


class ExceptionPage(BaseModel):
    """Entries, the newest first; `totals` count all pages."""

    items: list[ExceptionLine]
    next_before: int | None = Field(description="Ask again with `before` set to this for older ones.")
    totals: list[ExceptionTotal]


@router.get("")
async def list_exceptions(
    web: Web,
    request: Request,
    _caller: AsHead,
    *,
    since: Since = None,
    until: Until = None,
    kind: Annotated[ExceptionKind | None, Query(description="Only exceptions of this kind.")] = None,
    manager: Annotated[
        int | None, Query(ge=1, le=LARGEST_NUMBER, description="Only deals that this user of the portal had then.")
    ] = None,
    portal: WhichPortal = None,
    before: Before = None,
    limit: Limit = 50,
) -> ExceptionPage:
    """The ledger of exceptions, for heads and administrators."""
    if since is not None and until is not None:
        in_order(since, until)
    wanted = ExceptionFilter(since=since, until=until, kind=kind, manager=manager)
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        found = await exceptions.ledger(session, where.id, wanted, before=before, limit=limit)
        summed = await exceptions.totals(session, where.id, wanted)
    texts = catalogue(language_of(request))
    return ExceptionPage(
        items=[_line(entry, where.domain, texts) for entry in found],
        next_before=found[-1].number if len(found) == limit else None,
        totals=[ExceptionTotal.model_validate(total, from_attributes=True) for total in summed],
    )


def _line(entry: LedgerEntry, domain: str, texts: Catalogue) -> ExceptionLine:
    return ExceptionLine(
        number=entry.number,
        deal=entry.deal,
        title=entry.title,
        address=f"https://{domain}/crm/deal/details/{entry.deal}/",
        company=entry.company,
        manager=entry.manager,
        kind=entry.kind,
        at=entry.at,
        mode=entry.mode,
        ruleset_version=entry.ruleset_version,
        why=said(texts, entry.why),
        profit=entry.profit,
        amount=entry.amount,
        set_by=entry.set_by,
        set_at=entry.set_at,
        stands=entry.stands,
        ending=entry.ending,
        final_profit=entry.final_profit,
    )
