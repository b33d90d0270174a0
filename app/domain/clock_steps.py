"""What a running clock asks for: the moments that matter, and what is to be said to whom at them.

Pure; called by `pipeline/clocks.py` in each run. A step belongs to one stretch of one round, so that it is taken once
however often the card is judged; its key is the action's. Nobody is warned for whom it is too late to be warned: of
steps that are due together only the last is taken.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.domain.reaction import Reaction, Stretch
from app.domain.ruleset import Targets
from app.domain.snapshot import Entity
from app.domain.working_time import WorkingCalendar

_WHOLE: Final = 100


class Step(StrEnum):
    """What happens at a moment of the clock."""

    WARN = "warn"
    BREACH = "breach"


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of one stretch and when it is due."""

    step: Step
    at: datetime
    stretch: Stretch


def moments(reaction: Reaction, targets: Targets, calendar: WorkingCalendar) -> tuple[Moment, ...]:
    """The steps of the present stretch, the earliest first; none when the clock does not run.

    `calendar` is of whoever has the card. Nobody's card has nobody to warn.
    """
    if not reaction.running or not reaction.stretches:
        return ()
    now_with = reaction.stretches[-1]
    found: list[Moment] = []
    if targets.warn and now_with.user is not None:
        share = reaction.allowance.time * targets.warn_percent / _WHOLE
        at = calendar.deadline(now_with.since, share)
        if at is not None and (now_with.due_at is None or at < now_with.due_at):
            found.append(Moment(Step.WARN, at, now_with))
    if (targets.escalate or targets.pass_on) and now_with.due_at is not None:
        found.append(Moment(Step.BREACH, now_with.due_at, now_with))
    return tuple(found)


def due(found: Collection[Moment], *, now: datetime) -> Moment | None:
    """The step to take now: the last one whose moment has come."""
    came = [moment for moment in found if moment.at <= now]
    return came[-1] if came else None


def following(found: Collection[Moment], *, now: datetime) -> datetime | None:
    """The next moment that matters after now."""
    return min((moment.at for moment in found if moment.at > now), default=None)


def step_key(entity: Entity, card_id: int, arrived_at: datetime, moment: Moment) -> str:
    """The key of a step's first action: the same in every run, another in another round and for another holder."""
    return f"{round_key(entity, card_id, arrived_at)}:{moment.step}:{_stamp(moment.stretch.since)}"


def round_key(entity: Entity, card_id: int, arrived_at: datetime) -> str:
    """What the keys of a round's steps begin with."""
    return f"{entity.name.lower()}-{card_id}:clock:{_stamp(arrived_at)}"


def _stamp(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
