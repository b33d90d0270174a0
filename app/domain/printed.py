"""Times and days that the portal itself prints, as `2026-08-21T12:00:00+03:00`, to values; no guess, no exception.

What people type into fields is read by `raw_values.py`.
"""

from datetime import date, datetime
from typing import Any


def moment(printed: Any) -> datetime | None:
    """A time with its offset; None where there is none."""
    try:
        told = datetime.fromisoformat(str(printed)) if printed else None
    except ValueError:
        return None
    return told if told is not None and told.tzinfo is not None else None


def day(printed: Any) -> date | None:
    """A day, of a time too; None where there is none."""
    try:
        return date.fromisoformat(str(printed)[:10]) if printed else None
    except ValueError:
        return None
