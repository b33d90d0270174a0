"""Origins: when each lead and deal came to be, and out of which lead; for clocks that begin there.

Written by runs, the sweep and the backfill, whichever sees a card first. What is known is never unlearned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.store.cards import CardKey
from app.store.database import WriteSession


@dataclass(frozen=True, slots=True)
class Origin:
    """When a card was made; `lead_id` of a deal: the lead it was made from."""

    card_id: int
    created_at: datetime | None
    lead_id: int | None = None


_NOTE = text("""
    INSERT INTO card_origins AS known (portal_id, entity_type_id, card_id, created_at, lead_id)
    SELECT CAST(:portal AS int), CAST(:type AS int), told.card_id, told.created_at, told.lead_id
    FROM unnest(CAST(:ids AS bigint[]), CAST(:created AS timestamptz[]), CAST(:leads AS bigint[]))
        AS told (card_id, created_at, lead_id)
    WHERE told.created_at IS NOT NULL OR told.lead_id IS NOT NULL
    ORDER BY told.card_id
    ON CONFLICT (portal_id, entity_type_id, card_id) DO UPDATE
    SET created_at = coalesce(excluded.created_at, known.created_at),
        lead_id = coalesce(excluded.lead_id, known.lead_id)
    WHERE (coalesce(excluded.created_at, known.created_at), coalesce(excluded.lead_id, known.lead_id))
          IS DISTINCT FROM (known.created_at, known.lead_id)
    RETURNING card_id
""")
_READ = text("""
    INSERT INTO card_origins AS known (portal_id, entity_type_id, card_id, activities_read_at, calls_read_at)
    SELECT CAST(:portal AS int), told.entity_type_id, told.card_id,
           CAST(:activities AS timestamptz), CAST(:calls AS timestamptz)
    FROM unnest(CAST(:types AS int[]), CAST(:cards AS bigint[])) AS told (entity_type_id, card_id)
    ORDER BY 2, 3
    ON CONFLICT (portal_id, entity_type_id, card_id) DO UPDATE
    SET activities_read_at = coalesce(excluded.activities_read_at, known.activities_read_at),
        calls_read_at = coalesce(excluded.calls_read_at, known.calls_read_at)
""")


async def note(session: WriteSession, portal_id: int, entity_type_id: int, told: Sequence[Origin]) -> list[int]:
    """Keep the origins; the ids of cards of which something new was told. Each card at most once."""
    if not told:
        return []
    values = {
        "portal": portal_id,
        "type": entity_type_id,
        "ids": [one.card_id for one in told],
        "created": [one.created_at for one in told],
        "leads": [one.lead_id for one in told],
    }
    return list((await session.scalars(_NOTE, values)).all())


async def contacts_read(
    session: WriteSession,
    cards: Sequence[CardKey],
    *,
    activities: datetime | None,
    calls: datetime | None,
) -> None:
    """The contacts of these cards of one portal were read up to then; None: the source could not be read."""
    if cards:
        values = {"types": [card.entity_type_id for card in cards], "cards": [card.card_id for card in cards]}
        told = {"portal": cards[0].portal_id, "activities": activities, "calls": calls}
        await session.execute(_READ, values | told)
