"""Working time as the oracle counts it: every stretch in which somebody works, written out for the whole quarter.

Plain unix seconds, fixed offsets (Russia's clocks do not change), no calendars of the service: slow, simple, and
independent of what it checks.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

Span = tuple[int, int]
"""From, until, in unix seconds; the end does not belong to it."""

FIRST, LAST = date(2026, 1, 5), date(2026, 6, 30)
"""The days that are written out: the quarter, and long enough after it for every allowance to end."""


class Hours:
    """One person's or the desk's working stretches in order, with how much had been worked before each."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = sorted(spans)
        self._starts = [start for start, _ in self.spans]
        self._before = [0, *accumulate(end - start for start, end in self.spans)]

    def worked(self, since: int, until: int) -> int:
        """Seconds worked between two moments."""
        return self._until(until) - self._until(since) if until > since else 0

    def after(self, since: int, seconds: float) -> float:
        """The first moment at which `seconds` were worked after `since`."""
        wanted = self._until(since) + seconds
        for (start, end), before in zip(self.spans, self._before, strict=False):
            if before + (end - start) >= wanted and end > since:
                return start + (wanted - before)
        raise AssertionError(f"The oracle's days end on {LAST}: too few for this allowance.")

    def works(self, at: int) -> bool:
        place = bisect_right(self._starts, at) - 1
        return place >= 0 and at < self.spans[place][1]

    def _until(self, moment: int) -> int:
        place = bisect_right(self._starts, moment) - 1
        if place < 0:
            return 0
        start, end = self.spans[place]
        return self._before[place] + min(moment, end) - start


def written_out(
    day_hours: Iterable[tuple[int, int]], *, offset: int, free: Mapping[date, str], absences: Iterable[Span]
) -> Hours:
    """Monday to Friday at these hours of the day in a zone `offset` hours from UTC, holidays and absences taken out."""
    spans: list[Span] = []
    day = FIRST
    away = sorted(absences)
    while day <= LAST:
        if day.weekday() < 5 and day not in free:
            midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - offset * 3600
            for opens, closes in day_hours:
                spans.extend(_without((midnight + opens * 3600, midnight + closes * 3600), away))
        day += timedelta(days=1)
    return Hours(spans)


def _without(span: Span, away: list[Span]) -> list[Span]:
    left = [span]
    for gone, back in away:
        left = [
            piece
            for start, end in left
            for piece in ((start, min(end, gone)), (max(start, back), end))
            if piece[0] < piece[1]
        ]
    return left
