"""Who gets the next card: turns, weights, absence, returning clients, turns given back."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.shares import Barred, Member, Turns, Why, choose, give_back

ANNA, BORIS, VERA = Member(1), Member(2), Member(3)
DESK = (ANNA, BORIS, VERA)


def deal_out(members, cards, turns=None, **told):
    turns, users = turns or Turns(), []
    for _ in range(cards):
        choice, turns = choose(members, turns, **told)
        users.append(choice.user)
    return users, turns


def test_members_take_turns():
    assert deal_out(DESK, 7)[0] == [1, 2, 3, 1, 2, 3, 1]


def test_weights_are_shares():
    counted = Counter(deal_out((Member(1, weight=3), Member(2, weight=1)), 40)[0])
    assert counted == {1: 30, 2: 10}


def test_weighted_cards_are_spread_and_do_not_come_in_a_heap():
    users, _ = deal_out((Member(1, weight=3), Member(2, weight=1)), 40)
    assert all(1 <= users[start : start + 8].count(2) <= 3 for start in range(32))


def test_who_was_away_owes_nothing():
    _, turns = deal_out(DESK, 200, absent=frozenset({3}))
    users, _ = deal_out(DESK, 6, turns)
    assert Counter(users) == {1: 2, 2: 2, 3: 2}


def test_who_comes_new_does_not_get_all_the_past():
    _, turns = deal_out((ANNA, BORIS), 200)
    assert Counter(deal_out(DESK, 9, turns)[0]) == {1: 3, 2: 3, 3: 3}


def test_a_full_desk_is_passed_over():
    full = Member(1, cap=5)
    choice, _ = choose((full, BORIS), Turns(), open_cards={1: 5})
    assert (choice.user, choice.barred) == (2, {1: Barred.FULL})
    assert choose((full, BORIS), Turns(), open_cards={1: 4})[0].user == 1


def test_a_returning_client_goes_to_who_knows_him_and_costs_no_turn():
    choice, turns = choose(DESK, Turns(), knows_client=3)
    assert (choice.user, choice.why, turns) == (3, Why.KNOWS_CLIENT, Turns())


@pytest.mark.parametrize(
    ("told", "user", "why"),
    [
        pytest.param({"absent": frozenset({3})}, 1, Why.TURN, id="who knows him is away"),
        pytest.param({"had_it": frozenset({3})}, 1, Why.TURN, id="who knows him had it already"),
        pytest.param({"open_cards": {3: 99}}, 3, Why.KNOWS_CLIENT, id="who knows him is busy"),
    ],
)
def test_a_returning_client_whose_person_cannot(told, user, why):
    choice, _ = choose((ANNA, BORIS, Member(3, cap=9)), Turns(), knows_client=3, **told)
    assert (choice.user, choice.why) == (user, why)


def test_who_knows_the_client_but_left_the_pool_gets_nothing():
    assert choose(DESK, Turns(), knows_client=99)[0].user == 1


def test_a_card_never_comes_back_to_whom_it_was_taken_from():
    choice, _ = choose(DESK, Turns(), had_it=frozenset({1, 2}))
    assert (choice.user, choice.barred) == (3, {1: Barred.HAD_IT, 2: Barred.HAD_IT})


def test_whom_one_card_passes_over_keeps_his_turn():
    _, turns = choose(DESK, Turns(), had_it=frozenset({1}))
    assert deal_out(DESK, 2, turns)[0] == [1, 3]


def test_everybody_away_is_nobody_and_costs_nothing():
    choice, turns = choose(DESK, Turns(), absent=frozenset({1, 2, 3}))
    assert (choice.user, choice.why, turns) == (None, None, Turns())


def test_a_turn_given_back_is_a_card_more():
    _, turns = deal_out(DESK, 3)
    users, _ = deal_out(DESK, 10, give_back(turns, 2))
    assert Counter(users) == {1: 3, 2: 4, 3: 3}


@pytest.mark.parametrize("wrong", [{"weight": 0}, {"weight": -1}, {"cap": -1}])
def test_a_wrong_member_is_refused(wrong):
    with pytest.raises(ValueError, match="leave somebody out"):
        Member(1, **wrong)


# --- laws


@given(st.integers(1, 12), st.integers(30, 120))
def test_over_any_thirty_cards_equal_members_differ_by_one_at_most(people, cards):
    users, _ = deal_out([Member(user) for user in range(people)], cards)
    for start in range(cards - 29):
        counted = Counter(users[start : start + 30])
        shares = [counted[user] for user in range(people)]
        assert max(shares) - min(shares) <= 1


MEMBERS = st.lists(st.integers(1, 9), min_size=1, max_size=7).map(
    lambda weights: [Member(user, weight=weight) for user, weight in enumerate(weights)]
)


@given(MEMBERS, st.integers(1, 200))
def test_nobody_is_ahead_of_another_by_more_than_one_card_of_each(members, cards):
    users, _ = deal_out(members, cards)
    counted = Counter(users)
    shares = [Fraction(counted[one.user], one.weight) for one in members]
    assert max(shares) - min(shares) <= 1


@given(MEMBERS, st.lists(st.frozensets(st.integers(0, 6), max_size=6), min_size=1, max_size=60))
def test_after_any_absences_the_next_cards_are_shared_by_weight(members, absences):
    """Nobody repays in one morning: among all present again, nobody is served ahead by more than a card each."""
    turns = Turns()
    for absent in absences:
        choice, turns = choose(members, turns, absent=absent)
        assert choice.user not in absent
    users, _ = deal_out(members, 50, turns)
    counted = Counter(users)
    shares = [Fraction(counted[one.user], one.weight) for one in members]
    assert max(shares) - min(shares) <= 2
