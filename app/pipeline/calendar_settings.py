"""What a portal's calendar settings say of working time, as a layer of calendars.

Called by `team_reading.py`. Everything is text there; whether half hours are told as `9.30` or `9:30` is documented
nowhere, so both are read. What is not understood is left out, and named: the layer below holds then.

api-reference/calendar/calendar-settings-get.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from app.domain.calendars import Layer, MonthDay
from app.domain.working_time import NO_WORK, Day, Hours
from app.pipeline.reads import listing

_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKEND: Final = frozenset({5, 6})
_TIME: Final = re.compile(r"(\d{1,2})(?:[.:](\d\d))?")
_YEARLY: Final = re.compile(r"(\d{1,2})\.(\d{1,2})")
_LEAP_YEAR: Final = 2024


@dataclass(frozen=True, slots=True)
class SettingsRead:
    """`strange`: settings that were not understood, with their values."""

    layer: Layer
    strange: tuple[str, ...]


def layer_of_settings(settings: Mapping[str, Any]) -> SettingsRead:
    """Week hours without breaks, which the portal does not know; holidays and working days of every year."""
    strange: list[str] = []
    layer = Layer(
        week=_week(settings, strange),
        yearly_off=frozenset(_yearly(settings, "year_holidays", strange)),
        yearly_working=frozenset(_yearly(settings, "year_workdays", strange)),
    )
    return SettingsRead(layer, tuple(strange))


def _week(settings: Mapping[str, Any], strange: list[str]) -> dict[int, Day]:
    free = _free(settings, strange)
    hours = _hours(settings, strange)
    if hours is None:
        # Which days are free is known; when the others begin and end is as in the layer below.
        return dict.fromkeys(free, NO_WORK)
    return {day: NO_WORK if day in free else hours for day in range(7)}


def _hours(settings: Mapping[str, Any], strange: list[str]) -> Day | None:
    start, end = _minutes(settings.get("work_time_start")), _minutes(settings.get("work_time_end"))
    if start is None or end is None or start >= end:
        told = f"{settings.get('work_time_start')} to {settings.get('work_time_end')}"
        strange.append(f"work_time: {told}")
        return None
    return (Hours(start, end),)


def _minutes(told: object) -> int | None:
    match = _TIME.fullmatch(str(told).strip())
    if match is None:
        return None
    hours, minutes = int(match[1]), int(match[2] or 0)
    total = hours * 60 + minutes
    return total if minutes < 60 and total <= 24 * 60 else None


def _free(settings: Mapping[str, Any], strange: list[str]) -> frozenset[int]:
    if "week_holidays" not in settings:
        strange.append("week_holidays: none told")
        return _WEEKEND
    told = [str(day) for day in listing(settings["week_holidays"])]
    strange += [f"week_holidays: {day}" for day in told if day not in _WEEKDAYS]
    return frozenset(_WEEKDAYS.index(day) for day in told if day in _WEEKDAYS)


def _yearly(settings: Mapping[str, Any], name: str, strange: list[str]) -> Iterator[MonthDay]:
    """`1.01,7.01`: day and month."""
    for part in str(settings.get(name) or "").split(","):
        told = part.strip()
        match = _YEARLY.fullmatch(told)
        try:
            if match is not None:
                known = date(_LEAP_YEAR, int(match[2]), int(match[1]))
                yield known.month, known.day
                continue
        except ValueError:
            pass
        if told:
            strange.append(f"{name}: {told}")
