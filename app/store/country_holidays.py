"""What the library `holidays` knows of a country's holidays, as plain dates. The only module that speaks to it.

Russia's days off that were moved, and the Saturdays worked instead, are in the library from the year's decree on;
shortened days before holidays are not. What it does not know an administrator sets as `days` of a calendar.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

import holidays

from app.domain.calendars import Holidays

_LANGUAGES: Final[Mapping[str, str]] = {"en": "en_US"}


def known_countries() -> frozenset[str]:
    """Codes that may be named, as in ISO 3166-1: RU, KZ, …"""
    return _countries()


def holidays_of(country: str, years: Iterable[int], language: str) -> Holidays:
    """The country's holidays in these years, named in `language` where the library can; none for an unknown country."""
    if country not in _countries():
        return Holidays()
    off: dict[date, str] = {}
    working: set[date] = set()
    for year in years:
        known = _of_year(country, year, language)
        off |= known.off
        working |= known.working
    return Holidays(off, frozenset(working))


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    # Beside ISO's codes the library lists some of its own.
    return frozenset(code for code in holidays.list_supported_countries() if len(code) == 2)


@lru_cache(maxsize=256)
def _of_year(country: str, year: int, language: str) -> Holidays:
    # With a language it has no texts in, the library names the days in the country's own.
    known: Any = holidays.country_holidays(country, years=year, language=_LANGUAGES.get(language, language))
    off = {day: str(name) for day, name in known.items() if day.year == year}
    working = frozenset(day for day in getattr(known, "weekend_workdays", ()) if day.year == year)
    return Holidays(off, working)
