"""The portal's own working time, from settings as portals print them."""

import pytest

from app.domain.calendars import NINE_TO_SIX
from app.domain.working_time import Hours
from app.pipeline.calendar_settings import layer_of_settings

DOCUMENTED = {
    "work_time_start": "9",
    "work_time_end": "18",
    "week_holidays": ["SA", "SU"],
    "year_holidays": "1.01,2.01,7.01",
    "year_workdays": "31.12",
    "week_start": "MO",
}
HALF = (Hours(9 * 60 + 30, 18 * 60),)


def week(hours, *free):
    return {day: () if day in free else hours for day in range(7)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, week(NINE_TO_SIX, 5, 6), id="as documented"),
        pytest.param({"work_time_start": "9.30"}, week(HALF, 5, 6), id="half past with a point"),
        pytest.param({"work_time_start": "9:30"}, week(HALF, 5, 6), id="half past with a colon"),
        pytest.param({"work_time_start": "09.00"}, week(NINE_TO_SIX, 5, 6), id="a leading nought"),
        pytest.param({"work_time_start": 9, "work_time_end": 18}, week(NINE_TO_SIX, 5, 6), id="numbers"),
        pytest.param({"work_time_start": "0", "work_time_end": "24"}, week((Hours(0, 1440),), 5, 6), id="all day"),
        pytest.param({"week_holidays": []}, week(NINE_TO_SIX), id="no day off"),
        pytest.param({"week_holidays": {"0": "FR"}}, week(NINE_TO_SIX, 4), id="a list printed as a map"),
    ],
)
def test_hours_of_the_week(changes, expected):
    read = layer_of_settings({**DOCUMENTED, **changes})
    assert (read.layer.week, read.strange) == (expected, ())


@pytest.mark.parametrize(
    ("changes", "strange"),
    [
        pytest.param({"work_time_start": "9.5"}, "work_time: 9.5 to 18", id="half of what"),
        pytest.param({"work_time_start": "9.60"}, "work_time: 9.60 to 18", id="no such minute"),
        pytest.param({"work_time_start": ""}, "work_time:  to 18", id="empty"),
        pytest.param({"work_time_end": "25"}, "work_time: 9 to 25", id="no such hour"),
        pytest.param({"work_time_start": "22", "work_time_end": "6"}, "work_time: 22 to 6", id="over midnight"),
    ],
)
def test_hours_that_are_not_understood_are_as_in_the_layer_below(changes, strange):
    read = layer_of_settings({**DOCUMENTED, **changes})
    assert (read.layer.week, read.strange) == ({5: (), 6: ()}, (strange,))


def test_days_of_every_year():
    read = layer_of_settings(DOCUMENTED)
    assert (read.layer.yearly_off, read.layer.yearly_working) == ({(1, 1), (1, 2), (1, 7)}, {(12, 31)})
    odd = layer_of_settings({**DOCUMENTED, "year_holidays": "29.02, 31.06,x,,1.1", "week_holidays": ["SA", "XX"]})
    assert odd.layer.yearly_off == {(2, 29), (1, 1)}
    assert odd.strange == ("week_holidays: XX", "year_holidays: 31.06", "year_holidays: x")
    assert layer_of_settings({}).layer.yearly_off == frozenset()
