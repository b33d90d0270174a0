"""Owners: who was responsible for a card since when. Bitrix24 keeps no such history, so we write it as we see it.

Written by each run and by the sweep when a card is read with another owner than the last one kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.models import OwnerChangeRow
from app.store.records import Record
from app.store.stale_reactions import ask


@dataclass(frozen=True, slots=True)
class SeenOwner:
    """Whose a card was when it was read at `seen_at`; `user_id` None is nobody.

    `changed_at`: the card's `updatedTime` then. Whoever had the card when it was read had it since then at the latest.
    """

    card_id: int
    user_id: int | None
    changed_at: datetime | None
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerChange:
    """From `since` on, at the latest, the card was the user's, until the next change."""

    since: datetime
    user_id: int | None
    seen_at: datetime


_RECORD = Record(OwnerChange, OwnerChangeRow)

# A reading that is older than the last change kept tells nothing new; one of the same second may. Times of the portal
# have whole seconds, so a second change within one is put just behind the first.
_NOTE = text("""
    INSERT INTO owner_changes (portal_id, entity_type_id, card_id, since, user_id, seen_at)
    SELECT :portal, :type, seen.card_id, greatest(seen.changed_at, last.since + interval '1 microsecond'),
           seen.user_id, seen.seen_at
    FROM unnest(CAST(:ids AS bigint[]), CAST(:users AS bigint[]), CAST(:changed AS timestamptz[]),
                CAST(:seen AS timestamptz[])) AS seen (card_id, user_id, changed_at, seen_at)
    LEFT JOIN LATERAL (
        SELECT since, user_id, seen_at FROM owner_changes AS known
        WHERE known.portal_id = :portal AND known.entity_type_id = :type AND known.card_id = seen.card_id
        ORDER BY since DESC LIMIT 1
    ) AS last ON true
    WHERE last.since IS NULL
       OR last.user_id IS DISTINCT FROM seen.user_id
          AND (seen.changed_at > date_trunc('second', last.since)
               OR seen.changed_at = date_trunc('second', last.since) AND seen.seen_at > last.seen_at)
    ON CONFLICT DO NOTHING
    RETURNING card_id
""")


async def note(session: WriteSession, portal_id: int, entity_type_id: int, seen: Sequence[SeenOwner]) -> int:
    """Keep the owners that are others than the last ones kept; how many. Each card at most once."""
    if not seen:
        return 0
    values = {
        "portal": portal_id,
        "type": entity_type_id,
        "ids": [one.card_id for one in seen],
        "users": [one.user_id for one in seen],
        "changed": [one.changed_at or one.seen_at for one in seen],
        "seen": [one.seen_at for one in seen],
    }
    changed = (await session.scalars(_NOTE, values)).all()
    await ask(session, portal_id, [(entity_type_id, card_id) for card_id in changed])
    return len(changed)


async def of_card(session: ReadSession, card: CardKey) -> list[OwnerChange]:
    """The card's owners, the first one first."""
    query = _RECORD.query().where(
        OwnerChangeRow.portal_id == card.portal_id,
        OwnerChangeRow.entity_type_id == card.entity_type_id,
        OwnerChangeRow.card_id == card.card_id,
    )
    return await _RECORD.all(session, query.order_by(OwnerChangeRow.since))
