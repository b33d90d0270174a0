"""Which pool takes a card, and what of an assignment is still to be written."""

from dataclasses import replace
from datetime import timedelta

import pytest
from plan_world import DICTIONARY, FACTS, HEAD, MANAGER, NOW, deal_card, deal_verdict, lead_card, lead_verdict

from app.domain.actions import AssignItem, CreateItem, action_from_json, action_to_json
from app.domain.assignment import Arrival, Assigned, Pool, Takes, knows_client, pool_for
from app.domain.messages import in_english
from app.domain.plan import plan
from app.domain.ruleset import DEFAULT, LeadRoute
from app.domain.shares import Member
from app.domain.snapshot import NO_LINKS, NOTHING_REMEMBERED, DealSnapshot, Entity, LeadSnapshot
from app.domain.touch import Hold
from app.domain.verdict import Grade, Outcome

ANNA, BORIS, OTHER = 21, 22, 99
DESK = Pool(1, "Desk", Entity.LEAD, NOW, (Member(ANNA), Member(BORIS)))
SALES = replace(DESK, id=2, name="Sales", entity=Entity.DEAL)
LEAD = Arrival(
    Entity.LEAD, NOW, created_by=OTHER, owner=OTHER, departments=frozenset({5, 1}), source="WEB", outcome=Outcome.REVIEW
)
DEAL = Arrival(Entity.DEAL, NOW, created_by=OTHER, owner=OTHER, source="WEB", pipeline=4, grade=Grade.AAA)


def taking(pool, **wanted):
    return replace(pool, takes=Takes(**{name: frozenset(values) for name, values in wanted.items()}))


@pytest.mark.parametrize(
    ("pool", "card", "taken"),
    [
        pytest.param(DESK, LEAD, True, id="a new lead"),
        pytest.param(DESK, DEAL, False, id="not a deal"),
        pytest.param(DESK, replace(LEAD, created_at=NOW - timedelta(seconds=1)), False, id="made before the pool"),
        pytest.param(
            replace(DESK, since=NOW + timedelta(microseconds=900_000)),
            LEAD,
            True,
            id="made in the second it was opened",
        ),
        pytest.param(DESK, replace(LEAD, created_at=None), False, id="of unknown age"),
        pytest.param(DESK, replace(LEAD, created_by=ANNA), False, id="made by a member himself"),
        pytest.param(DESK, replace(LEAD, owner=ANNA), True, id="that came to a member by chance"),
        pytest.param(DESK, replace(LEAD, owner=None), True, id="that nobody has"),
        pytest.param(SALES, DEAL, True, id="a new deal"),
        pytest.param(SALES, replace(DEAL, owner=BORIS), False, id="a deal that a member has already"),
        pytest.param(taking(SALES, from_users=[BORIS]), replace(DEAL, owner=BORIS), True, id="from him on purpose"),
        pytest.param(taking(DESK, from_users=[OTHER]), LEAD, True, id="from this one"),
        pytest.param(taking(DESK, from_users=[7]), LEAD, False, id="from another one only"),
        pytest.param(taking(DESK, outcomes=[Outcome.REVIEW, Outcome.DEAL]), LEAD, True, id="one of the outcomes"),
        pytest.param(taking(DESK, outcomes=[Outcome.DEAL]), LEAD, False, id="another outcome"),
        pytest.param(taking(SALES, grades=[Grade.AAA]), DEAL, True, id="the grade"),
        pytest.param(taking(SALES, grades=[Grade.BBB]), DEAL, False, id="another grade"),
        pytest.param(taking(SALES, pipelines=[4]), DEAL, True, id="the pipeline"),
        pytest.param(taking(SALES, pipelines=[0]), DEAL, False, id="another pipeline"),
        pytest.param(taking(DESK, sources=["WEB"]), LEAD, True, id="the source"),
        pytest.param(taking(DESK, sources=["CALL"]), LEAD, False, id="another source"),
        pytest.param(taking(DESK, sources=["CALL"]), replace(LEAD, source=None), False, id="of unknown source"),
        pytest.param(taking(DESK, departments=[5]), LEAD, True, id="the department"),
        pytest.param(taking(DESK, departments=[1]), LEAD, True, id="the department above"),
        pytest.param(taking(DESK, departments=[6]), LEAD, False, id="another department"),
    ],
)
def test_a_pool_takes(pool, card, taken):
    assert pool_for([pool], card) == (pool if taken else None)


def test_the_first_pool_that_takes_a_card_wins():
    by_grade, rest = taking(SALES, grades=[Grade.AAA]), replace(SALES, id=3)
    assert pool_for([by_grade, rest], DEAL) is by_grade
    assert pool_for([by_grade, rest], replace(DEAL, grade=Grade.CCC)) is rest
    assert pool_for([], DEAL) is None


