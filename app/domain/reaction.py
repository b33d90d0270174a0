"""The reaction to a card, round by round: both clocks, the target, when it runs out and whether it was met.

Pure; called with what is kept of a card by its runs, by the background that recomputes, and by previews of the clock.
A round lasts from the card's arrival, or from its reopening, to the next reopening. Its clock runs in working time:
by the desk's calendar while the card is nobody's (the system's part), by the holder's own while it is somebody's (the
person's part). The two together are held against the card's target; each holder is held against the same target
counted from when the card became his, so that nobody answers for the hours of another.

A request has one clock: a deal made from a lead goes on with the lead's round (docs/adr/0007). Merged cards: the
portal tells nobody that it merged two cards. It deletes one and binds its activities to the other, so contacts of
both count for the survivor as soon as they are read, while the round begins with the survivor's own creation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from typing import Protocol

from app.domain.first_response import CardHistory, FirstResponse, Owned, Source, first_response
from app.domain.ruleset import Heat, Targets
from app.domain.working_time import WorkingCalendar


class Target(StrEnum):
    """How hot a card is; the first that fits counts."""

    HOT = "hot"
    WARM = "warm"
    OTHER = "other"


class State(StrEnum):
    """What became of a round, or stands.

    `closed`: the card was closed in time, before anybody had to answer. `not_seen`: the time is over and no response
    is to be seen, but not everything could be read.
    """

    WAITING = "waiting"
    MET = "met"
    MISSED = "missed"
    CLOSED = "closed"
    NOT_SEEN = "not_seen"


class WorkingTimes(Protocol):
    """Whose working time is counted by which calendar."""

    def of(self, user: int | None, desk: int | None = None) -> WorkingCalendar:
        """The calendar of a person, else of the desk, else of the portal."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """The target of a card and its working minutes."""

    target: Target
    minutes: int

    @property
    def time(self) -> timedelta:
        return timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class TargetChange:
    """From `since` on the card had this target, by that run; None by no run of ours."""

    since: datetime
    allowance: Allowance
    run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One holder's time with the card; `user` None is nobody. `until` None is still running.

    `due_at`: when the target runs out counted from `since`, by the holder's calendar; None where there is no working
    time. `worked` is up to `until`, or up to now.
    """

    user: int | None
    since: datetime
    until: datetime | None
    due_at: datetime | None
    worked: timedelta

    @property
    def late(self) -> bool:
        """Whether the holder's own time ran out within the stretch; of a running one see `Reaction.state`."""
        return self.due_at is not None and self.until is not None and self.until > self.due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """One round. `due_at` None: there is no working time in the next years, or the time cannot run out.

    `met` None: not decided, or not to be known. `unread`: sources that could not be read up to when it matters.
    """

    response: FirstResponse
    closed_at: datetime | None
    allowance: Allowance
    due_at: datetime | None
    stretches: tuple[Stretch, ...]
    system: timedelta
    person: timedelta
    state: State
    met: bool | None
    unread: frozenset[Source]
    desk: int | None = None

    @property
    def running(self) -> bool:
        """Whether somebody still has to answer."""
        return self.response.responded_at is None and self.closed_at is None

    @property
    def silent(self) -> bool:
        """Whether surely nobody reached the client yet: nothing is seen, and all could be read."""
        return self.running and not self.response.doubtful and not self.unread

    @property
    def holder(self) -> Stretch | None:
        """Who has the card now, or had it at the end; None when it was nobody's last."""
        return self.stretches[-1] if self.stretches and self.stretches[-1].user is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """All that is known of a card for its reactions.

    `closed`: when it came to a final stage. `desk`: the pool whose calendar counts for what is nobody's.
    `read`: up to when the card's own contacts of a source were read at the portal, whatever `history.missing` says.
    """

    history: CardHistory
    closed: Sequence[datetime] = ()
    read: Mapping[Source, datetime] = field(default_factory=dict[Source, datetime])
    desk: int | None = None


def target_of(targets: Targets, *, outcome: str | None, grade: str | None) -> Allowance:
    """The target of a card by its lead's outcome and its own grade, as texts; the hotter of the two."""

    def is_one(heat: Heat) -> bool:
        return outcome in {one.value for one in heat.outcomes} or grade in {one.value for one in heat.grades}

    if is_one(targets.hot_cards):
        return Allowance(Target.HOT, targets.hot)
    if is_one(targets.warm_cards):
        return Allowance(Target.WARM, targets.warm)
    return Allowance(Target.OTHER, targets.other)


def target_in_force(changes: Sequence[TargetChange], responded_at: datetime | None) -> Allowance:
    """The newest target, or the one that stood when the client was answered: what came later is history only.

    A response that came before any verdict is held against the first. Raises ValueError without a target.
    """
    if not changes:
        raise ValueError("A card has a target.")
    ordered = sorted(changes, key=lambda change: change.since)
    stood = [change for change in ordered if responded_at is None or change.since <= responded_at]
    return (stood[-1] if stood else ordered[0]).allowance


