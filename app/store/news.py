"""News: which of the rows a sweep has listed tell us something that no run has judged.

Called by `app/pipeline/sweep_sources.py` in the transaction that also appends to the journal and moves the cursor.
A row is news when the card was never judged, or stands elsewhere or changed at another time than when it was last
judged. It is not when the card is about to be read anyway: a hint, a job or a retry of it waits. So a sweep of a
portal where nothing was missed appends nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.store.database import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What must be judged, ascending ids.

    `certain`: no run has judged the card as it stands. `again`: one has, but read it within the second of the change,
    and the portal's times have no finer grain; a second look makes sure.
    """

    certain: list[int]
    again: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCard:
    """One row of a list. What the row does not tell is None and is not compared.

    `day`: the calendar day of `updated_time` as the portal printed it.
    """

    card_id: int
    updated_time: datetime | None = None
    moved_time: datetime | None = None
    stage_id: str | None = None
    day: date | None = None


# Within the same second as a change, the portal's `updatedTime` can't tell what was read from what came after.
# `margin` is that second and what the clocks may differ by.
_STALE = """
    coalesce(known.read_at, known.judged_at) < {changed} + CAST(:margin AS interval)
"""

# A parked card is asked about once for each time it changed; else it would be tried, and fail, at every round.
_NEWS = """
    known.card_id IS NULL
    OR CASE
        WHEN known.state IN ('parked', 'deleted') THEN known.swept_time IS DISTINCT FROM seen.updated_time
            AND seen.updated_time IS NOT NULL
        ELSE known.judged_at IS NULL
            OR seen.updated_time IS NOT NULL AND known.updated_time IS DISTINCT FROM seen.updated_time
            OR seen.moved_time IS NOT NULL AND coalesce(known.moved_time < seen.moved_time, true)
            OR seen.stage_id IS NOT NULL AND known.stage_id IS DISTINCT FROM seen.stage_id
    END
"""
_AGAIN = f"known.state NOT IN ('parked', 'deleted') AND {_STALE.format(changed='seen.updated_time')}"

# A timer far in the future is none that reads the card soon.
_WAITING = """
    EXISTS (SELECT FROM journal WHERE journal.portal_id = :portal AND journal.entity_type_id = {entity_type}
            AND journal.card_id = {card} AND dispatched_at IS NULL AND rejected IS NULL)
    OR EXISTS (SELECT FROM procrastinate_jobs AS job WHERE job.status = 'todo'
               AND job.queueing_lock = format('card:%s:%s:%s', CAST(:portal AS int), {entity_type}, {card}))
    OR EXISTS (SELECT FROM timers WHERE timers.portal_id = :portal AND timers.entity_type_id = {entity_type}
               AND timers.card_id = {card} AND fired_at IS NULL
               AND due_at < clock_timestamp() + interval '15 minutes')
"""

_CARD_NEWS = text(f"""
    WITH seen AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:updated AS timestamptz[]), CAST(:moved AS timestamptz[]),
                             CAST(:stages AS text[])) AS seen (card_id, updated_time, moved_time, stage_id)
    )
    SELECT seen.card_id, ({_NEWS}) AS certain
    FROM seen LEFT JOIN cards AS known
        ON known.portal_id = :portal AND known.entity_type_id = :type AND known.card_id = seen.card_id
    WHERE (({_NEWS}) OR coalesce({_AGAIN}, false))
      AND NOT ({_WAITING.format(entity_type="CAST(:type AS int)", card="seen.card_id")})
    ORDER BY seen.card_id
""")  # noqa: S608 - put together from constants

_ASKED = text("""
    UPDATE cards SET swept_time = seen.updated_time
    FROM unnest(CAST(:ids AS bigint[]), CAST(:updated AS timestamptz[])) AS seen (card_id, updated_time)
    WHERE portal_id = :portal AND entity_type_id = :type AND cards.card_id = seen.card_id
      AND state IN ('parked', 'deleted')
""")

