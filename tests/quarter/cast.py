"""Who works at the desk in the quarter, when, and what comes in: made up from one seed, before anything runs."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

from tests.quarter.hours import Hours, Span, written_out
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

START: Final = datetime(2026, 1, 12, 6, tzinfo=UTC)
MANAGERS: Final = tuple(range(101, 111))
HEAD, FORM, PLANT = 100, 21, 10
"""The head of the desk, the user on whom the web form puts new leads, and the department of all of them."""
HOLIDAYS: Final[Mapping[date, str]] = {date(2026, 2, 23): "Defenders' day", date(2026, 3, 9): "in place of 8 March"}
MOSCOW, URALS = 3, 5
Heat = Literal["hot", "warm", "other"]
TARGETS: Final[Mapping[Heat, int]] = {"hot": 15, "warm": 60, "other": 540}
"""Minutes of working time, as the customer's story has them."""
WARN: Final = 0.7


@dataclass(frozen=True, slots=True)
class Manager:
    """One of the desk. `day`: hours of work as printed on the door; `offset`: hours ahead of UTC."""

    user: int
    day: tuple[tuple[int, int], ...]
    offset: int
    absences: tuple[Span, ...]
    hours: Hours

    @property
    def zone(self) -> str:
        return "Asia/Yekaterinburg" if self.offset == URALS else "Europe/Moscow"

    def absent(self, at: int) -> bool:
        return any(gone <= at < back for gone, back in self.absences)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One lead: when it comes, what the form says, and what it must become. `client_of`: who knows the company."""

    number: int
    at: int
    fields: Mapping[str, Any]
    outcome: str
    client_of: int | None = None

    @property
    def heat(self) -> Heat:
        return {"deal": "hot", "needs_data": "warm", "review": "warm"}.get(self.outcome, "other")  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Quarter:
    """Everything that is decided beforehand. `desk`: the portal's own hours, by which nobody's time is counted."""

    managers: Mapping[int, Manager]
    desk: Hours
    arrivals: tuple[Arrival, ...]
    days: int


def quarter(seed: int, *, leads: int, days: int) -> Quarter:
    """So many leads over so many days from the second Monday of January on."""
    dice = random.Random(seed)
    managers = {user: _manager(dice, user, days) for user in MANAGERS}
    desk = written_out(((9, 18),), offset=MOSCOW, free=HOLIDAYS, absences=())
    return Quarter(managers, desk, tuple(_arrivals(dice, leads, days)), days)


def _manager(dice: random.Random, user: int, days: int) -> Manager:
    day: tuple[tuple[int, int], ...] = ((9, 18),)
    offset = MOSCOW
    if user in (103, 104):
        day = ((9, 13), (14, 18))
    if user == 105:
        day = ((10, 19),)
    if user in (106, 107):
        offset = URALS
    absences = tuple(sorted(_absence(dice, days) for _ in range(max(1, days // 40))))
    return Manager(user, day, offset, absences, written_out(day, offset=offset, free=HOLIDAYS, absences=absences))


def _absence(dice: random.Random, days: int) -> Span:
    """From some morning, or the middle of a day, for one to ten days."""
    gone = START + timedelta(days=dice.randrange(1, max(2, days)), minutes=dice.choice((0, 0, 240)) - 180)
    return int(gone.timestamp()), int((gone + timedelta(days=dice.choice((1, 1, 2, 5, 10)))).timestamp())


def _arrivals(dice: random.Random, count: int, days: int) -> list[Arrival]:
    """Most of them by day, some at night and at the weekend, each on a minute of its own."""
    minutes: set[int] = set()
    while len(minutes) < count:
        day, hour = dice.randrange(days), dice.gauss(13, 3) if dice.random() < 0.8 else dice.uniform(0, 24)
        minute = day * 1440 + int(hour * 60) - 9 * 60
        if 0 <= minute < days * 1440:
            minutes.add(minute)
    return [_arrival(dice, number, minute) for number, minute in enumerate(sorted(minutes))]


_KINDS: Final = (
    (0.35, "deal", {**TARGET, **FITS}),
    (0.15, "company", {**TARGET, **FITS_NOT}),
    (0.20, "junk", {**SMALL, **FITS_NOT}),
    (0.15, "review", {**SMALL, **FITS}),
    (0.15, "needs_data", dict(TARGET)),
)


def _arrival(dice: random.Random, number: int, minute: int) -> Arrival:
    draw, outcome, facts = dice.random(), "deal", _KINDS[0][2]
    for share, named, typed in _KINDS:
        if draw < share:
            outcome, facts = named, typed
            break
        draw -= share
    at = int(START.timestamp()) + minute * 60
    known = dice.choice(MANAGERS) if dice.random() < 0.08 else None
    return Arrival(number, at, {**person(number), **facts}, outcome, known)
