"""Reads rows of quotes and smart invoices as the papers that reports count.

Called by the sweep's sources and by the backfill. What a stage means and what a currency is worth are words of the
portal: the dictionary has them; where it lacks one, e.g. a stage made since, they are asked for once for the rows at
hand. Docs: crm/universal/object-fields, crm/universal/invoice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.domain.difference import link
from app.domain.printed import moment
from app.domain.snapshot import Semantics
from app.pipeline.dictionary import ROUBLE, paper_stages_of, rates_of, read_currencies, read_statuses
from app.pipeline.reads import optional
from app.pipeline.sweep_round import BACKGROUND, identity
from app.store import dictionary as kept_dictionary
from app.store.database import Database, ReadSession
from app.store.papers import Paper, PaperKind
from app.store.rules_in_force import rules_in_force
from app.store.ruleset_document import RulesetInvalid

Row = Mapping[str, Any]

QUOTE: Final = 7
INVOICE: Final = 31
PAPERS: Final[Mapping[PaperKind, int]] = {"quote": QUOTE, "invoice": INVOICE}
_FIELDS: Final = (
    "id", "companyId", "assignedById", "stageId", "opportunity", "currencyId", "createdTime", "updatedTime",
)  # fmt: skip
_OWN: Final[Mapping[PaperKind, Mapping[str, str]]] = {
    "quote": {"number": "quoteNumber", "deal": "dealId", "lead": "leadId"},
    "invoice": {"number": "accountNumber", "deal": "parentId2", "lead": "parentId1"},
}
"""What else is read, by its name in either type."""


@dataclass(frozen=True, slots=True)
class PaperWords:
    """What stages of quotes and invoices mean, by code, and RUB for one unit of a currency."""

    stages: Mapping[str, Semantics]
    rates: Mapping[str, Decimal]


def params_of(kind: PaperKind) -> dict[str, Any]:
    """What the list is asked for."""
    return {"entityTypeId": PAPERS[kind], "select": [*_FIELDS, *_OWN[kind].values()]}


async def read_papers(
    client: PortalClient, database: Database, portal_id: int, kind: PaperKind, rows: Sequence[Row]
) -> list[Paper]:
    """The rows as papers. Raises Bitrix24Error where words have to be asked for and are not told."""
    words = await _words(client, database, portal_id, rows)
    return [paper_of(kind, row, words) for row in rows]


def paper_of(kind: PaperKind, row: Row, words: PaperWords) -> Paper:
    """A listed row. An amount of 0 is what the portal prints for one that is not filled in."""
    own, amount = _OWN[kind], _amount(row.get("opportunity"))
    currency = str(row["currencyId"]) if row.get("currencyId") else None
    rate = words.rates.get(currency) if currency is not None else None
    stage = str(row["stageId"]) if row.get("stageId") else None
    return Paper(
        paper_id=identity(row),
        number=str(row[own["number"]]) if row.get(own["number"]) else None,
        deal_id=link(row.get(own["deal"])),
        lead_id=link(row.get(own["lead"])),
        company_id=link(row.get("companyId")),
        responsible_id=link(row.get("assignedById")),
        stage_id=stage,
        semantics=words.stages.get(stage) if stage is not None else None,
        amount=amount * rate if amount is not None and rate is not None else None,
        currency=currency,
        amount_in_currency=amount,
        created_at=moment(row.get("createdTime")),
        updated_at=moment(row.get("updatedTime")),
    )


async def _words(client: PortalClient, database: Database, portal_id: int, rows: Sequence[Row]) -> PaperWords:
    async with database.reading() as session:
        own = await _own_rates(session, portal_id)
        kept = await kept_dictionary.load(session, portal_id)
    stages: Mapping[str, Semantics] = kept.dictionary.paper_stages if kept else {}
    if any(row.get("stageId") and str(row["stageId"]) not in stages for row in rows):
        stages = paper_stages_of(await read_statuses(client, lane=BACKGROUND))
    rates = kept.dictionary.rates if kept else await _rates(client, rows)
    return PaperWords(stages, {**rates, **own})


async def _own_rates(session: ReadSession, portal_id: int) -> Mapping[str, Decimal]:
    """Rates that the rules in force set, whatever the portal says; rules that cannot be read set none."""
    try:
        return (await rules_in_force(session, portal_id)).currencies.rates
    except RulesetInvalid:
        return {}


async def _rates(client: PortalClient, rows: Sequence[Row]) -> Mapping[str, Decimal]:
    """Nobody has judged yet: the portal's rates are needed only where a paper is in another currency."""
    if all(row.get("currencyId") in (None, "", ROUBLE) for row in rows):
        return {ROUBLE: Decimal(1)}
    return rates_of(await optional(read_currencies(client, lane=BACKGROUND)) or [])


def _amount(printed: Any) -> Decimal | None:
    try:
        told = Decimal(str(printed))
    except InvalidOperation:
        return None
    return told if told.is_finite() and told else None