def split(known: Rounds) -> tuple[Rounds, ...]:
    """The rounds of a card, the first one first, each with what belongs to it alone.

    Raises ValueError without a creation time.
    """
    if not known.history.created:
        raise ValueError("A card has a creation time.")
    first = min(known.history.created)
    starts = [first, *sorted({moment for moment in known.history.reopened if moment > first})]
    return tuple(_round(known, start, end) for start, end in zip_longest(starts, starts[1:]))


def _round(known: Rounds, start: datetime, end: datetime | None) -> Rounds:
    closed = tuple(moment for moment in known.closed if moment >= start and (end is None or moment <= end))[-1:]
    over = min([moment for moment in (*closed, end) if moment is not None], default=None)
    history = known.history
    return replace(
        known,
        closed=closed or (() if end is None else (end,)),
        history=replace(
            history,
            created=(start,),
            reopened=(),
            owners=_owned_from_the_start(history, start, end),
            contacts=tuple(contact for contact in history.contacts if over is None or contact.at <= over),
        ),
    )


def _owned_from_the_start(history: CardHistory, start: datetime, end: datetime | None) -> tuple[Owned, ...]:
    """Owners of the round. Whoever had the card when we first saw it is taken to have had it from its creation."""
    owners = sorted(history.owners, key=lambda owned: owned.since)
    if owners and owners[0].since > start:
        owners[0] = replace(owners[0], since=start)
    return tuple(owned for owned in owners if end is None or owned.since < end)


def reaction(known: Rounds, allowance: Allowance, times: WorkingTimes, *, now: datetime) -> Reaction:
    """Work out one round, as `split` gives it."""
    response = first_response(known.history)
    closed_at = known.closed[-1] if known.closed else None
    end = min([moment for moment in (response.responded_at, closed_at) if moment is not None], default=None)
    stretches = tuple(_stretches(response, end, allowance, times, desk=known.desk, now=now))
    due_at = _due(stretches, allowance, times, known.desk)
    looked = now if due_at is None else min(now, due_at)
    # Nothing could be earlier than the talk that the card was made from.
    asked = () if response.made_from_call else response.missing
    unread = frozenset(source for source in asked if _not_read(known.read.get(source), looked))
    state = _state(due_at, end or now, responded=response.responded_at is not None, ended=end is not None)
    if state is State.MISSED and (unread or response.doubtful):
        state = State.NOT_SEEN
    return Reaction(
        response=response,
        closed_at=closed_at,
        allowance=allowance,
        due_at=due_at,
        stretches=stretches,
        system=sum((one.worked for one in stretches if one.user is None), timedelta(0)),
        person=sum((one.worked for one in stretches if one.user is not None), timedelta(0)),
        state=state,
        met={State.MET: True, State.MISSED: False}.get(state),
        unread=unread,
        desk=known.desk,
    )


def _not_read(read_at: datetime | None, looked: datetime) -> bool:
    return read_at is None or read_at < looked


def _state(due_at: datetime | None, end: datetime, *, responded: bool, ended: bool) -> State:
    """`end`: when the clock stopped, or now. What ends at the very moment is in time."""
    if due_at is not None and (end > due_at or (not ended and end == due_at)):
        return State.MISSED
    if responded:
        return State.MET
    return State.CLOSED if ended else State.WAITING


def _stretches(
    response: FirstResponse,
    end: datetime | None,
    allowance: Allowance,
    times: WorkingTimes,
    *,
    desk: int | None,
    now: datetime,
) -> Iterator[Stretch]:
    """Who had the card when, without a gap from the arrival to the end; nobody's time is a stretch as well."""

    def stretch(user: int | None, since: datetime, until: datetime | None) -> Stretch:
        calendar = times.of(user, desk)
        return Stretch(
            user=user,
            since=since,
            until=until,
            due_at=calendar.deadline(since, allowance.time),
            worked=calendar.worked(since, now if until is None else until),
        )

    cursor: datetime | None = response.arrived_at
    for held in response.holders:
        if end is not None and held.since >= end:
            break
        if cursor is not None and cursor < held.since:
            yield stretch(None, cursor, held.since)
        until = end if held.until is None else held.until if end is None else min(held.until, end)
        yield stretch(held.user, held.since, until)
        cursor = until
    if cursor is not None and (end is None or cursor < end):
        yield stretch(None, cursor, end)


def _due(stretches: Sequence[Stretch], allowance: Allowance, times: WorkingTimes, desk: int | None) -> datetime | None:
    """When the card's target is used up, or would have been had the last stretch gone on."""
    left = allowance.time
    for one in stretches[:-1]:
        if one.worked >= left:
            return times.of(one.user, desk).deadline(one.since, left)
        left -= one.worked
    if not stretches:
        return None
    last = stretches[-1]
    return times.of(last.user, desk).deadline(last.since, left)
