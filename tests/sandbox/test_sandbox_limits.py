"""The bucket over requests, the ledger over methods, the longest request; all by a clock the test turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sandbox.limits import LeakyBucket, Limits, OperatingLedger
from app.sandbox.portal import SandboxPortal


@pytest.fixture
def strict(clock):
    """A portal with the limits of an ordinary plan."""

    def make(**limits):
        return SandboxPortal(clock=clock, ticks=clock.ticks, limits=Limits(**limits))

    return make


def test_a_burst_then_two_a_second(strict, clock):
    portal = strict()
    assert [portal.call("profile").status for _ in range(51)] == [200] * 50 + [503]
    clock.advance(0.5)
    assert [portal.call("profile").status for _ in range(2)] == [200, 503]
    clock.advance(3600)
    assert [portal.call("profile").status for _ in range(51)] == [200] * 50 + [503]
    assert portal.stats.refused_503 == 3


def test_the_refusal_is_worded_as_in_the_docs(strict):
    portal = strict(burst=1)
    portal.call("profile")
    assert portal.call("profile").body == {
        "error": "QUERY_LIMIT_EXCEEDED",
        "error_description": "Too many requests",
    }


def test_a_batch_is_one_request(strict):
    portal = strict(burst=2)
    commands = {f"c{number}": "profile" for number in range(50)}
    assert [portal.call("batch", {"cmd": commands}).status for _ in range(3)] == [200, 200, 503]
    assert portal.stats.commands["profile"] == 100


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=200))
def test_the_bucket_never_admits_more_than_its_budget(gaps):
    bucket, limits, now, admitted = LeakyBucket(), Limits(requests_per_second=2, burst=5), 0.0, 0
    for gap in gaps:
        now += gap
        admitted += bucket.admit(limits, now)
        assert admitted <= 5 + 2 * now + 1e-6


def test_run_time_is_summed_by_method_and_the_next_call_is_refused(strict, clock):
    portal = strict(costs={"crm.item.list": 20.0})
    statuses = []
    for _ in range(26):
        clock.advance(10)
        statuses.append(portal.call("crm.item.list", {"entityTypeId": 1}).status)
    assert statuses == [200] * 25 + [429]
    assert portal.call("profile").status == 200
    assert portal.stats.refused_429 == 1
    assert portal.stats.operating["crm.item.list"] == pytest.approx(500)


def test_a_blocked_method_opens_when_a_bucket_leaves(strict, clock):
    portal = strict(costs={"profile": 241.0}, request_seconds=1000)
    first = portal.call("profile").body["time"]
    clock.advance(120)
    portal.call("profile")
    refused = portal.call("profile")
    assert refused.body["error"] == "OPERATION_TIME_LIMIT"
    clock.advance(first["operating_reset_at"] - clock.now.timestamp() - 1)
    assert portal.call("profile").status == 429
    clock.advance(1)
    assert portal.call("profile").status == 200


def test_in_a_batch_only_the_expensive_method_is_refused(strict):
    portal = strict(costs={"profile": 17.0}, operating_seconds=30)
    answer = portal.call("batch", {"cmd": {"a": "profile", "b": "profile", "c": "profile", "d": "server.time"}})
    result = answer.body["result"]
    assert list(result["result"]) == ["a", "b", "d"]
    assert result["result_error"]["c"]["error"] == "OPERATION_TIME_LIMIT"
    assert result["result_time"]["b"]["operating"] == pytest.approx(34)
    assert "batch" not in portal.stats.operating


def test_a_request_over_a_minute_is_cut_and_its_writes_stay(strict):
    portal = strict(costs={"crm.lead.add": 25.0})
    answer = portal.call("batch", {"cmd": {f"c{n}": "crm.lead.add?fields[TITLE]=A" for n in range(5)}})
    assert answer.status == 504
    assert len(portal.items(1)) == 3


def test_the_ledger_counts_a_bucket_from_its_first_call():
    ledger = OperatingLedger()
    ledger.book("m", 5, 65.0)
    ledger.book("m", 5, 119.0)
    ledger.book("m", 1, 121.0)
    assert ledger.reset_at("m", 121.0) == 665
    assert ledger.spent("m", 664.9) == 11
    assert ledger.spent("m", 665.0) == 1


def test_limits_can_be_switched_off(portal):
    assert {portal.call("profile").status for _ in range(200)} == {200}
