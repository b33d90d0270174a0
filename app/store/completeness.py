"""Completeness: for a calendar day of a portal, what changed there against what was heard and judged here.

Read by the API, the page and /metrics; computed when asked, so that it is true the moment a card is judged. What
changed is known from the sweep alone (`changed_cards`): a webhook can't prove that none was missed. A card counts as
judged when a run has seen it as it stood after its last change of that day.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import text

from app.store import calendar, sweeps
from app.store.database import ReadSession

Reason = Literal["waiting", "missed"]


@dataclass(frozen=True, slots=True)
class Missing:
    """A card that changed and is not judged. `waiting`: it stands on the queue, or a retry of it is due."""

    entity_type_id: int
    card_id: int
    changed_at: datetime
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """One portal's day. `changed` = `judged` + `parked` + `deleted` + `difference`.

    `swept_at`: when the last complete sweep began, None before the first; what changed later is not among `changed`
    yet. `heard` counts distinct leads and deals of which a webhook or robot told; `only_by_sweep` those among
    `changed` of which none did. `missing` lists the first of the `difference`, of which `waiting` will be judged.
    """

    portal_id: int
    day: date
    swept_at: datetime | None
    changed: int
    heard: int
    judged: int
    only_by_sweep: int
    parked: int
    deleted: int
    difference: int
    waiting: int
    missing: tuple[Missing, ...]


# The webhook of a change in the day's last second arrives on the next.
_LATE = timedelta(minutes=10)

_STATES = """
    SELECT changed.entity_type_id, changed.card_id, changed.changed_at,
        CASE
            WHEN known.state IN ('deleted', 'parked') THEN known.state
            WHEN known.judged_at IS NOT NULL AND known.updated_time >= changed.changed_at THEN 'judged'
            WHEN EXISTS (
                SELECT FROM journal AS hint
                WHERE hint.portal_id = changed.portal_id AND hint.entity_type_id = changed.entity_type_id
                  AND hint.card_id = changed.card_id AND hint.dispatched_at IS NULL AND hint.rejected IS NULL
            ) OR EXISTS (
                SELECT FROM procrastinate_jobs AS job
                WHERE job.status IN ('todo', 'doing') AND job.lock =
                    format('card:%s:%s:%s', changed.portal_id, changed.entity_type_id, changed.card_id)
            ) OR EXISTS (
                SELECT FROM timers AS timer
                WHERE timer.portal_id = changed.portal_id AND timer.entity_type_id = changed.entity_type_id
                  AND timer.card_id = changed.card_id AND timer.fired_at IS NULL
            ) THEN 'waiting'
            ELSE 'missed'
        END AS state
    FROM changed_cards AS changed LEFT JOIN cards AS known
        ON known.portal_id = changed.portal_id AND known.entity_type_id = changed.entity_type_id
        AND known.card_id = changed.card_id
    WHERE changed.portal_id = :portal AND changed.day = :day
"""

_COUNTS = text(f"SELECT state, count(*) FROM ({_STATES}) AS states GROUP BY state")  # noqa: S608 - constants

_MISSING = text(f"""
    SELECT entity_type_id, card_id, changed_at, state FROM ({_STATES}) AS states
    WHERE state IN ('missed', 'waiting') ORDER BY state, changed_at, card_id LIMIT :limit
""")  # noqa: S608 - as above

_HEARD = text("""
    SELECT count(DISTINCT (entity_type_id, card_id)) FROM journal
    WHERE portal_id = :portal AND received_at >= :starts AND received_at < :ends AND entity_type_id IN (1, 2)
      AND source IN ('webhook', 'robot') AND rejected IS NULL
""")

_ONLY_BY_SWEEP = text("""
    SELECT count(*) FROM changed_cards AS changed
    WHERE changed.portal_id = :portal AND changed.day = :day AND NOT EXISTS (
        SELECT FROM journal AS hint
        WHERE hint.portal_id = changed.portal_id AND hint.entity_type_id = changed.entity_type_id
          AND hint.card_id = changed.card_id AND hint.source IN ('webhook', 'robot') AND hint.rejected IS NULL
          AND hint.received_at >= :starts AND hint.received_at < :late
    )
""")


async def today(session: ReadSession, portal_id: int, *, now: datetime) -> date:
    """The portal's calendar day."""
    return calendar.day_of(now, await calendar.offset(session, portal_id))


async def of_day(session: ReadSession, portal_id: int, day: date, *, limit: int = 100) -> Completeness:
    """The figures of one day of the portal's calendar, with at most `limit` of the missing cards named."""
    last = await sweeps.get(session, portal_id)
    ahead = await calendar.offset(session, portal_id)
    starts, ends = calendar.starts(day, ahead), calendar.ends(day, ahead)
    values = {"portal": portal_id, "day": day, "starts": starts, "ends": ends, "late": ends + _LATE, "limit": limit}
    states = {row[0]: row[1] for row in await session.execute(_COUNTS, values)}
    difference = states.get("missed", 0) + states.get("waiting", 0)
    named = await session.execute(_MISSING, values)
    return Completeness(
        portal_id=portal_id,
        day=day,
        swept_at=last.complete_at if last else None,
        changed=sum(states.values()),
        heard=await session.scalar(_HEARD, values) or 0,
        judged=states.get("judged", 0),
        only_by_sweep=await session.scalar(_ONLY_BY_SWEEP, values) or 0,
        parked=states.get("parked", 0),
        deleted=states.get("deleted", 0),
        difference=difference,
        waiting=states.get("waiting", 0),
        missing=tuple(Missing(row[0], row[1], row[2], row[3]) for row in named),
    )
