"""The reaction to a card: rounds, both clocks, targets and their history, what is owed to unread sources; steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendars import Calendars, Layer
from app.domain.clock_steps import Step, due, following, moments, step_key
from app.domain.first_response import CardHistory, Contact, ContactKind, Owned, Source
from app.domain.one_clock import Hop, KnownCard, Request
from app.domain.reaction import (
    Allowance,
    Reaction,
    Rounds,
    State,
    Target,
    TargetChange,
    reaction,
    split,
    target_in_force,
    target_of,
)
from app.domain.ruleset import Targets
from app.domain.snapshot import Entity
from app.domain.working_time import Hours

ANNA, BORIS, OGON = 11, 12, 901
MONDAY = datetime(2026, 8, 17, 9, 0, tzinfo=ZoneInfo("Europe/Moscow"))
HOT = Allowance(Target.HOT, 15)
TIMES = Calendars(people={BORIS: Layer(week={0: (Hours(12 * 60, 18 * 60),)})}, years=(2026,))
LONG_AFTER = timedelta(days=3)


def minute(number):
    return MONDAY + timedelta(minutes=number)


def contact(at, *, kind="call_out", by=ANNA, happened=True, talk=2):
    return Contact(ContactKind(kind), minute(at), minute(at + talk), by, happened, f"{kind}@{at}")


def known(*contacts, owners=((0, ANNA),), created=(0,), reopened=(), closed=(), missing=(), read=None):
    history = CardHistory(
        created=[minute(number) for number in created],
        reopened=[minute(number) for number in reopened],
        owners=[Owned(minute(number), user) for number, user in owners],
        contacts=contacts,
        machines=frozenset({OGON}),
        missing=frozenset(missing),
    )
    read_at = {source: minute(at) for source, at in (read or {}).items()}
    return Rounds(history=history, closed=[minute(number) for number in closed], read=read_at)


def told(rounds, *, now, allowance=HOT) -> Reaction:
    return reaction(split(rounds)[-1], allowance, TIMES, now=minute(now))


@pytest.mark.parametrize(
    ("rounds", "now", "state", "system", "person"),
    [
        pytest.param(known(contact(10)), 99, State.MET, 0, 10, id="in time"),
        pytest.param(known(contact(15)), 99, State.MET, 0, 15, id="at the last moment"),
        pytest.param(known(contact(16)), 99, State.MISSED, 0, 16, id="late"),
        pytest.param(known(), 14, State.WAITING, 0, 14, id="there is time"),
        pytest.param(known(), 15, State.MISSED, 0, 15, id="the time is over"),
        pytest.param(known(contact(3, happened=False)), 20, State.MISSED, 0, 20, id="nobody picked up"),
        pytest.param(known(contact(3, by=OGON)), 20, State.MISSED, 0, 20, id="ours does not count"),
        pytest.param(known(contact(-6, talk=4)), 99, State.MET, 0, 0, id="made out of a call"),
        pytest.param(known(contact(-60)), 20, State.MISSED, 0, 20, id="a call from long before the card"),
        pytest.param(
            known(contact(5, kind="call_in", happened=False), contact(9)), 99, State.MET, 0, 9, id="a callback"
        ),
        pytest.param(
            known(contact(20), owners=[(0, None), (8, ANNA)]), 99, State.MISSED, 8, 12, id="the system's part"
        ),
        pytest.param(known(contact(12), owners=[(0, OGON), (8, ANNA)]), 99, State.MET, 8, 4, id="ours is nobody's"),
        pytest.param(known(closed=[10]), 99, State.CLOSED, 0, 10, id="closed before anybody had to answer"),
        pytest.param(known(closed=[40]), 99, State.MISSED, 0, 40, id="closed too late"),
        pytest.param(known(contact(50), closed=[10]), 99, State.CLOSED, 0, 10, id="a call after the end"),
        pytest.param(known(missing=[Source.ACTIVITIES]), 10, State.WAITING, 0, 10, id="not read, but there is time"),
        pytest.param(known(missing=[Source.ACTIVITIES]), 20, State.NOT_SEEN, 0, 20, id="a scope is missing"),
        pytest.param(
            known(missing=[Source.CALLS], read={Source.CALLS: 20}), 30, State.MISSED, 0, 30, id="its own were read"
        ),
        pytest.param(
            known(missing=[Source.CALLS], read={Source.CALLS: 9}), 30, State.NOT_SEEN, 0, 30, id="read too early"
        ),
        pytest.param(known(contact(3, happened=None)), 20, State.NOT_SEEN, 0, 20, id="a call of unknown length"),
        pytest.param(known(contact(3, happened=None), contact(9)), 20, State.MET, 0, 9, id="in time at the latest"),
        pytest.param(known(contact(20), missing=[Source.CALLS]), 99, State.NOT_SEEN, 0, 20, id="late as far as seen"),
    ],
)
def test_the_state_of_a_round_and_whose_time_it_took(rounds, now, state, system, person):
    found = told(rounds, now=now)
    assert found.state is state
    assert (found.system, found.person) == (timedelta(minutes=system), timedelta(minutes=person))
    assert found.met is {State.MET: True, State.MISSED: False}.get(state)


def test_each_holder_has_his_own_clock_by_his_own_calendar():
    found = told(known(owners=[(0, ANNA), (30, BORIS)]), now=60)
    anna, boris = found.stretches
    assert (anna.user, anna.due_at, anna.worked, anna.late) == (ANNA, minute(15), timedelta(minutes=30), True)
    # Boris begins at noon on Mondays: until then no time of his passes.
    assert (boris.user, boris.due_at, boris.worked) == (BORIS, minute(195), timedelta(0))
    assert (found.due_at, found.state, found.holder) == (minute(15), State.MISSED, boris)


@pytest.mark.parametrize(
    ("arrived", "ends"),
    [
        ("2026-08-22T10:00", "2026-08-24T09:15"),
        ("2026-08-22T20:00", "2026-08-24T09:15"),
        ("2026-08-23T12:00", "2026-08-24T09:15"),
        ("2026-08-21T17:55", "2026-08-24T09:10"),
    ],
)
def test_a_hot_card_of_the_weekend_is_due_on_monday_morning(arrived, ends):
    zone = ZoneInfo("Europe/Moscow")
    at = datetime.fromisoformat(arrived).replace(tzinfo=zone)
    rounds = Rounds(history=CardHistory(created=[at], owners=[Owned(at, ANNA)]))
    found = reaction(split(rounds)[0], HOT, TIMES, now=at)
    assert found.due_at == datetime.fromisoformat(ends).replace(tzinfo=zone)


def test_each_reopening_is_a_round_of_its_own():
    rounds = split(known(contact(5), contact(130), reopened=[100], closed=[50, 140]))
    first, second = (reaction(one, HOT, TIMES, now=minute(999)) for one in rounds)
    assert (first.response.responded_at, first.closed_at, first.state) == (minute(5), minute(50), State.MET)
    assert (second.response.arrived_at, second.response.responded_at) == (minute(100), minute(130))
    assert (second.state, second.closed_at) == (State.MISSED, minute(140))


def test_who_was_first_seen_with_the_card_had_it_from_the_beginning():
    found = told(known(owners=[(40, ANNA)]), now=50)
    assert (found.system, found.person) == (timedelta(0), timedelta(minutes=50))


# --- targets


@pytest.mark.parametrize(
    ("outcome", "grade", "target"),
    [
        ("deal", None, Target.HOT),
        ("review", None, Target.WARM),
        ("junk", None, Target.OTHER),
        (None, "AAA", Target.HOT),
        (None, "BBB", Target.WARM),
        (None, "none", Target.OTHER),
        ("deal", "none", Target.HOT),
        ("needs_data", "AAA", Target.HOT),
        (None, None, Target.OTHER),
    ],
)
def test_the_hotter_of_lead_and_deal_counts(outcome, grade, target):
    assert target_of(Targets(), outcome=outcome, grade=grade).target is target


@pytest.mark.parametrize(
    ("responded", "target"),
    [(None, Target.HOT), (5, Target.OTHER), (25, Target.WARM), (60, Target.HOT)],
)
def test_a_response_is_held_against_the_target_that_stood_then(responded, target):
    changes = [
        TargetChange(minute(40), Allowance(Target.HOT, 15), 3),
        TargetChange(minute(10), Allowance(Target.OTHER, 540), 1),
        TargetChange(minute(20), Allowance(Target.WARM, 60), 2),
    ]
    assert target_in_force(changes, None if responded is None else minute(responded)).target is target


# --- one clock for a request


def card(entity, number=7, **more):
    return KnownCard(entity=entity, card_id=number, **more)


LEAD = card(Entity.LEAD, created_at=minute(0), owners=(Owned(minute(0), ANNA),), outcome="deal")
CONVERTED = replace(LEAD, hops=(Hop(minute(0), False), Hop(minute(1), True)))
DEAL = card(Entity.DEAL, 70, created_at=minute(1), lead_id=7, owners=(Owned(minute(1), BORIS),), grade="none")


def of_request(request, now=99):
    rounds = request.rounds({OGON})
    assert rounds is not None
    return reaction(split(rounds)[-1], HOT, Calendars(years=(2026,)), now=minute(now))


def test_a_deal_goes_on_with_the_round_of_its_lead_and_answers_it():
    called = replace(DEAL, contacts=(contact(9, by=BORIS),))
    of_deal = of_request(Request(card=called, lead=CONVERTED))
    of_lead = of_request(Request(card=CONVERTED, deals=(called,)))
    for found in (of_deal, of_lead):
        assert (found.response.arrived_at, found.response.responded_at, found.state) == (
            minute(0),
            minute(9),
            State.MET,
        )
        assert [(one.user, one.since) for one in found.stretches] == [(ANNA, minute(0)), (BORIS, minute(1))]
    assert Request(card=CONVERTED, deals=(called,)).carried_by == 70


def test_a_lead_that_was_called_before_it_became_a_deal_has_settled_both():
    called = replace(LEAD, contacts=(contact(2),), hops=(Hop(minute(0), False), Hop(minute(30), True)))
    deal = replace(DEAL, created_at=minute(30))
    found = of_request(Request(card=deal, lead=called))
    assert (found.response.responded_at, found.state, found.running) == (minute(2), State.MET, False)


def test_a_request_waits_as_long_as_its_deal_does():
    open_ = of_request(Request(card=CONVERTED, deals=(DEAL,)), now=10)
    assert (open_.running, open_.state) == (True, State.WAITING)
    lost = replace(DEAL, hops=(Hop(minute(1), False), Hop(minute(5), True)))
    assert of_request(Request(card=CONVERTED, deals=(lost,)), now=10).state is State.CLOSED
    assert of_request(Request(card=CONVERTED, deals=(lost, replace(DEAL, card_id=71))), now=10).running


def test_a_deal_without_a_lead_has_its_own_clock():
    alone = replace(DEAL, lead_id=None)
    found = of_request(Request(card=alone))
    assert (found.response.arrived_at, Request(card=alone).outcome) == (minute(1), None)


def test_a_lead_that_a_person_converts_hands_its_clock_over_the_same_way():
    stands = replace(LEAD, closed_at=minute(20), outcome="review")
    deal = replace(DEAL, created_at=minute(20), owners=(Owned(minute(21), BORIS),))
    request = Request(card=deal, lead=stands)
    found = of_request(request, now=30)
    assert (request.outcome, found.response.arrived_at, found.running) == ("review", minute(0), True)
    assert found.stretches[-1].since == minute(20), "whoever has the deal has it since it was made"


def test_a_reopened_lead_is_asked_again_by_its_new_deal():
    hops = (Hop(minute(0), False), Hop(minute(5), True), Hop(minute(50), False), Hop(minute(60), True))
    lead = replace(LEAD, hops=hops, contacts=(contact(2),))
    deal = replace(DEAL, created_at=minute(60), owners=(Owned(minute(60), BORIS),))
    rounds = Request(card=deal, lead=lead).rounds(())
    assert rounds is not None
    starts = [min(one.history.created) for one in split(rounds)]
    assert starts == [minute(0), minute(50)]
    assert of_request(Request(card=deal, lead=lead)).running


def test_one_activity_of_lead_and_deal_is_one_contact():
    both = (contact(9),)
    rounds = Request(card=replace(DEAL, contacts=both), lead=replace(CONVERTED, contacts=both)).rounds(())
    assert rounds is not None
    assert len(rounds.history.contacts) == 1


def test_nothing_is_said_of_a_card_of_unknown_age():
    assert Request(card=replace(LEAD, created_at=None)).rounds(()) is None


# --- steps


def steps(rounds, *, now, **targets):
    found = told(rounds, now=now)
    holder = found.holder
    return moments(found, Targets(**targets), TIMES.of(holder.user if holder else None))


def test_the_steps_of_a_clock_and_the_next_moment():
    both = steps(known(), now=0)
    assert [(one.step, one.at) for one in both] == [(Step.WARN, minute(10.5)), (Step.BREACH, minute(15))]
    assert due(both, now=minute(10)) is None
    assert (due(both, now=minute(10.5)) or both[1]).step is Step.WARN
    late = due(both, now=minute(200))
    assert late is not None
    assert late.step is Step.BREACH, "of what is due together only the last is said"
    assert [following(both, now=minute(at)) for at in (0, 10.5, 15)] == [minute(10.5), minute(15), None]


@pytest.mark.parametrize(
    ("rounds", "targets", "left"),
    [
        pytest.param(known(), {"warn": False}, [Step.BREACH], id="nobody is warned"),
        pytest.param(known(), {"escalate": False}, [Step.WARN], id="nobody is told"),
        pytest.param(known(), {"escalate": False, "pass_on": True}, [Step.WARN, Step.BREACH], id="it passes on"),
        pytest.param(known(contact(1)), {}, [], id="answered"),
        pytest.param(known(closed=[5]), {}, [], id="closed"),
        pytest.param(known(owners=[(0, OGON)]), {}, [Step.BREACH], id="nobody's: there is nobody to warn"),
    ],
)
def test_which_steps_there_are(rounds, targets, left):
    assert [one.step for one in steps(rounds, now=20, **targets)] == left


def test_a_step_has_another_key_for_another_holder_and_another_round():
    first, second = steps(known(), now=0)[0], steps(known(owners=[(0, ANNA), (5, BORIS)]), now=6)[0]
    again = steps(known(contact(1), reopened=[500], closed=[50]), now=501)[0]
    keys = {step_key(Entity.LEAD, 7, minute(arrived), one) for arrived, one in ((0, first), (0, second), (500, again))}
    assert len(keys) == 3
    assert step_key(Entity.LEAD, 7, minute(0), steps(known(), now=9)[0]) in keys, "the same in every run"


# --- laws

MINUTES = st.integers(-120, 900)
CONTACTS = st.lists(
    st.builds(
        lambda at, by, happened: contact(at, by=by, happened=happened),
        MINUTES,
        st.sampled_from([ANNA, BORIS, OGON]),
        st.sampled_from([True, False, None]),
    ),
    max_size=4,
)
OWNERS = st.lists(st.tuples(MINUTES, st.sampled_from([ANNA, BORIS, OGON, None])), min_size=1, max_size=4)


@given(CONTACTS, OWNERS, st.lists(MINUTES, max_size=2), st.lists(MINUTES, max_size=2), st.integers(0, 2000))
def test_both_clocks_together_are_the_stretches_without_gap_or_overlap(contacts, owners, reopened, closed, now):
    for one in split(known(*contacts, owners=owners, reopened=reopened, closed=closed)):
        found = reaction(one, HOT, TIMES, now=minute(now))
        assert found.system + found.person == sum((part.worked for part in found.stretches), timedelta(0))
        for before, after in zip(found.stretches, found.stretches[1:], strict=False):
            assert before.until == after.since
        if found.stretches:
            assert found.stretches[0].since == found.response.arrived_at
            assert (found.stretches[-1].until is None) is found.running


@given(CONTACTS, OWNERS, st.integers(0, 2000))
def test_what_could_not_be_read_never_makes_it_worse(contacts, owners, now):
    seen = told(known(*contacts, owners=owners), now=now)
    unread = told(known(*contacts, owners=owners, missing=[Source.ACTIVITIES]), now=now)
    assert unread.state is not State.MISSED or seen.response.made_from_call
    assert unread.state is seen.state or (seen.state, unread.state) == (State.MISSED, State.NOT_SEEN)


@given(st.integers(0, 2000))
def test_a_clock_in_utc_and_in_moscow_is_the_same_clock(now):
    rounds = known(owners=[(0, ANNA)])
    here = reaction(split(rounds)[0], HOT, TIMES, now=minute(now))
    there = reaction(split(rounds)[0], HOT, TIMES, now=minute(now).astimezone(UTC))
    assert (here.due_at, here.state, here.person) == (there.due_at, there.state, there.person)
