"""The narrow rows that reports count from: one for each lead and each deal, kept as each is read.

A run writes its card's row when it ends, with what was judged; the sweep, the backfill and the reading of past deals
write where the cards stand that they list, in the transactions that keep the rest of what those lists told. So a
figure is never behind what is known. A row read at an older state of the card never replaces a newer one.

`responsible` is whose card it is; of a closed card whose it was when it was first seen closed, so that past figures
stay with the people of that time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import TextClause, text

from app.domain.figures import CardFigures, DealJudged, Judged, LeadJudged
from app.store.cards import CardKey
from app.store.database import WriteSession
from app.store.json_text import json_text

_LEAD, _DEAL = 1, 2
TABLES: Final[Mapping[int, str]] = {_LEAD: "lead_figures", _DEAL: "deal_figures"}
_STANDING: Final = {
    "card_id": "bigint",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "closed_on": "date",
    "stage_id": "text",
    "ending": "text",
    "source": "text",
    "responsible": "bigint",
    "company_id": "bigint",
}
_OF_DEAL: Final = {"pipeline": "int", "lead_id": "bigint"}
_LEAD_JUDGED: Final = {
    "outcome": "text",
    "heat": "text",
    "client": "text",
    "request": "text",
    "solvent": "text",
    "failed": "text[]",
}
_DEAL_JUDGED: Final = {
    "grade": "text",
    "heat": "text",
    "amount": "numeric",
    "profit": "numeric",
    "declined": "boolean",
    "exemption": "text",
    "client": "text",
    "checklist": "text",
    "roles": "text[]",
    "industry": "text",
    "turnover": "numeric",
    "steam_tph": "numeric",
}
# What a list does not print of a card, e.g. the source that a deal has from its lead, stays as a run has told it.
_KEPT: Final = frozenset({"source", "lead_id"})


def _upsert(table: str, columns: Mapping[str, str], *, judging: bool) -> TextClause:
    listed = ", ".join(columns)
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    changed = [f"{name} = {_value(name, judging=judging)}" for name in columns if name != "card_id"]
    stamp, stamped = (", judged_at", ", :judged_at") if judging else ("", "")
    if judging:
        changed.append("judged_at = excluded.judged_at")
    newer = "true" if judging else "known.updated_at IS NULL OR known.updated_at < excluded.updated_at"
    return text(f"""
        INSERT INTO {table} AS known (portal_id, {listed}{stamp})
        SELECT :portal, {listed}{stamped} FROM json_to_recordset(CAST(:rows AS json)) AS listed ({shape})
        ON CONFLICT (portal_id, card_id) DO UPDATE SET {", ".join(changed)}, deleted = false
        WHERE {newer}
    """)  # noqa: S608 - put together from constants


def _value(name: str, *, judging: bool) -> str:
    if name == "responsible":
        return """CASE WHEN excluded.ending <> 'open' AND known.ending = excluded.ending
            THEN coalesce(known.responsible, excluded.responsible) ELSE excluded.responsible END"""
    if name in _KEPT and not judging:
        return f"coalesce(excluded.{name}, known.{name})"
    return f"excluded.{name}"


_COLUMNS: Final = {_LEAD: _STANDING, _DEAL: _STANDING | _OF_DEAL}
_LIST: Final = {kind: _upsert(TABLES[kind], columns, judging=False) for kind, columns in _COLUMNS.items()}
_JUDGE: Final = {
    _LEAD: _upsert(TABLES[_LEAD], _COLUMNS[_LEAD] | _LEAD_JUDGED, judging=True),
    _DEAL: _upsert(TABLES[_DEAL], _COLUMNS[_DEAL] | _DEAL_JUDGED, judging=True),
}
_DELETED: Final = {
    kind: text(f"UPDATE {table} SET deleted = true WHERE portal_id = :portal_id AND card_id = :card_id")  # noqa: S608
    for kind, table in TABLES.items()
}
# The code of a stage outside the first pipeline begins with the pipeline: C5:WON.
_PAST = text(r"""
    INSERT INTO deal_figures AS known (portal_id, card_id, created_at, closed_on, pipeline, stage_id, ending, source,
                                       responsible, company_id, amount, profit, industry, turnover, steam_tph)
    SELECT portal_id, deal_id, coalesce(created_at, closed_on::timestamptz), closed_on,
        coalesce(substring(stage_id FROM '^C(\d{1,9}):')::int, 0), stage_id,
        CASE semantics WHEN 'success' THEN 'won' ELSE 'lost' END, source, responsible, company_id, amount, profit,
        industry, turnover, steam_tph
    FROM past_deals WHERE portal_id = :portal AND deal_id = ANY(:ids)
    ON CONFLICT (portal_id, card_id) DO UPDATE SET
        closed_on = excluded.closed_on, stage_id = excluded.stage_id, ending = excluded.ending,
        source = coalesce(excluded.source, known.source), company_id = excluded.company_id,
        amount = excluded.amount, profit = excluded.profit, industry = excluded.industry,
        turnover = excluded.turnover, steam_tph = excluded.steam_tph, deleted = false
    WHERE known.judged_at IS NULL
""")
# A deal that no list of closed ones has any more was deleted; one that closed too long ago is not asked for.
_PAST_GONE = text("""
    UPDATE deal_figures AS known SET deleted = true FROM past_deals AS past
    WHERE past.portal_id = :portal AND past.read_at < :began_at AND past.closed_on >= :closed_from
      AND known.portal_id = past.portal_id AND known.card_id = past.deal_id AND known.judged_at IS NULL
""")


async def judged(session: WriteSession, card: CardKey, stands: CardFigures, told: Judged, *, at: datetime) -> None:
    """Keep what a run found of its card."""
    values = {"portal": card.portal_id, "rows": json_text([_row(stands, told)]), "judged_at": at}
    await session.execute(_JUDGE[card.entity_type_id], values)


async def listed(session: WriteSession, portal_id: int, entity_type_id: int, cards: Sequence[CardFigures]) -> None:
    """Keep where the listed cards stand; each at most once."""
    if cards:
        rows = json_text([_row(card) for card in sorted(cards, key=lambda one: one.card_id)])
        await session.execute(_LIST[entity_type_id], {"portal": portal_id, "rows": rows})


async def deleted(session: WriteSession, card: CardKey) -> None:
    """The card is not in the portal any more: reports count it no longer. Companies have no row here."""
    if card.entity_type_id in _DELETED:
        await session.execute(_DELETED[card.entity_type_id], {"portal_id": card.portal_id, "card_id": card.card_id})


async def past(session: WriteSession, portal_id: int, ids: Sequence[int]) -> None:
    """Take over closed deals that `past_deals` has just kept; those that a run has judged stay as they are."""
    await session.execute(_PAST, {"portal": portal_id, "ids": list(ids)})


async def past_gone(session: WriteSession, portal_id: int, *, began_at: datetime, closed_from: date) -> None:
    """Mark the past deals deleted that a whole reading since `began_at` did not come upon."""
    await session.execute(_PAST_GONE, {"portal": portal_id, "began_at": began_at, "closed_from": closed_from})


def _row(stands: CardFigures, told: LeadJudged | DealJudged | None = None) -> dict[str, Any]:
    both = asdict(stands) | (asdict(told) if told is not None else {})
    return {name: _plain(value) for name, value in both.items()}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | date) else value
