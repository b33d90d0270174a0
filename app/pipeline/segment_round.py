"""The daily round over companies: wakes those whose segment or to-do wants a look, and gives out the day's contacts.

Run by `app/worker.py`, which calls `step` every few minutes. It reads our own tables only, so a portal with fifty
thousand companies costs no request unless something is to be written. What is found goes the one way: a timer wakes
the company, and its run reads it afresh and decides. Several workers may do it at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from app.domain.ruleset import Ruleset
from app.domain.snapshot import PortalDictionary
from app.pipeline.each_portal import each_portal
from app.pipeline.segmenting import bounds_digest
from app.store import contact_turns, dictionary, past_deals, segment_round, team
from app.store.database import Database, WriteSession
from app.store.portals import Portal
from app.store.rules_in_force import rules_in_force

_MORNING: Final = time(9)
_NOON: Final = time(12)
_SHORTEST: Final = timedelta(minutes=30)
_AT_ONCE: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Day:
    """One portal's day as of now. `span`: from now, or from its beginning, to the end of the morning."""

    portal: Portal
    ruleset: Ruleset
    dictionary: PortalDictionary
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(self.dictionary.zone).date()

    @property
    def begin(self) -> datetime:
        """When the working morning begins; now where it has."""
        return max(self.now, datetime.combine(self.today, _MORNING, tzinfo=self.dictionary.zone))

    @property
    def span(self) -> timedelta:
        return max(_SHORTEST, datetime.combine(self.today, _NOON, tzinfo=self.dictionary.zone) - self.begin)


@dataclass(frozen=True, slots=True)
class SegmentRound:
    """The rounds of all portals."""

    database: Database
    now: Callable[[], datetime]
    _compared: dict[int, tuple[date, datetime | None]] = field(
        default_factory=dict[int, tuple[date, datetime | None]], init=False
    )

    async def step(self) -> None:
        """Wake who wants a look; give out what is left of today's contacts. Raises DatabaseAway."""
        await each_portal(self.database, self._portal, failed="companies were not looked through")

    async def _portal(self, portal: Portal) -> None:
        async with self.database.reading() as session:
            kept = await dictionary.load(session, portal.id)
            ruleset = await rules_in_force(session, portal.id)
        if kept is None or not ruleset.segments.written:
            return
        day = _Day(portal, ruleset, kept.dictionary, self.now())
        await self._wake(day)
        if ruleset.segments.todos and day.begin == day.now:
            async with self.database.writing() as session:
                await _give_contacts(session, day)

    async def _wake(self, day: _Day) -> None:
        rules, portal_id = day.ruleset.segments, day.portal.id
        async with self.database.reading() as session:
            reading = await past_deals.reading(session, portal_id)
            compared = (day.today, reading.finished_at if reading else None)
            found = await segment_round.by_date(
                session,
                portal_id,
                today=day.today,
                bounds=bounds_digest(day.ruleset),
                patience=timedelta(days=min(rules.sleeping_cadence, rules.nurture_cadence)),
            )
            answered = await segment_round.answered(session, portal_id, now=day.now)
            if self._compared.get(portal_id) != compared:
                found += await segment_round.by_purchases(session, portal_id, today=day.today)
        if found or answered:
            async with self.database.writing() as session:
                await segment_round.wake(session, portal_id, answered, begin=day.now, span=_AT_ONCE)
                rest = sorted(set(found) - set(answered))
                await segment_round.wake(session, portal_id, rest, begin=day.begin, span=day.span)
        self._compared[portal_id] = compared


async def _give_contacts(session: WriteSession, day: _Day) -> None:
    """Today's free places in the caps of those who work today, to the companies that have waited longest."""
    owners = await contact_turns.owners_waiting(session, day.portal.id, day=day.today)
    if not owners:
        return
    calendars = await team.calendars(session, day.portal.id, around=day.now)
    away = [one for one in owners if calendars.absent(one, day.now) or not calendars.day(day.today, one).hours]
    given = await contact_turns.give(
        session, day.portal.id, day=day.today, cap=day.ruleset.segments.todos_a_day, absent=away
    )
    await segment_round.wake(session, day.portal.id, given, begin=day.now, span=day.span)
