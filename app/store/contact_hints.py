"""Hints of contacts: activities that the portal said were new or changed, to be read at once.

Noted by the dispatcher, worked off by `pipeline/contacts.py`. They only make quick: what is dropped here comes with
the next sweep.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from app.store.database import WriteSession

EVENTS: Final = frozenset({"ONCRMACTIVITYADD", "ONCRMACTIVITYUPDATE", "ONVOXIMPLANTCALLEND"})
_AGAIN: Final = timedelta(minutes=1)
_MOST_ATTEMPTS: Final = 3
_KEPT: Final = timedelta(hours=1)

_NOTE = text("""
    INSERT INTO contact_hints AS known (portal_id, activity_id)
    SELECT DISTINCT * FROM unnest(CAST(:portals AS int[]), CAST(:ids AS bigint[])) AS hint (portal_id, activity_id)
    ORDER BY 1, 2
    ON CONFLICT (portal_id, activity_id) DO UPDATE SET asked_at = now(), taken_at = NULL, attempts = 0
    WHERE known.taken_at IS DISTINCT FROM 'infinity'
""")
_OURS = text("""
    INSERT INTO contact_hints (portal_id, activity_id, taken_at)
    SELECT CAST(:portal AS int), id, 'infinity' FROM unnest(CAST(:ids AS bigint[])) AS made (id) ORDER BY 2
    ON CONFLICT (portal_id, activity_id) DO UPDATE SET taken_at = 'infinity'
""")
_TIDY = text("""
    DELETE FROM contact_hints AS hint
    WHERE asked_at < :old OR attempts >= :most
       OR taken_at IS NULL AND NOT EXISTS (
           SELECT FROM reactions WHERE reactions.portal_id = hint.portal_id AND reactions.running)
""")
# MATERIALIZED, here and wherever some rows are taken: a subquery that is run again for each row takes others each time.
_TAKE = text("""
    WITH next AS MATERIALIZED (
        SELECT portal_id, activity_id FROM contact_hints
        WHERE asked_at <= :settled AND (taken_at IS NULL OR taken_at < :again)
        ORDER BY asked_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE contact_hints SET taken_at = :now, attempts = attempts + 1
    WHERE (portal_id, activity_id) IN (SELECT portal_id, activity_id FROM next)
    RETURNING portal_id, activity_id
""")
_DONE = text("DELETE FROM contact_hints WHERE portal_id = :portal AND activity_id = ANY(:ids) AND taken_at = :taken")


async def note(session: WriteSession, hints: Iterable[tuple[int, int]]) -> None:
    """Somebody said that these activities, pairs of portal and id, are new or changed."""
    wanted = list(hints)
    if wanted:
        await session.execute(_NOTE, {"portals": [one[0] for one in wanted], "ids": [one[1] for one in wanted]})


async def ours(session: WriteSession, portal_id: int, ids: Sequence[int]) -> None:
    """We made these activities ourselves: nothing is read when the portal tells us of them."""
    if ids:
        await session.execute(_OURS, {"portal": portal_id, "ids": list(ids)})


async def take(session: WriteSession, *, now: datetime, settle: timedelta, limit: int = 200) -> list[tuple[int, int]]:
    """Some hints, pairs of portal and activity, that are `settle` old; tried again in a minute unless `done`.

    Those of portals where no clock runs are dropped.
    """
    await session.execute(_TIDY, {"old": now - _KEPT, "most": _MOST_ATTEMPTS})
    values = {"now": now, "settled": now - settle, "again": now - _AGAIN, "limit": limit}
    return [(row[0], row[1]) for row in await session.execute(_TAKE, values)]


async def done(session: WriteSession, portal_id: int, ids: Sequence[int], *, taken: datetime) -> None:
    """The activities were read; what was said of them since they were taken up stays."""
    await session.execute(_DONE, {"portal": portal_id, "ids": list(ids), "taken": taken})
