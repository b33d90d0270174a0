"""Segments by purchases: a table of cases, each with since when and until when; and laws."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.next_contact import due_on
from app.domain.ruleset import DEFAULT, Minimum, Ruleset, Segments
from app.domain.segment import Bounds, Segment, bounds_of, judge_segment
from tests.domain.judging_world import law

TODAY = date(2026, 11, 22)
BOUNDS = Bounds(sleeping_days=180, regular_won_deals=3, regular_months=12)
NEW, REGULAR, SLEEPING, NURTURE = Segment.NEW, Segment.REGULAR, Segment.SLEEPING, Segment.NURTURE


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@pytest.mark.parametrize(
    ("purchases", "marked", "segment", "since", "changes_on"),
    [
        pytest.param([], False, None, None, None, id="nobody bought, no mark"),
        pytest.param([], True, NURTURE, None, None, id="marked, nothing bought"),
        pytest.param([ago(0)], True, NEW, ago(0), TODAY + timedelta(181), id="marked and bought today"),
        pytest.param([ago(180)], False, NEW, ago(180), TODAY + timedelta(1), id="the last day awake"),
        pytest.param([ago(181)], False, SLEEPING, TODAY, None, id="the first day asleep"),
        pytest.param([ago(2000)], True, SLEEPING, ago(2000 - 181), None, id="long ago, and marked"),
        pytest.param([ago(300), ago(290), ago(200)], False, SLEEPING, ago(19), None, id="a regular one who stopped"),
        pytest.param(
            [ago(90), ago(60), ago(10)], False, REGULAR, ago(10), date(2027, 5, 12), id="regular by the third"
        ),
        pytest.param(
            [date(2025, 11, 22), date(2026, 6, 1), date(2026, 9, 1)],
            False,
            REGULAR,
            date(2026, 9, 1),
            TODAY + timedelta(1),
            id="the boundary day of the months counts",
        ),
        pytest.param(
            [date(2025, 11, 21), date(2026, 6, 1), date(2026, 9, 1)],
            False,
            NEW,
            # The third purchase made it regular until the first one fell out of the months.
            TODAY,
            date(2027, 3, 1),
            id="regular no more, and awake",
        ),
        pytest.param([ago(700), ago(3)], False, NEW, ago(3), ago(3) + timedelta(181), id="won back"),
        pytest.param([TODAY + timedelta(40)], False, NEW, TODAY, TODAY + timedelta(181), id="dated ahead"),
        pytest.param([ago(5)] * 3, False, REGULAR, ago(5), ago(5) + timedelta(181), id="three on one day"),
    ],
)
def test_the_segment_and_its_days(
    purchases: list[date], marked: bool, segment: Segment | None, since: date | None, changes_on: date | None
) -> None:
    found = judge_segment(purchases, BOUNDS, marked=marked, today=TODAY)
    assert (found.segment, found.since, found.changes_on, found.known) == (segment, since, changes_on, True)


def test_what_was_not_read_is_no_segment() -> None:
    found = judge_segment(None, BOUNDS, marked=True, today=TODAY)
    assert (found.segment, found.known) == (None, False)


def test_regular_is_what_the_minimum_says_until_segments_say_it_themselves() -> None:
    minimum = Minimum(regular_won_deals=5, regular_months=6)
    assert bounds_of(Ruleset(minimum=minimum)) == Bounds(180, 5, 6)
    own = Segments(sleeping_days=90, regular_won_deals=2, regular_months=24)
    assert bounds_of(Ruleset(minimum=minimum, segments=own)) == Bounds(90, 2, 24)


days = st.lists(st.integers(0, 4000).map(ago), max_size=8)
bounds = st.builds(Bounds, st.integers(1, 800), st.integers(1, 5), st.integers(1, 40))


@law
@given(days, days, bounds, st.booleans())
def test_more_purchases_never_send_a_company_to_sleep(
    bought: list[date], more: list[date], bounds: Bounds, marked: bool
) -> None:
    before = judge_segment(bought, bounds, marked=marked, today=TODAY).segment
    after = judge_segment([*bought, *more], bounds, marked=marked, today=TODAY).segment
    assert after is not SLEEPING or before in {SLEEPING, None, NURTURE}
    assert before is not REGULAR or after is REGULAR


@law
@given(st.booleans(), bounds)
def test_the_unknown_never_sleeps(marked: bool, bounds: Bounds) -> None:
    assert judge_segment(None, bounds, marked=marked, today=TODAY).segment is None


@law
@given(days.filter(bool), bounds)
def test_since_and_until_are_where_the_segment_begins_and_ends(bought: list[date], bounds: Bounds) -> None:
    def on(day: date) -> Segment | None:
        return judge_segment([one for one in bought if one <= day], bounds, marked=False, today=day).segment

    found = judge_segment(bought, bounds, marked=False, today=TODAY)
    assert found.since is not None
    assert on(found.since) is found.segment
    assert on(found.since - timedelta(1)) is not found.segment
    if found.changes_on is not None:
        assert found.changes_on > TODAY
        assert on(found.changes_on) is not found.segment
        assert on(found.changes_on - timedelta(1)) is found.segment
    else:
        assert found.segment is SLEEPING


_SEGMENTS = DEFAULT.segments


@pytest.mark.parametrize(
    ("segment", "last", "due"),
    [
        pytest.param(SLEEPING, None, ago(10), id="fell asleep, nobody spoke to it"),
        pytest.param(NURTURE, None, ago(10) + timedelta(30), id="marked, after the lead's own contact"),
        pytest.param(SLEEPING, ago(4), ago(4) + timedelta(30), id="spoken to"),
        pytest.param(NURTURE, ago(40), ago(10), id="spoken to before the mark"),
        pytest.param(NEW, None, None, id="a new one has its deals"),
        pytest.param(None, ago(1), None, id="in no segment"),
    ],
)
def test_when_the_next_contact_is_due(segment: Segment | None, last: date | None, due: date | None) -> None:
    assert due_on(segment, _SEGMENTS, since=ago(10), last_contact=last) == due


@pytest.mark.parametrize("off", [Segments(todos=False), Segments(written=False)])
def test_no_contact_is_due_where_the_rules_ask_for_none(off: Segments) -> None:
    assert due_on(SLEEPING, off, since=ago(10), last_contact=None) is None
