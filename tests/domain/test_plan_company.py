"""What is written to a company: its segment where it differs, people's values left alone, one to-do when it is due."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.domain.actions import AddTodo, CompleteTodo, Plan, UpdateItem
from app.domain.plan_company import (
    CompanyCase,
    CompanySnapshot,
    Kept,
    KnownTodo,
    Standing,
    field_code,
    plan_company,
)
from app.domain.ruleset import DEFAULT, Nurture, Ruleset, Segments
from app.domain.segment import Segment, bounds_of, judge_segment
from app.domain.snapshot import NOTHING_REMEMBERED, Entity, OpenTodo, PortalDictionary, WonDeal
from app.domain.touch import WRITES_PER_HOUR, Hold
from app.texts import catalogue
from tests.domain.plan_world import DICTIONARY, MANAGER

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TODAY = NOW.astimezone(DICTIONARY.zone).date()
FIELD = "UF_CRM_OGON_SEGMENT"
CODES = {"new": 71, "regular": 72, "sleeping": 73, "nurture": 74}
NEW, REGULAR, SLEEPING, NURTURE = Segment.NEW, Segment.REGULAR, Segment.SLEEPING, Segment.NURTURE
AWAKE, ASLEEP = (10,), (400,)


@dataclass(frozen=True)
class World:
    """A company, what it bought so many days ago (None: not read), and what we remember of it."""

    bought: tuple[int, ...] | None = AWAKE
    value: Any = None
    kept: Kept | None = None
    contact_at: datetime | None = None
    todo: KnownTodo | None = None
    turn: date | None = None
    ruleset: Ruleset = DEFAULT
    dictionary: PortalDictionary = field(default=DICTIONARY)
    writes: int = 0

    def plan(self) -> tuple[Plan, Standing]:
        company = {"id": 7, "title": "Plant", "assignedById": MANAGER, FIELD: self.value}
        won = None
        if self.bought is not None:
            won = tuple(WonDeal(number, TODAY - timedelta(days)) for number, days in enumerate(self.bought))
        days = None if won is None else [deal.close_date for deal in won]
        code = field_code(company, self.ruleset, self.dictionary)
        marked = code == self.ruleset.nurture.segment
        case = CompanyCase(
            judge_segment(days, bounds_of(self.ruleset), marked=marked, today=TODAY),
            CompanySnapshot(company, won, contact_at=self.contact_at, todo=self.todo, turn=self.turn),
            self.kept,
            NOTHING_REMEMBERED,
            self.ruleset,
            self.dictionary,
            NOW,
            catalogue("en").say,
        )
        if self.writes:
            (update,) = plan_company(case)[0].actions
            case = replace(case, memory=replace(NOTHING_REMEMBERED, recent_writes={update.key: self.writes}))
        return plan_company(case)

    def written(self) -> Any:
        """The new value of the field, "-" when it is left alone."""
        updates = [one for one in self.plan()[0].actions if isinstance(one, UpdateItem)]
        return updates[0].fields[FIELD] if updates else "-"


def left(segment: Segment | None, *, decided: Segment | None = None, by_person: bool = False) -> Kept:
    return Kept(segment, TODAY, decided or segment, segment.value if segment else None, by_person)


@pytest.mark.parametrize(
    ("world", "value"),
    [
        pytest.param(World(AWAKE), 71, id="bought: new"),
        pytest.param(World((1, 2, 3)), 72, id="bought thrice: regular"),
        pytest.param(World(ASLEEP), 73, id="bought long ago: sleeping"),
        pytest.param(World(AWAKE, "71"), "-", id="right already"),
        pytest.param(World((), None), "-", id="nobody bought, no mark: nothing"),
        pytest.param(World((), 74), "-", id="marked: stays"),
        pytest.param(World(AWAKE, 74), 71, id="marked and bought: new"),
        pytest.param(World(AWAKE, "0"), 71, id="the portal's zero is empty"),
        pytest.param(World(AWAKE, 999), 71, id="an item we do not know, at first sight"),
        pytest.param(World(None, 71), "-", id="not read: nothing"),
        pytest.param(World(None, 71, left(NEW)), "-", id="not read, and known before"),
        pytest.param(World(ASLEEP, 72, left(REGULAR)), 73, id="a regular one who stopped"),
        pytest.param(World(AWAKE, 73, left(SLEEPING)), 71, id="won back"),
        pytest.param(World(AWAKE, 72, left(NEW)), "-", id="a person set it: it stays"),
        pytest.param(World(AWAKE, None, left(NEW)), "-", id="a person emptied it: it stays"),
        pytest.param(World(AWAKE, 72, left(REGULAR, decided=NEW, by_person=True)), "-", id="still a person's"),
        pytest.param(
            World(ASLEEP, 72, left(REGULAR, decided=NEW, by_person=True)), 73, id="a person's, until the facts change"
        ),
        pytest.param(World(AWAKE, 71, left(REGULAR, decided=NEW, by_person=True)), "-", id="taken back by the person"),
        pytest.param(World((), 71, left(NEW)), "", id="the only deal was undone: ours is taken away"),
        pytest.param(World((), 72, left(NEW)), "-", id="it was undone, but a person's value stays"),
        pytest.param(World((), 73), "-", id="a mark of unknown origin is not ours to take away"),
        pytest.param(World(AWAKE, dictionary=replace(DICTIONARY, fields=frozenset())), "-", id="no such field"),
        pytest.param(World(AWAKE, writes=WRITES_PER_HOUR), "-", id="somebody keeps changing it back"),
    ],
)
def test_the_field_is_written_where_the_facts_decide_and_no_person_did(world: World, value: Any) -> None:
    assert world.written() == value


@pytest.mark.parametrize(
    ("world", "segment", "by_person"),
    [
        pytest.param(World(AWAKE), NEW, False, id="by the facts"),
        pytest.param(World(ASLEEP, 72, left(SLEEPING)), REGULAR, True, id="by a person"),
        pytest.param(World(AWAKE, None, left(NEW)), None, True, id="in none, by a person"),
        pytest.param(
            World(AWAKE, dictionary=replace(DICTIONARY, fields=frozenset())), NEW, False, id="without a field"
        ),
        pytest.param(World(None, 73, left(SLEEPING)), SLEEPING, False, id="not read: as before"),
        pytest.param(World((), 74), NURTURE, False, id="by the mark"),
    ],
)
def test_the_segment_in_force(world: World, segment: Segment | None, by_person: bool) -> None:
    standing = world.plan()[1]
    assert (standing.segment, standing.by_person) == (segment, by_person)


def test_why_a_segment_is_not_written_is_said() -> None:
    assert World(AWAKE, 72, left(NEW)).plan()[0].held == (Hold.PERSON_SET,)
    assert World(AWAKE, writes=WRITES_PER_HOUR).plan()[0].held == (Hold.FIELDS_NOT_KEPT,)


def test_after_the_plan_there_is_nothing_to_write() -> None:
    for bought in (AWAKE, ASLEEP, (1, 2, 3)):
        _, standing = World(bought).plan()
        kept = Kept(standing.segment, standing.since, standing.decided, standing.left, standing.by_person)
        assert standing.left is not None
        assert not World(bought, CODES[standing.left], kept).plan()[0]


def test_own_codes_of_another_field() -> None:
    rules = replace(DEFAULT, nurture=Nurture("UF_CRM_GROUP", "grow"), segments=Segments(sleeping="cold"))
    company = {"id": 7, "UF_CRM_GROUP": "cold"}
    assert field_code(company, rules, DICTIONARY) == "cold"
    assert field_code({"id": 7}, rules, DICTIONARY) is None


# --- the next contact

SINCE = TODAY - timedelta(400 - 181)
DUE = SINCE
OPEN = KnownTodo(OpenTodo(55, DUE.isoformat()), NOW - timedelta(days=2))
DONE = replace(OPEN, done_at=NOW - timedelta(hours=1))
SLEEPER = World(ASLEEP, 73, left(SLEEPING))


def test_a_sleeping_company_waits_until_its_owner_has_a_place_for_it() -> None:
    planned, standing = SLEEPER.plan()
    assert (planned.actions, standing.next_contact_on) == ((), DUE)
    planned, standing = replace(SLEEPER, turn=DUE).plan()
    (todo,) = planned.actions
    assert isinstance(todo, AddTodo)
    assert (todo.key, todo.entity, todo.responsible_id) == (f"company-7:contact:{DUE}", Entity.COMPANY, MANAGER)
    assert "The last purchase was on" in todo.description
    assert standing.next_contact_on is None, "it is asked for"


@pytest.mark.parametrize(
    ("world", "kinds", "due"),
    [
        pytest.param(replace(SLEEPER, todo=OPEN, turn=DUE), [], None, id="one open at a time"),
        pytest.param(
            replace(SLEEPER, todo=DONE, turn=DUE), [], TODAY + timedelta(30), id="done: the next by the cadence"
        ),
        pytest.param(
            replace(SLEEPER, todo=OPEN, contact_at=NOW - timedelta(days=1)),
            [CompleteTodo],
            TODAY + timedelta(29),
            id="spoken to meanwhile: that was it",
        ),
        pytest.param(
            replace(SLEEPER, todo=OPEN, contact_at=NOW - timedelta(days=300)), [], None, id="a contact from before"
        ),
        pytest.param(
            replace(SLEEPER, contact_at=NOW - timedelta(days=5), turn=DUE),
            [],
            TODAY + timedelta(25),
            id="spoken to before it was asked for: the turn is not used",
        ),
        pytest.param(
            World((3,), 73, left(SLEEPING), todo=OPEN),
            [UpdateItem, CompleteTodo],
            None,
            id="won back: not asked any more",
        ),
        pytest.param(
            replace(SLEEPER, turn=DUE, ruleset=replace(DEFAULT, segments=Segments(todos=False))), [], None, id="off"
        ),
        pytest.param(World((), 74), [], TODAY + timedelta(30), id="nurture: after the cadence"),
        pytest.param(
            World(ASLEEP, 72, left(REGULAR, decided=SLEEPING, by_person=True), turn=DUE),
            [],
            None,
            id="a person's regular",
        ),
        pytest.param(World(None, 73, left(SLEEPING), todo=OPEN), [], None, id="not read: the to-do stays"),
    ],
)
def test_one_todo_at_a_time_and_the_next_by_the_cadence(world: World, kinds: list[type], due: date | None) -> None:
    planned, standing = world.plan()
    assert [type(action) for action in planned.actions] == kinds
    assert standing.next_contact_on == due
