"""Laws of the plan: applied it is empty, cut short it can be repeated, it survives JSON, and it writes only ours."""

import json
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from plan_world import (
    DICTIONARY,
    FACTS,
    MANAGER,
    NEW_FACTS,
    ROW,
    US,
    World,
    deal_card,
    deal_verdict,
    lead_card,
    lead_verdict,
    of_type,
)

from app.domain.actions import CreateItem, MoveItem, UpdateItem, action_from_json, action_to_json
from app.domain.ruleset import DEFAULT, STAYS, LeadRoute, Route
from app.domain.snapshot import DealSnapshot, Entity, Found, LeadSnapshot, Links, Memory, OpenTodo, SecondLook
from app.domain.verdict import Exemption, Grade, Outcome

LEAD_STAGE = st.sampled_from(["NEW", "IN_PROCESS", "CONVERTED", "JUNK", "UC_DOUBLE", "UC_UNKNOWN"])
DEAL_PLACE = st.sampled_from([(0, "NEW"), (0, "EXECUTING"), (0, "WON"), (0, "LOSE"), (4, "C4:NEW"), (4, "C4:X")])
ROUTED = {"sourceDescription": "by the rules", "opened": True}
LEAD_ROUTES = st.builds(
    LeadRoute,
    st.none() | st.sampled_from(["IN_PROCESS", "CONVERTED", "UC_DOUBLE", "UC_UNKNOWN"]),
    st.sampled_from([{}, ROUTED]),
)
OUR_FIELDS = {
    Entity.LEAD: {"UF_CRM_OGON_VERDICT", "UF_CRM_OGON_WHY", "companyId", "contactIds", *ROUTED},
    Entity.DEAL: {"UF_CRM_OGON_GRADE", "UF_CRM_OGON_CHECKLIST", "UF_CRM_OGON_WHY", *ROUTED},
    Entity.COMPANY: {"UF_CRM_OGON_SEGMENT"},
}
COMPANY_CARDS = st.fixed_dictionaries(
    {"id": st.just(8)},
    optional={
        "revenue": st.sampled_from([None, 0, "0.00", 7]),
        "currencyId": st.sampled_from(["", "RUB", "USD", "XXX"]),
        "industry": st.sampled_from([None, "", "IT"]),
        "UF_CRM_OGON_STEAM_TPH": st.sampled_from([None, "", 0, 9]),
        "UF_CRM_OGON_SEGMENT": st.sampled_from([None, 72, "74"]),
    },
)


def _memories(stages: st.SearchStrategy[str], decisions: list[str]) -> st.SearchStrategy[Memory]:
    return st.builds(
        Memory,
        our_stages=st.lists(stages, max_size=3).map(tuple),
        stage_before=st.none() | stages,
        seen_before_move=st.none() | st.sampled_from([FACTS.digest(), NEW_FACTS.digest()]),
        outcome_before_move=st.none() | st.sampled_from(decisions),
        comment_digest=st.none() | st.just("old"),
        todo=st.none() | st.just(OpenTodo(880, "old")),
        recent_moves=st.integers(0, 4),
        second_look=st.none()
        | st.builds(
            SecondLook,
            st.just(date(2026, 8, 10)),
            st.sampled_from([Outcome.JUNK, Outcome.COMPANY]),
            st.sampled_from([None, 990]),
            st.booleans(),
            st.booleans(),
        ),
    )


@st.composite
def lead_worlds(draw: st.DrawFn) -> World:
    company = draw(st.none() | COMPANY_CARDS)
    linked = company is not None and draw(st.booleans())
    card = lead_card(
        stageId=draw(LEAD_STAGE),
        movedBy=draw(st.sampled_from([US, MANAGER, None])),
        companyTitle=draw(st.sampled_from(["Plant", "", None])),
        companyId=8 if linked else draw(st.sampled_from([0, None, "0"])),
        contactIds=draw(st.sampled_from([[], [4], None])),
        name=draw(st.sampled_from(["Ann", ""])),
        lastName="",
        fm=draw(st.sampled_from([[], lead_card()["fm"]])),
        isManualOpportunity=draw(st.sampled_from(["Y", "N"])),
        UF_CRM_OGON_VERDICT=draw(st.sampled_from([None, "", 51, "53", False])),
    )
    links = Links(
        company=Found(8, "phone", company) if company is not None and not linked else None,
        contact=draw(st.none() | st.just(Found(9, "email"))),
        deal_ids=draw(st.sampled_from([(), (90,), (90, 95)])),
        deal_has_rows=draw(st.booleans()),
        lead_rows_raw=draw(st.sampled_from([(), (ROW,)])),
    )
    return World(
        LeadSnapshot(card, company if linked else None),
        draw(_memories(LEAD_STAGE, [outcome.value for outcome in Outcome])),
        links,
        draw(st.sampled_from([FACTS, NEW_FACTS])),
        replace(DICTIONARY, fields=frozenset(draw(st.sets(st.sampled_from(sorted(DICTIONARY.fields)))))),
        replace(
            DEFAULT,
            deal_route=draw(st.sampled_from([Route(), Route(4), Route(4, "C4:UC_1"), Route(9)])),
            outcome_routes=draw(st.dictionaries(st.sampled_from(Outcome), LEAD_ROUTES)),
        ),
    )


