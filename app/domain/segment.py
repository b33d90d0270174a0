"""Which segment a company is in: new, regular, sleeping or in the nurture group, by what it bought and when.

Called by `app/pipeline/segmenting.py`. Pure. Purchases are won deals by their close dates; where they could not be read
whole the segment is unknown, and nothing follows from that: least of all that the company sleeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from app.domain.messages import Message, message
from app.domain.minimum import months_before
from app.domain.ruleset import Ruleset

_DAY = timedelta(days=1)


class Segment(Enum):
    """The values are the XML_IDs of UF_CRM_OGON_SEGMENT."""

    NEW = "new"
    REGULAR = "regular"
    SLEEPING = "sleeping"
    NURTURE = "nurture"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the rules call sleeping and regular."""

    sleeping_days: int
    regular_won_deals: int
    regular_months: int


def bounds_of(ruleset: Ruleset) -> Bounds:
    """The bounds of a ruleset; where it names none for segments, those of the minimum's regular buyer."""
    segments, minimum = ruleset.segments, ruleset.minimum
    return Bounds(
        segments.sleeping_days,
        segments.regular_won_deals or minimum.regular_won_deals,
        segments.regular_months or minimum.regular_months,
    )


@dataclass(frozen=True, slots=True)
class SegmentVerdict:
    """The segment by the facts alone; None with `known` is a company that is in none.

    `since`: the first day of it, None for the nurture group, whose mark has no date. `changes_on`: the day on which it
    will be another one if nothing is bought until then.
    """

    segment: Segment | None
    known: bool
    why: Message
    since: date | None = None
    changes_on: date | None = None


def judge_segment(purchases: Sequence[date] | None, bounds: Bounds, *, marked: bool, today: date) -> SegmentVerdict:
    """The segment of a company on a day; `marked`: it carries the mark of the nurture group.

    A purchase dated later than today counts as of today.
    """
    if purchases is None:
        return SegmentVerdict(None, known=False, why=message("the won deals of the company could not be read whole"))
    days = sorted(min(day, today) for day in purchases)
    now = _on(today, days, bounds)
    if now is None:
        if marked:
            return SegmentVerdict(Segment.NURTURE, known=True, why=message("in the nurture group, nothing bought yet"))
        return SegmentVerdict(None, known=True, why=message("nothing bought and not in the nurture group"))
    turns = _turns(days, bounds)
    return SegmentVerdict(
        now,
        known=True,
        why=_why(now, days, bounds, today),
        since=_since(now, [turn for turn in turns if turn <= today], days, bounds),
        changes_on=next((turn for turn in turns if turn > today and _on(turn, days, bounds) is not now), None),
    )


def _on(day: date, days: Sequence[date], bounds: Bounds) -> Segment | None:
    """The segment by the purchases until that day."""
    bought = [one for one in days if one <= day]
    if not bought:
        return None
    if (day - bought[-1]).days > bounds.sleeping_days:
        return Segment.SLEEPING
    return Segment.REGULAR if _recent(day, bought, bounds) >= bounds.regular_won_deals else Segment.NEW


def _recent(day: date, days: Sequence[date], bounds: Bounds) -> int:
    """Purchases within the months that count, the boundary day too."""
    first = months_before(day, bounds.regular_months)
    return sum(first <= one <= day for one in days)


def _turns(days: Sequence[date], bounds: Bounds) -> list[date]:
    """The days on which a segment can begin: a purchase, its falling out of the months, too long a silence after."""
    asleep = timedelta(days=bounds.sleeping_days + 1)
    return sorted({turn for day in days for turn in (day, day + asleep, _left_behind(day, bounds.regular_months))})


def _left_behind(day: date, months: int) -> date:
    """The first day on which a purchase of `day` lies further back than the months."""
    # Months are of four lengths: begun a little early, the rest is counted day by day.
    later = day + timedelta(days=int(30.4 * months) - 3)
    while months_before(later, months) <= day:
        later += _DAY
    return later


def _since(now: Segment, turns: Sequence[date], days: Sequence[date], bounds: Bounds) -> date | None:
    since: date | None = None
    for turn in reversed(turns):
        if _on(turn, days, bounds) is not now:
            break
        since = turn
    return since


def _why(now: Segment, days: Sequence[date], bounds: Bounds, today: date) -> Message:
    if now is Segment.SLEEPING:
        return message(
            "the last purchase was on {day}, nothing for more than {days} days", day=days[-1], days=bounds.sleeping_days
        )
    return message(
        "purchases in the last {months} months: {count}, a regular company has {needed}",
        months=bounds.regular_months,
        count=_recent(today, days, bounds),
        needed=bounds.regular_won_deals,
    )
