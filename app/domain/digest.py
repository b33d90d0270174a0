"""Digests: whom a head hears of, when a digest is due and about which days, and what it says.

Pure; called by `pipeline/digests.py`, which gathers the figures by the same reports that the pages show. A digest that
is due stays due until the working day ends, so that a worker that was down sends it late, but never on another day.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from app.domain.actions import Notify
from app.domain.assignment import Pool
from app.domain.calendars import Calendars
from app.domain.interval import Share
from app.domain.messages import Message, Say, message
from app.domain.team import Department, Person, people_of
from app.domain.timeline import harmless
from app.domain.wording import length_of_time, percent

_DAY: Final = timedelta(days=1)
_LATEST: Final = timedelta(hours=1)
"""How long a digest stays due at least, however early the working day ends."""
_LONGEST_BREAK: Final = 31
"""Days looked back for the last working day."""
_MINUTES: Final = 60
_MOST_NAMES: Final = 7


class Kind(StrEnum):
    """How often."""

    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Due:
    """A digest to be sent: the days it is about, both counted, and the day it is known by.

    `day` of a daily one is the person's day on which it goes out, of a weekly one the Monday of that week.
    """

    kind: Kind
    day: date
    since: date
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What somebody chose for a person; None: nothing, so that who leads people gets it and others do not."""

    daily: bool | None = None
    weekly: bool | None = None

    def on(self, *, leads: bool) -> tuple[Kind, ...]:
        """Which digests the person gets. `leads`: whether he leads people who have cards."""
        chosen = ((Kind.DAILY, self.daily), (Kind.WEEKLY, self.weekly))
        return tuple(kind for kind, switched in chosen if (leads if switched is None else switched))


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """Whose cards one part of a digest is about: a department with those below, a pool, or the person's own."""

    name: str
    department: int | None = None
    pool: int | None = None
    manager: int | None = None
    people: frozenset[int] = frozenset()

    @property
    def filters(self) -> Mapping[str, int]:
        """As reports and Today are narrowed to it."""
        asked = {"department": self.department, "pool": self.pool, "manager": self.manager}
        return {name: value for name, value in asked.items() if value is not None}


def led_by(
    user: int, people: Mapping[int, Person], departments: Mapping[int, Department], pools: Iterable[Pool]
) -> tuple[Led, ...]:
    """What the person leads: departments that are not below another one of his, then pools."""
    heads = {one.department_id for one in departments.values() if one.head_id == user}
    told = [
        Led(name=one.name, department=one.department_id, people=people_of(one.department_id, people, departments))
        for one in departments.values()
        if one.department_id in heads and heads.isdisjoint(_above(one, departments))
    ]
    return (*told, *(Led(name=one.name, pool=one.id, people=one.users) for one in pools if one.head == user))


def own_cards(user: int) -> Led:
    """What a digest is about for somebody who leads nobody."""
    return Led(name="", manager=user, people=frozenset({user}))


def _above(department: Department, departments: Mapping[int, Department]) -> set[int]:
    above: set[int] = set()
    up = department.parent_id
    while up is not None and up not in above:
        above.add(up)
        up = departments[up].parent_id if up in departments else None
    return above - {department.department_id}


def due(
    kinds: Collection[Kind], user: int, calendars: Calendars, *, at: time, now: datetime, today: date
) -> tuple[Due, ...]:
    """What is due for the person now: nothing on a day off, before `at` by his clock or before he begins, when his day
    is over, and while he is absent. `today`: by the portal's calendar, in whose days figures are told.

    The weekly one is due on the first day of a week on which he works and is not absent.
    """
    here = now.astimezone(calendars.of(user).zone)
    day = here.date()
    span = _span(user, day, calendars, at=at)
    if span is None or not span[0] <= now < span[1] or calendars.absent(user, now):
        return ()
    monday = day - timedelta(days=day.weekday())
    earlier = (monday + timedelta(days=number) for number in range(day.weekday()))
    first = not any(_was_there(user, one, calendars, at=at) for one in earlier)
    return tuple(
        about(kind, user, calendars, day=day, today=today)
        for kind in Kind
        if kind in kinds and (kind is Kind.DAILY or first)
    )


