"""What a report is asked: whose portal, which days, which part of the cards; and the words to tell it in.

Made once for each question by `scope_of`; handed to every report. Days are of the portal's calendar, both counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text

from app.domain.messages import Message, message
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Entity, Stage
from app.domain.team import Department, Person, people_of
from app.domain.wording import code_said
from app.store import calendar, dictionary, people, pools
from app.store.database import ReadSession
from app.store.rules_in_force import rules_in_force

FilterName = Literal["period", "manager", "department", "pool", "source", "pipeline", "segment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which cards; None is any. `manager` and `department` are the portal's ids, `pool` a number of ours, `pipeline` of
    deals, `segment` of the card's company."""

    since: date
    until: date
    manager: int | None = None
    department: int | None = None
    pool: int | None = None
    source: str | None = None
    pipeline: int | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What the portal calls its things, by code."""

    stages: tuple[Stage, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    industries: Mapping[str, str] = field(default_factory=dict[str, str])
    people: Mapping[str, str] = field(default_factory=dict[str, str])
    departments: Mapping[str, str] = field(default_factory=dict[str, str])
    pipelines: Mapping[int, str] = field(default_factory=dict[int, str])

    def stage(self, entity_type_id: int, pipeline: int, code: str) -> Stage | None:
        """None where the portal no longer has it."""
        wanted = (Entity(entity_type_id), pipeline, code)
        return next((one for one in self.stages if (one.entity, one.pipeline, one.code) == wanted), None)

    def source(self, code: str | None) -> str | Message:
        return self.sources.get(code, code) if code else message("not known")

    def industry(self, code: str | None) -> str | Message:
        return self.industries.get(code) or code_said("industry", code) if code else message("not known")

    def person(self, user: str | None) -> str | Message:
        """By the id as text."""
        if not user:
            return message("nobody")
        return self.people.get(user) or message("user {user}", user=user)

    def department(self, number: str | None) -> str | Message:
        """By the id as text."""
        return self.departments.get(number, number) if number else message("no department")

    def stage_said(self, entity_type_id: int, key: str) -> str | Message:
        """A stage by `pipeline:code`; one of another pipeline than the first with the pipeline's name."""
        pipeline, _, code = key.partition(":")
        stage = self.stage(entity_type_id, int(pipeline), code)
        name = code if stage is None else stage.name
        if pipeline == "0":
            return name
        return message("{stage} ({pipeline})", stage=name, pipeline=self.pipeline(int(pipeline)))

    def pipeline(self, number: int) -> str | Message:
        """A pipeline of deals by its name, or its number where the portal has not told the name."""
        return self.pipelines.get(number) or message("pipeline {number}", number=str(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One question. `ahead`: how far the portal's clock is ahead of UTC; `managers`: whom manager, department and pool
    leave, None for everybody; `rules`: those in force."""

    portal_id: int
    now: datetime
    ahead: timedelta
    filter: Filter
    managers: tuple[int, ...] | None
    rules: Ruleset
    words: Words

    @property
    def starts(self) -> datetime:
        """The period's first moment."""
        return calendar.starts(self.filter.since, self.ahead)

    @property
    def ends(self) -> datetime:
        """The first moment after the period."""
        return calendar.ends(self.filter.until, self.ahead)

    def starts_of(self, day: date) -> datetime:
        """The first moment of a day of the portal's calendar."""
        return calendar.starts(day, self.ahead)

    @property
    def today(self) -> date:
        return calendar.day_of(self.now, self.ahead)

    @property
    def values(self) -> dict[str, Any]:
        """What the statements of reports bind."""
        return {
            "portal": self.portal_id,
            "now": self.now,
            "ahead": self.ahead,
            "starts": self.starts,
            "ends": self.ends,
            "since": self.filter.since,
            "until": self.filter.until,
            "managers": None if self.managers is None else list(self.managers),
            "source": self.filter.source,
            "pipeline": self.filter.pipeline,
            "segment": self.filter.segment,
        }


async def scope_of(session: ReadSession, portal_id: int, wanted: Filter, *, now: datetime) -> Scope:
    """The scope of one question. Raises RulesetInvalid."""
    # Reports read much and once: both cores, and room to hash and sort in memory.
    await session.execute(
        text(
            "SELECT set_config('max_parallel_workers_per_gather', '2', true),"
            " set_config('work_mem', '64MB', true), set_config('jit', 'off', true)"
        )
    )
    kept = await dictionary.load(session, portal_id)
    everybody = await people.people(session, portal_id)
    departments = await people.departments(session, portal_id)
    document = {} if kept is None else kept.document
    return Scope(
        portal_id=portal_id,
        now=now,
        ahead=await calendar.offset(session, portal_id),
        filter=wanted,
        managers=_managers(
            everybody,
            departments,
            await _members(session, portal_id, wanted.pool),
            manager=wanted.manager,
            department=wanted.department,
        ),
        rules=await rules_in_force(session, portal_id),
        words=Words(
            stages=_stages(document),
            sources=document.get("sources", {}),
            industries=document.get("industries", {}),
            people={str(one.user_id): one.name for one in everybody.values()},
            departments={str(one.department_id): one.name for one in departments.values()},
            pipelines={int(number): name for number, name in document.get("pipelines", {}).items()},
        ),
    )


def _stages(document: Mapping[str, Any]) -> tuple[Stage, ...]:
    stages = (Stage(Entity(entity), *rest) for entity, *rest in document.get("stages", ()))
    return tuple(sorted(stages, key=lambda stage: (stage.entity, stage.pipeline, stage.sort, stage.code)))


async def people_meant(
    session: ReadSession,
    portal_id: int,
    *,
    manager: int | None = None,
    department: int | None = None,
    pool: int | None = None,
) -> tuple[int, ...] | None:
    """Whose cards are meant, by user id; None for everybody's, those of nobody too."""
    if manager is None and department is None and pool is None:
        return None
    return _managers(
        await people.people(session, portal_id),
        await people.departments(session, portal_id),
        await _members(session, portal_id, pool),
        manager=manager,
        department=department,
    )


async def _members(session: ReadSession, portal_id: int, pool: int | None) -> frozenset[int] | None:
    """Who shares in an open pool; None where no pool is asked for."""
    if pool is None:
        return None
    known = await pools.live(session, portal_id)
    return next((kept.pool.users for kept in known if kept.id == pool), frozenset[int]())


def _managers(
    everybody: Mapping[int, Person],
    departments: Mapping[int, Department],
    members: frozenset[int] | None,
    *,
    manager: int | None,
    department: int | None,
) -> tuple[int, ...] | None:
    """Whom manager, department and pool leave; a department is meant with those below it."""
    asked: list[frozenset[int]] = [] if members is None else [members]
    if manager is not None:
        asked.append(frozenset({manager}))
    if department is not None:
        asked.append(people_of(department, everybody, departments))
    return tuple(sorted(asked[0].intersection(*asked[1:]))) if asked else None