@st.composite
def deal_worlds(draw: st.DrawFn) -> World:
    pipeline, stage = draw(DEAL_PLACE)
    card = deal_card(categoryId=pipeline, stageId=stage, movedBy=draw(st.sampled_from([US, MANAGER, None])))
    decisions = ["declined", *(grade.value for grade in Grade)]
    return World(
        DealSnapshot(card),
        draw(_memories(DEAL_PLACE.map(lambda place: place[1]), decisions)),
        ruleset=replace(
            DEFAULT,
            grade_routes=draw(
                st.dictionaries(
                    st.sampled_from(Grade),
                    st.sampled_from(
                        [Route(), Route(4), Route(0, "EXECUTING"), Route(4, "C4:UC_1"), Route(None, None, ROUTED)]
                    ),
                )
            ),
            declined_route=draw(
                st.sampled_from([STAYS, Route(None, None, ROUTED), Route(4), Route(0, "APOLOGY"), Route(0, "NEW")])
            ),
        ),
    )


LEAD_VERDICTS = st.sampled_from(Outcome).map(lead_verdict)
DEAL_VERDICTS = st.builds(
    deal_verdict,
    st.sampled_from(Grade),
    declined=st.booleans(),
    exemption=st.none() | st.sampled_from(Exemption),
)
CASES = st.tuples(lead_worlds(), LEAD_VERDICTS) | st.tuples(deal_worlds(), DEAL_VERDICTS)


@given(CASES)
def test_the_plan_after_applying_the_plan_is_empty(case) -> None:
    world, verdict = case
    after = world.after(verdict)
    again = after.plan(verdict)
    assert again.actions == (), (world.plan(verdict), again)


@given(CASES)
def test_nothing_but_the_first_run_moves_or_makes(case) -> None:
    world, verdict = case
    after = world.after(verdict).after(verdict).after(verdict)
    assert len(of_type(after.log, MoveItem)) <= 1
    assert len(set(after.made)) == len(after.made)


@given(CASES, st.data())
def test_a_plan_cut_short_is_finished_by_the_next_run_without_making_anything_twice(case, data) -> None:
    world, verdict = case
    whole = world.after(verdict)
    actions = world.plan(verdict).actions
    cut = world.after(verdict, actions[: data.draw(st.integers(0, len(actions)))])
    finished = cut.after(verdict)
    assert sorted(finished.made) == sorted(whole.made)
    assert finished.card["stageId"] == whole.card["stageId"]
    assert finished.plan(verdict).actions == ()


@given(CASES)
def test_a_plan_survives_json(case) -> None:
    world, verdict = case
    for action in world.plan(verdict).actions:
        assert action_from_json(json.loads(json.dumps(action_to_json(action)))) == action


@given(CASES)
def test_moving_comes_last_and_keys_are_one_of_a_kind(case) -> None:
    world, verdict = case
    actions = world.plan(verdict).actions
    assert all(not isinstance(action, MoveItem) for action in actions[:-1])
    keys = [action.key for action in actions]
    assert len(set(keys)) == len(keys)
    prefix = "lead-5:" if isinstance(world.snapshot, LeadSnapshot) else "deal-90:"
    assert all(key.startswith(prefix) for key in keys)


@given(CASES)
def test_only_our_fields_and_empty_company_fields_are_written_on_existing_cards(case) -> None:
    world, verdict = case
    for update in of_type(world.plan(verdict), UpdateItem):
        foreign = set(update.fields) - OUR_FIELDS[update.entity]
        if update.entity is Entity.COMPANY:
            card = world.snapshot.company or world.links.company.card
            assert all(card.get(name) in (None, "", 0, "0.00") for name in foreign)
        else:
            assert not foreign
        custom = {name for name in update.fields if name.startswith("UF_")}
        assert custom <= {name for entity, name in world.dictionary.fields if entity is update.entity}


@given(CASES)
def test_an_enumeration_is_written_by_number_and_a_stage_only_by_a_move(case) -> None:
    world, verdict = case
    planned = world.plan(verdict)
    for action in of_type(planned, UpdateItem | CreateItem):
        for name, value in action.fields.items():
            if (action.entity, name) in DICTIONARY.enumerations:
                assert isinstance(value, int)
    for update in of_type(planned, UpdateItem):
        assert not {"stageId", "categoryId"} & set(update.fields)


@given(CASES)
def test_what_is_made_carries_our_mark(case) -> None:
    world, verdict = case
    for made in of_type(world.plan(verdict), CreateItem):
        assert (made.fields["originatorId"], made.fields["originId"]) == ("ogon", "lead-5")


@given(CASES, st.integers(5, 9))
def test_after_five_moves_in_an_hour_nothing_is_moved_or_made(case, moves) -> None:
    world, verdict = case
    tired = replace(world, memory=replace(world.memory, recent_moves=moves))
    assert not of_type(tired.plan(verdict), MoveItem | CreateItem)
