"""Stage stays: how long each lead and deal stood in each stage and how it left, worked out from its stage moves.

Kept by `stage_moves.keep` in the transaction that keeps the moves, for the cards that moved: so they are never behind,
also when the past is filled in afterwards. One stay for each move; a card that comes back has another one.
"""

from collections.abc import Iterable
from typing import Final, Literal

from sqlalchemy import text

from app.store.database import WriteSession

HowLeft = Literal["moved", "won", "lost", "pipeline", "reopened"]

# Moves of one card are in the order of their numbers; a clock that was set back makes no stay shorter than nothing.
_OF_CARDS: Final = """
    SELECT portal_id, entity_type_id, card_id, history_id, coalesce(category_id, 0) AS pipeline, stage_id,
        CASE semantics WHEN 'S' THEN 'success' WHEN 'F' THEN 'failure' ELSE 'process' END AS semantics,
        created_time AS entered_at, CASE WHEN lead(created_time) OVER turns IS NOT NULL
            THEN greatest(lead(created_time) OVER turns, created_time) END AS left_at,
        lead(stage_id) OVER turns AS next_stage,
        CASE
            WHEN lead(history_id) OVER turns IS NULL THEN NULL
            WHEN lead(semantics) OVER turns = 'S' THEN 'won'
            WHEN lead(semantics) OVER turns = 'F' THEN 'lost'
            WHEN semantics IN ('S', 'F') THEN 'reopened'
            WHEN lead(coalesce(category_id, 0)) OVER turns <> coalesce(category_id, 0) THEN 'pipeline'
            ELSE 'moved'
        END AS how_left
    FROM stage_moves
    WHERE created_time IS NOT NULL AND {which}
    WINDOW turns AS (PARTITION BY portal_id, entity_type_id, card_id ORDER BY history_id)
"""
_COLUMNS: Final = """portal_id, entity_type_id, card_id, history_id, pipeline, stage_id, semantics, entered_at, left_at,
    next_stage, how_left"""
_WHICH: Final = "portal_id = :portal AND entity_type_id = :type AND card_id = ANY(CAST(:cards AS bigint[]))"
_KEEP = text(f"""
    INSERT INTO stage_stays AS known ({_COLUMNS}) {_OF_CARDS.format(which=_WHICH)}
    ON CONFLICT (portal_id, entity_type_id, card_id, history_id) DO UPDATE
    SET left_at = excluded.left_at, next_stage = excluded.next_stage, how_left = excluded.how_left
    WHERE (known.left_at, known.next_stage, known.how_left)
        IS DISTINCT FROM (excluded.left_at, excluded.next_stage, excluded.how_left)
""")  # noqa: S608 - constants
# The sweep and a backfill may keep moves of one card at once, and neither would see the other's.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('stage_stays'), :portal * 8 + :type)")


async def alone(session: WriteSession, portal_id: int, entity_type_id: int) -> None:
    """From here to the end of the transaction nobody else keeps moves of this portal's leads, or of its deals."""
    await session.execute(_LOCK, {"portal": portal_id, "type": entity_type_id})


async def follow(session: WriteSession, portal_id: int, entity_type_id: int, cards: Iterable[int]) -> None:
    """Work out the stays of the cards anew, from all their moves; call it after `alone` and the moves."""
    await session.execute(_KEEP, {"portal": portal_id, "type": entity_type_id, "cards": sorted(set(cards))})
