"""Everything about working time of one portal: calendars in layers, holidays, absences, who was dismissed.

Built by `store/team.py`, asked by the clocks of reaction, by pools and by reports. Pure: what a library knows of
holidays is handed in as dates. From the bottom up the layers are: Mon-Fri 9-18, the portal's own settings, what an
administrator set for the portal, for a desk, for a person. Each says as much as it wants to.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.working_time import NO_WORK, Day, Hours, Interval, WorkingCalendar

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NO_COUNTRY: Final = ""
"""Instead of a country: no holidays at all."""

MonthDay = tuple[int, int]


class Why(StrEnum):
    """Why a date has the hours it has."""

    WEEK = "week"
    HOLIDAY = "holiday"
    MOVED = "moved"
    """A day off by the week on which people work instead of another day."""
    SET = "set"
    """Somebody set this very date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one layer says; None and what is left out is as in the layer below.

    `week` by weekday, Monday 0. `country`: whose holidays hold, `NO_COUNTRY` for none; it replaces the yearly lists
    of the layers below too. `yearly_off`, `yearly_working`: (month, day) of every year, as a portal lists them.
    `days` replaces single dates.
    """

    zone: tzinfo | None = None
    week: Mapping[int, Day] = field(default_factory=dict[int, Day])
    country: str | None = None
    yearly_off: frozenset[MonthDay] = frozenset()
    yearly_working: frozenset[MonthDay] = frozenset()
    days: Mapping[date, Day] = field(default_factory=dict[date, Day])


NINE_TO_SIX: Final[Day] = (Hours(9 * 60, 18 * 60),)
BUILT_IN: Final = Layer(
    zone=ZoneInfo("Europe/Moscow"),
    week=dict.fromkeys(range(5), NINE_TO_SIX) | dict.fromkeys((5, 6), NO_WORK),
    country="RU",
)


@dataclass(frozen=True, slots=True)
class Holidays:
    """One country's holidays by date with their names, and the days off that are worked instead of others."""

    off: Mapping[date, str] = field(default_factory=dict[date, str])
    working: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class DayTold:
    """The hours of one date and why they are so. `name` is the holiday's, where the country has one for it."""

    hours: Day
    why: Why
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Calendars:
    """Everything about working time of one portal, as of one moment.

    `portal`: its layers from the bottom up. `desks`, `people`: layers by pool and by user. `zones`: people's own, as
    the portal knows them. `absences` by user, as far as they are loaded. `years`: those for which holidays are known.
    """

    portal: Sequence[Layer] = ()
    desks: Mapping[int, Layer] = field(default_factory=dict[int, Layer])
    people: Mapping[int, Layer] = field(default_factory=dict[int, Layer])
    zones: Mapping[int, tzinfo] = field(default_factory=dict[int, tzinfo])
    absences: Mapping[int, Sequence[Interval]] = field(default_factory=dict[int, Sequence[Interval]])
    dismissed: frozenset[int] = frozenset()
    holidays: Mapping[str, Holidays] = field(default_factory=dict[str, Holidays])
    years: Sequence[int] = ()
    _made: dict[tuple[int | None, int | None], WorkingCalendar] = field(
        default_factory=dict[tuple[int | None, int | None], WorkingCalendar], init=False, repr=False, compare=False
    )

    def of(self, user: int | None, desk: int | None = None) -> WorkingCalendar:
        """When the person works, without his absences; for nobody when the desk does, for neither the portal."""
        made = self._made.get((user, desk))
        if made is None:
            made = self._made[user, desk] = self._make(user, desk)
        return made

    def absent(self, user: int, at: datetime) -> bool:
        """Whether the person is away by an absence of ours, or dismissed. Not told by his hours: a night is none."""
        return user in self.dismissed or any(start <= at < end for start, end in self.absences.get(user, ()))

    def day(self, day: date, user: int | None, desk: int | None = None) -> DayTold:
        """The hours of a date in the zone of `of(user, desk)`, absences left in, and why they are so."""
        layers = self._layers(user, desk)
        week = _week(layers)
        return self._special(layers, week, day) or DayTold(week[day.weekday()], Why.WEEK)

    def _layers(self, user: int | None, desk: int | None) -> list[Layer]:
        layers = [BUILT_IN, *self.portal]
        if desk is not None and desk in self.desks:
            layers.append(self.desks[desk])
        if user is not None and user in self.zones:
            layers.append(Layer(zone=self.zones[user]))
        if user is not None and user in self.people:
            layers.append(self.people[user])
        return layers

    def _make(self, user: int | None, desk: int | None) -> WorkingCalendar:
        layers = self._layers(user, desk)
        week = _week(layers)
        told = {day: self._special(layers, week, day) for day in set(self._dates(layers))}
        return WorkingCalendar(
            zone=next(layer.zone for layer in reversed(layers) if layer.zone is not None),
            week=week,
            days={day: one.hours for day, one in told.items() if one is not None},
            absences=tuple(self.absences.get(user, ())) if user is not None else (),
        )

    def _dates(self, layers: Sequence[Layer]) -> Iterator[date]:
        """Every date that may differ from its weekday."""
        holidays = self._holidays(layers)
        yield from holidays.off
        yield from holidays.working
        for layer in layers:
            yield from layer.days
            for month, day in layer.yearly_off | layer.yearly_working:
                yield from (date(year, month, day) for year in self.years if _is_date(year, month, day))

    def _holidays(self, layers: Sequence[Layer]) -> Holidays:
        country = next(layer.country for layer in reversed(layers) if layer.country is not None)
        return self.holidays.get(country, Holidays())

    def _special(self, layers: Sequence[Layer], week: tuple[Day, ...], day: date) -> DayTold | None:
        """What makes the date another than its weekday; a date of one year goes before a date of every year."""
        for layer in reversed(layers):
            if day in layer.days:
                return DayTold(layer.days[day], Why.SET)
        holidays = self._holidays(layers)
        if day in holidays.off:
            return DayTold(NO_WORK, Why.HOLIDAY, holidays.off[day])
        if day in holidays.working:
            return _moved(week, day)
        for layer in reversed(layers):
            if (day.month, day.day) in layer.yearly_off:
                return DayTold(NO_WORK, Why.HOLIDAY)
            if (day.month, day.day) in layer.yearly_working:
                return _moved(week, day)
            if layer.country is not None:
                return None
        return None


def _week(layers: Iterable[Layer]) -> tuple[Day, ...]:
    week: dict[int, Day] = {}
    for layer in layers:
        week |= layer.week
    return tuple(week[day] for day in range(7))


def _moved(week: tuple[Day, ...], day: date) -> DayTold:
    """A working day that is free by the week has the hours of the week's first working day."""
    own = week[day.weekday()]
    if own:
        return DayTold(own, Why.WEEK)
    return DayTold(next((hours for hours in week if hours), NO_WORK), Why.MOVED)


def _is_date(year: int, month: int, day: int) -> bool:
    return (month, day) != (2, 29) or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
