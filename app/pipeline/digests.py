"""The daily and weekly digests: who is due, the claim, the notification, and how it ended.

Run by `app/worker.py` in live mode, which calls `step` every minute; any number of workers may. A digest is about no
card, so it goes out beside the flow of cards (ADR 9): its row is claimed and committed before the portal is called, and
kept with what was said or why it was refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import structlog

from app.bitrix24.lanes import Lane
from app.domain.digest import Due, Led, Pages, due, notice
from app.pipeline.apply import UNTOLD, tell
from app.pipeline.connections import Connections
from app.pipeline.digest_figures import gather
from app.pipeline.each_portal import each_portal
from app.store import calendar, digests, team
from app.store.database import Database, DatabaseAway
from app.store.portals import Portal

_log = structlog.get_logger()
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of all portals. `at`: from when on by each person's clock; `address` of our pages, None: no links."""

    database: Database
    connections: Connections
    at: time
    address: str | None
    now: Callable[[], datetime]

    async def step(self) -> None:
        """Send what is due, to all portals side by side. Raises DatabaseAway."""
        await each_portal(self.database, self._portal, failed="digests were not looked through")

    async def _portal(self, portal: Portal) -> None:
        for user, leads, one in await self._due(portal):
            await self._send(portal, user, leads, one)

    async def _due(self, portal: Portal) -> list[tuple[int, Sequence[Led], Due]]:
        """Who is to be sent what now, without what was sent or is on its way."""
        now = self.now()
        async with self.database.reading() as session:
            readers = [one for one in await digests.readers(session, portal.id) if one.kinds]
            if not readers:
                return []
            calendars = await team.calendars(session, portal.id, around=now)
            today = calendar.day_of(now, await calendar.offset(session, portal.id))
            begun = await digests.begun(session, portal.id, since=(now - _WEEK).date() - timedelta(days=1))
        settled = {
            (one.user_id, one.kind, one.day)
            for one in begun
            if one.state != "started" or one.started_at > now - digests.TRY_AGAIN_AFTER
        }
        return [
            (one.person.user_id, one.leads, found)
            for one in readers
            for found in due(one.kinds, one.person.user_id, calendars, at=self.at, now=now, today=today)
            if (one.person.user_id, found.kind.value, found.day) not in settled
        ]

    async def _send(self, portal: Portal, user: int, leads: Sequence[Led], one: Due) -> None:
        async with self.database.writing() as session:
            if not await digests.claim(session, portal.id, user, one, now=self.now()):
                return
        said, state, why = None, "started", None
        try:
            connection = await self.connections.of(portal.id)
            async with self.database.reading() as session:
                told = await gather(session, portal.id, one, leads, now=self.now())
            action = notice(told, user, Pages(self.address, portal.id), connection.say)
            await tell(connection.client, action, lane=Lane.NORMAL)
            said, state = action.text, "done"
        except DatabaseAway:
            raise
        except UNTOLD as error:
            state, why = "failed", _said(error)
        except Exception as error:  # noqa: BLE001 - one person never holds back the others, and is tried again
            why = _said(error)
        if why is not None:
            _log.warning("a digest was not sent", portal=portal.id, user=user, kind=one.kind.value, error=why)
        async with self.database.writing() as session:
            await digests.ended(session, portal.id, user, one, state=state, said=said, error=why, now=self.now())


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
