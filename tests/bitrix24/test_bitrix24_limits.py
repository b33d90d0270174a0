"""The bucket and the operating ledger, by laws and by the portal's own example."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24.lanes import Lane
from app.bitrix24.limiter import LocalBucket
from app.bitrix24.operating import OperatingLedger
from app.bitrix24.protocol import Time


class Clock:
    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now


def run(coroutine):
    """Buckets of one process never really wait."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the bucket waited")


class PortalBucket:
    """The documented counter: drains by whole seconds, refuses above the threshold."""

    def __init__(self, burst, rate):
        self.burst, self.rate, self.level, self.at = burst, rate, 0.0, 0

    def pour(self, now):
        second = math.floor(now)
        self.level = max(0.0, self.level - (second - self.at) * self.rate)
        self.at = second
        self.level += 1
        return self.level <= self.burst


@given(
    st.lists(st.tuples(st.floats(0, 30, allow_nan=False), st.integers(0, 6)), max_size=300),
    st.sampled_from([(2.0, 50), (5.0, 250), (2.0, 10)]),
)
def test_the_limiter_never_exceeds_its_budget_whatever_the_arrivals(arrivals, size):
    rate, burst = size
    clock = Clock()
    ours, portals = LocalBucket(requests_per_second=rate, burst=burst, clock=clock), PortalBucket(burst, rate)
    for gap, held_back in arrivals:
        clock.now += gap / 10
        while (delay := run(ours.take(held_back=held_back))) == 0.0:
            assert portals.pour(clock.now)
        assert delay > 0
        clock.now += delay
        assert run(ours.take(held_back=held_back)) == 0.0, "the promised wait is enough"
        assert portals.pour(clock.now)


def test_slots_are_held_back():
    bucket = LocalBucket(clock=Clock())
    taken = 0
    while run(bucket.take(held_back=4)) == 0.0:
        taken += 1
    more = 0
    while run(bucket.take(held_back=0)) == 0.0:
        more += 1
    assert (taken, more) == (43, 4)


def test_an_overflow_counts_as_full():
    clock = Clock()
    bucket = LocalBucket(clock=clock)
    run(bucket.overflowed())
    assert run(bucket.take(held_back=0)) == pytest.approx(2.0)
    clock.now += 2.0
    assert run(bucket.take(held_back=0)) == 0.0


def test_a_clock_that_steps_back_frees_nothing():
    clock = Clock(100.0)
    bucket = LocalBucket(clock=clock)
    run(bucket.overflowed())
    clock.now = 0.0
    assert run(bucket.take(held_back=0)) > 0


@pytest.mark.parametrize("wrong", [{"requests_per_second": 0}, {"burst": 0}])
def test_a_bucket_needs_a_size(wrong):
    with pytest.raises(ValueError, match="positive rate"):
        LocalBucket(**wrong)


def ledger():
    clock = Clock(1000.0)
    return OperatingLedger(clock=clock, wall=lambda: clock.now), clock


def told(operating, reset_at=None, finish=None):
    return Time(operating=operating, reset_at=reset_at, finish=finish)


def test_cumulative_readings_are_not_added_up():
    book, _ = ledger()
    for reading in (100.0, 200.0, 300.0):
        book.sent("m", 10)
        book.back("m", 10)
        book.read("m", told(reading, 1600.0, 1000.0))
    assert book.room("m", Lane.NORMAL) > 0


def test_the_example_of_the_docs():
    """20 calls of 20 s leave 400 s; room for two more, not for four."""
    book, clock = ledger()
    book.sent("m", 20)
    book.back("m", 20)
    book.learn("m", 20.0)
    book.read("m", told(400.0, 1500.0, 1000.0))
    assert book.room("m", Lane.NORMAL) == 2
    book.sent("m", 2)
    assert book.room("m", Lane.NORMAL) == 0
    assert book.opens_in("m", Lane.NORMAL) is None, "an answer will tell"
    book.back("m", 2)
    book.read("m", told(450.0, 1500.0, 1000.0))
    assert book.room("m", Lane.NORMAL) == 0
    assert book.opens_in("m", Lane.NORMAL) == pytest.approx(500.0)
    clock.now = 1500.0
    assert book.room("m", Lane.NORMAL) == 1, "after the reset one command asks how much was freed"
    assert book.room("other", Lane.NORMAL) > 1000


def test_the_hot_lane_gets_further():
    book, _ = ledger()
    book.learn("m", 1.0)
    book.read("m", told(460.0, 1500.0, 1000.0))
    assert book.room("m", Lane.BACKGROUND) == 0
    assert book.room("m", Lane.NORMAL) == 0
    assert book.room("m", Lane.HOT) > 0


def test_a_429_closes_only_its_method_until_the_reset():
    book, clock = ledger()
    assert book.close("m", 42.0) == pytest.approx(42.0)
    assert book.room("m", Lane.HOT) == 0
    assert book.room("n", Lane.HOT) > 0
    assert book.opens_in("m", Lane.HOT) == pytest.approx(42.0)
    clock.now += 42.0
    assert book.room("m", Lane.HOT) > 0


def test_a_429_without_a_time_waits_for_the_last_known_reset_or_a_minute():
    book, _ = ledger()
    book.read("m", told(480.0, 1300.0, 1000.0))
    assert book.close("m") == pytest.approx(300.0)
    assert book.close("n") == pytest.approx(60.0)


def test_a_portals_wrong_clock_does_not_matter():
    book, _ = ledger()
    book.read("m", told(470.0, reset_at=5_000_300.0, finish=5_000_000.0))
    assert book.opens_in("m", Lane.NORMAL) == pytest.approx(300.0)


def test_a_late_older_answer_does_not_lower_the_sum():
    book, _ = ledger()
    book.learn("m", 1.0)
    book.read("m", told(470.0, 1500.0, 1000.0))
    book.read("m", told(100.0, 1500.0, 1000.0))
    assert book.room("m", Lane.NORMAL) == 0


def test_a_later_reset_means_a_basket_has_left():
    book, _ = ledger()
    book.learn("m", 1.0)
    book.read("m", told(470.0, 1500.0, 1000.0))
    book.read("m", told(100.0, 1560.0, 1000.0))
    assert book.room("m", Lane.NORMAL) > 300


def test_after_the_whole_window_nothing_is_left_of_a_reading():
    book, clock = ledger()
    book.learn("m", 1.0)
    book.read("m", told(470.0, None, None))
    assert book.room("m", Lane.NORMAL) == 0
    clock.now += 600
    assert book.room("m", Lane.NORMAL) > 400


def test_methods_without_readings_are_free():
    book, _ = ledger()
    book.sent("m", 10_000)
    book.back("m", 10_000)
    book.read("m", told(None))
    assert book.room("m", Lane.NORMAL) > 1000


def test_local_buckets_are_awaitable():
    assert asyncio.run(LocalBucket().take(held_back=0)) == 0.0
