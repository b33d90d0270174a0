"""Working time: how long something took of it, and when an allowance of it runs out.

Called by the reaction clocks and the timers. Pure: zone, holidays and absences are handed in, the present is too.
All moments are aware; hours are wall time in the calendar's zone, so that nine o'clock stays nine o'clock when the
clocks change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from statistics import median
from typing import Final

_DAY: Final = timedelta(days=1)
_MINUTES: Final = 24 * 60
_LONGEST_SEARCH: Final = 3 * 366
"""Days looked ahead for working time: a calendar without any must not be searched for ever."""

Interval = tuple[datetime, datetime]
"""From, until; the end does not belong to it."""


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """Working hours within one day, in minutes from midnight; 1440 is the midnight that ends it.

    A shift over midnight is two of them. Raises ValueError.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= _MINUTES:
            raise ValueError(f"Hours must lie within a day and end after they start, not {self.start} to {self.end}.")


Day = tuple[Hours, ...]
NO_WORK: Final[Day] = ()


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """When a desk or a person works.

    `week` has seven days, Monday first. `days` replaces single dates: a holiday has no hours, a moved working day
    has some. `absences` are taken out of whatever is left. Raises ValueError.
    """

    zone: tzinfo
    week: tuple[Day, ...]
    days: Mapping[date, Day] = field(default_factory=dict[date, Day])
    absences: tuple[Interval, ...] = ()

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise ValueError(f"A week has seven days, not {len(self.week)}.")
        for day in (*self.week, *self.days.values()):
            if any(after.start < before.end for before, after in pairwise(day)):
                raise ValueError("The hours of a day must follow each other without overlap.")
        if any(start >= end for start, end in self.absences):
            raise ValueError("An absence must end after it starts.")

    def away(self, *absences: Interval) -> "WorkingCalendar":
        """The same calendar with these absences too."""
        return replace(self, absences=(*self.absences, *absences))

    @property
    def day_length(self) -> timedelta:
        """What "a working day" is as an allowance: the median of the week's days that have hours; zero for none."""
        lengths = [sum(hours.end - hours.start for hours in day) for day in self.week if day]
        return timedelta(minutes=median(lengths)) if lengths else timedelta(0)

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """Working time between two moments; zero when they are the wrong way round."""
        total = timedelta(0)
        for opened, closed in self._open(start, self._date(end)):
            if opened >= end:
                break
            total += min(closed, end) - opened
        return total

    def deadline(self, start: datetime, allowed: timedelta) -> datetime | None:
        """The first moment at which `allowed` of working time has passed since `start`, in the calendar's zone.

        An allowance that is used up exactly at the end of a day ends there, not the next morning. None when there
        is not that much working time in the next three years.
        """
        if allowed <= timedelta(0):
            return start.astimezone(self.zone)
        left = allowed
        for opened, closed in self._open(start, self._date(start) + _LONGEST_SEARCH * _DAY):
            if closed - opened >= left:
                return (opened + left).astimezone(self.zone)
            left -= closed - opened
        return None

    def works(self, at: datetime) -> bool:
        """Whether it is working time at that moment."""
        return next(self._open(at, self._date(at)), (None,))[0] == at.astimezone(UTC)

    def _date(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _open(self, start: datetime, last: date) -> Iterator[Interval]:
        """Working intervals in UTC from `start` to the end of the day `last`, in order, none empty."""
        cursor = start.astimezone(UTC)
        absences = sorted((away.astimezone(UTC), back.astimezone(UTC)) for away, back in self.absences)
        day = self._date(start)
        while day <= last:
            for hours in self.days.get(day, self.week[day.weekday()]):
                # Hours that fall into the hour which the spring skips may begin after they end: then they are none.
                opened, closed = max(cursor, self._moment(day, hours.start)), self._moment(day, hours.end)
                yield from _without(opened, closed, absences)
                cursor = max(cursor, closed)
            day += _DAY

    def _moment(self, day: date, minutes: int) -> datetime:
        midnight = datetime.combine(day, time(), tzinfo=self.zone)
        # Wall time is added first and the zone looked up after: nine o'clock is nine o'clock on any day.
        return (midnight + timedelta(minutes=minutes)).astimezone(UTC)


def _without(start: datetime, end: datetime, absences: list[Interval]) -> Iterator[Interval]:
    """What is left of an interval when the sorted absences are taken out."""
    for away, back in absences:
        if away >= end:
            break
        if start < away:
            yield start, away
        start = max(start, back)
    if start < end:
        yield start, end
