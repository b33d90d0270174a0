"""A calendar as a JSON document, as people write it and as it is kept; the same as a `Layer` for the domain.

    {"zone": "Europe/Moscow", "week": {"mon": ["09:00-13:00", "14:00-18:00"], "sat": []},
     "country": "RU", "days": {"2026-12-31": ["09:00-17:00"]}}

Every key may be left out, and so may every day of the week: then it is as in the layer below. `country` null is no
holidays. What the portal's own settings say has yearly lists too, which people cannot write.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from app.domain.calendars import NO_COUNTRY, WEEKDAYS, Layer, MonthDay
from app.domain.messages import Message, message
from app.domain.ruleset_checks.remark import Remark
from app.domain.working_time import Day, Hours
from app.store.country_holidays import known_countries

_HOURS: Final = re.compile(r"(\d\d?):(\d\d)\s*[-–]\s*(\d\d?):(\d\d)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_KEYS: Final = ("zone", "week", "country", "days")
_MOST_DAYS: Final = 2000
_YEARLY_OFF: Final = "yearly_off"
_YEARLY_WORKING: Final = "yearly_working"


@dataclass(frozen=True, slots=True)
class ExaminedCalendar:
    """`layer` None: the document is wrong, and `wrong` names every wrong value."""

    layer: Layer | None
    wrong: tuple[Remark, ...]


def examine_calendar(document: object) -> ExaminedCalendar:
    """What a person wrote; all that is wrong with it at once."""
    found = _Reading()
    layer = found.layer(document)
    return ExaminedCalendar(None if found.wrong else layer, tuple(found.wrong))


def layer_of(kept: Mapping[str, Any]) -> Layer:
    """What `layer_to_json` wrote. What a later version of the library or zone data does not know is left out."""
    layer = _Reading().layer({name: value for name, value in kept.items() if name in _KEYS})
    yearly = {name: frozenset(_yearly(kept.get(name, ()))) for name in (_YEARLY_OFF, _YEARLY_WORKING)}
    return Layer(zone=layer.zone, week=layer.week, country=layer.country, days=layer.days, **yearly)


def layer_to_json(layer: Layer) -> dict[str, Any]:
    """Only what the layer says. `layer_of(layer_to_json(layer)) == layer` where the zone has a name."""
    said: dict[str, Any] = {}
    if isinstance(layer.zone, ZoneInfo):
        said["zone"] = layer.zone.key
    if layer.week:
        said["week"] = {WEEKDAYS[day]: hours_to_json(hours) for day, hours in sorted(layer.week.items())}
    if layer.country is not None:
        said["country"] = layer.country or None
    if layer.days:
        said["days"] = {day.isoformat(): hours_to_json(hours) for day, hours in sorted(layer.days.items())}
    for name, days in ((_YEARLY_OFF, layer.yearly_off), (_YEARLY_WORKING, layer.yearly_working)):
        if days:
            said[name] = [f"{month:02}-{day:02}" for month, day in sorted(days)]
    return said


def hours_to_json(day: Day) -> list[str]:
    """`["09:00-13:00", "14:00-18:00"]`; none on a day off."""
    return [f"{_clock(hours.start)}-{_clock(hours.end)}" for hours in day]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _yearly(listed: Sequence[str]) -> Iterator[MonthDay]:
    for one in listed:
        month, _, day = one.partition("-")
        yield int(month), int(day)


class _Reading:
    """One pass over a document; collects what is wrong instead of stopping at it."""

    def __init__(self) -> None:
        self.wrong: list[Remark] = []

    def layer(self, document: object) -> Layer:
        said = self._mapping("", document)
        for name in said:
            if name not in _KEYS:
                self._remark(name, message("is not known here: zone, week, country and days are"))
        return Layer(
            zone=self._zone(said["zone"]) if "zone" in said else None,
            week=self._week(said["week"]) if "week" in said else {},
            country=self._country(said["country"]) if "country" in said else None,
            days=self._days(said["days"]) if "days" in said else {},
        )

    def _zone(self, name: object) -> ZoneInfo | None:
        zone = zone_named(name) if isinstance(name, str) else None
        if zone is None:
            self._remark("zone", message("must be the name of a time zone, e.g. Europe/Moscow"))
        return zone

    def _country(self, code: object) -> str | None:
        if code is None:
            return NO_COUNTRY
        if isinstance(code, str) and code in known_countries():
            return code
        self._remark("country", message("must be a country's two letters, e.g. RU, or null for no holidays"))
        return None

    def _week(self, week: object) -> dict[int, Day]:
        days: dict[int, Day] = {}
        for name, hours in self._mapping("week", week).items():
            if name in WEEKDAYS:
                days[WEEKDAYS.index(name)] = self._day(f"week.{name}", hours)
            else:
                self._remark(f"week.{name}", message("is no day of the week: mon, tue, wed, thu, fri, sat and sun are"))
        return days

    def _days(self, days: object) -> dict[date, Day]:
        found: dict[date, Day] = {}
        listed = self._mapping("days", days)
        if len(listed) > _MOST_DAYS:
            self._remark("days", message("has too many entries: at most {most}", most=_MOST_DAYS))
            return {}
        for name, hours in listed.items():
            day = _day_named(name)
            if day is None:
                self._remark(f"days.{name}", message("must be a date, e.g. 2026-12-31"))
            else:
                found[day] = self._day(f"days.{name}", hours)
        return found

    def _day(self, path: str, hours: object) -> Day:
        if not isinstance(hours, list):
            self._remark(
                path, message('must be a list of hours, e.g. ["09:00-13:00", "14:00-18:00"], or [] for a day off')
            )
            return ()
        spans: list[Hours] = []
        for at, text in enumerate(cast("list[object]", hours)):
            span = _span(text)
            if span is None:
                self._remark(f"{path}.{at}", message("must be hours of one day, e.g. 09:00-18:00; 24:00 is its end"))
            elif spans and span.start < spans[-1].end:
                self._remark(f"{path}.{at}", message("must begin after the hours before it end"))
            else:
                spans.append(span)
        return tuple(spans)

    def _mapping(self, path: str, value: object) -> dict[str, object]:
        if isinstance(value, Mapping):
            return {str(key): one for key, one in cast("Mapping[object, object]", value).items()}
        self._remark(path, message("must be an object"))
        return {}

    def _remark(self, path: str, said: Message) -> None:
        self.wrong.append(Remark(path, said))


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of that IANA name, None where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _span(text: object) -> Hours | None:
    match = _HOURS.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
    if start_minute > 59 or end_minute > 59:
        return None
    try:
        return Hours(start_hour * 60 + start_minute, end_hour * 60 + end_minute)
    except ValueError:
        return None


def _day_named(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if _DATE.fullmatch(name) else None
    except ValueError:
        return None
