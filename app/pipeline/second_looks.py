"""The weekly second look at rejected leads: the draw, and the answers that people give in the portal by what they do.

Run by `app/worker.py`, which calls `step` every few minutes. It writes nothing to a portal: the to-do that asks is an
action in the plan of the lead, which is judged for it, and so is made once whatever crashes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import structlog

from app.bitrix24.lanes import Lane
from app.domain.second_look import Drawn, Standing, answer_in_portal
from app.domain.snapshot import Semantics
from app.domain.verdict import Outcome
from app.pipeline.connections import Connections
from app.pipeline.each_portal import each_portal
from app.pipeline.reads import every_row, number
from app.store import calendar, second_looks
from app.store.database import Database
from app.store.portals import Portal
from app.store.second_looks import Asked

_log = structlog.get_logger()
_PATIENCE: Final = timedelta(weeks=8)
"""How long an answer is waited for; afterwards it stays unknown."""
_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class SecondLooks:
    """The second looks of all portals. `per_week`: leads drawn of each; `seed` gives the number a draw is made by."""

    database: Database
    connections: Connections
    per_week: int
    now: Callable[[], datetime]
    seed: Callable[[], int]

    async def step(self) -> None:
        """Draw last week's leads where that was not done; look at the to-dos that wait. Raises DatabaseAway."""
        await each_portal(self.database, self._portal, failed="second looks were not looked after")

    async def _portal(self, portal: Portal) -> None:
        if self.per_week:
            await self._draw(portal)
        await self._read_answers(portal)

    async def _draw(self, portal: Portal) -> None:
        now = self.now()
        async with self.database.reading() as session:
            ahead = await calendar.offset(session, portal.id)
            week = second_looks.last_week(calendar.day_of(now, ahead))
            if await second_looks.is_drawn(session, portal.id, week):
                return
        async with self.database.writing() as session:
            done = await second_looks.draw(session, portal.id, week=week, size=self.per_week, seed=self.seed(), now=now)
        if done is not None:
            _log.info(
                "rejected leads were drawn for a second look", portal=portal.id, week=str(week), of=done.population
            )

    async def _read_answers(self, portal: Portal) -> None:
        now = self.now()
        async with self.database.reading() as session:
            waiting = await second_looks.asked(session, portal.id, since=(now - _PATIENCE).date())
        if not waiting or portal.integration_user_id is None:
            return
        completed = await self._completed(portal, [asked.activity_id for asked in waiting])
        async with self.database.writing() as session:
            ids = [asked.look.id for asked in waiting if asked.activity_id in completed]
            await second_looks.note_completed(session, ids, now=now)
            for asked in waiting:
                said = _answer(asked, completed.get(asked.activity_id), portal.integration_user_id, now=now)
                if said is not None:
                    await second_looks.answer_from_portal(session, asked.look, said, now=now)

    async def _completed(self, portal: Portal, ids: Iterable[int]) -> Mapping[int, int]:
        """Which of these to-dos are completed, and by which user."""
        client = (await self.connections.of(portal.id)).client
        wanted = list(ids)
        completed: dict[int, int] = {}
        for start in range(0, len(wanted), _PAGE):
            params = {
                "filter": {"@ID": wanted[start : start + _PAGE], "COMPLETED": "Y"},
                "select": ["ID", "COMPLETED", "EDITOR_ID"],
                "order": {"ID": "ASC"},
            }
            rows = await every_row(client, "crm.activity.list", params, lane=Lane.BACKGROUND)
            completed |= {number(row.get("ID")): number(row.get("EDITOR_ID")) for row in rows}
        return completed


def _answer(
    asked: Asked, completed_by: int | None, integration_user_id: int, *, now: datetime
) -> second_looks.Answer | None:
    """What the portal says; a to-do that we or a robot under our account closed says nothing."""
    by_person = completed_by is not None and completed_by != integration_user_id
    since = asked.look.completed_at
    said = answer_in_portal(
        Drawn(Outcome(asked.look.outcome), asked.look.facts_digest, asked.asked_at),
        Standing(
            Outcome(asked.outcome) if asked.outcome else None,
            asked.facts_digest,
            cast("Semantics | None", asked.semantics),
            asked.moved_by,
            asked.moved_time,
        ),
        completed_for=now - since if by_person and since is not None else None,
        integration_user_id=integration_user_id,
    )
    return said.value if said else None