_COMPANY_NEWS = text(f"""
    SELECT DISTINCT seen.company_id
    FROM unnest(CAST(:ids AS bigint[]), CAST(:updated AS timestamptz[])) AS seen (company_id, updated_time)
    JOIN cards AS known ON known.portal_id = :portal AND known.company_id = seen.company_id AND known.state = 'open'
    WHERE {_STALE.format(changed="seen.updated_time")}
      AND NOT ({_WAITING.format(entity_type="known.entity_type_id", card="known.card_id")})
    ORDER BY seen.company_id
""")  # noqa: S608 - as above

_CHANGED = text("""
    INSERT INTO changed_cards AS known (portal_id, day, entity_type_id, card_id, changed_at)
    SELECT :portal, * FROM unnest(CAST(:days AS date[]), CAST(:types AS int[]), CAST(:ids AS bigint[]),
                                  CAST(:updated AS timestamptz[]))
    ON CONFLICT (portal_id, day, entity_type_id, card_id)
    DO UPDATE SET changed_at = excluded.changed_at WHERE known.changed_at < excluded.changed_at
""")


async def of_cards(
    session: WriteSession, portal_id: int, entity_type_id: int, seen: Sequence[SeenCard], *, margin: timedelta
) -> News:
    """Which of the leads or deals must be judged. `margin`: how long after a change a reading is sure."""
    if not seen:
        return News(certain=[], again=[])
    values: dict[str, Any] = {
        "portal": portal_id,
        "type": entity_type_id,
        "ids": [card.card_id for card in seen],
        "updated": [card.updated_time for card in seen],
    }
    more = {"moved": [card.moved_time for card in seen], "stages": [card.stage_id for card in seen], "margin": margin}
    found = [(row[0], row[1]) for row in await session.execute(_CARD_NEWS, values | more)]
    certain = [card_id for card_id, sure in found if sure]
    if certain:
        times = {card.card_id: card.updated_time for card in seen}
        asked = {card_id: times[card_id] for card_id in certain if times[card_id] is not None}
        await session.execute(_ASKED, values | {"ids": list(asked), "updated": list(asked.values())})
    return News(certain=certain, again=[card_id for card_id, sure in found if not sure])


async def of_companies(
    session: ReadSession, portal_id: int, seen: Sequence[SeenCard], *, margin: timedelta
) -> list[int]:
    """Which companies changed after one of their open cards was last read."""
    values = {
        "portal": portal_id,
        "ids": [card.card_id for card in seen],
        "updated": [card.updated_time for card in seen],
        "margin": margin,
    }
    return list((await session.scalars(_COMPANY_NEWS, values)).all()) if seen else []


async def note_changed(session: WriteSession, portal_id: int, entity_type_id: int, seen: Sequence[SeenCard]) -> None:
    """Keep that these cards changed, each on its day: the portal's side of the figures of completeness."""
    told = {card.card_id: card for card in seen if card.day is not None and card.updated_time is not None}
    if told:
        values = {
            "portal": portal_id,
            "days": [card.day for card in told.values()],
            "types": [entity_type_id] * len(told),
            "ids": list(told),
            "updated": [card.updated_time for card in told.values()],
        }
        await session.execute(_CHANGED, values)


async def idle_cards(
    session: ReadSession, portal_id: int, entity_type_id: int, *, after: int, judged_before: datetime, limit: int
) -> list[int]:
    """Ids above `after` of cards at work that no run has read since `judged_before`, ascending."""
    query = text("""
        SELECT card_id FROM cards
        WHERE portal_id = :portal AND entity_type_id = :type AND card_id > :after AND state IN ('open', 'parked')
          AND coalesce(read_at, judged_at, first_seen_at) < :before
        ORDER BY card_id LIMIT :limit
    """)
    values = {
        "portal": portal_id,
        "type": entity_type_id,
        "after": after,
        "before": judged_before,
        "limit": limit,
    }
    return list((await session.scalars(query, values)).all())
