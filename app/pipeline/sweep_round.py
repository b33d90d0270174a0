"""One round of a sweep: what all its sources share, and the portal's clock as far as it can be trusted.

Made by `sweep.py`, used by the sources. Holds no rule of what is news.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.store import journal, news
from app.store.database import Database, WriteSession
from app.store.news import SeenCard

BACKGROUND: Final = Lane.BACKGROUND
_CLOCKS_AGREE: Final = timedelta(minutes=5)
_SURE_AFTER: Final = timedelta(seconds=2)
_NEVER: Final = timedelta(days=-36500)


@dataclass(frozen=True, slots=True)
class PortalClock:
    """What time it is at the portal, in its own zone. `skew` is how far our clock is ahead of it.

    Not `trusted` when the two differ so much that one of them must be wrong: then no cursor moves by the clock.
    """

    now: datetime
    skew: timedelta
    trusted: bool

    @property
    def margin(self) -> timedelta:
        """How long after a change, by our clock, a reading has surely seen it.

        `updatedTime` has whole seconds: what changed after a reading but within the second can't be told apart.
        """
        return self.skew + _SURE_AFTER if self.trusted else _NEVER


async def portal_clock(client: PortalClient, *, now: Callable[[], datetime]) -> PortalClock:
    """Ask the portal the time, by the cheapest call there is. Raises Bitrix24Error when the portal is out of reach."""
    answer = await client.answer("profile", lane=BACKGROUND)
    ours = now()
    try:
        told = datetime.fromisoformat(answer.time.date_start)
        theirs = told if answer.time.finish is None else datetime.fromtimestamp(answer.time.finish, told.tzinfo)
        skew = ours - theirs
    except (ValueError, TypeError, OverflowError, OSError):
        return PortalClock(ours, timedelta(0), trusted=False)
    return PortalClock(theirs, skew, trusted=abs(skew) < _CLOCKS_AGREE)


@dataclass(slots=True)
class Found:
    """What one source gave so far: rows read, news among them, and cards to be looked at again to be sure.

    `share`: how much of its ids is read, 0 to 1.
    `error` is why it could not be read to its end; `refused` when the portal does not let us read it at all.
    """

    source: str
    seen: int = 0
    queued: int = 0
    again: int = 0
    share: float = 0.0
    done: bool = False
    error: str | None = None
    refused: bool = False


Watch = Callable[[Found], None]
"""Told of every step of a source; for progress bars. Must not raise."""


@dataclass(frozen=True, slots=True)
class Told:
    """What some rows told: how many were news, and how many ask for a second look."""

    news: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """One sweep of one portal, as its sources need it."""

    portal_id: int
    client: PortalClient
    database: Database
    clock: PortalClock
    now: Callable[[], datetime]
    open_since: timedelta
    watch: Watch
    measured: bool = False
    """Whether somebody watches how far it is, for which the end of each list must be asked first."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Sources read side by side and write in turns, so that none takes for news what another has just queued."""

    async def ask(self, session: WriteSession, entity_type_id: int, seen: Sequence[SeenCard], event: str) -> Told:
        """Ask for those leads or deals to be judged that no run has judged as they were listed."""
        found = await news.of_cards(session, self.portal_id, entity_type_id, seen, margin=self.clock.margin)
        await self.append(session, entity_type_id, found.certain, event)
        await self.append(session, entity_type_id, found.again, "SWEEP_AGAIN")
        return Told(len(found.certain), len(found.again))

    async def append(
        self, session: WriteSession, entity_type_id: int | None, ids: Sequence[int], event: str, change: str = "update"
    ) -> int:
        """Ask for the cards to be judged when there is time; how many."""
        entries = [
            journal.NewEntry(
                source="sweep",
                event=event,
                portal_id=self.portal_id,
                entity_type_id=entity_type_id,
                card_id=card_id,
                change=change,
                lane=BACKGROUND,
            )
            for card_id in ids
        ]
        return len(await journal.append(session, entries))


def identity(row: Any) -> int:
    """The row's id, under either of its names."""
    return int(row["id"] if "id" in row else row["ID"])
