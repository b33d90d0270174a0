"""What is planned for a deal: fields, entry, decline, routes by grade, and who wins over whom."""

from dataclasses import replace

import pytest
from plan_world import DICTIONARY, NEW_FACTS, US, World, deal_card, deal_verdict, of_type

from app.domain.actions import AddComment, MoveItem, UpdateItem
from app.domain.ruleset import DEFAULT, Route
from app.domain.snapshot import DealSnapshot, Entity, Memory
from app.domain.touch import Hold
from app.domain.verdict import Exemption, Grade

BBB, AAA, DECLINED = deal_verdict(), deal_verdict(Grade.AAA), deal_verdict(declined=True)


def _world(**fields) -> World:
    return World(DealSnapshot(deal_card(**fields)))


def _routed(grade: Grade, route: Route, **fields) -> World:
    return replace(_world(**fields), ruleset=replace(DEFAULT, grade_routes={grade: route}))


def test_a_graded_deal_gets_its_fields_and_one_entry() -> None:
    planned = _world().plan(BBB)
    update, comment = planned.actions
    assert update.fields == {
        "UF_CRM_OGON_GRADE": 62,
        "UF_CRM_OGON_CHECKLIST": "1/2",
        "UF_CRM_OGON_WHY": "Need and budget are there",
    }
    assert comment.text.splitlines() == [
        "[B]Grade BBB[/B]",
        "Need and budget are there",
        "[B]Self-check list: 1/2[/B]",
        "✓ Over the limit",
        "✗ All roles",
    ]


def test_the_entry_is_written_again_only_when_the_decision_changes() -> None:
    told = _world().after(BBB)
    assert not of_type(told.plan(replace(BBB, checklist=BBB.checklist[:1])), AddComment)
    assert of_type(told.plan(AAA), AddComment)


def test_a_declined_deal_is_told_why_and_moved_last() -> None:
    planned = _world().plan(DECLINED)
    assert [type(action) for action in planned.actions] == [UpdateItem, AddComment, MoveItem]
    assert planned.actions[-1] == MoveItem("deal-90:stage:LOSE", Entity.DEAL, 90, "LOSE", 0)
    assert _world(categoryId=4, stageId="C4:UC_1").plan(DECLINED).actions[-1].stage == "C4:LOSE"


@pytest.mark.parametrize("exemption", list(Exemption))
def test_an_exemption_is_written_down(exemption) -> None:
    text = of_type(_world().plan(deal_verdict(exemption=exemption)), AddComment)[0].text
    assert "Below the minimum, but let through" in text


@pytest.mark.parametrize("stage", ["WON", "LOSE", "APOLOGY"])
@pytest.mark.parametrize("verdict", [AAA, DECLINED])
def test_a_closed_deal_is_graded_and_never_moved(stage, verdict) -> None:
    planned = _world(stageId=stage).plan(verdict)
    assert [type(action) for action in planned.actions] == [UpdateItem]


def test_a_deal_we_closed_is_told_when_it_would_not_be_declined_any_more() -> None:
    world = _world().after(DECLINED)
    assert [type(action) for action in world.plan(AAA).actions] == [UpdateItem, AddComment]


@pytest.mark.parametrize(
    ("route", "fields", "goal"),
    [
        pytest.param(Route(4), {}, (4, "C4:NEW"), id="another pipeline, its first stage"),
        pytest.param(Route(4, "C4:UC_1"), {}, (4, "C4:UC_1"), id="a named stage"),
        pytest.param(Route(4), {"categoryId": 4, "stageId": "C4:UC_1"}, None, id="in the pipeline already"),
        pytest.param(Route(0, "EXECUTING"), {"stageId": "EXECUTING"}, None, id="there already"),
    ],
)
def test_where_a_grade_is_routed(route, fields, goal) -> None:
    moves = of_type(_routed(Grade.AAA, route, **fields).plan(AAA), MoveItem)
    assert [(move.pipeline, move.stage) for move in moves] == ([goal] if goal else [])


def test_a_route_to_nowhere_is_held() -> None:
    assert _routed(Grade.AAA, Route(8)).plan(AAA).held == (Hold.STAGE_UNKNOWN,)


def test_a_person_who_moved_a_routed_deal_on_wins() -> None:
    world = _routed(Grade.AAA, Route(0, "EXECUTING")).after(AAA).moved_by_person("NEW", AAA)
    assert world.plan(AAA).held == (Hold.PERSON_MOVED,)
    assert replace(world, facts=NEW_FACTS).plan(AAA).held == (Hold.PERSON_MOVED,)
    assert replace(world, facts=NEW_FACTS).plan(DECLINED).actions[-1].stage == "LOSE"


def test_a_person_who_reopened_a_declined_deal_wins() -> None:
    world = _world().after(DECLINED).moved_by_person("EXECUTING", DECLINED)
    assert world.plan(DECLINED).held == (Hold.PERSON_MOVED,)
    assert world.plan(DECLINED).actions == ()
    assert world.changing(movedBy=US).plan(DECLINED).held == (Hold.PERSON_MOVED,)


def test_robots_and_unknown_stages_hold_a_decline() -> None:
    assert replace(_world(), memory=Memory(recent_moves=5)).plan(DECLINED).held == (Hold.TOO_MANY_MOVES,)
    assert _world(stageId="UC_9").plan(DECLINED).held == (Hold.STAGE_UNKNOWN,)
    no_failure = replace(DICTIONARY, stages=tuple(s for s in DICTIONARY.stages if s.semantics != "failure"))
    assert replace(_world(), dictionary=no_failure).plan(DECLINED).held == (Hold.STAGE_UNKNOWN,)


def test_an_argument_over_fields_is_given_up() -> None:
    (update,) = of_type(_world().plan(BBB), UpdateItem)
    tired = replace(_world(), memory=Memory(recent_writes={update.key: 5}))
    assert tired.plan(BBB).held == (Hold.FIELDS_NOT_KEPT,)
    assert not of_type(tired.plan(BBB), UpdateItem)
    assert of_type(tired.plan(AAA), UpdateItem)


def test_a_verdict_and_a_card_of_two_kinds_are_refused() -> None:
    with pytest.raises(TypeError, match="does not belong"):
        World().plan(BBB)
