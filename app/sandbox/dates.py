"""Dates as the portal prints and reads them: ISO 8601 in the portal's own offset, whole seconds.

Called by everything that stores or compares a time. All stored datetimes share one offset, so they
compare as strings (docs: api-reference/data-types).
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

Clock = Callable[[], datetime]

_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})")
_SITE_DATE = re.compile(r"^(\d{2})\.(\d{2})\.(\d{4})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?$")


def wall_clock() -> datetime:
    """The default clock of a portal that nobody gave one: a stand-alone sandbox is its own root."""
    return datetime.fromtimestamp(time.time(), UTC)


class PortalTime:
    """One portal's clock and offset."""

    def __init__(self, clock: Clock, offset: timedelta) -> None:
        self._clock = clock
        self.zone = timezone(offset)
        hours, minutes = divmod(int(offset.total_seconds()) // 60, 60)
        sign = "+" if hours >= 0 else "-"
        self._suffix = f"{sign}{abs(hours):02d}:{minutes:02d}"
        self._midnight = f"T{abs(hours) if hours >= 0 else 0:02d}:{minutes:02d}:00{self._suffix}"
        self._printed: tuple[int, str] = (0, "")

    def now(self) -> datetime:
        return self._clock().astimezone(self.zone)

    def stamp(self) -> float:
        """Unix seconds."""
        return self._clock().timestamp()

    def text(self, seconds: float | None = None) -> str:
        """Now, or the given unix time, as the portal prints it."""
        whole = int(self.stamp() if seconds is None else seconds)
        if self._printed[0] != whole:
            self._printed = (whole, datetime.fromtimestamp(whole, self.zone).isoformat())
        return self._printed[1]

    def read(self, value: object) -> str | None:
        """Any accepted datetime as stored text; None where it is none. No offset means portal time."""
        raw = str(value).strip()
        site = _SITE_DATE.match(raw)
        if site:
            day, month, year, hour, minute, second = site.groups(default="00")
            raw = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        try:
            moment = datetime.fromisoformat(raw)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        return moment.astimezone(self.zone).replace(microsecond=0).isoformat()

    def read_date(self, value: object) -> str | None:
        """A date-only value. It comes back as a datetime at server midnight, which carries the offset as
        its hour: `2000-01-01T02:00:00+02:00` (docs: crm/universal/crm-item-get, birthdate)."""
        raw = str(value).strip()
        site = _SITE_DATE.match(raw)
        if site:
            raw = f"{site[3]}-{site[2]}-{site[1]}"
        found = _DATE.match(raw)
        if not found:
            return None
        try:
            datetime.fromisoformat(found[0])
        except ValueError:
            return None
        return found[0] + self._midnight
