"""What a draft of rules would have made of recorded cards, counted: who changes, who works more, what came of them.

Filled by `app/pipeline/replay_share.py` card by card, added up by `app/pipeline/replay.py`, shown by web and CLI. Only
counts, never a card: a portal's whole past fits into a page of JSON.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from app.domain.rejudge import Gap
from app.domain.snapshot import Entity, PortalDictionary, Semantics
from app.domain.verdict import DealVerdict, LeadVerdict, Outcome, Verdict

DECLINED = "_declined"
"""Ends the label of a deal that is declined whatever its grade: `AAA_declined`."""

Truth: TypeAlias = Literal["won", "lost", "junk", "junk_by_us", "converted", "open", "gone"]
"""What became of a card; `converted` is a lead whose deal we do not know, `junk_by_us` one that nobody else closed."""

_WORKDAYS = 5


class Change(NamedTuple):
    """One cell of the table: cards of this kind with this label before and after; equal where nothing changes."""

    entity_type_id: int
    before: str
    after: str


class Duty(NamedTuple):
    """What a card costs a person: a deal to work on, a to-do to answer, a deal that is declined."""

    user_id: int
    what: Literal["deals", "todos", "declined"]


@dataclass(slots=True)
class Tally:
    """The counts. `before` and `after`: duties by the recorded verdicts and by the draft's, of the same cards."""

    cells: Counter[Change] = field(default_factory=Counter[Change])
    truths: Counter[tuple[Change, str]] = field(default_factory=Counter[tuple[Change, str]])
    gaps: Counter[str] = field(default_factory=Counter[str])
    before: Counter[Duty] = field(default_factory=Counter[Duty])
    after: Counter[Duty] = field(default_factory=Counter[Duty])

    @property
    def compared(self) -> int:
        return self.cells.total()

    @property
    def changed(self) -> int:
        return sum(count for change, count in self.cells.items() if change.before != change.after)

    @property
    def not_comparable(self) -> int:
        return self.gaps.total()

    def add(self, other: "Tally") -> None:
        """Add the counts of other cards."""
        self.cells.update(other.cells)
        self.truths.update(other.truths)
        self.gaps.update(other.gaps)
        self.before.update(other.before)
        self.after.update(other.after)

    def to_json(self) -> dict[str, Any]:
        """As stored; `from_json` reads it back equal."""
        return {
            "cells": [[*change, count] for change, count in sorted(self.cells.items())],
            "truths": [[*change, truth, count] for (change, truth), count in sorted(self.truths.items())],
            "gaps": dict(sorted(self.gaps.items())),
            "before": [[*duty, count] for duty, count in sorted(self.before.items())],
            "after": [[*duty, count] for duty, count in sorted(self.after.items())],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Tally":
        """Read what `to_json` wrote; nothing stored yet is nothing counted."""
        return cls(
            Counter({Change(*change): count for *change, count in stored.get("cells", ())}),
            Counter({(Change(*change), truth): count for *change, truth, count in stored.get("truths", ())}),
            Counter(stored.get("gaps", {})),
            Counter({Duty(*duty): count for *duty, count in stored.get("before", ())}),
            Counter({Duty(*duty): count for *duty, count in stored.get("after", ())}),
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known of how a card ended: its own row, and for a lead the deal it became."""

    entity: Entity
    semantics: Semantics | None
    deleted: bool = False
    moved_by_us: bool = False
    deal: "Ending | None" = None

    @property
    def truth(self) -> Truth:
        """In one word."""
        if self.deal is not None:
            return self.deal.truth
        lead = self.entity is Entity.LEAD
        match self.semantics:
            case "success":
                return "converted" if lead else "won"
            case "failure" if lead:
                return "junk_by_us" if self.moved_by_us else "junk"
            case "failure":
                return "lost"
            case _:
                return "gone" if self.deleted else "open"


def label(verdict: Verdict) -> str:
    """A lead's outcome; a deal's grade, and whether it is declined."""
    match verdict:
        case LeadVerdict():
            return verdict.outcome.value
        case DealVerdict():
            return deal_label(verdict.grade.value, declined=verdict.declined)


def deal_label(grade: str, *, declined: bool) -> str:
    return f"{grade}{DECLINED}" if declined else grade


def duty(entity: Entity, said: str, responsible: int | None, dictionary: PortalDictionary) -> Duty | None:
    """Who has what to do with a card of this label; None when nobody, or when nobody is responsible."""
    if responsible is None:
        return None
    if entity is Entity.DEAL:
        return Duty(responsible, "declined") if said.endswith(DECLINED) else None
    match said:
        case Outcome.DEAL.value:
            return Duty(responsible, "deals")
        case Outcome.NEEDS_DATA.value:
            return Duty(responsible, "todos")
        case Outcome.REVIEW.value:
            return Duty(dictionary.heads.get(responsible, responsible), "todos")
        case _:
            return None


def count(
    tally: Tally,
    change: Change,
    responsible: int | None,
    dictionary: PortalDictionary,
    *,
    gap: Gap | None = None,
) -> None:
    """Count one card; with a gap only that it cannot be compared."""
    if gap is not None:
        tally.gaps[gap.value] += 1
        return
    tally.cells[change] += 1
    entity = Entity(change.entity_type_id)
    for counted, said in ((tally.before, change.before), (tally.after, change.after)):
        owed = duty(entity, said, responsible, dictionary)
        if owed is not None:
            counted[owed] += 1


def working_days(since: datetime, until: datetime, dictionary: PortalDictionary) -> int:
    """Mondays to Fridays of the portal's calendar from `since` until before `until`; both aware."""
    first = since.astimezone(dictionary.zone).date()
    last = (until - timedelta(microseconds=1)).astimezone(dictionary.zone).date()
    return sum(date.fromordinal(day).weekday() < _WORKDAYS for day in range(first.toordinal(), last.toordinal() + 1))
