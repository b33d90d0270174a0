"""Papers: proposals (CRM quotes) and smart invoices, for figures of activity.

Written by the sweep and the backfill. Whose a paper is may change in the portal; who made it, and when it was accepted
or paid, stay as they were first seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import TextClause, text

from app.store.database import WriteSession
from app.store.json_text import json_text

PaperKind = Literal["quote", "invoice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One quote or invoice. `amount` is in RUB, None where the currency has no rate or nothing is filled in."""

    paper_id: int
    number: str | None
    deal_id: int | None
    lead_id: int | None
    company_id: int | None
    responsible_id: int | None
    stage_id: str | None
    semantics: Literal["process", "success", "failure"] | None
    amount: Decimal | None
    currency: str | None
    amount_in_currency: Decimal | None
    created_at: datetime | None
    updated_at: datetime | None


_SHAPE: Final = """
    paper_id bigint, number text, deal_id bigint, lead_id bigint, company_id bigint, responsible_id bigint,
    stage_id text, semantics text, amount numeric, currency text, amount_in_currency numeric, created_at timestamptz,
    updated_at timestamptz
"""
_COLUMNS: Final = tuple(field.name for field in fields(Paper) if field.name != "paper_id")


def _keep(table: str, name: str) -> TextClause:
    listed = ", ".join(_COLUMNS)
    excluded = ", ".join(f"excluded.{column}" for column in _COLUMNS)
    known = ", ".join(f"known.{column}" for column in _COLUMNS)
    succeeded = "CASE WHEN semantics = 'success' THEN coalesce(updated_at, created_at) END"
    return text(f"""
        INSERT INTO {table} AS known (portal_id, {name}_id, {listed}, made_by_id, succeeded_at)
        SELECT :portal, paper_id, {listed}, responsible_id, {succeeded}
        FROM json_to_recordset(CAST(:rows AS json)) AS listed ({_SHAPE})
        ON CONFLICT (portal_id, {name}_id) DO UPDATE
        SET ({listed}) = ROW ({excluded}), made_by_id = coalesce(known.made_by_id, excluded.made_by_id),
            succeeded_at = CASE WHEN excluded.semantics = 'success'
                                THEN coalesce(known.succeeded_at, excluded.succeeded_at) END
        WHERE coalesce(excluded.updated_at >= known.updated_at, true) AND ({known}) IS DISTINCT FROM ({excluded})
        RETURNING {name}_id
    """)  # noqa: S608 - put together from constants


_KEEP: Final = {"quote": _keep("quotes", "quote"), "invoice": _keep("invoices", "invoice")}


async def keep(session: WriteSession, portal_id: int, kind: PaperKind, papers: Sequence[Paper]) -> int:
    """Keep the papers as they are now; how many were not known so. Those known in a newer state stay."""
    if not papers:
        return 0
    rows = [{field.name: _plain(getattr(one, field.name)) for field in fields(one)} for one in papers]
    return len((await session.scalars(_KEEP[kind], {"portal": portal_id, "rows": json_text(rows)})).all())


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case _:
            return value
