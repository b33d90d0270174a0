"""A portal's calendar: its days as moments, by the distance from UTC that the last sweep read."""

from datetime import UTC, date, datetime, timedelta

from app.store import sweeps
from app.store.database import ReadSession

_FIRST, _LAST = date(1, 1, 3), date(9999, 12, 29)
"""Further out a moment could fall off the calendar."""


async def offset(session: ReadSession, portal_id: int) -> timedelta:
    """How far the portal's clock is ahead of UTC; nothing before the first sweep."""
    last = await sweeps.get(session, portal_id)
    return timedelta(seconds=last.utc_offset if last else 0)


def day_of(moment: datetime, ahead: timedelta) -> date:
    """The calendar day of a moment where clocks are so far ahead of UTC."""
    return (moment.astimezone(UTC) + ahead).date()


def starts(day: date, ahead: timedelta) -> datetime:
    """When a calendar day begins where clocks are so far ahead of UTC."""
    kept = min(max(day, _FIRST), _LAST)
    return datetime(kept.year, kept.month, kept.day, tzinfo=UTC) - ahead


def ends(day: date, ahead: timedelta) -> datetime:
    """The first moment after a calendar day."""
    return starts(day, ahead) + timedelta(days=1)
