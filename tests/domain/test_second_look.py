"""The second look: the draw, the to-do in the lead's plan, and what people's acts are taken to mean."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_world import HEAD, MANAGER, US, World, lead_verdict, of_type

from app.domain.actions import AddTodo, CompleteTodo
from app.domain.second_look import Answer, Drawn, Standing, answer_in_portal, drawn, is_second_look, todo_key
from app.domain.snapshot import Memory, SecondLook
from app.domain.verdict import Outcome

MONDAY = date(2026, 8, 10)
ASKED = datetime(2026, 8, 17, 9, 0, tzinfo=UTC)
JUNK, COMPANY = lead_verdict(Outcome.JUNK), lead_verdict(Outcome.COMPANY)


def _world(look: SecondLook | None, **card) -> World:
    """A lead that we junked; what is asked about is all that is left to do."""
    known = World(memory=Memory(our_stages=("JUNK",))).changing(stageId="JUNK", movedBy=US)
    after = known.after(JUNK)
    return replace(after, memory=replace(after.memory, second_look=look)).changing(**card)


def test_the_verdict_that_was_drawn_is_asked_about_once() -> None:
    (todo,) = _world(SecondLook(MONDAY, Outcome.JUNK)).plan(JUNK).actions
    assert isinstance(todo, AddTodo)
    assert (todo.key, todo.responsible_id) == ("lead-5:second-look:2026-08-10", HEAD)
    assert todo.key == todo_key(5, MONDAY)
    assert is_second_look(todo.key)
    assert "move the lead back to work" in todo.description
    assert not _world(SecondLook(MONDAY, Outcome.JUNK, activity_id=70)).plan(JUNK), "asked already"
    assert not _world(None).plan(JUNK)


def test_without_a_head_the_responsible_person_is_asked() -> None:
    (todo,) = of_type(_world(SecondLook(MONDAY, Outcome.JUNK), assignedById=99).plan(JUNK), AddTodo)
    assert todo.responsible_id == 99


def test_a_verdict_that_was_overtaken_is_not_asked_about() -> None:
    looks = SecondLook(MONDAY, Outcome.COMPANY), SecondLook(MONDAY, Outcome.JUNK, answered=True)
    assert [bool(_world(look).plan(JUNK)) for look in looks] == [False, False]


def test_a_todo_that_was_answered_elsewhere_is_completed_once() -> None:
    answered = SecondLook(MONDAY, Outcome.JUNK, activity_id=70, answered=True)
    (done,) = _world(answered).plan(JUNK).actions
    assert done == CompleteTodo("lead-5:todo-done:70", 70)
    assert not _world(replace(answered, closed=True)).plan(JUNK)


@given(st.sets(st.integers(1, 10**9), max_size=60), st.integers(-1, 70), st.integers(0, 2**63 - 1))
def test_a_draw_can_be_repeated(ids: set[int], size: int, seed: int) -> None:
    taken = drawn(ids, size, seed)
    assert taken == drawn(sorted(ids, reverse=True), size, seed)
    assert set(taken) <= ids
    assert len(taken) == min(len(ids), max(size, 0))
    assert list(taken) == sorted(set(taken))


def test_every_lead_is_drawn_alike() -> None:
    times = dict.fromkeys(range(1, 11), 0)
    for seed in range(1000):
        for one in drawn(times, 3, seed):
            times[one] += 1
    # 300 expected of each; five standard deviations are 72.
    assert all(228 <= count <= 372 for count in times.values()), times


def _standing(**changes) -> Standing:
    as_it_was = Standing(Outcome.JUNK, "facts", "failure", US, ASKED - timedelta(days=3))
    return replace(as_it_was, **changes)


BY_PERSON = {"moved_by": MANAGER, "moved_time": ASKED + timedelta(hours=1)}
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("drawn_as", "standing", "completed_for", "answer"),
    [
        pytest.param("junk", {}, None, None, id="nothing happened"),
        pytest.param("junk", {}, timedelta(hours=23), None, id="completed, but it may still be moved"),
        pytest.param("junk", {}, DAY, Answer.RIGHT, id="completed and left where it is"),
        pytest.param("junk", {"semantics": "process", **BY_PERSON}, None, Answer.WRONG, id="taken back to work"),
        pytest.param("junk", {"semantics": "success", **BY_PERSON}, None, Answer.WRONG, id="converted by a person"),
        pytest.param("junk", {"semantics": "failure", **BY_PERSON}, None, None, id="put into another failure stage"),
        pytest.param("junk", {"semantics": None, **BY_PERSON}, None, None, id="in a stage nobody knows"),
        pytest.param("junk", {"semantics": "process", "moved_by": US}, None, None, id="taken back by us"),
        pytest.param(
            "junk",
            {"semantics": "process", "moved_by": MANAGER, "moved_time": ASKED - DAY},
            None,
            None,
            id="a person moved it before the question",
        ),
        pytest.param("junk", {"outcome": Outcome.DEAL, "facts_digest": "corrected"}, DAY, Answer.WRONG, id="facts"),
        pytest.param("junk", {"outcome": Outcome.DEAL, "facts_digest": "corrected"}, None, None, id="not completed"),
        pytest.param("junk", {"outcome": Outcome.DEAL}, DAY, None, id="only the rules changed"),
        pytest.param("junk", {"facts_digest": "corrected"}, DAY, Answer.RIGHT, id="other facts, junk all the same"),
        pytest.param("junk", {"outcome": None}, DAY, None, id="not judged"),
        pytest.param("company", {"outcome": Outcome.COMPANY, "semantics": "success"}, DAY, Answer.RIGHT, id="nurture"),
        pytest.param(
            "company",
            {"outcome": Outcome.JUNK, "facts_digest": "corrected"},
            DAY,
            Answer.RIGHT,
            id="worse than nurture",
        ),
        pytest.param(
            "company", {"outcome": Outcome.DEAL, "facts_digest": "corrected"}, DAY, Answer.WRONG, id="it fits after all"
        ),
        pytest.param(
            "company",
            {"outcome": Outcome.COMPANY, "semantics": "failure", **BY_PERSON},
            None,
            None,
            id="a person junks what we nurture",
        ),
    ],
)
def test_what_people_mean(
    drawn_as: str, standing: dict, completed_for: timedelta | None, answer: Answer | None
) -> None:
    asked = Drawn(Outcome(drawn_as), "facts", ASKED)
    said = answer_in_portal(asked, _standing(**standing), completed_for=completed_for, integration_user_id=US)
    assert said is answer
