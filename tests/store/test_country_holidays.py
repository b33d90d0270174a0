"""What the library knows of Russia, against the calendars of the five-day week by the year's decrees."""

from datetime import date, timedelta

import pytest

from app.domain.calendars import Calendars
from app.domain.working_time import WorkingCalendar
from app.store.country_holidays import holidays_of, known_countries

DAYS_OFF = {
    # Government decrees of October 2024 and September 2025; Labour Code, article 112.
    2025: ("01-01 01-02 01-03 01-06 01-07 01-08 05-01 05-02 05-08 05-09 06-12 06-13 11-03 11-04 12-31", "11-01"),
    2026: ("01-01 01-02 01-05 01-06 01-07 01-08 01-09 02-23 03-09 05-01 05-11 06-12 11-04 12-31", ""),
}
WORKING_DAYS = {2025: 247, 2026: 247}


def dates(year, listed):
    return {date.fromisoformat(f"{year}-{one}") for one in listed.split()}


@pytest.mark.parametrize("year", DAYS_OFF)
def test_russia(year):
    off, worked = (dates(year, one) for one in DAYS_OFF[year])
    known = holidays_of("RU", [year], "ru")
    assert {day for day in known.off if day.weekday() < 5} == off
    assert known.working == worked
    assert known.off[date(year, 5, 9)] == "День Победы"
    assert holidays_of("RU", [year], "en").off[date(year, 5, 9)] == "Victory Day"


@pytest.mark.parametrize("year", WORKING_DAYS)
def test_a_year_has_as_many_working_days_as_the_calendar_says(year):
    calendar: WorkingCalendar = Calendars(holidays={"RU": holidays_of("RU", [year], "ru")}, years=[year]).of(None)
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(365))
    assert sum(bool(calendar.days.get(day, calendar.week[day.weekday()])) for day in days) == WORKING_DAYS[year]


def test_countries():
    assert {"RU", "KZ", "BY", "DE"} <= known_countries()
    assert not holidays_of("XX", [2026], "ru").off
    assert holidays_of("KZ", [2026], "ru").off, "a language that the library lacks for it is no error"
