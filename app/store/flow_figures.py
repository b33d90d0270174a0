"""Figures of the flow for /metrics: how long what waits has waited, how fast cards are judged, what is left of budgets.

Read by the web when it is asked for its metrics; each figure is one query that stays cheap on a large installation.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from app.store.database import ReadSession

QUANTILES = (0.5, 0.95, 0.99)
NOTICES = ("warned", "breached", "passed_on", "held", "digest", "refused")


@dataclass(frozen=True, slots=True)
class Budget:
    """How full a portal's request bucket is now: 0 is empty, 1 is where the portal refuses."""

    portal_id: int
    used: float


@dataclass(frozen=True, slots=True)
class Lag:
    """When the last complete sweep of a portal began, and how often sweeping failed since."""

    portal_id: int
    complete_at: datetime | None
    failures: int


@dataclass(frozen=True, slots=True)
class EventToGrade:
    """Seconds from a webhook's arrival to the end of the next run of its card, by QUANTILES; of `count` webhooks."""

    count: int
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs that wait or run; `oldest` is when the longest-waiting one was put there."""

    waiting: int
    running: int
    oldest: datetime | None


_QUEUE = text("""
    SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing'),
           (SELECT min(event.at) FROM procrastinate_jobs AS job
            JOIN procrastinate_events AS event ON event.job_id = job.id AND event.type = 'deferred'
            WHERE job.status = 'todo')
    FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
""")

_BUDGETS = text("""
    SELECT bucket.portal_id, greatest(0, bucket.level - portal.requests_per_second
           * greatest(0, extract(epoch FROM statement_timestamp() - bucket.updated_at)::float8)) / portal.burst
    FROM request_buckets AS bucket JOIN portals AS portal ON portal.id = bucket.portal_id
    ORDER BY bucket.portal_id
""")

_LAGS = text("""
    SELECT portal.id, sweep.complete_at, coalesce(sweep.failures, 0)
    FROM portals AS portal LEFT JOIN sweeps AS sweep ON sweep.portal_id = portal.id
    WHERE portal.enabled ORDER BY portal.id
""")

# Webhooks of one card that arrive in a burst are judged by one run: each counts from its own arrival.
_EVENT_TO_GRADE = text("""
    WITH heard AS (
        SELECT portal_id, entity_type_id, card_id, received_at FROM journal
        WHERE received_at >= :since AND source IN ('webhook', 'robot') AND entity_type_id IN (1, 2)
          AND dispatched_at IS NOT NULL AND rejected IS NULL
        ORDER BY id DESC LIMIT 2000
    ), taken AS (
        SELECT extract(epoch FROM run.closed_at - heard.received_at)::float8 AS seconds
        FROM heard CROSS JOIN LATERAL (
            SELECT min(closed_at) AS closed_at FROM runs
            WHERE runs.portal_id = heard.portal_id AND runs.entity_type_id = heard.entity_type_id
              AND runs.card_id = heard.card_id AND runs.opened_at >= heard.received_at
        ) AS run
        WHERE run.closed_at IS NOT NULL
    )
    SELECT count(*), percentile_cont(CAST(:quantiles AS float8[])) WITHIN GROUP (ORDER BY seconds) FROM taken
""")

# What each notice was about stands in its key, as `domain/notices.py` and `domain/clock_steps.py` make it.
_NOTICES = text("""
    SELECT action.portal_id,
           CASE WHEN action.state = 'failed' THEN 'refused' WHEN action.key LIKE '%:warn:%' THEN 'warned'
                WHEN action.key LIKE '%:held:%' THEN 'held' WHEN action.key LIKE '%\\:next' THEN 'passed_on'
                ELSE 'breached' END AS result, count(*)
    FROM runs JOIN actions AS action ON action.run_id = runs.id
    WHERE runs.opened_at >= :since AND action.kind = 'notify' AND action.state IN ('done', 'failed')
    GROUP BY 1, 2
    UNION ALL
    SELECT portal_id, CASE state WHEN 'failed' THEN 'refused' ELSE 'digest' END, count(*) FROM digests
    WHERE started_at >= :since AND state IN ('done', 'failed') GROUP BY 1, 2
""")


async def queue(session: ReadSession) -> Queue:
    row = (await session.execute(_QUEUE)).one()
    return Queue(waiting=row[0], running=row[1], oldest=row[2])


async def budgets(session: ReadSession) -> list[Budget]:
    """Of the portals that were ever called."""
    return [Budget(portal_id=row[0], used=float(row[1])) for row in await session.execute(_BUDGETS)]


async def sweep_lags(session: ReadSession) -> list[Lag]:
    """Of every enabled portal."""
    return [Lag(portal_id=row[0], complete_at=row[1], failures=row[2]) for row in await session.execute(_LAGS)]


async def event_to_grade(session: ReadSession, *, now: datetime) -> EventToGrade:
    """Of the last hour's webhooks, at most the newest 2,000."""
    values = {"since": now - timedelta(hours=1), "quantiles": list(QUANTILES)}
    row = (await session.execute(_EVENT_TO_GRADE, values)).one()
    return EventToGrade(count=row[0], seconds=tuple(row[1] or ()))


async def notices(session: ReadSession, *, now: datetime) -> dict[tuple[int, str], int]:
    """Notices of the last day, by portal and what they said: NOTICES; what the portal refused is `refused`."""
    found: Counter[tuple[int, str]] = Counter()
    for portal_id, result, count in await session.execute(_NOTICES, {"since": now - timedelta(days=1)}):
        found[portal_id, result] += count
    return dict(found)