def test_the_nearest_member_who_knows_the_client():
    assert knows_client(DESK, [None, OTHER, BORIS, ANNA]) == BORIS
    assert knows_client(DESK, [OTHER]) is None
    assert knows_client(replace(DESK, returning=False), [BORIS]) is None


# --- what is still to be written


def planned(verdict, snapshot, assigned):
    return plan(
        verdict,
        snapshot,
        NOTHING_REMEMBERED,
        NO_LINKS,
        facts=FACTS,
        ruleset=DEFAULT,
        dictionary=DICTIONARY,
        now=NOW,
        say=in_english,
        assigned=assigned,
    )


def handed_over(made):
    return [action for action in made.actions if isinstance(action, AssignItem)]


CHOSEN = Assigned(8, ANNA, MANAGER, carried_out=False)
DONE = replace(CHOSEN, carried_out=True)
LEAD_5 = AssignItem("lead-5:assign:8", Entity.LEAD, 5, ANNA)


@pytest.mark.parametrize(
    ("owner", "assigned", "writes", "held"),
    [
        pytest.param(MANAGER, None, (), (), id="of no pool"),
        pytest.param(MANAGER, CHOSEN, (LEAD_5,), (), id="chosen, not written yet"),
        pytest.param(str(MANAGER), CHOSEN, (LEAD_5,), (), id="however the portal prints ids"),
        pytest.param(ANNA, CHOSEN, (), (), id="written"),
        pytest.param(ANNA, DONE, (), (), id="written and seen"),
        pytest.param(BORIS, CHOSEN, (), (Hold.PERSON_ASSIGNED,), id="a person was quicker"),
        pytest.param(BORIS, DONE, (), (Hold.PERSON_ASSIGNED,), id="a person gave it on"),
        pytest.param(MANAGER, DONE, (), (Hold.PERSON_ASSIGNED,), id="a person took it back to whose it was"),
        pytest.param(MANAGER, replace(CHOSEN, user=None), (), (Hold.NOBODY_FREE,), id="nobody could"),
        pytest.param(BORIS, replace(CHOSEN, user=None), (), (), id="nobody could, then a person gave it to somebody"),
    ],
)
def test_the_owner_that_is_still_to_be_written(owner, assigned, writes, held):
    made = planned(lead_verdict(Outcome.REVIEW), LeadSnapshot(lead_card(assignedById=owner)), assigned)
    assert (tuple(handed_over(made)), made.held) == (writes, held)


@pytest.mark.parametrize(
    ("outcome", "stage"),
    [(Outcome.JUNK, "NEW"), (Outcome.REVIEW, "JUNK"), (Outcome.REVIEW, "CONVERTED")],
)
def test_what_is_junk_or_closed_stays_with_whom_it_is(outcome, stage):
    lead = lead_card(stageId=stage, stageSemanticId="")
    made = planned(lead_verdict(outcome), LeadSnapshot(lead), CHOSEN)
    assert handed_over(made) == []
    assert Hold.PERSON_ASSIGNED not in made.held


def test_a_declined_or_closed_deal_stays_with_whom_it_is():
    declined = planned(deal_verdict(Grade.AAA, declined=True), DealSnapshot(deal_card()), CHOSEN)
    won = planned(deal_verdict(Grade.AAA), DealSnapshot(deal_card(stageId="WON")), CHOSEN)
    assert handed_over(declined) == handed_over(won) == []
    assert handed_over(planned(deal_verdict(Grade.AAA), DealSnapshot(deal_card()), CHOSEN)) == [
        AssignItem("deal-90:assign:8", Entity.DEAL, 90, ANNA)
    ]


def test_what_is_made_of_a_lead_is_its_new_owners():
    made = planned(lead_verdict(Outcome.DEAL), LeadSnapshot(lead_card()), CHOSEN)
    owners = {action.fields["assignedById"] for action in made.actions if isinstance(action, CreateItem)}
    assert (owners, handed_over(made)) == ({ANNA}, [LEAD_5])


def test_a_route_that_names_an_owner_goes_before_a_pool():
    route = {Outcome.REVIEW: LeadRoute(None, {"assignedById": HEAD})}
    made = plan(
        lead_verdict(Outcome.REVIEW),
        LeadSnapshot(lead_card()),
        NOTHING_REMEMBERED,
        NO_LINKS,
        facts=FACTS,
        ruleset=replace(DEFAULT, outcome_routes=route),
        dictionary=DICTIONARY,
        now=NOW,
        say=in_english,
        assigned=CHOSEN,
    )
    assert handed_over(made) == []


def test_the_write_survives_json():
    assert action_from_json(action_to_json(LEAD_5)) == LEAD_5
