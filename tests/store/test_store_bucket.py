"""The shared bucket: whatever the arrivals and the processes, the portal's budget is never exceeded."""

import time

import anyio
import pytest
from sqlalchemy import text

from app.store.bucket import SharedBucket
from app.store.database import connected

pytestmark = pytest.mark.anyio


def _bucket(database, **more) -> SharedBucket:
    return SharedBucket(database, **{"portal_id": 1, "requests_per_second": 2.0, "burst": 50} | more)


async def _age(database, seconds: float) -> None:
    """Let the bucket be as if `seconds` had passed; no test waits for a clock."""
    async with database.writing() as session:
        await session.execute(
            text("UPDATE request_buckets SET updated_at = updated_at - make_interval(secs => :s)"), {"s": seconds}
        )


async def _taken(bucket: SharedBucket, tries: int, held_back: int = 0) -> int:
    return sum([await bucket.take(held_back=held_back) == 0.0 for _ in range(tries)])


async def test_a_fresh_bucket_gives_its_burst_less_the_margin(database):
    bucket = _bucket(database, requests_per_second=0.0001)
    # A second's draining, rounded up, and one more.
    assert await _taken(bucket, 60) == 48
    assert await _taken(_bucket(database, requests_per_second=0.0001, margin=0), 60) == 2


async def test_the_wait_is_the_time_until_one_slot_has_drained(database):
    bucket = _bucket(database, requests_per_second=0.01)
    assert await _taken(bucket, 48) == 48
    wait = await bucket.take(held_back=0)
    assert 0 < wait <= 100
    await _age(database, wait)
    assert await _taken(bucket, 5) == 1


async def test_draining_stops_at_empty(database):
    bucket = _bucket(database, requests_per_second=0.01)
    await bucket.take(held_back=0)
    await _age(database, 1_000_000)
    assert await _taken(bucket, 60) == 48


async def test_held_back_slots_are_left_to_the_urgent(database):
    bucket = _bucket(database, requests_per_second=0.0001)
    assert await _taken(bucket, 60, held_back=10) == 38
    assert await _taken(bucket, 60, held_back=0) == 10


async def test_holding_back_everything_still_leaves_one(database):
    bucket = _bucket(database, requests_per_second=0.0001)
    assert await _taken(bucket, 3, held_back=500) == 1


async def test_overflowed_counts_as_full_even_before_the_first_take(database):
    bucket = _bucket(database, requests_per_second=0.5)
    await bucket.overflowed()
    wait = await bucket.take(held_back=0)
    assert 0 < wait <= 6
    await _age(database, 6)
    assert await bucket.take(held_back=0) == 0.0


async def test_portals_do_not_share(database):
    assert await _taken(_bucket(database, requests_per_second=0.0001), 60) == 48
    assert await _taken(_bucket(database, requests_per_second=0.0001, portal_id=2), 60) == 48


async def test_a_clock_that_went_back_gives_nothing_away(database):
    bucket = _bucket(database, requests_per_second=0.0001)
    assert await _taken(bucket, 40) == 40
    await _age(database, -3600)
    assert await _taken(bucket, 60) == 8


@pytest.mark.parametrize(("rate", "burst", "takers"), [(0.0001, 20, 12), (50.0, 10, 12), (400.0, 30, 6)])
async def test_many_takers_in_several_processes_stay_within_the_budget(
    database, database_conninfo, rate, burst, takers
):
    """At any moment the taken slots are at most the usable burst and what has leaked since the first take."""
    times: list[float] = []

    async def take_all(bucket: SharedBucket, tries: int) -> None:
        for _ in range(tries):
            wait = await bucket.take(held_back=0)
            times.extend([time.monotonic()] if wait == 0.0 else [])

    # Two pools stand for two processes: what they share is the database alone.
    async with connected(database_conninfo, pool_size=5) as other, anyio.create_task_group() as tasks:
        began = time.monotonic()
        for number in range(takers):
            bucket = _bucket((database, other)[number % 2], requests_per_second=rate, burst=burst, margin=2)
            tasks.start_soon(take_all, bucket, 15)
    assert len(times) >= min(burst - 2, takers * 15)
    for count, moment in enumerate(sorted(times), start=1):
        assert count <= burst - 2 + rate * (moment - began)
