"""What counts as the first response to a card, case by case; and laws."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.first_response import (
    CardHistory,
    Contact,
    ContactKind,
    Held,
    Owned,
    Source,
    first_response,
)

ANNA, BORIS, ROBOT, OGON = 11, 12, 900, 901
MACHINES = frozenset({ROBOT, OGON})
NINE = datetime(2026, 8, 20, 9, 0, tzinfo=UTC)


def minute(number):
    return NINE + timedelta(minutes=number)


def contact(kind, start, end=None, *, by=ANNA, happened=True):
    return Contact(
        ContactKind(kind), minute(start), minute(start if end is None else end), by, happened, f"{kind}@{start}"
    )


def told(*contacts, created=(0,), reopened=(), owners=((0, ANNA),), missing=()):
    return first_response(
        CardHistory(
            created=[minute(number) for number in created],
            reopened=[minute(number) for number in reopened],
            owners=[Owned(minute(number), user) for number, user in owners],
            contacts=contacts,
            machines=MACHINES,
            missing=frozenset(missing),
        )
    )


@pytest.mark.parametrize(
    ("contacts", "answered"),
    [
        pytest.param([contact("call_out", 7, 9)], 7, id="an outgoing call that was talked on"),
        pytest.param([contact("call_in", 5, 6)], 5, id="an answered incoming call"),
        pytest.param([contact("letter", 12)], 12, id="a letter sent"),
        pytest.param([contact("meeting", 40, 90)], 40, id="a meeting held"),
        pytest.param([contact("chat", 3)], 3, id="an operator's first message"),
        pytest.param([contact("letter", 12), contact("call_out", 7, 9)], 7, id="the earliest of several"),
        pytest.param([contact("call_out", 7, happened=False)], None, id="nobody picked up"),
        pytest.param([contact("call_in", 5, happened=False)], None, id="a missed call"),
        pytest.param([contact("call_in", 5, happened=False), contact("call_out", 8, 9)], 8, id="a callback"),
        pytest.param([contact("meeting", 40, happened=False)], None, id="a meeting that is only planned"),
        pytest.param([contact("letter", 2, by=ROBOT)], None, id="a robot's letter"),
        pytest.param([contact("letter", 2, by=OGON), contact("letter", 6)], 6, id="ours does not count, hers does"),
        pytest.param([contact("call_out", 7, 9, by=BORIS)], 7, id="somebody else's call counts for the card"),
        pytest.param([], None, id="nothing yet"),
    ],
)
def test_what_counts(contacts, answered):
    found = told(*contacts)
    assert found.responded_at == (None if answered is None else minute(answered))
    assert found.certain
    assert (found.responded_by is None) == (answered is None)


@pytest.mark.parametrize(
    ("contacts", "answered", "from_call"),
    [
        pytest.param([contact("call_in", -6, -2)], 0, True, id="made out of the call that just ended"),
        pytest.param([contact("call_out", -6, 3)], 0, True, id="made while they talked"),
        pytest.param([contact("call_in", -60, -50)], None, False, id="a call of an hour ago is another matter"),
        pytest.param([contact("call_in", -6, -2, happened=False)], None, False, id="missed, then made by a robot"),
        pytest.param([contact("letter", -2)], None, False, id="a letter before the card"),
        pytest.param([contact("call_in", -60, -50), contact("call_out", 4, 5)], 4, False, id="then called again"),
    ],
)
def test_talks_from_before_the_card(contacts, answered, from_call):
    found = told(*contacts)
    assert found.responded_at == (None if answered is None else minute(answered))
    assert found.made_from_call is from_call


@pytest.mark.parametrize(
    ("owners", "assigned", "holders"),
    [
        pytest.param([(0, ANNA)], 0, [(ANNA, 0, 20)], id="hers from the start"),
        pytest.param([(0, None), (8, ANNA)], 8, [(ANNA, 8, 20)], id="nobody's for eight minutes"),
        pytest.param([(0, ROBOT), (8, ANNA)], 8, [(ANNA, 8, 20)], id="a robot is nobody"),
        pytest.param([(0, ANNA), (5, BORIS)], 0, [(ANNA, 0, 5), (BORIS, 5, 20)], id="passed on"),
        pytest.param([(0, ANNA), (5, ANNA)], 0, [(ANNA, 0, 20)], id="passed to herself"),
        pytest.param([(0, ANNA), (30, BORIS)], 0, [(ANNA, 0, 20)], id="passed on after the response"),
        pytest.param([(0, None), (30, BORIS)], 20, [], id="answered before it was anybody's"),
        pytest.param([(0, None)], None, [], id="never anybody's"),
        pytest.param([(-90, ANNA)], 0, [(ANNA, 0, 20)], id="hers since before the round"),
    ],
)
def test_two_clocks_and_whose_time_it_was(owners, assigned, holders):
    found = told(contact("call_out", 20, 22, by=BORIS), owners=owners)
    assert found.assigned_at == (None if assigned is None else minute(assigned))
    assert found.holders == tuple(Held(user, minute(since), minute(until)) for user, since, until in holders)


def test_a_running_clock_has_no_end():
    found = told(owners=[(0, ANNA), (5, BORIS)])
    assert found.holders == (Held(ANNA, minute(0), minute(5)), Held(BORIS, minute(5), None))


def test_merged_cards_have_waited_since_the_oldest():
    found = told(contact("call_out", 30, 31), created=(20, 0))
    assert (found.arrived_at, found.responded_at) == (minute(0), minute(30))


def test_a_reopened_card_is_a_new_round():
    found = told(contact("call_out", 5, 6), contact("letter", 130), reopened=(100, 120))
    assert (found.arrived_at, found.responded_at) == (minute(120), minute(130))


def test_a_source_that_cannot_be_read_is_said():
    found = told(missing=[Source.CALLS])
    assert (found.responded_at, found.certain, found.missing) == (None, False, {Source.CALLS})


def test_a_call_of_unknown_length_is_neither_a_response_nor_none():
    unknown = contact("call_out", 3, happened=None)
    assert (told(unknown).responded_at, told(unknown).doubtful) == (None, ("call_out@3",))
    later = told(unknown, contact("letter", 9))
    assert (later.responded_at, later.certain) == (minute(9), False)
    assert told(contact("letter", 1), unknown).certain


def test_a_card_without_a_creation_time_is_refused():
    with pytest.raises(ValueError, match="creation"):
        told(created=())


# --- laws

TIMES = st.integers(-120, 600)
CONTACTS = st.builds(
    lambda kind, start, length, by, happened: contact(kind, start, start + length, by=by, happened=happened),
    st.sampled_from(ContactKind),
    TIMES,
    st.integers(0, 30),
    st.sampled_from([ANNA, BORIS, ROBOT, None]),
    st.sampled_from([True, False, None]),
)
HISTORIES = st.builds(
    lambda created, reopened, owners, contacts: CardHistory(
        created=[minute(number) for number in created],
        reopened=[minute(number) for number in reopened],
        owners=[Owned(minute(number), user) for number, user in owners],
        contacts=contacts,
        machines=MACHINES,
    ),
    st.lists(TIMES, min_size=1, max_size=2),
    st.lists(TIMES, max_size=2),
    st.lists(st.tuples(TIMES, st.sampled_from([ANNA, BORIS, ROBOT, None])), max_size=5),
    st.lists(CONTACTS, max_size=6, unique_by=lambda one: one.source_id),
)


@given(HISTORIES)
def test_the_clocks_are_in_order_and_holders_never_overlap(history):
    found = first_response(history)
    moments = [found.arrived_at, found.assigned_at, found.responded_at]
    known = [moment for moment in moments if moment is not None]
    assert known == sorted(known)
    for before, after in zip(found.holders, found.holders[1:], strict=False):
        assert before.until is not None
        assert before.since < before.until <= after.since
    if found.responded_at is not None:
        assert all(held.until is not None and held.until <= found.responded_at for held in found.holders)


@given(HISTORIES, CONTACTS)
def test_one_more_contact_never_makes_the_response_later(history, more):
    before = first_response(history).responded_at
    after = first_response(replace(history, contacts=[*history.contacts, more])).responded_at
    assert before is None or (after is not None and after <= before)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(history, chance):
    mixed = list(history.contacts)
    chance.shuffle(mixed)
    assert first_response(replace(history, contacts=mixed)) == first_response(history)
