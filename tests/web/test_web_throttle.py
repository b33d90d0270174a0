"""The throttle: who guesses must wait, who never failed never must, and the memory of it is bounded."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web import throttle
from app.web.throttle import FAILURES_OF_ALL, FAILURES_OF_ONE, WINDOW_SECONDS, Throttle, source


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_tenth_failure_closes_the_door_for_the_rest_of_the_minute(clock):
    door = Throttle(clock)
    closed = []
    for _ in range(FAILURES_OF_ONE):
        assert door.wait("a") == 0
        closed.append(door.failed("a"))
        clock.now += 1
    assert closed == [False] * (FAILURES_OF_ONE - 1) + [True]
    assert door.wait("a") == WINDOW_SECONDS - FAILURES_OF_ONE
    clock.now += door.wait("a")
    assert door.wait("a") == 0, "what it said was enough"
    assert door.failed("a"), "nine of the last minute and this one"
    assert door.wait("b") == 0


def test_during_a_flood_from_everywhere_one_failure_is_enough(clock):
    door = Throttle(clock)
    for number in range(FAILURES_OF_ALL - 1):
        door.failed(f"source {number}")
    assert door.wait("source 0") == 0
    door.failed("the last")
    assert door.wait("source 0") == WINDOW_SECONDS
    assert door.wait("never failed") == 0
    clock.now += WINDOW_SECONDS
    assert door.wait("source 0") == 0


def test_the_table_is_bounded_and_empties_again(clock, monkeypatch):
    monkeypatch.setattr(throttle, "MOST_SOURCES", 50)
    door = Throttle(clock)
    for number in range(200):
        door.failed(f"source {number}")
        assert len(door._sources) <= 50
    clock.now += WINDOW_SECONDS
    door.failed("later")
    assert list(door._sources) == ["later"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["wrong", "right"]), st.floats(0, 20)),
        max_size=120,
    )
)
def test_no_source_fails_more_often_than_allowed_and_the_clean_never_wait(attempts):
    clock = Clock()
    door = Throttle(clock)
    failures = defaultdict(list)
    for who, what, pause in attempts:
        clock.now += pause
        assert door.wait("clean") == 0
        waiting = door.wait(who)
        assert 0 <= waiting <= WINDOW_SECONDS
        if what == "wrong" and not waiting:
            door.failed(who)
            failures[who].append(clock.now)
    for times in failures.values():
        for first, eleventh in zip(times, times[FAILURES_OF_ONE:], strict=False):
            assert eleventh - first >= WINDOW_SECONDS - 1e-6


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::1", "::/64"),
        ("", ""),
        ("a unix socket", "a unix socket"),
    ],
)
def test_what_counts_as_one_source(address, counts_as):
    assert source(address) == counts_as