def about(kind: Kind, user: int, calendars: Calendars, *, day: date, today: date) -> Due:
    """What a digest of that day is about: the last working day with the free days since, or the last week."""
    if kind is Kind.WEEKLY:
        monday = day - timedelta(days=day.weekday())
        return Due(kind, monday, monday - 7 * _DAY, monday - _DAY)
    # Where the person's day begins before the portal's does, the day before is not over there.
    until = min(day, today) - _DAY
    back = (until - timedelta(days=number) for number in range(_LONGEST_BREAK))
    since = next((one for one in back if calendars.day(one, user).hours), until)
    return Due(kind, day, since, until)


def _span(user: int, day: date, calendars: Calendars, *, at: time) -> tuple[datetime, datetime] | None:
    """From when until when a digest may go out on that day; None on a day off."""
    hours = calendars.day(day, user).hours
    if not hours:
        return None
    midnight = datetime.combine(day, time(), tzinfo=calendars.of(user).zone)
    opens = max(at.hour * _MINUTES + at.minute, hours[0].start)
    begin = midnight + timedelta(minutes=opens)
    end = max(midnight + timedelta(minutes=hours[-1].end), begin + _LATEST)
    return begin, min(end, midnight + _DAY)


def _was_there(user: int, day: date, calendars: Calendars, *, at: time) -> bool:
    span = _span(user, day, calendars, at=at)
    return span is not None and not calendars.absent(user, span[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What only the weekly digest tells. `shares`: who was given how many cards, the most first."""

    won: int
    revenue: Decimal | None
    profit: Decimal | None
    expected: Decimal | None
    shares: Sequence[tuple[str | Message, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The figures of those whom one part is about.

    `grades`: new deals by grade, in order. `median` in seconds of working time. `waiting`, `overdue`, `hot`, `parked`
    are as of now.
    """

    led: Led
    leads: int
    grades: Sequence[tuple[str | Message, int]]
    within: Share | None
    median: float | None
    waiting: int
    overdue: int
    hot: int
    parked: int
    week: Week | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """All that one digest tells. `nobodys`: cards without an owner whose clients wait; `unjudged`: today's difference
    between what changed in the portal and what was judged. `left_out`: parts that are not told, being too many."""

    due: Due
    parts: Sequence[Part]
    nobodys: int = 0
    unjudged: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages of this service are. `base` None: its address is not set, so nothing is linked."""

    base: str | None
    portal: int

    def link(self, label: str, path: str, **query: object) -> str:
        """The label, as a link where that is possible."""
        if self.base is None:
            return label
        asked = urlencode({"portal": self.portal, **{name: str(value) for name, value in query.items()}})
        return f"[URL={self.base}{path}?{asked}]{label}[/URL]"


def tag_of(user: int, kind: Kind) -> str:
    """The line of the person's notifications in which a digest takes the place of the one before."""
    return f"ogon:digest-{user}:{kind}"


def notice(digest: Digest, user: int, pages: Pages, say: Say) -> Notify:
    """The digest as a notification to the person."""
    due = digest.due
    key = f"digest-{user}:{due.kind}:{due.day.isoformat()}"
    return Notify(key, user, text(digest, pages, say), tag_of(user, due.kind))


def text(digest: Digest, pages: Pages, say: Say) -> str:
    """The digest as BB-code: a heading, what concerns everybody, a part for each department and pool."""
    due = digest.due
    title = message("Week of {since} to {until}", since=due.since, until=due.until)
    if due.kind is Kind.DAILY:
        title = message("Summary for {since} to {until}", since=due.since, until=due.until)
        if due.since == due.until:
            title = message("Summary for {day}", day=due.since)
    lines = [f"[B]{say(title)}[/B]", *_for_everybody(digest, pages, say)]
    for part in digest.parts:
        lines += ["", *_part(part, due, pages, say)]
    if digest.left_out:
        said = say(message("Departments and pools that are not told here: {count}.", count=digest.left_out))
        lines += ["", pages.link(said, "/reports")]
    lines += ["", pages.link(say(message("Switch digests on and off")), "/team")]
    return "\n".join(lines if pages.base is not None else lines[:-2])


def _for_everybody(digest: Digest, pages: Pages, say: Say) -> list[str]:
    """Only what is not in order."""
    told: list[str] = []
    if digest.unjudged:
        said = message("Cards that changed today and are not judged: {count}", count=digest.unjudged)
        told.append(f"[B]{pages.link(say(said), '/')}[/B]")
    if digest.nobodys:
        said = message("Wait for the first response and are nobody's: {count}", count=digest.nobodys)
        told.append(f"[B]{pages.link(say(said), '/')}[/B]")
    return told


def _part(part: Part, due: Due, pages: Pages, say: Say) -> list[str]:
    period = {"since": due.since.isoformat(), "until": due.until.isoformat()}

    def report(name: str, label: Message, told: Message | str, *, dated: bool = True) -> str:
        link = pages.link(say(label), f"/reports/{name}", **part.led.filters, **(period if dated else {}))
        return f"{link}: {told if isinstance(told, str) else say(told)}"

    def today(label: Message, told: Message) -> str:
        return f"{pages.link(say(label), '/', **part.led.filters)}: {say(told)}"

    lines = [
        f"[B]{harmless(_name(part.led, say))}[/B]",
        report("channels", message("New leads"), message("{count}", count=part.leads)),
        report("grades", message("New deals"), _listed(part.grades, say)),
        report("reaction", message("First response"), _reaction(part)),
        today(message("Wait now"), _waiting(part)),
    ]
    if part.parked:
        lines.append(today(message("Stopped: a person is needed"), message("{count}", count=part.parked)))
    week = part.week
    if week is not None:
        if week.shares:
            lines.append(report("shares", message("Cards given"), _listed(week.shares, say)))
        lines.append(report("money", message("Won deals"), _money(week)))
        lines.append(report("forecast", message("Money expected"), _amount(week.expected), dated=False))
    return lines


def _name(led: Led, say: Say) -> str:
    if led.pool is not None:
        return say(message("Pool “{name}”", name=led.name))
    return led.name if led.department is not None else say(message("Your own cards"))


def _listed(counts: Sequence[tuple[str | Message, int]], say: Say) -> str:
    shown = [(name if isinstance(name, str) else say(name), count) for name, count in counts]
    told = ", ".join(
        say(message("{name} {count}", name=harmless(name), count=count)) for name, count in shown[:_MOST_NAMES]
    )
    if not told:
        return say(message("none"))
    return told + (" …" if len(shown) > _MOST_NAMES else "")


def _reaction(part: Part) -> Message:
    median = None if part.median is None else length_of_time(part.median)
    within = part.within
    if within is None:
        return message("nothing to measure") if median is None else message("half within {time}", time=median)
    share = message(
        "{percent} % within the target ({hits} of {of})",
        percent=percent(within.value),
        hits=within.hits,
        of=within.of,
    )
    return share if median is None else message("{share}, half within {time}", share=share, time=median)


def _waiting(part: Part) -> Message:
    if not part.waiting:
        return message("nobody")
    told = message("{count}", count=part.waiting)
    more: list[Message] = []
    if part.overdue:
        more.append(message("overdue {count}", count=part.overdue))
    if part.hot:
        more.append(message("hot {count}", count=part.hot))
    return message("{count}, of them {which}", count=told, which=tuple(more)) if more else told


def _money(week: Week) -> Message:
    if not week.won:
        return message("none")
    return message(
        "{count}, revenue: {revenue}, profit: {profit}",
        count=week.won,
        revenue=_amount(week.revenue),
        profit=_amount(week.profit),
    )


def _amount(amount: Decimal | None) -> Message:
    return message("not known") if amount is None else message("{amount} RUB", amount=round(amount))
